"""Feed cells that atheris makes to the language, the checks, the optimizer and the generators: no exception but a
problem told, and no cells that take over a second.

`make fuzz SECONDS=600`; what it finds is left as `build/fuzz/finding-*`, one for each place that raises, and
`python -m tests.fuzz build/fuzz/finding-...` runs one again. The inputs that reach new code are kept in
`build/fuzz/corpus`. An input is cells with a line `---` between them; a first one `(shop)` stands for the shop's.
"""

from __future__ import annotations

import os
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from time import process_time

import atheris

with atheris.instrument_imports(include=["lowcode_kernel"]):
    from lowcode_kernel import memo
    from lowcode_kernel.checks import check, errors
    from lowcode_kernel.generators.passes import optimize
    from lowcode_kernel.graph import build_graph
    from lowcode_kernel.notebook import read_cells

from tests.cases import BASE
from tests.differential.twins import unformatted
from tests.fuzz.seeds import BETWEEN, ROOT, Mutator, write

PATIENCE = 5.0  # seconds of computing: instrumented code takes five times as long
FORGET = 500  # inputs after which all that is remembered is forgotten
BUILD = ROOT / "build" / "fuzz"


def text_of(data: bytes) -> str:
    """Return the text of an input, with halves of characters where it has them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def tried(text: str) -> None:
    """Read cells, and do all that is done with a model: check it, and optimize and generate what is sound."""
    began = process_time()
    first, *others = text.split(BETWEEN)
    cells = [*BASE.split(BETWEEN), *others] if first.strip() == "(shop)" else [first, *others]
    model = read_cells(enumerate(cells, 1), BUILD)
    found = check(model)
    "\n".join(map(str, found)).encode()
    if not errors(found):
        build_graph(model.application)
        unformatted(optimize(model.application).application)
    if (seconds := process_time() - began) > PATIENCE:
        raise TimeoutError(f"{seconds:.1f} s")


class Campaign:
    """Tries inputs, and keeps the first one for each place that raises."""

    def __init__(self) -> None:
        self.count = 0
        self.places: set[str] = set()

    def one_input(self, data: bytes) -> None:
        """Try one input; what it raises is written down, and the campaign goes on."""
        self.count += 1
        if self.count % FORGET == 0:
            memo.forget()
        try:
            tried(text_of(data))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} {frame.filename}:{frame.lineno}"
            if place not in self.places:
                self.places.add(place)
                path = BUILD / f"finding-{sha256(place.encode()).hexdigest()[:8]}"
                path.write_bytes(data)
                print(f"{path}: {place}: {error}", file=sys.stderr, flush=True)


def mutation(mutator: Mutator, data: bytes, most: int, seed: int) -> bytes:
    """Change an input: as cells, lines and words, and every third time as bytes."""
    if seed % 3 == 0:
        return bytes(atheris.Mutate(data, most))
    return mutator.changed(text_of(data), seed).encode("utf-8", "surrogatepass")[:most]


def main() -> None:
    """Fuzz until the time is over; the exit status says whether anything was found."""
    files = [Path(word) for word in sys.argv[1:] if Path(word).is_file()]
    for path in files:
        tried(text_of(path.read_bytes()))
    if files:
        return
    dictionary, mutator = write(BUILD), Mutator()
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        found = sorted(BUILD.glob("finding-*"))
        print(*found, sep="\n")
        sys.exit(1 if found or status else 0)
    arguments = [sys.argv[0], *sys.argv[1:], f"-dict={dictionary}", f"-artifact_prefix={BUILD}/", "-rss_limit_mb=4096"]
    atheris.Setup(
        arguments, Campaign().one_input, custom_mutator=lambda data, most, seed: mutation(mutator, data, most, seed)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
