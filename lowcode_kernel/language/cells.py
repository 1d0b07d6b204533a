"""One cell's text to what it defines. The notebook reader and the running kernel both come through here, so that they
can't differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lowcode_kernel.language.callables import read_action, read_job, read_query, read_screen, read_test
from lowcode_kernel.language.entity import read_entity, read_struct
from lowcode_kernel.language.packages import read_package
from lowcode_kernel.language.scaffold import Scaffold, read_scaffold
from lowcode_kernel.language.small import AppName, read_app, read_data, read_integration, read_role, read_setting
from lowcode_kernel.language.use import Use, read_use
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.elements import Element

CELL_MAGICS: dict[str, Callable[[str, str, Place], Element]] = {
    "entity": read_entity,
    "struct": read_struct,
    "query": read_query,
    "action": read_action,
    "screen": read_screen,
    "job": read_job,
    "integration": read_integration,
    "data": read_data,
    "test": read_test,
}
LINE_MAGICS: dict[str, Callable[[str, Place], Element]] = {
    "role": read_role,
    "setting": read_setting,
    "package": read_package,
}

_MAGICS = frozenset({*LINE_MAGICS, "app", "scaffold", "use"})
_CELL = re.compile(r"\s*%%(\w+)[ \t]*([^\n]*)(?:\n|\Z)")
_REPLACE = re.compile(r"\s--replace(?=\s|\Z)")
_PUBLIC = re.compile(r"\s--public(?=\s|\Z)")
_HELP = frozenset({"-h", "--help", "?"})
_LINE = re.compile(r"%(\w+)(?:[ \t](.*))?\s*\Z")
_MAX_CELL = 1_000_000  # characters; a definition of a megabyte is a file pasted by mistake
_MAX_LINE = 10_000  # characters of a header, or of a line that defines something
_MAX_LINES = 2_000  # lines that define something, in one cell
_HALF = re.compile("[\\ud800-\\udfff]")  # half of a character: a notebook may hold it, and no file or database takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReading:
    """What one cell says: its definitions, the application's name if it gives one, and what is wrong with it.

    `scaffolds` are its `%scaffold` lines, which become definitions when all entities are known, and `uses` its `%use`
    lines. `replaces` is
    `--replace` in the header: the definition takes the place of the one with its name in an earlier cell.
    """

    place: Place
    elements: tuple[Element, ...] = ()
    app: AppName | None = None
    scaffolds: tuple[Scaffold, ...] = ()
    uses: tuple[Use, ...] = ()
    replaces: bool = False
    problems: tuple[Problem, ...] = field(default=())
    text: str = field(default="", compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """True where the cell has nothing to do with the model."""
        return not (self.elements or self.app or self.scaffolds or self.uses or self.problems)


def read_cell(text: str, place: Place) -> CellReading:
    """Read the cell whose first line stands at `place`. Never raises for what a user wrote: what is wrong is in
    `problems`.
    """
    if len(text) > _MAX_CELL and "%" in text[:100]:
        fact = f"the cell has {len(text):,} characters"
        return CellReading(
            place=place,
            problems=(Problem(code="LK015", fact=fact, hint="keep data in a file: %%data Entity --file", place=place),),
        )
    match = _CELL.match(text)
    reading = _read_cell_magic(match, text, place) if match else _read_lines(text, place)
    if not reading.is_empty and not text.isascii() and (half := _HALF.search(text)):
        at = place.shifted(text.count("\n", 0, half.start()))
        fact, hint = f"there is half a character, U+{ord(half[0]):X}", "write it again"
        reading = CellReading(place=place, problems=(Problem(code="LK017", fact=fact, hint=hint, place=at),))
    return replace(reading, text=text)


def _read_cell_magic(match: re.Match[str], text: str, place: Place) -> CellReading:
    magic, header, body = match[1], match[2].strip(), text[match.end() :]
    reader = CELL_MAGICS.get(magic)
    if reader is None:
        return CellReading(place=place)
    at = place.shifted(text[: match.start(1)].count("\n"))
    if len(header) > _MAX_LINE:
        return CellReading(place=place, problems=(_too_long(header, at),))
    header, replaced = _REPLACE.subn("", header, count=1)
    header, public = _PUBLIC.subn("", header, count=1)
    try:
        element = reader(header, body, at)
        elements = (replace(element, public=True) if public else element,)
        return CellReading(place=place, elements=elements, replaces=bool(replaced))
    except LowcodeError as error:
        return CellReading(place=place, problems=error.problems)
    except RecursionError:
        problem = Problem(code="LK010", fact=f"the {magic} is nested too deeply", hint="split it", place=at)
        return CellReading(place=place, problems=(problem,))


def _too_long(line: str, place: Place) -> Problem:
    fact, hint = f"the line has {len(line):,} characters", f"a line that defines something has {_MAX_LINE:,} at most"
    return Problem(code="LK015", fact=fact, hint=hint, place=place)


@dataclass
class _Lines:
    """What the lines of one cell add up to."""

    elements: list[Element] = field(default_factory=list)
    scaffolds: list[Scaffold] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    app: AppName | None = None
    count: int = 0

    def read(self, magic: str, text: str, place: Place) -> None:
        """Read one line; raises LowcodeError. A question for help defines nothing."""
        if text in _HELP or magic not in _MAGICS:
            return
        self.count += 1
        if self.count > _MAX_LINES:
            fact = f"the cell has more than {_MAX_LINES:,} lines that define something"
            raise LowcodeError.of(fact, "split it", code="LK015", place=place)
        if len(text) > _MAX_LINE:
            raise LowcodeError(_too_long(text, place))
        match magic:
            case "app":
                self.app = read_app(text, place)
            case "scaffold":
                self.scaffolds.append(read_scaffold(text, place))
            case "use":
                self.uses.append(read_use(text, place))
            case _ if reader := LINE_MAGICS.get(magic):
                plain, public = _PUBLIC.subn("", text, count=1)
                element = reader(plain, place)
                self.elements.append(replace(element, public=True) if public else element)


def _read_lines(text: str, place: Place) -> CellReading:
    lines = _Lines()
    for offset, line in enumerate(text.splitlines()):
        if not (match := _LINE.match(line)):
            continue
        try:
            lines.read(match[1], (match[2] or "").strip(), place.shifted(offset))
        except LowcodeError as error:
            lines.problems.extend(error.problems)
        except RecursionError:
            problem = Problem(code="LK010", fact="the line is nested too deeply", place=place.shifted(offset))
            lines.problems.append(problem)
        if lines.count > _MAX_LINES:
            break
    return CellReading(
        place=place,
        elements=tuple(lines.elements),
        app=lines.app,
        scaffolds=tuple(lines.scaffolds),
        uses=tuple(lines.uses),
        problems=tuple(lines.problems),
    )
