"""What is defined and never used: it costs attention, and the optimizer takes it out of what is shipped."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.graph import build_graph, reachable
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.graph import Graph

_WAYS = {
    "query": "use it in a screen, an action or a job, or delete it",
    "action": 'put a button on a screen, call it, or give it --rest "POST /api/..."',
    "integration": "call one of its operations, or delete it",
    "setting": "use it, or delete it",
    "struct": "use it, or delete it",
    "role": "give it to a screen, an action or an entity's access, or delete it",
}


def check_unused(app: Application) -> Iterator[Problem]:
    """Queries, integrations, settings, structs and roles that nothing names."""
    graph = build_graph(app)
    needed = reachable(app, graph)
    for element in app.elements:
        if (
            element.kind in _WAYS
            and element.kind != "action"
            and element.id not in needed
            and not _allowed(element.id, graph)
        ):
            fact = f"{element.kind} {element.name} is never used"
            yield Problem(
                code="LK402",
                fact=fact,
                hint=_WAYS[element.kind],
                place=element.place,
                element=element.id,
                severity="warning",
            )


def _allowed(element: str, graph: Graph) -> bool:
    """Roles count as used where any definition asks for them."""
    return element.startswith("role:") and bool(list(graph.predecessors(element)))


def check_unreachable(app: Application) -> Iterator[Problem]:
    """Actions that no screen, REST address or job reaches; parameters that a body never uses."""
    needed = reachable(app, build_graph(app))
    for action in app.actions.values():
        if action.id not in needed:
            fact = f"action {action.name} can be reached by no one"
            yield Problem(
                code="LK403", fact=fact, hint=_WAYS["action"], place=action.place, element=action.id, severity="warning"
            )
        tree = analyze(app).actions[action.name].tree
        for parameter in action.parameters:
            if not _names(tree, parameter.name):
                fact = f"action {action.name}: parameter {parameter.name} is never used"
                yield Problem(
                    code="LK401",
                    fact=fact,
                    hint="use it, or remove it",
                    place=action.place,
                    element=action.id,
                    severity="warning",
                )


def _names(tree: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))
