"""Roles that do not meet: who may come in, and is refused by what is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import notice, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Action
    from lowcode_kernel.problems import Problem


def check_disjoint_roles(facts: Facts) -> Iterator[Problem]:
    """Whoever may see a screen or run an action may read and write what it needs, in one of their roles."""
    for screen in facts.app.screens.values():
        for entity in sorted(facts.doings[screen.id].reads):
            readers = _allowed(facts, entity, "read")
            if screen.roles and readers and not readers & set(screen.roles):
                fact = f"screen {screen.name} is for {_listed(screen.roles)} and reads {entity}, which is for"
                hint = "give them a role in common: nobody sees the screen otherwise"
                yield warning("LK507", screen, f"{fact} {_listed(readers)}", hint)
    for action in facts.app.actions.values():
        yield from _refused(action, facts)


def _refused(action: Action, facts: Facts) -> Iterator[Problem]:
    for entity in sorted(facts.doings[action.id].writes):
        writers = _allowed(facts, entity, "write")
        if action.roles and writers and not writers & set(action.roles):
            fact = f"action {action.name} is for {_listed(action.roles)} and writes {entity}, which"
            hint = "give them a role in common: the action is always refused otherwise"
            yield warning("LK508", action, f"{fact} {_listed(writers)} may", hint)


def _allowed(facts: Facts, entity: str, right: str) -> set[str]:
    found = facts.app.entities.get(entity)
    return set(getattr(found.access, right)) if found and found.access else set()


def _listed(roles: tuple[str, ...] | set[str]) -> str:
    return ", ".join(sorted(roles))


def check_idle_roles(facts: Facts) -> Iterator[Problem]:
    """A role opens something that can be reached, once there is a way in at all."""
    for role in facts.app.roles.values() if facts.roots else ():
        guarded = {user for user in facts.users[role.id] if not user.startswith("test:")}
        if guarded and not guarded & facts.needed:
            fact = f"role {role.name} guards only what nobody reaches: {', '.join(sorted(guarded)).replace(':', ' ')}"
            yield notice("LK505", role, fact, "reach it from a screen, or delete the role")
