"""Where each node of a graph stands: layers from left to right, users before what they use.

Three steps, as Sugiyama's method has them, each linear or nearly so (16 ms at 1,000 nodes, 2026-11-23): the longest
path gives the layer, sweeps by the mean position of the neighbours give the order within it, and a layer that is too
tall is folded into several columns. Nodes without edges go below, in rows. Source: K. Sugiyama, S. Tagawa, M. Toda,
Methods for Visual Understanding of Hierarchical System Structures, 1981.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.palette import order_of

if TYPE_CHECKING:
    from lowcode_kernel.widgets.records import GraphView

Position = tuple[float, float]

NODE_HEIGHT = 30.0
LONGEST = 26  # characters of a label that are shown
_ROW = 46.0  # the least between the middles of two rows
_GAP = 66.0  # between two layers
_FOLD = 26.0  # between two columns of one layer
_CHARACTER = (
    7.4  # the mean width of a letter at 13 px; measured in Chromium with DejaVu Sans, the widest of the usual fonts
)
_SWEEPS = 6
_SHAPE = 1.75  # width to height of the panel
_MOST_STRETCH = 1.7


def width_of(label: str) -> float:
    """Return the width of a node with this label, in the units of the layout (pixels at zoom 1)."""
    return max(60.0, min(len(label), LONGEST) * _CHARACTER + 22.0)


def place_nodes(graph: GraphView) -> dict[str, Position]:
    """Return the middle of each node by its id. The same graph gives the same positions."""
    uses = _edges_between_nodes(graph)
    connected = {end for source, targets in uses.items() for end in (source, *targets)}
    layers = _layers(graph, uses, connected)
    _order_within(layers, uses)
    positions, height = _stretched(*_columns(layers, {node.id: width_of(node.label) for node in graph.nodes}))
    positions.update(_rows_below(graph, connected, height))
    return positions


def _edges_between_nodes(graph: GraphView) -> dict[str, list[str]]:
    known = {node.id for node in graph.nodes}
    uses: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        if (
            edge.source in known
            and edge.target in known
            and edge.source != edge.target
            and edge.target not in uses[edge.source]
        ):
            uses[edge.source].append(edge.target)
    return {source: targets for source, targets in uses.items() if targets}


def _layers(graph: GraphView, uses: dict[str, list[str]], connected: set[str]) -> list[list[str]]:
    depth = _longest_paths(uses, [node.id for node in graph.nodes])
    last = max((depth[id_] for id_ in connected), default=-1)
    layers: list[list[str]] = [[] for _ in range(last + 1)]
    for node in sorted(graph.nodes, key=lambda node: (order_of(node.kind), node.label)):
        if node.id in connected:
            layers[last - depth[node.id]].append(node.id)
    return layers


def _longest_paths(uses: dict[str, list[str]], ids: list[str]) -> dict[str, int]:
    """Return the length of the longest way from each node to one that uses nothing.

    A way back into a cycle counts nothing.
    """
    depth: dict[str, int] = {}
    on_way: set[str] = set()
    for start in ids:
        stack = [(start, iter(uses.get(start, ())))] if start not in depth else []
        on_way.update(id_ for id_, _ in stack)
        while stack:
            id_, rest = stack[-1]
            following = next((t for t in rest if t not in depth and t not in on_way), None)
            if following is not None:
                stack.append((following, iter(uses.get(following, ()))))
                on_way.add(following)
                continue
            depth[id_] = 1 + max((depth[t] for t in uses.get(id_, ()) if t in depth), default=-1)
            on_way.discard(id_)
            stack.pop()
    return depth


def _order_within(layers: list[list[str]], uses: dict[str, list[str]]) -> None:
    neighbours: dict[str, list[str]] = defaultdict(list)
    for source, targets in uses.items():
        for target in targets:
            neighbours[source].append(target)
            neighbours[target].append(source)
    rank = {id_: _relative(at, layer) for layer in layers for at, id_ in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            mean = {id_: sum(rank[n] for n in neighbours[id_]) / len(neighbours[id_]) for id_ in layer}
            layer.sort(key=lambda id_: (mean[id_], rank[id_]))
            rank.update((id_, _relative(at, layer)) for at, id_ in enumerate(layer))


def _relative(at: int, layer: list[str]) -> float:
    return (at + 0.5) / len(layer)


def _columns(layers: list[list[str]], widths: dict[str, float]) -> tuple[dict[str, Position], float]:
    """Set layers side by side, each centred; return the positions and the height of all."""
    nodes = sum(map(len, layers))
    tallest = max(9, round((nodes * 1.9) ** 0.5))  # columns of this height give about the shape of a screen
    positions: dict[str, Position] = {}
    height = min(tallest, max(map(len, layers), default=0)) * _ROW
    left = 0.0
    for layer in layers:
        columns = -(-len(layer) // tallest)
        for at in range(columns):
            column = layer[at::columns]  # neighbours in the order stay side by side
            wide = max(widths[id_] for id_ in column)
            top = (height - len(column) * _ROW) / 2 + _ROW / 2 + (_ROW / 2 if at % 2 and columns > 1 else 0)
            positions.update((id_, (left + wide / 2, top + row * _ROW)) for row, id_ in enumerate(column))
            left += wide + _FOLD
        left += _GAP - _FOLD
    return positions, height


def _stretched(positions: dict[str, Position], height: float) -> tuple[dict[str, Position], float]:
    """Spread the rows of a flat graph over the height that the panel has: edges are easier to follow."""
    wide = max((x for x, _ in positions.values()), default=0.0)
    factor = min(max(wide / _SHAPE / max(height, 1.0), 1.0), _MOST_STRETCH)
    return {id_: (x, y * factor) for id_, (x, y) in positions.items()}, height * factor


def _rows_below(graph: GraphView, connected: set[str], height: float) -> dict[str, Position]:
    alone = sorted(
        (node for node in graph.nodes if node.id not in connected), key=lambda node: (order_of(node.kind), node.label)
    )
    limit = max(900.0, height * 1.6)
    positions: dict[str, Position] = {}
    left, top = 0.0, height + _ROW
    for node in alone:
        wide = width_of(node.label)
        if left and left + wide > limit:
            left, top = 0.0, top + _ROW
        positions[node.id] = (left + wide / 2, top)
        left += wide + _FOLD
    return positions
