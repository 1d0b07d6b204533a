"""`explain`: what was done and what could not be, element by element, in a terminal, in a notebook and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes import PASSES
from lowcode_kernel.magics.command import main
from lowcode_kernel.magics.showing import findings_view
from lowcode_kernel.places import Place
from tests.cases import BASE, model_of

if TYPE_CHECKING:
    from pathlib import Path

QUERY = "%%query orders()\nSELECT o.id, o.number, o.total, o.placed_at FROM Order o ORDER BY o.id"
SPARE = "%%query spare()\nSELECT o.id FROM Order o"
SCREEN = """\
%%screen home "/" --role Sales
number = text_input("Number")
table([o for o in orders() if o.number == number], columns=[number, total])
for_all = [o for o in orders() if o.number > number]
metric("More", sum([o.id for o in for_all]))"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [*BASE.split("\n---\n"), QUERY, SPARE, SCREEN]
    found = [
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None} for text in cells
    ]
    path = tmp_path / "shop.ipynb"
    path.write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    return path


def explained(capsys: pytest.CaptureFixture[str], notebook: Path, *words: str) -> str:
    assert main(["explain", str(notebook), *words]) == 0
    return capsys.readouterr().out


def test_it_tells_by_element_what_was_done_and_what_could_not_be(
    notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(capsys, notebook)
    assert "that could not be made" in told.splitlines()[0]
    assert "screen home\n  did   cell 6, line 3: query orders is filtered by number in its statement" in told
    assert "        + WHERE\n        +   o.number = :number\n" in told
    assert "        saves the rows that are filtered out" in told
    assert "kept  cell 6, line 4: rows of query orders are filtered in Python" in told
    assert "the database may order number in another way than Python (push_filters)" in told
    assert "query spare is removed" in told


def test_one_element_alone(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, notebook, "spare")
    assert "query spare is removed" in told
    assert "filtered" not in told
    assert main(["explain", str(notebook), "spar"]) == 2
    assert 'did you mean "spare"?' in capsys.readouterr().err


def test_programs_read_it_as_json(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(explained(capsys, notebook, "--json"))
    pushed = next(item for item in found if item["rule"] == "push_filters" and item["acted"])
    assert (pushed["element"], pushed["place"]["cell"]) == ("screen:home", 6)
    assert pushed["before"].startswith("SELECT o.id")


def test_all_tells_of_every_pass(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, notebook, "--all")
    assert "passes, in order" in told
    for run in PASSES:
        assert f"  {run.__name__} " in told
    assert "A filter that Python applies to the rows of a read is applied by the database." in told


def finding(number: int, *, acted: bool = False) -> Finding:
    return Finding(
        rule="merge_equal_reads",
        element=f"screen:s{number}",
        place=Place(cell=number),
        what="q is read <once>",
        why="nothing writes",
        before="\n".join(f"line({n})" for n in range(40)),
        after="\n".join(f"line({n + 100})" for n in range(40)),
        acted=acted,
    )


def test_a_notebook_shows_code_folded_and_escapes_it() -> None:
    app = model_of("(shop)").application
    html = str(findings_view([finding(1, acted=True), finding(1)], app).html)
    assert "lowcode-acted" in html
    assert "q is read &lt;once&gt;" in html
    assert "<summary>before and after</summary>" in html
    assert "<summary>1 that could not be made</summary>" in html
    assert "lowcode-number" in html


def test_much_is_told_shortly_until_all_is_asked_for() -> None:
    app = model_of("(shop)").application
    findings = [finding(number) for number in range(1, 50)]
    text = findings_view(findings, app).text
    assert "No change, 49 that could not be made" in text
    assert "19 more could not be made: explain --all" in text
    assert "more lines: explain --all" in text
    everything = findings_view(findings, app, everything=True).text
    assert "more could not be made" not in everything
    assert "more lines" not in everything


def test_nothing_to_do_is_said() -> None:
    assert findings_view([], model_of("(shop)").application).text == "The optimizer found nothing to do."
