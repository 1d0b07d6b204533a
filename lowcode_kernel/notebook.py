"""A saved notebook to the same model that running its cells gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lowcode_kernel.assembly import Model, assemble
from lowcode_kernel.language import CellReading, read_cell
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def code_cells(path: Path) -> Iterator[tuple[int, str, str]]:
    """Give each code cell that is not empty: its number from 1, its id ("" if it has none), its text.

    Raises LowcodeError where the file is not a notebook. Source: the notebook format, version 4
    (nbformat.readthedocs.io).
    """
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        cells = document["cells"]
        texts = [(str(cell.get("id", "")), "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    except FileNotFoundError:
        raise LowcodeError.of(f"there is no notebook {path}", "check the path", code="LK002") from None
    except OSError as error:
        raise LowcodeError.of(f"{path} can't be read: {error.strerror}", "", code="LK002") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LowcodeError.of(f"{path} is not a notebook", "give a .ipynb file of format 4", code="LK002") from None
    number = 0
    for cell_id, text in texts:
        if text.strip():
            number += 1
            yield number, cell_id, text


def read_notebook(path: Path) -> Model:
    """Read the application that a notebook defines, without running it."""
    readings: list[CellReading] = []
    for number, _, text in code_cells(path):
        readings.append(read_cell(text, Place(cell=number)))
    return assemble(readings)
