"""The dependency graph that is clicked: the only door to ipycytoscape (1.3.3).

What is known of it, measured: every node and edge is a comm of its own, so all of a node's values go into its
constructor and all nodes in one update; positions are computed here, since a layout in the browser freezes it for 10 s
at 1,000 nodes; nothing is ever removed from a live graph and `graph` is never assigned; a picture changes by its style
sheet alone (`graph_style`), which is one message.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lowcode_kernel.widgets.drawing import graph_summary, kinds_of, shortened, static_graph
from lowcode_kernel.widgets.graph_style import CURVED, GraphState, found, neighbours, style_of
from lowcode_kernel.widgets.layers import place_nodes, width_of
from lowcode_kernel.widgets.markup import page, tag
from lowcode_kernel.widgets.palette import counted
from lowcode_kernel.widgets.panel import node_panel, overview_panel
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.widgets.layers import Position
    from lowcode_kernel.widgets.records import EdgeView, GraphView

_BUTTONS = 24  # in each list of neighbours; the search finds the others
_TEXT_LINES = 60
_STILL_EDGES = 1500  # nodes; above it edges are not drawn while the picture is moved


def graph_view(
    graph: GraphView, *, selected: str | None = None, on_select: Callable[[str], None] | None = None
) -> View:
    """Show a dependency graph. `selected` is picked at first; `on_select` is told each id that the reader picks."""
    positions = place_nodes(graph)
    static = page(tag("div", static_graph(graph, positions), class_="lowcode-static"))
    return View(
        graph_text(graph), static, lambda: LiveGraph(graph, positions, selected=selected, on_select=on_select).widget
    )


def graph_text(graph: GraphView) -> str:
    """Return the graph as lines: each element and what it uses."""
    uses = [(node, neighbours(graph, node.id)[0]) for node in graph.nodes[:_TEXT_LINES]]
    lines = [f"{node.id} -> {', '.join(up)}" if up else node.id for node, up in uses]
    rest = len(graph.nodes) - len(lines)
    return "\n".join(
        [graph.title or "Graph", graph_summary(graph), *lines, *([f"... and {rest:,} more"] if rest > 0 else [])]
    )


class LiveGraph:
    """The graph in a front-end: the picture, its legend that filters, the search, and the panel of the element that was
    picked.

    `state` is what it shows; every change goes through `select`, `search` and `show_kind`, which the controls call and
    a test may.
    """

    def __init__(
        self,
        graph: GraphView,
        positions: dict[str, Position],
        *,
        selected: str | None = None,
        on_select: Callable[[str], None] | None = None,
    ) -> None:
        self.graph = graph
        self.state = GraphState(selected=selected)
        self._nodes = {node.id: node for node in graph.nodes}
        self._on_select = on_select
        self.canvas = _canvas(graph, positions, style_of(graph, self.state), self.select)
        self._build()
        self._refresh_panel()

    def select(self, id_: str | None) -> None:
        """Pick an element, or none: its neighbourhood stays bright, the rest is dimmed, the panel shows it."""
        if id_ is not None and id_ not in self._nodes:
            return
        self._change(replace(self.state, selected=id_))
        if id_ is not None and self._on_select is not None:
            self._on_select(id_)

    def search(self, text: str) -> None:
        """Dim all but the elements that match; a search ends the selection."""
        self._change(replace(self.state, search=text, selected=None))

    def show_kind(self, kind: str, shown: bool) -> None:  # noqa: FBT001 - the value of a switch
        """Show or hide the elements of a kind."""
        hidden = self.state.hidden - {kind} if shown else self.state.hidden | {kind}
        self._change(replace(self.state, hidden=hidden))

    def _change(self, state: GraphState) -> None:
        if state == self.state:
            return
        self.state = state
        self.canvas.set_style(style_of(self.graph, state))
        self._refresh_panel()

    def _build(self) -> None:
        from lowcode_kernel.widgets import controls

        self._head, self._up_title, self._down_title, self._detail = (controls.html() for _ in range(4))
        self._up, self._down = (controls.ButtonPool(_BUTTONS, self.select) for _ in range(2))
        toggles = [self._toggle(kind, count) for kind, count in kinds_of(self.graph).items()]
        bar = controls.row(controls.search_box("Search elements", self.search), *toggles, class_="lowcode-bar-top")
        canvas = controls.column(self.canvas, class_="lowcode-canvas")
        panel = controls.column(
            self._head,
            self._up_title,
            self._up.box,
            self._down_title,
            self._down.box,
            self._detail,
            class_="lowcode-panel",
        )
        self.widget = controls.column(
            controls.styles(), bar, controls.row(canvas, panel, class_="lowcode-main"), class_="lowcode-live"
        )

    def _toggle(self, kind: str, count: int) -> Any:
        from lowcode_kernel.widgets import controls

        return controls.toggle(counted(count, kind), kind, lambda shown: self.show_kind(kind, shown))

    def _refresh_panel(self) -> None:
        if self.state.selected is None:
            self._show_overview()
        else:
            self._show_node(self.state.selected)

    def _show_overview(self) -> None:
        matches = found(self.graph, self.state) if self.state.search.strip() else ()
        self._head.value = overview_panel(self.graph, self.state, len(matches))
        self._detail.value = self._down_title.value = ""
        self._down.show(())
        left_over = self._up.show([(node.id, node.label, node.kind) for node in matches])
        self._up_title.value = _more(left_over)

    def _show_node(self, id_: str) -> None:
        up, down = neighbours(self.graph, id_)
        head, detail = node_panel(self._nodes[id_])
        self._head.value, self._detail.value = head, detail
        self._up_title.value = _section(f"Uses {len(up)}" if up else "", self._up.show(self._entries(up)))
        self._down_title.value = _section(
            f"Used by {len(down)}" if down else "Used by nothing", self._down.show(self._entries(down))
        )

    def _entries(self, ids: tuple[str, ...]) -> list[tuple[str, str, str]]:
        return [(id_, self._nodes[id_].label, self._nodes[id_].kind) for id_ in ids]


def _section(title: str, left_over: int) -> str:
    return (tag("div", title, class_="lowcode-section") if title else "") + _more(left_over)


def _more(left_over: int) -> str:
    return (
        tag("div", f"The first {_BUTTONS}; {left_over:,} more: narrow the search", class_="lowcode-quiet")
        if left_over > 0
        else ""
    )


def _canvas(
    graph: GraphView, positions: dict[str, Position], style: list[dict[str, object]], clicked: Callable[[str], None]
) -> Any:
    from ipycytoscape import CytoscapeWidget

    canvas = CytoscapeWidget(
        cytoscape_layout={"name": "preset", "fit": True, "padding": 18},
        cytoscape_style=style,
        auto_ungrabify=True,
        min_zoom=0.05,
        max_zoom=3,
        wheel_sensitivity=0.25,
        tooltip_source="",
        hide_edges_on_viewport=len(graph.nodes) > _STILL_EDGES,
    )
    canvas.add_class("lowcode-graph")
    canvas.on("node", "click", lambda event: clicked(str(event["data"]["id"])))  # a later one is not heard
    nodes, edges = _nodes(graph, positions), _edges(graph, positions)
    with canvas.graph.hold_sync():
        canvas.graph.add_nodes(nodes)
        canvas.graph.add_edges(edges, directed=True)
    return canvas


def _nodes(graph: GraphView, positions: dict[str, Position]) -> list[Any]:
    from ipycytoscape import Node

    return [
        Node(
            data={"id": node.id, "label": shortened(node.label), "kind": node.kind, "width": width_of(node.label)},
            position={"x": positions[node.id][0], "y": positions[node.id][1]},
        )
        for node in graph.nodes
    ]


def _edges(graph: GraphView, positions: dict[str, Position]) -> list[Any]:
    from ipycytoscape import Edge

    widths = {node.id: width_of(node.label) for node in graph.nodes}
    curved = len(graph.nodes) <= CURVED
    return [
        Edge(data=_edge(edge, number) | (_curve(edge, positions, widths) if curved else {}), classes=" directed ")
        for number, edge in enumerate(graph.edges)
        if edge.source in positions and edge.target in positions and edge.source != edge.target
    ]


def _edge(edge: EdgeView, number: int) -> dict[str, object]:
    return {"id": f"e{number}", "source": edge.source, "target": edge.target, "label": edge.label}


def _curve(edge: EdgeView, positions: dict[str, Position], widths: dict[str, float]) -> dict[str, object]:
    """Return an edge's shape: it leaves a node at the side that faces the other, and is level at both ends."""
    one, other = positions[edge.source], positions[edge.target]
    side = 1 if other[0] >= one[0] else -1
    start = one[0] + side * widths[edge.source] / 2
    end = other[0] - side * widths[edge.target] / 2
    points = [(start + (end - start) * 0.42, one[1]), (end - (end - start) * 0.42, other[1])]
    weights, distances = zip(*(_bend(one, other, point) for point in points), strict=True)
    sides = ("90deg", "270deg") if side > 0 else ("270deg", "90deg")
    return {"start": sides[0], "end": sides[1], "weights": list(weights), "distances": list(distances)}


def _bend(one: Position, other: Position, point: Position) -> tuple[float, float]:
    """Return a control point as Cytoscape wants it: how far along the line between two nodes, how far off it."""
    dx, dy = other[0] - one[0], other[1] - one[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    px, py = point[0] - one[0], point[1] - one[1]
    return round((px * dx + py * dy) / length**2, 4), round((py * dx - px * dy) / length, 1)
