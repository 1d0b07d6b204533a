"""Every code has a page, and every page is true: its wrong example gives the code, its right one does not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.checks import check
from lowcode_kernel.checks.catalog import PAGES, Page, all_pages, explanation, index, page
from lowcode_kernel.checks.fixing import fix
from lowcode_kernel.language import read_cell
from lowcode_kernel.notebook import read_cells, read_notebook
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.relational import schema_of
from tests.cases import BASE, model_of

if TYPE_CHECKING:
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.schema import Schema

ROOT = Path(__file__).resolve().parents[1]
# codes that no model gives: who gives them, and the test that sees it
ELSEWHERE = {
    "LK001": "any door of the farm",
    "LK002": "the notebook reader: test_magics",
    "LK003": "the command: test_magics",
    "LK004": "%check and %test: test_magics",
    "LK015": "a cell of a megabyte: below",
    "LK016": "a definition in a block: test_magics",
    "LK017": "a lone surrogate, which no page can hold: below",
    "LK118": "an entity of 1,001 attributes: below",
    "LK130": "the verbs graph and impact",
    "LK131": "the verb impact",
    "LK133": "the verb impact",
    "LK347": "a body of 100 kB: below",
    "LK500": "the schema: below",
    "LK510": "a plan: test_evolution",
}
SECTIONS = ("What", "Why", "How to fix", "Example")


def block(found: Page, info: str) -> tuple[str, ...]:
    """Return the cells of the fenced block of a page that is marked so."""
    match = re.search(rf"^```{info}\n(.*?)^```$", found.text, re.MULTILINE | re.DOTALL)
    return tuple(match[1].rstrip("\n").split("\n---\n")) if match else ()


def cells_of(texts: tuple[str, ...]) -> dict[int, str]:
    whole = (*BASE.split("\n---\n"), *texts[1:]) if texts[0] == "(shop)" else texts
    return dict(enumerate(whole, 1))


def model_of_page(found: Page, info: str, folder: Path) -> Model:
    """Return the model of an example, as a notebook beside `other.ipynb` where the page has one."""
    texts = block(found, info)
    if not (other := block(found, "other")):
        return model_of(*texts)
    for name, cells in (("other", other), ("app", texts)):
        listed = [{"cell_type": "code", "id": f"c{n}", "source": text} for n, text in enumerate(cells)]
        (folder / f"{name}.ipynb").write_text(json.dumps({"nbformat": 4, "cells": listed}))
    return read_notebook(folder / "app.ipynb")


def deployed_schema(found: Page) -> Schema | None:
    cells = block(found, "deployed")
    return schema_of(model_of(*cells).application) if cells else None


def told(model: Model, found: Page, info: str, schema: Schema | None = None) -> list[Problem]:
    """Return the problems of an example, without those of the cells that `(shop)` stands for."""
    preamble = 3 if block(found, info)[0] == "(shop)" else 0
    return [item for item in check(model, schema) if item.place is None or item.place.cell > preamble]


def in_sources(*folders: str) -> set[str]:
    """Return the codes that modules name."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {code for path in paths for code in re.findall(r'"(LK\d{3})"', path.read_text("utf-8"))}


WITH_MODEL = [found for found in all_pages() if found.code not in ELSEWHERE]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    written = {found.code for found in all_pages()}
    assert sorted(in_sources("lowcode_kernel") - written) == []
    assert sorted(written - in_sources("lowcode_kernel", "magics")) == []
    assert len(written) >= 60


@pytest.mark.parametrize("found", all_pages(), ids=lambda found: found.code)
def test_a_page_has_its_parts(found: Page) -> None:
    assert found.text.startswith(f"# {found.code} {found.name}: ")
    assert tuple(re.findall(r"^## (.*)$", found.text, re.MULTILINE)) == SECTIONS
    assert len({item.name for item in all_pages()}) == len(all_pages())


@pytest.mark.parametrize("found", WITH_MODEL, ids=lambda found: found.code)
def test_the_wrong_example_gives_the_code_and_the_right_one_does_not(found: Page, tmp_path: Path) -> None:
    schema = deployed_schema(found)
    wrong = told(model_of_page(found, "wrong", tmp_path), found, "wrong", schema)
    wrong = [item for item in wrong if item.code == found.code]
    assert wrong, "the wrong example does not give the code"
    assert {item.severity for item in wrong} == {found.severity}
    assert any(item.fix for item in wrong) == found.fixable
    assert all(item.place or item.code == "LK825" for item in wrong)
    right = told(model_of_page(found, "right", tmp_path), found, "right", schema)
    assert found.code not in {item.code for item in right}
    assert [item for item in right if item.severity == "error"] == []


@pytest.mark.parametrize("found", [item for item in WITH_MODEL if item.fixable], ids=lambda found: found.code)
def test_a_fix_puts_the_wrong_example_right(found: Page) -> None:
    fixed = fix(cells_of(block(found, "wrong")), lambda cells: read_cells(sorted(cells.items()), Path()))
    assert found.code in {item.code for item in fixed.made}
    assert found.code not in {item.code for item in fixed.remaining}


def test_what_is_too_large_is_refused_with_its_code() -> None:
    huge = read_cell("%%query q()\n" + "x" * 1_000_001, Place(cell=1))
    assert [item.code for item in huge.problems] == ["LK015"]
    line = read_cell("%%query q(" + "x" * 10_001 + ")\nSELECT 1 AS a", Place(cell=1))
    assert [item.code for item in line.problems] == ["LK015"]
    lines = read_cell("\n".join(f"%role R{number}" for number in range(5_000)), Place(cell=1))
    assert [item.code for item in lines.problems] == ["LK015"]
    entity = read_cell("%%entity E\n" + "\n".join(f"a{number}: Text" for number in range(1_001)), Place(cell=1))
    assert [item.code for item in entity.problems] == ["LK118"]
    half = read_cell("%app shop --title 'a\ud83d'", Place(cell=1))
    assert [item.code for item in half.problems] == ["LK017"]
    body = read_cell("%%action a()\n" + "x = 1\n" * 20_000, Place(cell=1))
    assert [item.code for item in body.problems] == ["LK347"]


def test_a_key_that_leads_back_to_itself_has_no_type() -> None:
    model = model_of("%%entity One\nkey(two)\ntwo: Two", "%%entity Two\nkey(one)\none: One")
    with pytest.raises(LowcodeError) as caught:
        schema_of(model.application)
    assert {item.code for item in caught.value.problems} == {"LK500"}


def test_the_index_lists_every_page() -> None:
    shop = f"\nIn the examples `---` separates cells, and a first cell `(shop)` stands for these:\n\n```\n{BASE}```\n"
    path = PAGES / "index.md"
    if os.environ.get("LOWCODE_UPDATE"):
        path.write_text(index() + shop, "utf-8")
    assert path.read_text("utf-8") == index() + shop


def test_a_page_is_found_by_code_and_by_name() -> None:
    assert explanation("lk207") is explanation("select-star") is page("LK207")
    with pytest.raises(LowcodeError, match='did you mean "LK207"'):
        explanation("LK2077")
