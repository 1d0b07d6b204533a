"""A graph as a drawing that needs no script: what a saved notebook shows, from the same layout as the live one."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.layers import LONGEST, NODE_HEIGHT, place_nodes, width_of
from lowcode_kernel.widgets.markup import Markup, joined, tag
from lowcode_kernel.widgets.palette import LINE, colour_of, counted, order_of

if TYPE_CHECKING:
    from lowcode_kernel.widgets.layers import Position
    from lowcode_kernel.widgets.records import GraphView, NodeView

_MARGIN = 16.0


def shortened(label: str, most: int = LONGEST) -> str:
    """Return a label that fits its node."""
    return label if len(label) <= most else f"{label[: most - 1]}…"


def kinds_of(graph: GraphView) -> dict[str, int]:
    """Return how many nodes of each kind there are, in the order of the legend."""
    kinds = sorted((node.kind for node in graph.nodes), key=order_of)
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def draw_graph(graph: GraphView, positions: dict[str, Position] | None = None) -> str:
    """Return the graph as an SVG document."""
    at = positions if positions is not None else place_nodes(graph)
    width = max((at[node.id][0] + width_of(node.label) / 2 for node in graph.nodes), default=0.0) + 2 * _MARGIN
    height = max((y for _, y in at.values()), default=0.0) + NODE_HEIGHT / 2 + 2 * _MARGIN
    nodes = {node.id: node for node in graph.nodes}
    edges = [
        _edge(at[e.source], at[e.target], width_of(nodes[e.source].label), width_of(nodes[e.target].label))
        for e in graph.edges
        if e.source in nodes and e.target in nodes
    ]
    lines = tag("g", *edges, fill="none", stroke=LINE, stroke_width="1.2", stroke_opacity="0.6")
    boxes = tag(
        "g",
        *(_node(node, at[node.id]) for node in graph.nodes),
        font_family="system-ui, sans-serif",
        font_size="13",
        text_anchor="middle",
    )
    moved = tag("g", lines, boxes, transform=f"translate({_MARGIN:g} {_MARGIN:g})")
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{moved}</svg>'


def _edge(start: Position, end: Position, start_width: float, end_width: float) -> Markup:
    side = 1 if end[0] >= start[0] else -1
    x1, y1, x2, y2 = start[0] + side * start_width / 2, start[1], end[0] - side * end_width / 2, end[1]
    bend = (x2 - x1) / 2
    path = f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return tag("path", d=f"{path}M{x2 - side * 6:.0f} {y2 - 3.5:g}L{x2:.0f} {y2:.0f}L{x2 - side * 6:.0f} {y2 + 3.5:g}")


def _node(node: NodeView, position: Position) -> Markup:
    wide, (x, y) = width_of(node.label), position
    box = tag(
        "rect",
        x=f"{x - wide / 2:.1f}",
        y=f"{y - NODE_HEIGHT / 2:.1f}",
        width=f"{wide:.1f}",
        height=f"{NODE_HEIGHT:g}",
        rx="6",
        fill=colour_of(node.kind),
    )
    label = tag("text", shortened(node.label), x=f"{x:.1f}", y=f"{y + 4.5:.1f}", fill="#fff")
    return tag("g", tag("title", f"{node.kind} {node.label}"), box, label)


def static_graph(graph: GraphView, positions: dict[str, Position]) -> Markup:
    """Return the drawing with its legend. It is an `<img>`: the one form of an SVG that an untrusted notebook shows."""
    source = b64encode(draw_graph(graph, positions).encode()).decode()
    image = tag(
        "img", src=f"data:image/svg+xml;base64,{source}", alt=graph_summary(graph), style="max-width:100%;height:auto"
    )
    entries = joined(*(_legend_entry(kind, count) for kind, count in kinds_of(graph).items()), by=" ")
    return joined(tag("div", entries, class_="lowcode-legend"), image)


def _legend_entry(kind: str, count: int) -> Markup:
    """Return a kind's dot and count."""
    dot = tag("span", class_="lowcode-dot", style=f"background:{colour_of(kind)}")
    return tag("span", dot, counted(count, kind), class_="lowcode-key")


def graph_summary(graph: GraphView) -> str:
    """Return the graph in one line: `8 queries, 6 entities; 41 dependencies`."""
    kinds = ", ".join(counted(count, kind) for kind, count in kinds_of(graph).items()) or "no elements"
    edges = len(graph.edges)
    return f"{kinds}; {edges:,} {'dependency' if edges == 1 else 'dependencies'}"
