"""`%scaffold Customer`: the screens and actions with which people keep an entity's rows, as a user would write them.

    %scaffold Customer --role Sales

stands for the screens `customers` (a paged list with a search), `customer` (one row, and what refers to it),
`new_customer` and `edit_customer` (forms), and the actions `create_customer`, `update_customer` and `delete_customer`.
What the author defines under one of these names takes its place. `cell_text` gives a definition as a cell, so that it
can be taken over and changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lowcode_kernel.elements import Action, Entity, Parameter, Role, Screen
from lowcode_kernel.language.headers import read_header, read_name
from lowcode_kernel.language.scaffold_writer import Reference, Writer, name_of
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.types import Type, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lowcode_kernel.elements import Element
    from lowcode_kernel.places import Place

_PUBLIC = re.compile(r"\s--public(?=\s|\Z)")
_SHOW = re.compile(r"(?:^|\s)--show(?=\s|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """What a `%scaffold` line says. `roles` are those of `--role`; without any, the entity's own access says who may.
    With `shown` the line defines nothing: it asks for the text. `public` holds for all that it makes.
    """

    entity: str
    roles: tuple[str, ...] = ()
    shown: bool = False
    public: bool = False
    place: Place


def read_scaffold(line: str, place: Place) -> Scaffold:
    """Read a `%scaffold` line."""
    text, shown = _SHOW.subn(" ", line)
    text, public = _PUBLIC.subn(" ", text)
    head = read_header(text, place, allowed=("role",))
    if not head.subject:
        raise LowcodeError.of("%scaffold names no entity", "write %scaffold Customer", code="LK011", place=place)
    name = read_name(head.subject, "scaffold", place)
    roles = head.options.get("role", ())
    return Scaffold(entity=name, roles=roles, shown=bool(shown), public=bool(public), place=place)


def expand(scaffolds: Iterable[Scaffold], elements: Sequence[Element]) -> tuple[list[Element], list[Problem]]:
    """Return the definitions that scaffolds stand for, and what is wrong with the scaffolds.

    A name that `elements` define already is left to them.
    """
    wanted, problems = _known([scaffold for scaffold in scaffolds if not scaffold.shown], elements)
    if not wanted:
        return [], problems
    taken = {(element.kind == "screen", element.name) for element in elements}
    entities = {element.name: element for element in elements if isinstance(element, Entity)}
    references = _references(entities, {scaffold.entity for scaffold in wanted})
    made: dict[tuple[bool, str], tuple[Element, str]] = {}
    for scaffold in wanted:
        entity = entities[scaffold.entity]
        parts = _key_parts(entity, entities)
        found = _elements(entity, scaffold.roles, references.get(entity.name, ()), parts, scaffold.place)
        own = {(element.kind == "screen", element.name): element for element in found}
        if meeting := sorted(own.keys() & made.keys()):
            problems.append(_meeting(own[meeting[0]], scaffold, made[meeting[0]][1]))
            continue
        for key, element in own.items():
            if key not in taken:
                made[key] = (replace(element, public=True) if scaffold.public else element, entity.name)
    return [element for element, _ in made.values()], problems


def scaffolded(scaffold: Scaffold, elements: Sequence[Element]) -> tuple[Element, ...]:
    """Return all that one scaffold stands for, whatever else has these names; nothing where its entity is not there."""
    entities = {element.name: element for element in elements if isinstance(element, Entity)}
    if (entity := entities.get(scaffold.entity)) is None:
        return ()
    references = _references(entities, {scaffold.entity}).get(entity.name, ())
    return _elements(entity, scaffold.roles, references, _key_parts(entity, entities), scaffold.place)


def _known(scaffolds: list[Scaffold], elements: Sequence[Element]) -> tuple[list[Scaffold], list[Problem]]:
    """Return the scaffolds of entities that are there, each once."""
    names = {element.name for element in elements if isinstance(element, Entity)}
    roles = {element.name for element in elements if isinstance(element, Role)}
    first: dict[str, Scaffold] = {}
    problems = []
    for scaffold in scaffolds:
        name = scaffold.entity
        if name not in names:
            fact, hint = f'%scaffold: there is no entity "{name}"', did_you_mean(name, names)
            problems.append(Problem(code="LK101", fact=fact, hint=hint, place=scaffold.place))
        elif first.setdefault(name, scaffold) is not scaffold:
            fact = f"{name} is scaffolded here, and at {first[name].place}"
            problems.append(Problem(code="LK120", fact=fact, hint="keep one %scaffold", place=scaffold.place))
        elif unknown := [role for role in scaffold.roles if role not in roles]:
            fact, hint = f'%scaffold {name}: there is no role "{unknown[0]}"', did_you_mean(unknown[0], roles)
            problems.append(Problem(code="LK501", fact=fact, hint=hint, place=scaffold.place))
            del first[name]
    return list(first.values()), problems


def _meeting(element: Element, scaffold: Scaffold, other: str) -> Problem:
    fact = f"%scaffold {scaffold.entity} and %scaffold {other} both make {element.kind} {element.name}"
    hint = f"take one over: %scaffold {scaffold.entity} --show"
    return Problem(code="LK121", fact=fact, hint=hint, place=scaffold.place)


def _references(entities: dict[str, Entity], scaffolded: set[str]) -> dict[str, tuple[Reference, ...]]:
    """Return what refers to each entity with a single key, in the order of names."""
    found: dict[str, list[Reference]] = {}
    for name in sorted(entities):
        for attribute in entities[name].attributes:
            target, type_ = entities.get(attribute.type.name), attribute.type
            if target and type_.kind == "entity" and not type_.many and len(target.key) == 1:
                reference = Reference(entities[name], attribute.name, name in scaffolded)
                found.setdefault(target.name, []).append(reference)
    return {name: tuple(references) for name, references in found.items()}


def _key_parts(entity: Entity, entities: dict[str, Entity]) -> tuple[str, ...]:
    """Return how people know the parts of a composite key: `student.name`, or the part as it is (`number`)."""
    found = []
    for name in entity.key if len(entity.key) > 1 else ():
        attribute = entity.attribute(name)
        target = entities.get(attribute.type.name) if attribute and attribute.type.kind == "entity" else None
        label = name_of(target) if target else None
        found.append(f"{name}.{label}" if label else name)
    return tuple(found)


@lru_cache(maxsize=8192)
def _elements(
    entity: Entity,
    roles: tuple[str, ...],
    references: tuple[Reference, ...],
    key_parts: tuple[str, ...],
    place: Place,
) -> tuple[Element, ...]:
    return tuple(Writer(entity, roles, references, key_parts, place).elements())


def cell_text(element: Element) -> str:
    """Return a screen or an action as the cell that defines it."""
    match element:
        case Screen():
            typed = [item for item in element.parameters if _implied(item.name) != item.type]
            signature = f" ({', '.join(map(_parameter_text, typed))})" if typed else ""
            head = f'%%screen {element.name} "{element.path}"{signature}'
        case Action():
            returns = f" -> {element.returns}" if element.returns else ""
            keyword = "*, " if any(item.default is not None for item in element.parameters) else ""
            head = f"%%action {element.name}({keyword}{', '.join(map(_parameter_text, element.parameters))}){returns}"
        case _:
            return ""
    return head + "".join(f" --role {role}" for role in element.roles) + f"\n{element.body}"


def _implied(name: str) -> Type:
    """Return the type that a path's parameter has without being told, where there is such an entity."""
    return entity_type("".join(part.capitalize() for part in name.split("_")))


def _parameter_text(parameter: Parameter) -> str:
    default = f" = {parameter.default}" if parameter.default is not None else ""
    return f"{parameter.name}: {parameter.type}{default}"
