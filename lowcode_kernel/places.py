"""Where something was written: the cell of a notebook, the line and the column in it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A position in a notebook.

    `cell` counts the code cells that are not empty from 1, as the brackets `[4]` count them after a run from the top.
    `line` and `column` count from 1.
    `notebook` is a path as the user wrote it, or None for the notebook at hand. `fixed` is True where one line stands
    for a text that nobody wrote (`%scaffold`): what is wrong in that text is told at the line.
    """

    cell: int
    line: int = 1
    column: int = 1
    notebook: str | None = None
    fixed: bool = field(default=False, compare=False, repr=False)

    def __str__(self) -> str:
        where = f"cell {self.cell}, line {self.line}"
        return f"{self.notebook}, {where}" if self.notebook else where

    def shifted(self, lines: int, column: int = 1) -> Place:
        """Return the place `lines` below this one, at `column`."""
        if self.fixed:
            return self
        return Place(cell=self.cell, line=self.line + lines, column=column, notebook=self.notebook)
