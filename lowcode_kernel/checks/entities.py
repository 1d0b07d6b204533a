"""What an entity's rows and attributes are for: who reads, writes and shows them.

Nothing is told while the outside reaches nothing yet: an application that is being written has entities first.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from lowcode_kernel.checks.facts import typed_parts
from lowcode_kernel.checks.reporting import notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.problems import Problem


def check_entities(facts: Facts) -> Iterator[Problem]:
    """Every entity is written by something, read by something, and shown somewhere."""
    if not facts.roots:
        return
    shown = facts.reached(element for element in facts.roots if element.startswith("screen:"))
    read, created = _read_entities(facts), _created_entities(facts)
    for entity in facts.app.entities.values():
        if entity.public:
            continue
        if found := _life(entity, read=entity.name in read, created=entity.name in created, facts=facts):
            yield found
        elif facts.app.screens and entity.id not in shown:
            fact = f"entity {entity.name} is on no screen"
            yield notice("LK821", entity, fact, f"write %scaffold {entity.name}, if people are to see it")


def _life(entity: Entity, *, read: bool, created: bool, facts: Facts) -> Problem | None:
    if not read and not created:
        if facts.users[entity.id] - {entity.id}:
            return None
        return notice("LK408", entity, f"entity {entity.name} is never used", "use it, or delete it")
    if not read:
        fact = f"entity {entity.name} is written and never read"
        return notice("LK406", entity, fact, "show it on a screen, or delete it")
    if not created:
        fact = f"entity {entity.name} is read, and nothing creates its rows"
        return notice("LK407", entity, fact, f"write {entity.name}.create(...) in an action, or %%data {entity.name}")
    return None


def _read_entities(facts: Facts) -> set[str]:
    """Return the names of entities that something reads: bodies, queries, screens, parameters, and references."""
    found = {entity for doing in facts.doings.values() for entity in doing.reads}
    for query in facts.analysis.queries.values():
        found.update(query.entities)
    for body in facts.all_bodies.values():
        found.update(owner for owner, _ in body.reads)
    for element in facts.app.elements:
        found.update(type_.name for _, type_, _ in typed_parts(element) if type_.name != element.name)
        if element.kind == "screen":
            found.update(used.removeprefix("entity:") for used in facts.uses[element.id])
    return found


def _created_entities(facts: Facts) -> set[str]:
    created = {entity for doing in facts.doings.values() for entity in doing.creates}
    return created | {data.entity for data in facts.app.data.values()}


def check_attributes(facts: Facts) -> Iterator[Problem]:
    """Every attribute is read or written by something; rows that come from files or go out whole use them all."""
    if not facts.roots:
        return
    used = _used_attributes(facts)
    whole = {data.entity for data in facts.app.data.values()} | _whole_rows(facts)
    for entity in facts.app.entities.values():
        if entity.public or entity.name in whole or entity.id not in facts.needed:
            continue
        declared = {*entity.key, *(name for names in (*entity.indexes, *entity.uniques) for name in names)}
        for attribute in entity.attributes:
            if attribute.name not in used[entity.name] | declared and not _ruled(entity, attribute.name):
                fact = f"entity {entity.name}: nothing reads or writes {attribute.name}"
                yield notice("LK405", entity, fact, "use it, or remove it", place=attribute.place)


def _used_attributes(facts: Facts) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for query in facts.analysis.queries.values():
        for owner, name in query.reads:
            found[owner].add(name)
    for body in facts.all_bodies.values():
        for owner, name in (*body.reads, *body.writes):
            found[owner].add(name)
    return found


def _whole_rows(facts: Facts) -> set[str]:
    """Return the entities whose rows some action returns."""
    returned = [action.returns for action in facts.app.actions.values() if action.returns]
    return {type_.name for type_ in returned if type_.kind == "entity"}


def _ruled(entity: Entity, name: str) -> bool:
    """Say whether a condition or a computed attribute of the entity names it; a word in the text is enough."""
    texts = [constraint.condition for constraint in entity.constraints]
    texts += [item.computed for item in entity.attributes if item.computed]
    if entity.access and entity.access.rows:
        texts.append(entity.access.rows)
    return any(name in text for text in texts)
