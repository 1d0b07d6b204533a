"""Structure: keys, paths, data and names that would meet in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.checks.circles import circles
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.types import Type

_SYSTEM = frozenset({"user", "app_user", "app_session", "alembic_version"})
_MOST_STEPS = 20
_MAX_NAME = 63  # PostgreSQL cuts identifiers there


def check_system_names(facts: Facts) -> Iterator[Problem]:
    """No two entities meet in one table, and none meets a table of the application's own."""
    tables: dict[str, Entity] = {}
    for entity in facts.app.entities.values():
        table = snake_case(entity.name)
        if table in _SYSTEM:
            yield Problem(
                code="LK107",
                fact=f"entity {entity.name} is built in",
                hint="choose another name",
                place=entity.place,
                element=entity.id,
            )
        elif table in tables:
            fact = f"entities {tables[table].name} and {entity.name} have one table, {table}"
            yield Problem(code="LK107", fact=fact, hint="rename one", place=entity.place, element=entity.id)
        if len(table) > _MAX_NAME:
            fact = f"the name {entity.name} is longer than {_MAX_NAME} letters"
            yield Problem(code="LK107", fact=fact, hint="shorten it", place=entity.place, element=entity.id)
        tables[table] = entity


def check_keys(facts: Facts) -> Iterator[Problem]:
    """Keys are of attributes that are always there, references have one key to point at, and no required references
    form a circle.
    """
    app = facts.app
    for entity in app.entities.values():
        yield from _check_key(entity, app)
    refers = {
        name: [item.type.name for item in entity.attributes if item.type.kind == "entity"]
        for name, entity in app.entities.items()
    }
    for loop in circles(refers):
        names = set(loop)
        if len(names) > 1 and _all_required(names, app):
            entity = app.entities[min(names)]
            fact = f"{', '.join(sorted(names))} need each other: none can be created first"
            yield Problem(
                code="LK801",
                fact=fact,
                hint="make one reference optional: | None",
                place=entity.place,
                element=entity.id,
            )


def _steps(type_: Type, app: Application) -> int:
    """Return over how many other entities' keys the value of a key is found, as far as is fine."""
    for step in range(_MOST_STEPS):
        entity = app.entities.get(type_.name) if type_.kind == "entity" else None
        attribute = entity.attribute(entity.key[0]) if entity else None
        if attribute is None:
            return step
        type_ = attribute.type
    return _MOST_STEPS


def _check_key(entity: Entity, app: Application) -> Iterator[Problem]:
    for name in entity.key:
        attribute = entity.attribute(name)
        if attribute and attribute.type.kind == "entity" and attribute.type.name == entity.name:
            fact = f"{entity.name} needs itself: its key {name} is another {entity.name}"
            hint = "leave the key to the implied id"
            yield Problem(code="LK801", fact=fact, hint=hint, place=attribute.place, element=entity.id)
        elif attribute and _steps(attribute.type, app) == _MOST_STEPS:
            fact = f"the key of {entity.name} is that of another entity, and so on, more than {_MOST_STEPS} times"
            hint = "leave a key among them to the implied id"
            yield Problem(code="LK801", fact=fact, hint=hint, place=attribute.place, element=entity.id)
        if attribute and (attribute.type.optional or attribute.type.many):
            fact = f"entity {entity.name}: key attribute {name} is {attribute.type}"
            yield Problem(
                code="LK802", fact=fact, hint="a key is always there", place=attribute.place, element=entity.id
            )
    for attribute in entity.attributes:
        target = app.entities.get(attribute.type.name) if attribute.type.kind == "entity" else None
        if target and len(target.key) > 1:
            subject = f"entity {entity.name}: {attribute.name}"
            fact = f"{subject} refers to {target.name}, whose key has {len(target.key)} attributes"
            hint = f"give {target.name} an id, and unique({', '.join(target.key)})"
            yield Problem(code="LK803", fact=fact, hint=hint, place=attribute.place, element=entity.id)
        if attribute.on_delete == "set null" and not attribute.type.optional:
            fact = (
                f"entity {entity.name}: {attribute.name} is set to null when its target is deleted, and may not be null"
            )
            yield Problem(
                code="LK804", fact=fact, hint=f"write {attribute.type} | None", place=attribute.place, element=entity.id
            )


def _all_required(names: set[str], app: Application) -> bool:
    """Say whether each entity of a circle requires another of it."""
    return all(
        any(
            item.type.name in names and not item.type.optional and not item.type.many
            for item in app.entities[name].attributes
        )
        for name in names
    )


def check_paths(facts: Facts) -> Iterator[Problem]:
    """No screen's path hides another's, and no two actions answer one REST address."""
    seen: dict[str, str] = {}
    for screen in facts.app.screens.values():
        shape = re.sub(r"\{\w+\}", "{}", screen.path.rstrip("/") or "/")
        if shape in seen:
            fact = f"screens {seen[shape]} and {screen.name} have one path, {screen.path}"
            yield Problem(code="LK108", fact=fact, hint="change one", place=screen.place, element=screen.id)
        seen[shape] = screen.name
    routes: dict[tuple[str, str], str] = {}
    for action in facts.app.actions.values():
        if action.rest is None:
            continue
        if action.rest in routes:
            fact = f"actions {routes[action.rest]} and {action.name} answer {' '.join(action.rest)}"
            yield Problem(code="LK108", fact=fact, hint="change one", place=action.place, element=action.id)
        routes[action.rest] = action.name


def check_data(facts: Facts) -> Iterator[Problem]:
    """Data is for an entity that is there."""
    app = facts.app
    for data in app.data.values():
        if data.entity not in app.entities:
            hint = did_you_mean(data.entity, app.entities)
            yield Problem(
                code="LK101",
                fact=f'data: there is no entity "{data.entity}"',
                hint=hint,
                place=data.place,
                element=data.id,
            )
