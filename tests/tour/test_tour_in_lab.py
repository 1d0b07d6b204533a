"""The tour in JupyterLab: every cell runs, and what it shows is drawn, answers, and fits the page."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as PageTimeout

from lowcode_kernel.graph import build_graph
from lowcode_kernel.notebook import read_notebook
from tests.browser_lab.test_graph import CANVAS, click
from tests.tour.conftest import NOTEBOOKS, TOUR, picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser_lab.conftest import Person
    from tests.tour.conftest import Tour

PICTURES = {"%plan dev": "tour-plan", "%deploy dev": "tour-deploy", "%%logs dev -o": "tour-logs"}
SHOW = """text => {
  const panel = window.jupyterapp.shell.currentWidget.content
  const at = panel.widgets.findIndex(cell => cell.model.type === 'code' && cell.model.sharedModel.source.startsWith(text))
  panel.activeCellIndex = at
  panel.widgets[at].node.scrollIntoView({block: 'start'})
  return at
}"""


def show(person: Person, text: str) -> Locator:
    """Bring the code cell that begins with a text to the top of the page; return it."""
    at = person.page.evaluate(SHOW, text)
    cell: Locator = person.page.locator(f".jp-Cell[data-windowed-list-index='{at}']")
    cell.wait_for()
    return cell


def pick(person: Person, element: str, answer: str) -> None:
    """Click an element until it is answered: a click that comes while the page still scrolls to the cell goes astray."""
    for _ in range(10):
        click(person, element)
        with suppress(PageTimeout):
            person.page.wait_for_selector(answer, timeout=6_000)
            return
    person.page.wait_for_selector(answer)


def expected_graph(folder: Path) -> set[str]:
    """Return the ids that the graph has where the notebook asks for it: the cells below it change the application."""
    document = json.loads((NOTEBOOKS / TOUR).read_text())
    at = next(at for at, cell in enumerate(document["cells"]) if "".join(cell["source"]).strip() == "%graph")
    document["cells"] = document["cells"][:at]
    path = folder / "until_graph.ipynb"
    path.write_text(json.dumps(document))
    return set(build_graph(read_notebook(path).application).nodes)


def test_every_cell_ran_and_none_failed(tour: Tour) -> None:
    failed = [
        f"{''.join(cell['source'])[:60]}: {output['ename']}: {output['evalue']}"
        for cell in tour.cells
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]
    assert failed == []
    assert all(cell["execution_count"] for cell in tour.cells)
    assert len(tour.cells) == sum(
        cell["cell_type"] == "code" for cell in json.loads((NOTEBOOKS / TOUR).read_text())["cells"]
    )
    said = [
        "".join(output["text"]) for cell in tour.cells for output in cell["outputs"] if output.get("name") == "stderr"
    ]
    assert [text for text in said if "is taken by another program" not in text] == []  # a dev that runs beside this one


def test_the_graph_has_all_elements_and_a_click_is_answered(tour: Tour, tmp_path: Path) -> None:
    person = tour.person
    show(person, "%graph")
    nodes = expected_graph(tmp_path)
    person.page.locator(".lowcode-graph canvas").first.wait_for()
    person.page.wait_for_function(f"() => {CANVAS}?._cyreg.cy.nodes().length === {len(nodes)}")
    assert set(person.page.evaluate(f"() => {CANVAS}._cyreg.cy.nodes().map(node => node.id())")) == nodes
    pick(person, "query:departures", ".lowcode-node >> text=departures")
    person.page.wait_for_selector(".lowcode-panel pre >> text=SELECT")
    person.page.locator(".lowcode-panel .lowcode-neighbour", has_text="Airport").wait_for()
    show(person, "%graph")
    picture(person.page, "tour-graph")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("%%query departures", ".lowcode-card"),
        ("%explain", ".lowcode-acted"),
        ("%plan dev", ".lowcode-plan"),
        ("%deploy dev", ".lowcode-progress"),
        ("%data dev", ".lowcode"),
        ("%%logs dev -o", ".lowcode table"),
        ("%history", ".lowcode table"),
    ],
)
def test_what_a_verb_answers_is_seen_and_fits_its_cell(tour: Tour, cell: str, shown: str) -> None:
    output = show(tour.person, cell).locator(shown).first
    output.wait_for()
    wide, seen = output.evaluate("element => [element.scrollWidth, element.clientWidth]")
    assert wide <= seen + 1  # a fraction of a pixel is rounded
    if cell in PICTURES:
        picture(tour.person.page, PICTURES[cell])


def test_the_browser_had_nothing_to_complain_of(tour: Tour) -> None:
    assert tour.person.errors == []
