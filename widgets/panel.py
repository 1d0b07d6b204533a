"""The panel beside the graph: the element that was picked, or how to pick one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.widgets.drawing import graph_summary
from lowcode_kernel.widgets.highlighting import highlighted
from lowcode_kernel.widgets.markup import Markup, joined, tag
from lowcode_kernel.widgets.palette import colour_of

if TYPE_CHECKING:
    from lowcode_kernel.widgets.graph_style import GraphState
    from lowcode_kernel.widgets.records import GraphView, NodeView

_LANGUAGES = ("sql", "python")


def kind_chip(kind: str) -> Markup:
    """Return a kind's name on its colour."""
    return tag("span", kind, class_="lowcode-chip", style=f"background:{colour_of(kind)};color:#fff")


def node_panel(node: NodeView) -> tuple[Markup, Markup]:
    """Return an element's head (kind, name, doc, place), and its definition, which stands below its neighbours."""
    title = tag("div", kind_chip(node.kind), " ", tag("b", node.label, style="font-size:15px;overflow-wrap:anywhere"))
    doc = [tag("p", text, style="margin:6px 0 2px") for label, text in node.detail if label == "doc" and text]
    rows = [_row(label, text) for label, text in node.detail if label not in {"doc", *_LANGUAGES} and text]
    code = [highlighted(text, label) for label, text in node.detail if label in _LANGUAGES and text]
    definition = [tag("div", "Definition", class_="lowcode-section"), *code] if code else []
    return tag("div", title, *doc, *rows, class_="lowcode lowcode-node"), tag("div", *definition, class_="lowcode")


def _row(label: str, text: str) -> Markup:
    return tag("div", tag("span", f"{label} ", class_="lowcode-quiet"), text)


def overview_panel(graph: GraphView, state: GraphState, matches: int) -> Markup:
    """Return the panel where nothing is picked: what the graph holds, or what the search found."""
    if state.search.strip():
        told = joined(
            tag("b", f"{matches:,} {'match' if matches == 1 else 'matches'}"), f" for “{state.search.strip()}”"
        )
        return tag("div", told, class_="lowcode lowcode-found")
    hint = tag(
        "p",
        "Click an element to see its definition, what it uses and what uses it.",
        class_="lowcode-quiet",
        style="margin:6px 0",
    )
    return tag(
        "div",
        tag("b", graph.title or "Dependencies"),
        tag("div", graph_summary(graph)),
        hint,
        class_="lowcode lowcode-overview",
    )
