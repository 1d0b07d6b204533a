"""What entities compute and demand of themselves, and keys of several attributes where one value has to stand for a
row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.elements import Action, Query, Screen
from lowcode_kernel.keys import key_of
from lowcode_kernel.language.entity_values import expression_problems
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity


def check_row_values(facts: Facts) -> Iterator[Problem]:
    """Computed attributes and constraints fit the keys of other entities too."""
    app = facts.app
    for entity in app.entities.values():
        yield from expression_problems(entity, lambda name: key_of(name, app))


def check_whole_keys(facts: Facts) -> Iterator[Problem]:
    """A parameter and a list of rows hold one value for each row, which a key of several attributes is not."""
    app = facts.app
    for element in app.elements:
        if isinstance(element, Query | Action | Screen):
            for parameter in element.parameters:
                if (keys := _keys(parameter.type.name, app)) and parameter.type.kind == "entity":
                    fact = f"{element.kind} {element.name}: {parameter.name} is {parameter.type}, whose key is {keys}"
                    hint = f"take {keys} as parameters, and {parameter.type.name}.get(...)"
                    yield Problem(code="LK810", fact=fact, hint=hint, place=element.place, element=element.id)
    for entity in app.entities.values():
        yield from _lists(entity, app)


def _keys(entity: str, app: Application) -> str:
    found = app.entities.get(entity)
    return " and ".join(found.key) if found and len(found.key) > 1 else ""


def _lists(entity: Entity, app: Application) -> Iterator[Problem]:
    for attribute in entity.attributes:
        if not attribute.type.many:
            continue
        subject = f"entity {entity.name}: {attribute.name}"
        if attribute.type.kind == "scalar":
            fact, hint = f"{subject} is {attribute.type}", "a list holds rows of an entity; for other lists write Json"
        elif keys := _keys(entity.name, app) or _keys(attribute.type.name, app):
            fact = f"{subject} is {attribute.type}, and a key of several attributes ({keys}) has no list"
            hint = "declare an entity with two references, and key(...) over them"
        else:
            continue
        yield Problem(code="LK811", fact=fact, hint=hint, place=attribute.place, element=entity.id)
