"""The shape of an application: what has two names, what is too wide, what goes round in a circle."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.checks.circles import circles
from lowcode_kernel.checks.reporting import notice, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.language.screen_model import ScreenModel
    from lowcode_kernel.problems import Problem

_WIDE = 50


def check_titles(facts: Facts) -> Iterator[Problem]:
    """No two screens have one title: people tell pages apart by it."""
    seen: dict[str, str] = {}
    for name, model in facts.analysis.screens.items():
        title = _title(model)
        if title and title in seen:
            fact = f'screens {seen[title]} and {name} have one title, "{title}"'
            yield notice("LK822", facts.app.screens[name], fact, "change one")
        elif title:
            seen[title] = name


def _title(model: ScreenModel) -> str:
    for component in model.components():
        if component.kind == "title":
            value = component.value
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
    return ""


def check_width(facts: Facts) -> Iterator[Problem]:
    """An entity of very many attributes is several things in one."""
    for entity in facts.app.entities.values():
        if len(entity.attributes) > _WIDE:
            fact = f"entity {entity.name} has {len(entity.attributes)} attributes"
            yield notice("LK823", entity, fact, "put what belongs together into an entity of its own")


def check_call_circles(facts: Facts) -> Iterator[Problem]:
    """Actions don't call each other in a circle, which nothing may end."""
    calls = {f"action:{name}": body.uses for name, body in facts.analysis.actions.items()}
    for circle in circles(calls):
        action = facts.app.actions[circle[0].removeprefix("action:")]
        names = [name.removeprefix("action:") for name in circle]
        fact = f"actions {', '.join(names)} call each other" if len(names) > 1 else f"action {names[0]} calls itself"
        yield warning("LK824", action, fact, "write a loop, or say in a comment why it ends")
