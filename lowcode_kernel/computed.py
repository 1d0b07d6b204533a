"""Computed attributes that use each other: circles, which are a mistake, and the longest way from one to the next."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_CIRCLES = 10


def cycles(computed: Mapping[str, ast.expr]) -> list[tuple[str, ...]]:
    """Return circles of computed attributes that need each other, each once and whole: ("net", "gross", "net"). Where
    there are very many, those that are left are found when these are put right.
    """
    uses = _uses(computed)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for name in _entangled(uses):
        if circle := _circle(name, uses):
            found.setdefault(frozenset(circle), circle)
        if len(found) == _MOST_CIRCLES:
            break
    return list(found.values())


def longest_way(computed: Mapping[str, ast.expr]) -> tuple[str, ...]:
    """Return the longest row of computed attributes of which each uses the next; there are no circles."""
    uses = _uses(computed)
    ways: dict[str, tuple[int, str]] = {}  # how long, and over which other
    for name in TopologicalSorter(uses).static_order():
        ways[name] = max(((ways[other][0] + 1, other) for other in uses[name]), default=(1, ""))
    name = max(ways, key=lambda one: ways[one][0], default="")
    found = []
    while name:
        found.append(name)
        name = ways[name][1]
    return tuple(found)


def _uses(computed: Mapping[str, ast.expr]) -> dict[str, list[str]]:
    """Return which other computed attributes each one names, in order."""
    return {
        name: [n for n in dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name)) if n in computed]
        for name, node in computed.items()
    }


def _entangled(uses: Mapping[str, list[str]]) -> list[str]:
    """Return what is left when all is taken away that uses nothing, or that nothing uses: circles, and what lies
    between them.
    """
    left = {name: set(used) for name, used in uses.items()}
    while True:
        needed = {other for used in left.values() for other in used}
        kept = {name: used & left.keys() for name, used in left.items() if used & left.keys() and name in needed}
        if len(kept) == len(left):
            return list(left)
        left = kept


def _circle(start: str, uses: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return the shortest way from a computed attribute back to itself, or nothing."""
    before = {start: ""}
    waiting = [start]
    for name in waiting:  # grows while it is walked
        for used in uses[name]:
            if used == start:
                way = [name]
                while before[way[-1]]:
                    way.append(before[way[-1]])
                return (*reversed(way), start)
            if used not in before:
                before[used] = name
                waiting.append(used)
    return ()
