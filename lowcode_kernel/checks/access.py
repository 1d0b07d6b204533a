"""Access: roles exist, row rules can be said in SQL, and who sees a screen may use what is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.elements import Action, Entity, Screen, Test
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.rules import compile_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts


def check_access_roles(facts: Facts) -> Iterator[Problem]:
    """Every role that is named is defined."""
    app = facts.app
    for element in app.elements:
        roles: tuple[str, ...] = ()
        if isinstance(element, Action | Screen | Test):
            roles = element.roles
        elif isinstance(element, Entity) and element.access:
            roles = (*element.access.read, *element.access.write, *element.access.delete)
        for role in dict.fromkeys(roles):
            if role not in app.roles:
                hint = did_you_mean(role, app.roles) or f"define it: %role {role}"
                fact = f'{element.kind} {element.name}: there is no role "{role}"'
                yield Problem(code="LK501", fact=fact, hint=hint, place=element.place, element=element.id)


def check_row_rules(facts: Facts) -> Iterator[Problem]:
    """Every row rule can be compiled."""
    for entity in facts.app.entities.values():
        try:
            compile_rule(entity, facts.app, [], 0)
        except LowcodeError as error:
            yield from error.problems


def check_open_actions(facts: Facts) -> Iterator[Problem]:
    """Ask that an action which the outside can run says who may."""
    app = facts.app
    for action in app.actions.values():
        if not action.roles and (action.name in facts.offered or action.rest):
            fact = f"action {action.name} names no role: everybody who is signed in may run it"
            hint = "write --role ROLE" if app.roles else "define a role, and write --role ROLE"
            yield Problem(code="LK503", fact=fact, hint=hint, place=action.place, element=action.id, severity="warning")


def check_screen_actions(facts: Facts) -> Iterator[Problem]:
    """A screen that everybody sees offers no action that only some may run: the button would refuse them."""
    app = facts.app
    for name, model in facts.analysis.screens.items():
        screen = app.screens[name]
        for component in model.components():
            action = app.actions.get(component.action or "")
            if action and action.roles and screen.roles and not set(screen.roles) & set(action.roles):
                who, whose = ", ".join(screen.roles), ", ".join(action.roles)
                fact = f"screen {name} is for {who}, and its button {component.label!r} for {whose}"
                hint = "give them a role in common"
                yield Problem(
                    code="LK502", fact=fact, hint=hint, place=screen.place, element=screen.id, severity="warning"
                )
