"""A fix: the edits of cells that put a problem right, where there is one way only.

A fix is data. `edited` gives a cell's text with edits made; who keeps the cells (a notebook file, a front-end) decides
whether they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`text` takes the place of what stands from `start` up to `end`, the place behind the last character. Columns
    count characters.
    """

    start: Place
    end: Place
    text: str

    @property
    def cell(self) -> tuple[str | None, int]:
        """The cell that it changes: its notebook and number."""
        return self.start.notebook, self.start.cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Edits that belong together. `what` says in a few words what they do: `name the columns of Order`."""

    what: str
    edits: tuple[Edit, ...]


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a cell's text with the edits made. They may not overlap."""
    lines = text.splitlines(keepends=True) or [""]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(place: Place) -> int:
        return min(starts[min(place.line, len(starts)) - 1] + place.column - 1, len(text))

    for edit in sorted(edits, key=lambda edit: (edit.start.line, edit.start.column), reverse=True):
        text = text[: offset(edit.start)] + edit.text + text[offset(edit.end) :]
    return text


def overlap(one: Edit, other: Edit) -> bool:
    """Say whether two edits touch the same characters, or add at the same place."""
    if one.cell != other.cell:
        return False
    first, second = sorted((_span(one), _span(other)))
    return second[0] < first[1] or first[0] == second[0]


def _span(edit: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
    return (edit.start.line, edit.start.column), (edit.end.line, edit.end.column)


def span(place: Place, start: int, end: int, text: str) -> tuple[Place, Place]:
    """Return the places of the characters `start` to `end` of a text whose first character stands at `place`."""
    return _at(place, text, start), _at(place, text, end)


def _at(place: Place, text: str, offset: int) -> Place:
    lines = text.count("\n", 0, offset)
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return place.shifted(lines, column if lines else place.column + column - 1)
