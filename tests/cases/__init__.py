"""Cases as texts: a file holds cells, a line of `=`, and what is expected. `LOWCODE_UPDATE=1` rewrites what is
expected.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lowcode_kernel.assembly import Model, assemble
from lowcode_kernel.language import read_cell
from lowcode_kernel.places import Place

FOLDER = Path(__file__).parent
BASE = """\
%app shop --title "Web shop"
%role Sales
%role Manager
%setting tax_rate: Decimal = 0.2
---
%%entity Customer
name: Text(80)
email: Email = unique()
tier: Choice("standard", "gold") = "standard"
owner: User
access(read=Sales, write=Sales, delete=Manager, rows=owner == user.id or Manager in user.roles)
index(owner)
---
%%entity Order
customer: Customer
number: Text(20) = unique()
placed_at: DateTime | None
total: Decimal(12, 2) = 0
index(customer)
"""


@dataclass(frozen=True)
class Case:
    """One case: its file, its cells and what is expected of them."""

    path: Path
    cells: tuple[str, ...]
    expected: str

    @property
    def model(self) -> Model:
        """The model of the cells; a first cell `(shop)` stands for the shop's definitions, as cells 1 to 3."""
        return model_of(*self.cells)

    def check(self, found: str) -> None:
        """Compare, or rewrite the file where `LOWCODE_UPDATE` is set."""
        if os.environ.get("LOWCODE_UPDATE"):
            text = "\n---\n".join(self.cells)
            self.path.write_text(f"{text}\n=====\n{found.rstrip()}\n", "utf-8")
        else:
            assert found.rstrip() == self.expected.rstrip()


def model_of(*cells: str) -> Model:
    """Return the model of some cells."""
    texts = [*BASE.split("\n---\n"), *cells[1:]] if cells and cells[0].strip() == "(shop)" else list(cells)
    return assemble(read_cell(text, Place(cell=number)) for number, text in enumerate(texts, 1))


def cases(folder: str) -> list[Case]:
    """Return the cases of a folder."""
    return [_read(path) for path in sorted((FOLDER / folder).glob("*.txt"))]


def _read(path: Path) -> Case:
    text, _, expected = path.read_text("utf-8").partition("\n=====\n")
    return Case(path, tuple(text.split("\n---\n")), expected)
