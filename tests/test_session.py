"""The model is a set of definitions, not a history: running, running again and reading give the same application."""

import json
from pathlib import Path

import pytest

from lowcode_kernel.assembly import assemble
from lowcode_kernel.language import read_cell
from lowcode_kernel.notebook import read_notebook
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.session import Session

CELLS = ["%app shop", "x = 1", "%%entity Order\nnumber: Text", "%%query orders()\nSELECT number FROM Order"]


def _notebook(folder: Path, cells: list[str]) -> Path:
    path = folder / "shop.ipynb"
    document = {
        "nbformat": 4,
        "cells": [{"cell_type": "code", "id": f"c{number}", "source": text} for number, text in enumerate(cells)],
    }
    path.write_text(json.dumps(document))
    return path


def test_reading_a_notebook_is_running_it(tmp_path: Path) -> None:
    session = Session()
    for count, text in enumerate(CELLS, 1):
        session.run_cell(text, cell_id=f"c{count}", count=count)
    read = read_notebook(_notebook(tmp_path, CELLS))
    assert session.model == read
    assert repr(session.model) == repr(read)


def test_a_cell_that_runs_again_replaces_what_it_defined() -> None:
    session = Session()
    session.run_cell("%%entity Order\nnumber: Text", cell_id="a", count=1)
    session.run_cell("%%entity Invoice\nnumber: Text", cell_id="a", count=2)
    assert list(session.application().entities) == ["Invoice"]
    session.run_cell("print()", cell_id="a", count=3)
    assert list(session.application().entities) == []


def test_without_ids_a_cell_is_known_by_what_it_defines() -> None:
    session = Session()
    session.run_cell("%%entity Order\nnumber: Text", cell_id=None, count=1)
    session.run_cell("%%entity Order\nnumber: Text(20)", cell_id=None, count=2)
    assert session.application().entities["Order"].attributes[0].type.length == 20


def test_without_ids_a_replacement_is_another_cell() -> None:
    session = Session()
    session.run_cell("%%entity Order\nnumber: Text", cell_id=None, count=1)
    for count in (2, 3):
        session.run_cell("%%entity Order --replace\nnumber: Integer", cell_id=None, count=count)
    assert session.application().entities["Order"].attributes[0].type.name == "Integer"


def test_the_order_of_cells_does_not_matter() -> None:
    forward = assemble([read_cell(text, Place(cell=number)) for number, text in enumerate(CELLS, 1)])
    backward = assemble([read_cell(text, Place(cell=number)) for number, text in enumerate(reversed(CELLS), 1)])
    assert forward.application == backward.application


def test_a_later_cell_may_replace_an_earlier_one() -> None:
    model = assemble(
        [
            read_cell(text, Place(cell=n))
            for n, text in enumerate([*CELLS, "%%entity Order --replace\nnumber: Integer"], 1)
        ]
    )
    assert model.problems == ()
    assert model.application.entities["Order"].attributes[0].type.name == "Integer"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', '{"cells": [3]}', "\x00", "[" * 100_000])
def test_a_file_that_is_no_notebook_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(LowcodeError, match="is not a notebook"):
        read_notebook(path)


def test_a_missing_notebook_is_told(tmp_path: Path) -> None:
    with pytest.raises(LowcodeError, match="there is no notebook"):
        read_notebook(tmp_path / "none.ipynb")
