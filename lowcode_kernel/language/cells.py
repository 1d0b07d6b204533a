"""One cell's text to what it defines. The notebook reader and the running kernel both come through here, so that they
can't differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.language.callables import read_action, read_job, read_query, read_screen, read_test
from lowcode_kernel.language.entity import read_entity, read_struct
from lowcode_kernel.language.small import AppName, read_app, read_data, read_integration, read_role, read_setting
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
LINE_MAGICS: dict[str, Callable[[str, Place], Element]] = {"role": read_role, "setting": read_setting}

_CELL = re.compile(r"\s*%%(\w+)[ \t]*([^\n]*)(?:\n|\Z)")
_REPLACE = re.compile(r"\s--replace(?=\s|\Z)")
_LINE = re.compile(r"%(\w+)(?:[ \t]+(.*?))?\s*\Z")
_MAX_CELL = 1_000_000  # characters; a definition of a megabyte is a file pasted by mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReading:
    """What one cell says: its definitions, the application's name if it gives one, and what is wrong with it.

    `replaces` is `--replace` in the header: the definition takes the place of the one with its name in an earlier cell.
    """

    place: Place
    elements: tuple[Element, ...] = ()
    app: AppName | None = None
    replaces: bool = False
    problems: tuple[Problem, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """True where the cell has nothing to do with the model."""
        return not (self.elements or self.app or self.problems)


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
    if match := _CELL.match(text):
        return _read_cell_magic(match, text, place)
    return _read_lines(text, place)


def _read_cell_magic(match: re.Match[str], text: str, place: Place) -> CellReading:
    magic, header, body = match[1], match[2].strip(), text[match.end() :]
    reader = CELL_MAGICS.get(magic)
    if reader is None:
        return CellReading(place=place)
    at = place.shifted(text[: match.start(1)].count("\n"))
    header, replaced = _REPLACE.subn("", header, count=1)
    try:
        return CellReading(place=place, elements=(reader(header, body, at),), replaces=bool(replaced))
    except LowcodeError as error:
        return CellReading(place=place, problems=error.problems)


def _read_lines(text: str, place: Place) -> CellReading:
    elements: list[Element] = []
    problems: list[Problem] = []
    app: AppName | None = None
    for offset, line in enumerate(text.splitlines()):
        if not (match := _LINE.match(line)):
            continue
        at = place.shifted(offset)
        try:
            if match[1] == "app":
                app = read_app(match[2] or "", at)
            elif reader := LINE_MAGICS.get(match[1]):
                elements.append(reader(match[2] or "", at))
        except LowcodeError as error:
            problems.extend(error.problems)
    return CellReading(place=place, elements=tuple(elements), app=app, problems=tuple(problems))
