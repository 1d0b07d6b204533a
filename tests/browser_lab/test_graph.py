"""The graph in JupyterLab: drawn, answered in the panel when clicked, still there when the notebook is opened without
a kernel's state.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.widgets.graph_view import graph_view
from tests.browser_lab.flightdesk import flightdesk_graph

if TYPE_CHECKING:
    from tests.browser_lab.conftest import Lab, Person

GRAPH = """import flightdesk
from lowcode_kernel.widgets.graph_view import graph_view
graph_view(flightdesk.flightdesk_graph())"""
SHOTS = Path(os.environ.get("LOWCODE_SCREENSHOTS", ""))
INSIDE = """() => { const cy = %s._cyreg.cy, box = cy.elements().renderedBoundingBox()
  return box.x1 >= 0 && box.y1 >= 0 && box.x2 <= cy.width() && box.y2 <= cy.height() && cy.width() > 400 }"""
CANVAS = "[...document.querySelectorAll('.custom-widget')].find(e => e._cyreg?.cy)"
MIDDLE = f"""id => {{
  const element = {CANVAS}, cy = element._cyreg.cy
  element.scrollIntoView({{block: 'center'}})
  const box = element.getBoundingClientRect(), at = cy.getElementById(id).renderedPosition()
  return [box.x + at.x, box.y + at.y]
}}"""


def wait_for_graph(person: Person, nodes: int) -> None:
    person.wait_for(".lowcode-graph canvas")
    person.page.wait_for_function(f"() => {CANVAS}?._cyreg.cy.nodes().length === {nodes}")


def shot(person: Person, name: str) -> None:
    if SHOTS.name:
        person.page.screenshot(path=SHOTS / f"{name}.png")


def open_graph(lab: Lab, person: Person, name: str) -> int:
    nodes = len(flightdesk_graph().nodes)
    person.open(lab.write(name, GRAPH))
    person.run_all()
    wait_for_graph(person, nodes)
    return nodes


def click(person: Person, id_: str) -> None:
    person.page.mouse.click(*person.page.evaluate(MIDDLE, id_))


def test_a_graph_of_forty_elements_is_drawn_and_answers_a_click(lab: Lab, person: Person) -> None:
    nodes = open_graph(lab, person, "graph.ipynb")
    assert nodes == 40
    assert person.page.evaluate(INSIDE % CANVAS)
    shot(person, "graph-light")
    click(person, "query:departures")
    person.page.wait_for_selector(".lowcode-node >> text=departures")
    person.page.wait_for_selector(".lowcode-panel pre >> text=SELECT")
    person.page.locator(".lowcode-panel .lowcode-neighbour", has_text="Airport").wait_for()
    shot(person, "graph-clicked-light")
    person.use_theme("JupyterLab Dark")
    shot(person, "graph-clicked-dark")
    assert person.errors == []


def test_a_search_and_a_hidden_kind_change_the_picture(lab: Lab, person: Person) -> None:
    open_graph(lab, person, "search.ipynb")
    person.page.get_by_placeholder("Search elements").fill("note")
    person.page.wait_for_selector(".lowcode-found >> text=match")
    shot(person, "graph-search-light")
    person.page.locator(".lowcode-neighbour", has_text="write_note").click()
    person.page.wait_for_selector(".lowcode-node >> text=write_note")
    person.page.locator(".lowcode-toggle", has_text="roles").click()
    person.page.wait_for_function(f"() => {CANVAS}._cyreg.cy.getElementById('role:Supervisor').hidden()")
    assert person.errors == []


def test_a_saved_graph_is_drawn_without_its_kernel(lab: Lab, person: Person) -> None:
    open_graph(lab, person, "saved.ipynb")
    assert person.page.locator(".lowcode-static img").is_hidden()
    person.execute("docmanager:save")
    person.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    person.execute("kernelmenu:shutdown")
    person.open(lab.page("doc/tree/saved.ipynb"))
    person.page.wait_for_selector(".lowcode-static img")
    person.page.locator("text=model not found").wait_for(state="attached")
    assert person.page.locator("text=model not found").is_hidden()
    shot(person, "graph-saved-light")


def test_an_untrusted_notebook_shows_the_drawing(lab: Lab, person: Person) -> None:
    view = graph_view(flightdesk_graph())
    person.open(lab.write_run("untrusted.ipynb", view._repr_mimebundle_()))
    image = person.page.locator(".jp-OutputArea-output img")
    image.wait_for()
    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    shot(person, "graph-untrusted-light")
    assert person.errors == []


@pytest.mark.parametrize("nodes", [100, 1000])
def test_a_large_graph_is_drawn_whole(lab: Lab, person: Person, nodes: int) -> None:
    cell = GRAPH.replace("flightdesk_graph()", f"large_graph({nodes})")
    person.open(lab.write(f"large{nodes}.ipynb", cell))
    start = time.monotonic()
    person.run_all()
    wait_for_graph(person, nodes)
    drawn = time.monotonic() - start
    start = time.monotonic()
    click(person, "query:query_3")
    person.page.wait_for_selector(".lowcode-node >> text=query_3")
    sys.stdout.write(f"\n{nodes} nodes: drawn in {drawn:.1f} s, click answered in {time.monotonic() - start:.2f} s")
    person.page.wait_for_timeout(300)
    shot(person, f"graph-{nodes}-light")
    assert person.errors == []
