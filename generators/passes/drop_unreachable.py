"""Actions, integrations and structs that no screen, job or REST address reaches are not shipped.

%%action tidy_up()         no button, no --rest, and nothing that is reached calls it
...                   ->   (no module, no arguments, no address)

Roots are screens, jobs and actions with --rest. Entities and their data are never dropped: they are the schema. Roles
stay, since users hold them; settings, since environments set them; packages, since they are declared on purpose.
A test that uses what is dropped goes with it: there is nothing left that it could run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.application import Application
from lowcode_kernel.findings import Finding
from lowcode_kernel.graph import build_graph, reachable

if TYPE_CHECKING:
    from lowcode_kernel.elements import Element
    from lowcode_kernel.graph import Graph

_DROPPED = {"action": "one module", "integration": "one proxy", "struct": "one class"}


def drop_unreachable(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Drop what nothing deployed reaches; tests alone don't keep anything."""
    graph = build_graph(app)
    needed = reachable(app, graph)
    dropped = [element for element in app.elements if element.kind in _DROPPED and element.id not in needed]
    if not dropped:
        return app, ()
    gone = {element.id for element in dropped}
    kept = [element for element in app.elements if element.id not in gone and not _tests(element, gone, graph)]
    return Application.of(app.name, app.title, kept), tuple(_finding(element, graph) for element in dropped)


def _tests(element: Element, gone: set[str], graph: Graph) -> bool:
    return element.kind == "test" and any(used in gone for used in graph.uses[element.id])


def _finding(element: Element, graph: Graph) -> Finding:
    users = sorted(graph.used_by[element.id])
    why = "nothing uses it" if not users else f"only {', '.join(users)} uses it, which nothing reaches"
    return Finding(
        rule="drop_unreachable",
        element=element.id,
        place=element.place,
        what=f"{element.kind} {element.name} is dropped",
        why=why,
        before=getattr(element, "body", ""),
        saved=_DROPPED[element.kind],
    )
