"""The model at hand in a running kernel: the one mutable thing of this package.

A cell that runs again replaces what it defined before; that is all the session remembers of history. Cells are told
apart by the id that the front-end
sends, or by their number where it sends none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.assembly import Model, assemble
from lowcode_kernel.language import CellReading, read_cell
from lowcode_kernel.notebook import code_cells, used_notebooks
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.application import Application


@dataclass
class Session:
    """The readings of the cells that ran, by cell. `current` is the reading of the cell that is running."""

    readings: dict[str, CellReading] = field(default_factory=dict)
    current: CellReading | None = None

    def run_cell(self, text: str, *, cell_id: str | None, count: int) -> CellReading:
        """Take in a cell that is about to run as the kernel's `count`th; it replaces what the same cell said before."""
        number = _number_in_file(cell_id) or count
        reading = read_cell(text, Place(cell=number))
        key = cell_id or self._key_without_id(reading, count)
        self.readings.pop(key, None)
        if not reading.is_empty:
            self.readings[key] = reading
        self.current = reading
        return reading

    def _key_without_id(self, reading: CellReading, count: int) -> str:
        """Without ids (a console, a headless run) a cell that defines the same names as an earlier one is that cell,
        run again.
        """
        names = _names(reading)
        for key, earlier in self.readings.items():
            if names and names == _names(earlier) and earlier.replaces == reading.replaces:
                return key
        return f"#{count}"

    @property
    def model(self) -> Model:
        """The application that the cells define together."""
        path, readings = notebook_path(), list(self.readings.values())
        used, problems = used_notebooks(readings, path.parent if path else Path(), path)
        model = assemble(readings, used)
        return replace(model, problems=(*model.problems, *problems)) if problems else model

    def application(self) -> Application:
        """Return the application; raises LowcodeError with every problem where it has any."""
        model = self.model
        if model.problems:
            raise LowcodeError(*model.problems)
        return model.application


def _names(reading: CellReading) -> set[str]:
    """Return what a cell is known by: what it defines, scaffolds and uses."""
    names = {element.id for element in reading.elements} | {f"%scaffold {item.entity}" for item in reading.scaffolds}
    return names | {f"%use {use.path}" for use in reading.uses}


def notebook_path() -> Path | None:
    """Return the notebook that this kernel serves, as Jupyter Server (2.0 and later) tells it, if the file is there."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    path = Path(name)
    return path if name.endswith(".ipynb") and path.is_file() else None


def _number_in_file(cell_id: str | None) -> int | None:
    """Return the number of the cell in the saved notebook, so that places stay true when cells are run out of order."""
    path = notebook_path() if cell_id else None
    if path is None:
        return None
    try:
        return next((number for number, other, _ in code_cells(path) if other == cell_id), None)
    except LowcodeError:
        return None  # the file is being written at this moment: the count serves
