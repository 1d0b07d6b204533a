"""Circles in a graph that is given as a dictionary, in one walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def components(uses: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the strongly connected components of the graph whose nodes are the mapping's keys, each after all those
    that it uses.

    Source: Tarjan, Depth-first search and linear graph algorithms (1972), without recursion.
    """
    walk = _Walk(uses)
    for node in uses:
        if node not in walk.number:
            walk.visit(node)
    return walk.found


def circles(uses: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the components in which every node uses itself, directly or not; their nodes sorted."""
    return sorted(sorted(part) for part in components(uses) if len(part) > 1 or part[0] in set(uses[part[0]]))


class _Walk:
    def __init__(self, uses: Mapping[str, Iterable[str]]) -> None:
        self.uses = uses
        self.number: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.open: list[str] = []
        self.is_open: set[str] = set()
        self.found: list[list[str]] = []

    def visit(self, root: str) -> None:
        """Walk all that `root` reaches."""
        path = [(root, iter(self._enter(root)))]
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                self._leave(node)
                if path:
                    self.low[path[-1][0]] = min(self.low[path[-1][0]], self.low[node])
            elif following not in self.number:
                path.append((following, iter(self._enter(following))))
            elif following in self.is_open:
                self.low[node] = min(self.low[node], self.number[following])

    def _enter(self, node: str) -> list[str]:
        self.number[node] = self.low[node] = len(self.number)
        self.open.append(node)
        self.is_open.add(node)
        return [used for used in self.uses[node] if used in self.uses]

    def _leave(self, node: str) -> None:
        if self.low[node] != self.number[node]:
            return
        part = self.open[self.open.index(node) :]
        del self.open[-len(part) :]
        self.is_open.difference_update(part)
        self.found.append(part)
