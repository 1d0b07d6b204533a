"""How the live graph looks in each of its states, as one style sheet for Cytoscape.

One message changes the whole picture, where a class on each node would take as many messages as there are nodes. So the
picture is a function of the state. Source: js.cytoscape.org, Style.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.layers import NODE_HEIGHT
from lowcode_kernel.widgets.palette import ACCENT, KIND_COLOURS, LINE, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.widgets.records import GraphView, NodeView

Rule = dict[str, object]
CURVED = 300  # nodes; above it edges are straight lines without arrows, which Chromium draws three times as fast


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphState:
    """What the reader has done to the graph: the element picked, the text searched, the kinds switched off."""

    selected: str | None = None
    search: str = ""
    hidden: frozenset[str] = field(default=frozenset())


def found(graph: GraphView, state: GraphState) -> tuple[NodeView, ...]:
    """Return the visible nodes whose label, kind or id has every word of the search, in the order of the graph; all
    of none is searched.
    """
    words = state.search.lower().split()
    return tuple(
        node
        for node in graph.nodes
        if node.kind not in state.hidden
        and all(word in f"{node.kind} {node.label} {node.id}".lower() for word in words)
    )


def neighbours(graph: GraphView, id_: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an element uses (upstream) and what uses it (downstream), each once."""
    up = dict.fromkeys(edge.target for edge in graph.edges if edge.source == id_ and edge.target != id_)
    down = dict.fromkeys(edge.source for edge in graph.edges if edge.target == id_ and edge.source != id_)
    known = {node.id for node in graph.nodes}
    return tuple(id_ for id_ in up if id_ in known), tuple(id_ for id_ in down if id_ in known)


def style_of(graph: GraphView, state: GraphState) -> list[Rule]:
    """Return the style sheet of a graph in a state."""
    rules = _base(len(graph.nodes))
    if state.selected is not None:
        rules += _picked(graph, state.selected)
    elif state.search.strip():
        rules += _searched(graph, state)
    rules += [_rule(f'node[kind="{_quoted(kind)}"]', {"display": "none"}) for kind in sorted(state.hidden)]
    return rules


def _rule(selector: str, style: dict[str, object]) -> Rule:
    return {"selector": selector, "style": style}


def _base(nodes: int) -> list[Rule]:
    kinds = [_rule(f'node[kind="{kind}"]', {"background-color": colour}) for kind, colour in KIND_COLOURS.items()]
    return [_rule("node", _NODE), *kinds, _rule("edge", _EDGE | (_CURVES if nodes <= CURVED else _STRAIGHT))]


_NODE: dict[str, object] = {
    "shape": "round-rectangle",
    "width": "data(width)",
    "height": NODE_HEIGHT,
    "background-color": OTHER,
    "border-width": 0,
    "label": "data(label)",
    "color": "#ffffff",
    "font-size": 13,
    "font-family": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif",
    "text-valign": "center",
    "text-halign": "center",
    "min-zoomed-font-size": 5,
    "overlay-opacity": 0,
}
_EDGE: dict[str, object] = {"width": 1.3, "line-color": LINE, "opacity": 0.55, "overlay-opacity": 0}
_CURVES: dict[str, object] = {
    "curve-style": "unbundled-bezier",
    "control-point-distances": "data(distances)",
    "control-point-weights": "data(weights)",
    "edge-distances": "node-position",
    "source-endpoint": "data(start)",
    "target-endpoint": "data(end)",
    "target-arrow-shape": "triangle",
    "target-arrow-color": LINE,
    "arrow-scale": 0.75,
}
_STRAIGHT: dict[str, object] = {"curve-style": "haystack", "haystack-radius": 0}
_DIM: dict[str, object] = {"opacity": 0.22}
_PICKED: dict[str, object] = {
    "opacity": 1,
    "border-width": 3,
    "border-color": ACCENT,
    "border-opacity": 1,
    "z-index": 20,
}
_NEAR: dict[str, object] = {"opacity": 1, "z-index": 10}
_EDGE_NEAR: dict[str, object] = {
    "opacity": 0.95,
    "width": 2,
    "line-color": ACCENT,
    "target-arrow-color": ACCENT,
    "z-index": 9,
}


def _picked(graph: GraphView, id_: str) -> list[Rule]:
    up, down = neighbours(graph, id_)
    picked = _quoted(id_)
    return [
        _rule("node", _DIM),
        _rule("edge", {"opacity": 0.07}),
        *_each((*up, *down), _NEAR),
        _rule(f'edge[source="{picked}"], edge[target="{picked}"]', _EDGE_NEAR),
        _rule(f'node[id="{picked}"]', _PICKED),
    ]


def _searched(graph: GraphView, state: GraphState) -> list[Rule]:
    matches = [node.id for node in found(graph, state)]
    return [
        _rule("node", _DIM),
        _rule("edge", {"opacity": 0.12}),
        *_each(matches, _NEAR | {"border-width": 2, "border-color": ACCENT}),
    ]


def _each(ids: Iterable[str], style: dict[str, object]) -> list[Rule]:
    selector = ", ".join(f'node[id="{_quoted(id_)}"]' for id_ in ids)
    return [_rule(selector, style)] if selector else []


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
