"""What depends on what, element by element. `graph_parts` goes down to attributes, result columns and components.

An edge `a -> b` says that `a` uses `b`: a screen uses a query, a query uses an entity. Nodes are element ids. What
reaches what needs no library; `Graph.networkx` is the door to one (2026-11: its import takes 120 ms, which generation
has no use for).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.elements import Action, Data, Entity, Integration, Query, Screen, Struct
from lowcode_kernel.rules import roles_of_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import networkx as nx

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Element
    from lowcode_kernel.places import Place
    from lowcode_kernel.types import Type

ROOTS = ("screen", "job")  # what the outside reaches; an action with --rest is a root too


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node: an element, or a part of one (`element` is then the whole's id). `detail` is a part's type or text."""

    id: str
    kind: str
    label: str
    element: str
    place: Place
    detail: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and for each what it uses: a word for how, by the used node's id."""

    nodes: Mapping[str, Node]
    uses: Mapping[str, Mapping[str, str]] = field(repr=False)

    @classmethod
    def of(cls, nodes: Iterable[Node], edges: Iterable[tuple[str, str, str]]) -> Graph:
        """Make a graph of nodes and of edges (who, whom, how); those to what is no node are left out. Several ways to
        use one thing are one edge: "reads, writes".
        """
        by_id = {node.id: node for node in nodes}
        uses: dict[str, dict[str, str]] = {node: {} for node in by_id}
        for source, target, why in edges:
            if target in by_id:
                known = uses[source].setdefault(target, why)
                if known != why:
                    uses[source][target] = ", ".join(dict.fromkeys(f"{known}, {why}".split(", ")))
        return cls(by_id, uses)

    @cached_property
    def used_by(self) -> Mapping[str, Mapping[str, str]]:
        """The same edges, by what is used."""
        found: dict[str, dict[str, str]] = {node: {} for node in self.nodes}
        for source, targets in self.uses.items():
            for target, why in targets.items():
                found[target][source] = why
        return found

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def successors(self, node: str) -> list[str]:
        """Return what the node uses itself."""
        return list(self.uses[node])

    def predecessors(self, node: str) -> list[str]:
        """Return what uses the node itself."""
        return list(self.used_by[node])

    def why(self, source: str, target: str) -> str:
        """Return how the one uses the other."""
        return self.uses[source][target]

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Give all edges: who, whom, how."""
        return ((source, target, why) for source, targets in self.uses.items() for target, why in targets.items())

    def among(self, wanted: Iterable[str]) -> Graph:
        """Return the graph of these nodes alone."""
        kept = set(wanted)
        return Graph.of(
            (node for name, node in self.nodes.items() if name in kept),
            (edge for edge in self.edges() if edge[0] in kept),
        )

    def networkx(self) -> nx.DiGraph[str]:
        """Return the graph for networkx: nodes have a `kind`, edges a `why`."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from((node.id, {"kind": node.kind}) for node in self.nodes.values())
        graph.add_edges_from((source, target, {"why": why}) for source, target, why in self.edges())
        return graph


def build_graph(app: Application) -> Graph:
    """Return the graph of an application's elements; the same object each time. An edge's word is "reads", "refers to",
    "calls" and so on.
    """
    cached = app.__dict__.get("_graph")
    if cached is None:
        cached = app.__dict__.setdefault("_graph", Graph.of(map(element_node, app.elements), _edges(app)))
    found: Graph = cached
    return found


def element_node(element: Element) -> Node:
    """Return an element as a node."""
    name = element.id
    return Node(id=name, kind=element.kind, label=element.name, element=name, place=element.place)


def _edges(app: Application) -> Iterator[tuple[str, str, str]]:
    analysis = analyze(app)
    for name, query in analysis.queries.items():
        yield from ((f"query:{name}", f"entity:{entity}", "reads") for entity in query.entities)
    for name, body in analysis.bodies.items():
        yield from ((name, used, _verb(used)) for used in sorted(body.uses))
    for name, body in analysis.tests.items():
        yield from ((f"test:{name}", used, _verb(used)) for used in sorted(body.uses))
    for element in app.elements:
        yield from (
            (element.id, f"{type_.kind}:{type_.name}", "refers to")
            for type_ in _types(element)
            if type_.kind in {"entity", "struct", "query"}
        )
        for role in roles_of(element):
            yield element.id, f"role:{role}", "allows"
        if isinstance(element, Data):
            yield element.id, f"entity:{element.entity}", "fills"


_VERBS = {
    "query": "reads",
    "action": "calls",
    "integration": "calls",
    "screen": "leads to",
    "role": "asks for",
    "package": "imports",
}


def _verb(used: str) -> str:
    return _VERBS.get(used.partition(":")[0], "uses")


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


def roles_of(element: Element) -> Iterable[str]:
    """Return the roles that an element asks for."""
    if isinstance(element, Action | Screen):
        return element.roles
    if isinstance(element, Entity) and (access := element.access):
        return dict.fromkeys([*access.read, *access.write, *access.delete, *roles_of_rule(element)])
    return []


def roots(app: Application) -> list[str]:
    """Return the ids of what the outside reaches: screens, jobs, and actions with `--rest`."""
    return [
        element.id
        for element in app.elements
        if element.kind in ROOTS or (isinstance(element, Action) and element.rest)
    ]


def reachable(app: Application, graph: Graph) -> set[str]:
    """Return the ids that screens, jobs and actions with `--rest` reach: what the deployed application needs."""
    return _reached(graph.uses, roots(app))


def _reached(edges: Mapping[str, Mapping[str, str]], starts: Iterable[str]) -> set[str]:
    found = set(starts)
    left = list(found)
    while left:
        for following in edges[left.pop()]:
            if following not in found:
                found.add(following)
                left.append(following)
    return found


def upstream(graph: Graph, element: str) -> list[str]:
    """Return what the element uses, directly or not, sorted."""
    return sorted(_reached(graph.uses, graph.uses[element]) - {element})


def downstream(graph: Graph, element: str) -> list[str]:
    """Return what uses the element, directly or not, sorted: what a change of it can touch."""
    return sorted(_reached(graph.used_by, graph.used_by[element]) - {element})
