"""What depends on what: the one door to networkx.

An edge `a -> b` says that `a` uses `b`: a screen uses a query, a query uses an entity. Nodes are element ids; their
data is the element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from lowcode_kernel.analysis import analyze
from lowcode_kernel.elements import Action, Data, Entity, Integration, Query, Screen, Struct
from lowcode_kernel.rules import roles_of_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Element
    from lowcode_kernel.types import Type

if TYPE_CHECKING:
    Graph = nx.DiGraph[str]
else:
    Graph = nx.DiGraph
ROOTS = ("screen", "job")  # what the outside reaches; an action with --rest is a root too


def build_graph(app: Application) -> Graph:
    """Return the graph of an application. An edge's `why` says how the one uses the other ("reads", "refers to",
    "calls").
    """
    graph: Graph = nx.DiGraph()
    for element in app.elements:
        graph.add_node(element.id, element=element)
    for source, target, why in _edges(app):
        if target in graph:
            graph.add_edge(source, target, why=why)
    return graph


def _edges(app: Application) -> Iterator[tuple[str, str, str]]:
    analysis = analyze(app)
    for name, query in analysis.queries.items():
        yield from ((f"query:{name}", f"entity:{entity}", "reads") for entity in query.entities)
    for name, body in {**analysis.bodies, **{f"test:{key}": value for key, value in analysis.tests.items()}}.items():
        yield from ((name, used, _verb(used)) for used in sorted(body.uses))
    for element in app.elements:
        for type_ in _types(element):
            yield from ((element.id, f"{kind}:{type_.name}", "refers to") for kind in _kinds(type_))
        for role in _roles(element):
            yield element.id, f"role:{role}", "allows"
        if isinstance(element, Data):
            yield element.id, f"entity:{element.entity}", "fills"


def _verb(used: str) -> str:
    kind = used.partition(":")[0]
    return {"query": "reads", "action": "calls", "integration": "calls", "screen": "leads to", "role": "asks for"}.get(
        kind, "uses"
    )


def _kinds(type_: Type) -> tuple[str, ...]:
    return (type_.kind,) if type_.kind in {"entity", "struct", "query"} else ()


def _types(element: Element) -> Iterable[Type]:
    match element:
        case Entity() | Struct():
            return [attribute.type for attribute in element.attributes]
        case Query() | Screen():
            return [parameter.type for parameter in element.parameters]
        case Action():
            return [
                *(parameter.type for parameter in element.parameters),
                *([element.returns] if element.returns else []),
            ]
        case Integration():
            return [operation.returns for operation in element.operations if operation.returns]
    return []


def _roles(element: Element) -> Iterable[str]:
    if isinstance(element, Action | Screen):
        return element.roles
    if isinstance(element, Entity) and (access := element.access):
        return dict.fromkeys([*access.read, *access.write, *access.delete, *roles_of_rule(element)])
    return []


def reachable(app: Application, graph: Graph) -> set[str]:
    """Return the ids that screens, jobs and actions with `--rest` reach: what the deployed application needs."""
    roots = [
        element.id
        for element in app.elements
        if element.kind in ROOTS or (isinstance(element, Action) and element.rest)
    ]
    found = set(roots)
    for root in roots:
        found |= nx.descendants(graph, root)
    return found


def upstream(graph: Graph, element: str) -> list[str]:
    """Return what the element uses, directly or not, sorted."""
    return sorted(nx.descendants(graph, element))


def downstream(graph: Graph, element: str) -> list[str]:
    """Return what uses the element, directly or not, sorted: what a change of it can touch."""
    return sorted(nx.ancestors(graph, element))


def cycles(graph: Graph, kind: str) -> list[list[str]]:
    """Return the cycles among elements of one kind, each once, in a stable order."""
    part = graph.subgraph([node for node in graph if node.startswith(f"{kind}:")])
    loops = [sorted(component) for component in nx.strongly_connected_components(part) if len(component) > 1]
    return sorted(loops + [[node] for node in nx.nodes_with_selfloops(part)])
