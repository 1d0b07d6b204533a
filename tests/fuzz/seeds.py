"""What fuzzing begins with: cells that people wrote, the words of the language, and ways to change a text of cells."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from lowcode_kernel.checks.catalog import PAGES
from lowcode_kernel.language import CELL_MAGICS, LINE_MAGICS
from lowcode_kernel.types import SCALARS
from tests.cases import FOLDER
from tests.hostile import table

ROOT = Path(__file__).parents[2]
BETWEEN = "\n---\n"
_LONGEST = 3_000  # characters of a hostile cell that is worth a seed
_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
_OPTIONS = (
    "--role", "--rest", "--public", "--replace", "--was", "--file", "--timeout", "--retries", "--priority", "--notebook", "--base-url",
    "--hash", "--module", "--title", "--show",
)  # fmt: skip
_OTHER = (
    " | None", "many(", "computed(", "check(", "access(rows=", "unique()", "was(", "on_delete=", "user.id", "in user.roles", "together(", ".first(",
    ".page(", ".top(", ".batch(", ".exists(", ".get_many(", "raise Refused(", "except NotFound:", "only=[", "link(", "row=", "ask=[", "form(", "table(",
    "SELECT ", " FROM ", " JOIN ", " WHERE ", " GROUP BY ", " ORDER BY ", " IS NULL OR ", "WITH a AS (", " OVER (PARTITION BY ", " LATERAL ", " UNION ALL ",
    "# lowcode: allow LK402 because ", "\\ud800", "\\0", "ﬁ", "\r", "\x0c",
)  # fmt: skip


def texts() -> list[str]:
    """Return texts of cells: of the cases, the pages of the checks, the notebooks, and hostile ones that are short."""
    found = [path.read_text("utf-8").partition("\n=====\n")[0] for path in sorted(FOLDER.rglob("*.txt"))]
    found += [path.read_text("utf-8") for path in sorted((ROOT / "tests" / "differential").rglob("*.txt"))]
    for page in sorted(PAGES.glob("LK*.md")):
        found += re.findall(r"^```\w+\n(.*?)\n```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found += ["".join(cell["source"]) for cell in cells if "%" in "".join(cell["source"])]
    found += [
        BETWEEN.join(("(shop)", *cells)) for make in table().values() if sum(map(len, cells := make())) < _LONGEST
    ]
    return [text.strip("\n") for text in found]


def words() -> list[str]:
    """Return the words that mean something to the language."""
    magics = [
        *(f"%%{name} " for name in CELL_MAGICS),
        *(f"%{name} " for name in (*LINE_MAGICS, "app", "use", "scaffold")),
    ]
    return [*magics, *SCALARS, *_OPTIONS, *_OTHER]


def write(folder: Path) -> Path:
    """Write the seeds into the folder `corpus`, and the words into a dictionary; return the dictionary."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts()):
        (corpus / f"seed-{number:04}").write_bytes(text.encode("utf-8", "surrogatepass"))
    path = folder / "words.dict"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode("utf-8")) for word in words())
    path.write_text("".join(f'"{word}"\n' for word in escaped), "ascii")
    return path


class Mutator:
    """Changes texts of cells by cells, lines and words, with parts of others."""

    def __init__(self) -> None:
        found = texts()
        self.cells = [cell for text in found for cell in text.split(BETWEEN)]
        self.lines = sorted({line for cell in self.cells for line in cell.split("\n")})
        self.words = sorted({*words(), *(word for line in self.lines for word in _TOKEN.findall(line))})

    def changed(self, text: str, seed: int) -> str:
        """Return the text with one to four changes."""
        chance = random.Random(seed)
        for _ in range(chance.randint(1, 4)):
            between, pool = chance.choice(((BETWEEN, self.cells), ("\n", self.lines), ("", self.words)))
            parts = text.split(between) if between else _TOKEN.findall(text)
            text = between.join(self._changed(parts, pool, chance))
        return text

    def _changed(self, parts: list[str], pool: list[str], chance: random.Random) -> list[str]:
        at, other = chance.randrange(len(parts) + 1), chance.randrange(len(parts) + 1)
        start, end = min(at, other), min(max(at, other), min(at, other) + chance.randint(1, 8))
        match chance.randrange(7):
            case 0:  # put something in
                return [*parts[:at], chance.choice(pool), *parts[at:]]
            case 1:  # put something else there
                return [*parts[:at], chance.choice(pool), *parts[at + 1 :]]
            case 2:  # take something out
                return [*parts[:start], *parts[end:]]
            case 3:  # say it twice
                return [*parts[:end], *parts[start:end], *parts[end:]]
            case 4:  # say it elsewhere
                rest = [*parts[:start], *parts[end:]]
                to = chance.randrange(len(rest) + 1)
                return [*rest[:to], *parts[start:end], *rest[to:]]
            case 5 if len(parts) > 1:  # name something that the text names elsewhere
                return [*parts[:at], chance.choice(parts), *parts[at + 1 :]]
            case _:  # let a part be another's
                inner = _TOKEN.findall(chance.choice(pool))
                return [*parts[:at], *inner[: chance.randint(0, len(inner))], *parts[at:]]
