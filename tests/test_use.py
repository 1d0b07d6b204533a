"""`%use`: elements of other notebooks, their privacy, and places that say whose they are."""

import json
import os
from pathlib import Path

import pytest

from lowcode_kernel.assembly import Model
from lowcode_kernel.checks import check
from lowcode_kernel.elements import Element
from lowcode_kernel.notebook import read_notebook
from lowcode_kernel.session import Session

PEOPLE = (
    "%app people\n%role Clerk --public",
    "%%entity Customer --public\nname: Text(80)\ncity: City\naccess(read=Clerk, write=Clerk, delete=Clerk)",
    "%%entity City --public\nname: Text(80)",
    "%%entity Secret\nnote: Text",
    "%%query secrets()\nSELECT s.id, s.note FROM Secret s",
    "%%query customers_of(city: City) --public\nSELECT c.id, c.name FROM Customer c WHERE c.city = :city",
    '%%screen all_secrets "/secrets" --role Clerk\ntable(secrets())',
)
_EXPOSED = {"LK123", "LK124"}
_SCREEN = (
    '%%screen shop "/" --role Clerk\ncity = entity_input("City", City)\nif city is not None:\n'
    "    table(customers_of(city=city), columns=[name])"
)
SHOP = ("%app shop\n%use people.ipynb", _SCREEN)


def notebook(folder: Path, name: str, *cells: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "nbformat": 4,
        "cells": [{"cell_type": "code", "id": f"c{n}", "source": c} for n, c in enumerate(cells)],
    }
    path.write_text(json.dumps(document))
    return path


def told(model: Model) -> list[str]:
    return [f"{problem.code} {problem}" for problem in check(model) if problem.severity == "error"]


def ids(model: Model) -> set[str]:
    return {element.id for element in model.application.elements}


def place(element: Element) -> str:
    return str(element.place)


