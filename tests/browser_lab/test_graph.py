"""The graph in JupyterLab: drawn, answered in the panel when clicked, still there when the notebook is opened without
a kernel's state.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser_lab.flightdesk import flightdesk_graph

if TYPE_CHECKING:
    from tests.browser_lab.conftest import Lab, Person

GRAPH = "import flightdesk\nfrom lowcode_kernel.widgets.graph_view import graph_view\ngraph_view(flightdesk.flightdesk_graph())"
SHOTS = Path(os.environ.get("LOWCODE_SCREENSHOTS", ""))
CANVAS = "[...document.querySelectorAll('.custom-widget')].find(e => e._cyreg?.cy)"
FAULT = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
MIDDLE = f"""id => {{
  const element = {CANVAS}, cy = element._cyreg.cy
  element.scrollIntoView({{block: 'center'}})
  const box = element.getBoundingClientRect(), at = cy.getElementById(id).renderedPosition()
  return [box.x + at.x, box.y + at.y]
}}"""


def wait_for_graph(person: Person, nodes: int) -> None:
    drawn = f"{CANVAS}?._cyreg.cy.nodes().length === {nodes}"
    person.page.wait_for_function(f"() => {drawn} || document.querySelector(`{FAULT}`)", timeout=60_000)
    faults = person.page.locator(FAULT).all_inner_texts()
    assert not faults, faults[0]


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
    assert nodes >= 28
    shot(person, "graph-light")
    click(person, "query:departures")
    person.page.wait_for_selector(".lowcode-node >> text=departures")
    person.page.wait_for_selector(".lowcode-panel pre >> text=SELECT")
    assert person.page.locator(".lowcode-panel .lowcode-neighbour", has_text="Airport").count() == 1
    shot(person, "graph-clicked-light")
    person.use_theme("JupyterLab Dark")
    shot(person, "graph-clicked-dark")
    assert person.errors == []
