"""Screens: addresses that mean one thing, and what a screen asks or works out and never shows."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from typing import TYPE_CHECKING

from lowcode_kernel.language.bodies import place_of
from lowcode_kernel.language.screen_model import path_order
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Screen


def check_crossing_paths(facts: Facts) -> Iterator[Problem]:
    """Of two paths that can be one address each has a word where the other has a parameter: `/a/{x}/c` and
    `/a/b/{y}`. Where only one has words, as in `/orders/new`, nobody is surprised.
    """
    for one, other in _crossing(facts.app.screens.values()):
        first, second = sorted((one, other), key=lambda screen: (path_order(screen.path), screen.name))
        address = "/" + "/".join(
            right if "{" in left else left for left, right in zip(_parts(first.path), _parts(second.path), strict=True)
        )
        fact = f"{address} is screen {first.name}, though it could be screen {second.name} ({second.path})"
        yield Problem(
            code="LK355",
            fact=fact,
            hint="change a word of one path",
            place=second.place,
            element=second.id,
            severity="warning",
        )


def _crossing(screens: Iterable[Screen]) -> Iterator[tuple[Screen, Screen]]:
    """Give the pairs of paths that cross. Only those with as many parts, and the same first word, are compared."""
    groups: dict[tuple[int, str], list[Screen]] = {}
    for screen in screens:
        parts = _parts(screen.path)
        if "{" in screen.path and any("{" not in part for part in parts):
            groups.setdefault((len(parts), "" if "{" in parts[0] else parts[0]), []).append(screen)
    for group in groups.values():
        yield from (pair for pair in combinations(group, 2) if _cross(*pair))


def _cross(one: Screen, other: Screen) -> bool:
    """Say whether some address fits both paths, and neither is the more exact one."""
    pairs = list(zip(_parts(one.path), _parts(other.path), strict=True))
    if any("{" not in left and "{" not in right and left != right for left, right in pairs):
        return False
    ways = {("{" in left, "{" in right) for left, right in pairs}
    return {(True, False), (False, True)} <= ways


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/")


def check_screens_behind_actions(facts: Facts) -> Iterator[Problem]:
    """An action that answers GET at a screen's path hides the screen."""
    actions = {_shape(item.rest[1]): item for item in facts.app.actions.values() if item.rest and item.rest[0] == "GET"}
    for screen in facts.app.screens.values():
        if action := actions.get(_shape(screen.path)):
            fact = f"screen {screen.name} has the path that action {action.name} answers, {screen.path}"
            hint = 'give the action an address of its own: --rest "GET /api/..."'
            yield Problem(code="LK356", fact=fact, hint=hint, place=screen.place, element=screen.id)


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path.rstrip("/") or "/")


def check_unused_in_screens(facts: Facts) -> Iterator[Problem]:
    """What a screen asks for or works out is shown, or used for what is shown."""
    for name, model in facts.analysis.screens.items():
        screen = facts.app.screens[name]
        inputs = {item.name for item in model.inputs}
        nodes = list(ast.walk(model.body.tree))
        read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        named = (target for node in nodes if isinstance(node, ast.Assign) for target in node.targets)
        for node in named:
            if isinstance(node, ast.Name) and node.id not in read:
                what = "input" if node.id in inputs else "value"
                fact = f"screen {name}: {what} {node.id} is never used"
                place = place_of(node, screen.body_place)
                yield Problem(
                    code="LK357",
                    fact=fact,
                    hint="use it, or remove it",
                    place=place,
                    element=screen.id,
                    severity="warning",
                )
