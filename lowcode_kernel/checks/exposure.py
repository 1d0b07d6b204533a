"""What everybody who is signed in can reach, and perhaps should not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import notice, warning
from lowcode_kernel.elements import Action, Entity, Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Attribute, Element
    from lowcode_kernel.problems import Problem

_PERSONAL = re.compile(
    r"(^|_)(phone|mobile|birth(day|date)?|date_of_birth|passport|iban|ssn|tax_(id|number)|salary|wage|home_address"
    r"|postal_address|street|religion|diagnosis|credit_card|card_number|social_security)(_|$)"
)


def check_open_entities(facts: Facts) -> Iterator[Problem]:
    """Every way from the outside to an entity passes an access rule: a role of a screen or an action, or the entity's
    own.
    """
    for entity, way in _open_ways(facts).items():
        found = facts.app.entities[entity]
        fact = f"entity {entity} has no access(...), and who is signed in reaches it: {way}"
        hint = "write access(read=Role, write=Role), or give the way a --role"
        yield warning("LK504", found, fact, hint)


def _open_ways(facts: Facts) -> dict[str, str]:
    """Return the entities without access that are reached without meeting a role, each with the shortest way there."""
    by_id = facts.app.by_id
    came_from: dict[str, str | None] = {root: None for root in facts.roots if _is_open(by_id[root])}
    left, found = list(came_from), dict[str, str]()
    for element in left:  # grows: breadth first, so that the first way is the shortest
        for used in sorted(facts.uses[element]):
            kind = used.partition(":")[0]
            if used in came_from or kind not in {"query", "action", "entity"} or not _is_open(by_id[used]):
                continue
            came_from[used] = element
            if kind == "entity":
                found[by_id[used].name] = _way(used, came_from)
            else:
                left.append(used)
    return found


def _is_open(element: Element) -> bool:
    """Say whether an element lets everybody through. A job acts for nobody."""
    if isinstance(element, Screen | Action):
        return not element.roles
    if isinstance(element, Entity):
        return element.access is None
    return element.kind != "job"


def _way(element: str, came_from: dict[str, str | None]) -> str:
    steps = []
    step: str | None = element
    while step is not None:
        steps.append(step.replace(":", " "))
        step = came_from[step]
    return " > ".join(reversed(steps))


def check_rest_methods(facts: Facts) -> Iterator[Problem]:
    """GET only reads: browsers, proxies and crawlers repeat it as they like, and it has no CSRF defence."""
    for action in facts.app.actions.values():
        doing = facts.doings[action.id]
        if action.rest and action.rest[0] == "GET" and doing.writes:
            fact = f"action {action.name} answers GET {action.rest[1]} and writes {', '.join(sorted(doing.writes))}"
            yield warning("LK506", action, fact, f'write --rest "POST {action.rest[1]}"')


def check_personal_attributes(facts: Facts) -> Iterator[Problem]:
    """E-mail addresses and the like are for some, not for everybody who is signed in."""
    for entity in facts.app.entities.values():
        if entity.id not in facts.needed or (entity.access and (entity.access.read or entity.access.rows)):
            continue
        for attribute in entity.attributes:
            if _is_personal(attribute):
                yield _told(entity, attribute)


def _is_personal(attribute: Attribute) -> bool:
    return attribute.type.name == "Email" or bool(_PERSONAL.search(attribute.name))


def _told(entity: Entity, attribute: Attribute) -> Problem:
    fact = f"entity {entity.name}: everybody who is signed in may read {attribute.name}"
    return notice("LK509", entity, fact, "write access(read=Role), or rows=condition", place=attribute.place)