def test_a_notebook_takes_what_is_public_and_what_that_needs(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", *PEOPLE)
    model = read_notebook(notebook(tmp_path, "shop.ipynb", *SHOP))
    assert told(model) == []
    assert ids(model) == {"role:Clerk", "entity:Customer", "entity:City", "query:customers_of", "screen:shop"}
    assert model.application.name == "shop"
    assert place(model.application.entities["Customer"]) == "people.ipynb, cell 2, line 1"


def test_names_take_those_and_what_they_need(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", *PEOPLE)
    model = read_notebook(notebook(tmp_path, "shop.ipynb", "%use people.ipynb City"))
    assert ids(model) == {"entity:City"}
    model = read_notebook(notebook(tmp_path, "shop.ipynb", "%use people.ipynb Customer,  # and its city"))
    assert ids(model) == {"entity:City", "entity:Customer", "role:Clerk"}


def test_what_is_private_can_not_be_named(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", *PEOPLE)
    model = read_notebook(notebook(tmp_path, "shop.ipynb", *SHOP, "%%query notes()\nSELECT s.note FROM Secret s"))
    assert told(model) == [
        "LK122 cell 3, line 1: query notes: entity Secret is private to people.ipynb; write --public there"
    ]
    model = read_notebook(notebook(tmp_path, "shop.ipynb", "%use people.ipynb Secret, Custmer"))
    assert told(model) == [
        "LK122 cell 1, line 1: entity Secret is private to people.ipynb; write --public there",
        'LK126 cell 1, line 1: people.ipynb has no public element "Custmer"; did you mean "Customer"?',
    ]


def test_two_definitions_of_one_name_are_told_with_both_places(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", *PEOPLE)
    model = read_notebook(notebook(tmp_path, "shop.ipynb", *SHOP, "%%entity City\nname: Text"))
    fact = "people.ipynb, cell 3, line 1: entity City is defined here, and entity City at cell 3, line 1"
    assert any(problem.startswith(f"LK102 {fact}") for problem in told(model))


def test_what_a_used_notebook_leaves_unused_is_its_own_business(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", "%role Clerk --public", "%setting limit: Integer = 3 --public")
    model = read_notebook(notebook(tmp_path, "shop.ipynb", "%use people.ipynb"))
    assert ids(model) == {"role:Clerk", "setting:limit"}
    assert check(model) == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("%use nobody.ipynb", "LK125 cell 1, line 2: there is no notebook nobody.ipynb"),
        ("%use broken.ipynb", "LK125 cell 1, line 2: "),
        ("%use people", 'LK011 cell 1, line 2: "people" names no notebook'),
        ("%use people.ipynb 3x", 'LK011 cell 1, line 2: "3x" is not a name'),
        ("%use 'people.ipynb", "LK011 cell 1, line 2: "),
    ],
)
def test_a_notebook_that_can_not_be_used_is_told_at_the_line(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    (found,) = told(read_notebook(notebook(tmp_path, "shop.ipynb", f"%app shop\n{line}")))
    assert found.startswith(problem)


def test_circles_and_diamonds_are_read_once(tmp_path: Path) -> None:
    notebook(tmp_path, "parts/base.ipynb", "%%entity Base --public\nname: Text", "%use ../shop.ipynb")
    notebook(tmp_path, "parts/left.ipynb", "%use base.ipynb", "%%entity Left --public\nbase: Base")
    notebook(tmp_path, "right.ipynb", "%use parts/base.ipynb", "%%entity Right --public\nbase: Base")
    first = notebook(tmp_path, "shop.ipynb", "%use parts/left.ipynb\n%use right.ipynb")
    second = notebook(tmp_path, "shop_2.ipynb", "%use right.ipynb\n%use parts/left.ipynb")
    model = read_notebook(first)
    assert told(model) == []
    assert place(model.application.entities["Base"]) == "parts/base.ipynb, cell 1, line 1"
    assert repr(model.application) == repr(read_notebook(second).application)


def test_a_public_element_shows_no_private_type(tmp_path: Path) -> None:
    path = notebook(
        tmp_path,
        "shop.ipynb",
        "%%entity City\nname: Text",
        "%%entity Customer --public\ncity: City",
        "%%action found(name: Text) -> City --public\nreturn City.create(name=name)",
        "%%query cities() --public\nSELECT c.city FROM Customer c",
    )
    found = [f"{p.severity} {p.code} {p.place}: {p.fact}" for p in check(read_notebook(path)) if p.code in _EXPOSED]
    assert found == [
        "error LK123 cell 2, line 2: entity Customer.city is public, and its type entity City is private",
        "error LK123 cell 3, line 1: action found is public, and its type entity City is private",
        "warning LK124 cell 4, line 1: query cities is public, and its column city refers to City, which is private",
    ]


def test_a_running_kernel_reads_a_used_notebook_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = notebook(tmp_path, "people.ipynb", "%%entity City --public\nname: Text")
    session = Session()
    session.run_cell("%use people.ipynb", cell_id="a", count=1)
    assert list(session.application().entities) == ["City"]
    notebook(tmp_path, "people.ipynb", "%%entity Town --public\nname: Text")
    os.utime(path, ns=(1, 1))
    assert list(session.application().entities) == ["Town"]


def test_without_ids_a_use_is_the_same_cell_run_again() -> None:
    session = Session()
    for count in (1, 2):
        session.run_cell("%use people.ipynb Town", cell_id=None, count=count)
    assert len(session.readings) == 1


def test_running_and_reading_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook(tmp_path, "people.ipynb", *PEOPLE)
    path = notebook(tmp_path, "shop.ipynb", *SHOP)
    session = Session()
    for count, text in enumerate(SHOP, 1):
        session.run_cell(text, cell_id=f"c{count}", count=count)
    assert repr(session.model) == repr(read_notebook(path))


def test_a_public_scaffold_comes_along(tmp_path: Path) -> None:
    notebook(tmp_path, "people.ipynb", *PEOPLE, "%scaffold City --role Clerk --public\n%scaffold Customer")
    model = read_notebook(notebook(tmp_path, "shop.ipynb", *SHOP))
    assert told(model) == []
    assert {"screen:cities", "screen:new_city", "action:create_city"} <= ids(model)
    assert "screen:customers" not in ids(model)
