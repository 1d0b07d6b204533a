"""A model with one attribute changed, as its author would change it: in the entity's own cell, nowhere else.

What the same cell says of the attribute (its key, indexes, constraints, what is computed of it) follows the change, and
so does what `%scaffold` makes of the entity; what other cells say of it stays as it is. `problems` are those of the
entity's own cell.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.application import Application
from lowcode_kernel.language.entity_values import value_problems, with_optionality
from lowcode_kernel.language.headers import read_signature
from lowcode_kernel.language.scaffold import expand, read_scaffold
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.row_expressions import names_of
from lowcode_kernel.types import SCALARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.elements import Attribute, Entity
    from lowcode_kernel.language.scaffold import Scaffold
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.types import Type

ChangeKind = Literal["rename", "retype", "remove", "optional", "required"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeChange:
    """What is done to an attribute. `name` is the new one of a rename, `type` the new one of a retype."""

    kind: ChangeKind
    name: str = ""
    type: Type | None = None

    def __str__(self) -> str:
        return " ".join(word for word in (self.kind, self.name, str(self.type or "")) if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A model after a change, and what is wrong then in the entity's own cell."""

    model: Model
    problems: tuple[Problem, ...] = ()


def type_named(text: str, app: Application, place: Place) -> Type:
    """Return the type that a text means in an application; raises LowcodeError."""
    found = read_signature(f"type(value: {text})", "type", place).parameters[0].type
    if found.kind == "entity" and found.name not in app.entities and found.name != "User":
        hint = did_you_mean(found.name, [*app.entities, *SCALARS])
        raise LowcodeError.of(f'there is no type "{found.name}"', hint, code="LK133")
    return found


def changed_model(model: Model, entity: Entity, attribute: str, change: AttributeChange) -> Changed:
    """Return the model with one attribute of an entity changed."""
    new = _changed_entity(entity, attribute, change)
    problems = tuple(value_problems(new))
    written = [new if element is entity else element for element in model.application.elements]
    own = [element for element in written if not element.place.fixed]
    made, wrong = expand(_scaffolds(model), own)
    app = Application.of(model.application.name, model.application.title, [*own, *made])
    return Changed(model=replace(model, application=app, problems=(*model.problems, *wrong)), problems=problems)


def _scaffolds(model: Model) -> Iterator[Scaffold]:
    """Give the scaffolds that the model's fixed places stand for, by the lines that are there."""
    for place in dict.fromkeys(element.place for element in model.application.elements if element.place.fixed):
        lines = model.texts.get((place.notebook, place.cell), "").splitlines()
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        try:
            yield read_scaffold(line.strip().removeprefix("%scaffold").strip(), replace(place, fixed=False))
        except LowcodeError:
            continue


# the entity


def _changed_entity(entity: Entity, attribute: str, change: AttributeChange) -> Entity:
    match change.kind:
        case "remove":
            return _without(entity, attribute)
        case "rename":
            return _renamed(entity, attribute, change.name)
    attributes = tuple(_retyped(item, change) if item.name == attribute else item for item in entity.attributes)
    return with_optionality(replace(entity, attributes=attributes))


def _retyped(attribute: Attribute, change: AttributeChange) -> Attribute:
    match change.kind:
        case "optional":
            return replace(attribute, type=attribute.type.maybe())
        case "required":
            return replace(attribute, type=attribute.type.required())
    return replace(attribute, type=change.type or attribute.type)


def _without(entity: Entity, attribute: str) -> Entity:
    """Return an entity without an attribute and without what needs it: what is computed of it goes too."""
    gone = {attribute}
    while more := {
        item.name
        for item in entity.attributes
        if item.name not in gone and item.computed is not None and gone & set(names_of(item.computed))
    }:
        gone |= more
    access = entity.access
    if access and access.rows is not None and gone & set(names_of(access.rows)):
        access = replace(access, rows=None)
    kept = replace(
        entity,
        attributes=tuple(item for item in entity.attributes if item.name not in gone),
        key=("id",) if gone & set(entity.key) else entity.key,
        indexes=tuple(names for names in entity.indexes if not gone & set(names)),
        uniques=tuple(names for names in entity.uniques if not gone & set(names)),
        constraints=tuple(item for item in entity.constraints if not gone & set(names_of(item.condition))),
        access=access,
    )
    return with_optionality(kept)


def _renamed(entity: Entity, old: str, new: str) -> Entity:
    def name(text: str) -> str:
        return new if text == old else text

    def expression(text: str | None) -> str | None:
        return _with_name(text, old, new) if text is not None and old in names_of(text) else text

    access = entity.access
    return replace(
        entity,
        attributes=tuple(
            replace(
                item,
                name=name(item.name),
                computed=expression(item.computed),
                was=old if item.name == old and item.was is None else item.was,
            )
            for item in entity.attributes
        ),
        key=tuple(map(name, entity.key)),
        indexes=tuple(tuple(map(name, names)) for names in entity.indexes),
        uniques=tuple(tuple(map(name, names)) for names in entity.uniques),
        constraints=tuple(
            replace(item, condition=expression(item.condition) or item.condition) for item in entity.constraints
        ),
        access=replace(access, rows=expression(access.rows)) if access else None,
    )


def _with_name(text: str, old: str, new: str) -> str:
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == old:
            node.id = new
    return ast.unparse(tree)
