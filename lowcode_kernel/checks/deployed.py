"""What a deployment would take from the data that is there: the model beside the schema that a database has now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import warning
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.relational import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.places import Place
    from lowcode_kernel.schema import Column, Schema, Table


def check_deployed(facts: Facts) -> Iterator[Problem]:
    """Nothing that is deployed is removed, retyped or narrowed without saying so."""
    if facts.deployed is None:
        return
    try:
        wanted = schema_of(facts.app)
    except LowcodeError:
        return  # the errors are told already
    yield from _removed(facts.deployed, wanted)
    former = {table.name: table for table in facts.deployed.tables}
    for table in wanted.tables:
        before = former.get(table.name) or former.get(table.was or "")
        entity = facts.app.entities.get(table.entity)
        if before is not None and entity is not None:
            yield from _compared(before, table, entity)


def _removed(deployed: Schema, wanted: Schema) -> Iterator[Problem]:
    kept = {name for table in wanted.tables for name in (table.name, table.was)}
    entities = {table.entity for table in wanted.tables}
    for table in deployed.tables:
        if table.name not in kept:
            what = f"entity {table.entity}" if table.entity not in entities else f"{table.entity}: {table.name}"
            yield Problem(
                code="LK825",
                fact=f"{what} is deployed, and the model has it no more",
                hint=f"its rows stay until --contract; a rename says so: --was {table.entity}",
                severity="warning",
            )


def _compared(before: Table, table: Table, entity: Entity) -> Iterator[Problem]:
    former = {column.name: column for column in before.columns}
    kept = {name for column in table.columns for name in (column.name, column.was)}
    for column in before.columns:
        if column.name not in kept:
            fact = f"{entity.name}.{column.name} is deployed, and the model has it no more"
            hint = f'its values stay until --contract; a rename says so: was("{column.name}")'
            yield warning("LK826", entity, fact, hint)
    for column in table.columns:
        place = _place(entity, column)
        match = former.get(column.name) or former.get(column.was or "")
        if match is None:
            yield from _required(entity, column, "is new and required", place)
        else:
            yield from _narrowed(entity, before, match, table, column)


def _required(entity: Entity, column: Column, how: str, place: Place) -> Iterator[Problem]:
    if not column.nullable and column.default is None and not column.identity:
        fact = f"{entity.name}.{column.name} {how}, and rows that are there have no value"
        yield warning("LK830", entity, fact, "give it a default, or make it optional (| None)", place=place)


def _narrowed(entity: Entity, before: Table, match: Column, table: Table, column: Column) -> Iterator[Problem]:
    place, name = _place(entity, column), f"{entity.name}.{column.name}"
    if match.nullable and not column.nullable:
        yield from _required(entity, column, "is required now", place)
    if _meaning(before, match) != _meaning(table, column):
        fact = f"{name} is {_meaning(before, match)} where it is deployed, and {_meaning(table, column)} in the model"
        hint = "give the new type to an attribute of another name, and fill it in a job"
        yield warning("LK827", entity, fact, hint, place=place)
    gone = [choice for choice in match.limit.choices if column.limit.choices and choice not in column.limit.choices]
    if gone:
        fact = f"{name} no longer has the choice {', '.join(repr(choice) for choice in gone)}"
        yield warning("LK828", entity, fact, "rows may have it: change them first", place=place)
    longest, length = match.limit.length, column.limit.length
    if (
        length is not None
        and match.type == column.type
        and not match.limit.choices
        and (longest or length + 1) > length
    ):
        fact = f"{name} holds {length} characters, and {longest or 'any number of'} where it is deployed"
        yield warning("LK829", entity, fact, "longer texts may be there: keep the length", place=place)


def _meaning(table: Table, column: Column) -> str:
    reference = table.reference(column.name)
    return f"a reference to {reference.target}" if reference else column.type


def _place(entity: Entity, column: Column) -> Place:
    attribute = entity.attribute(column.name)
    return attribute.place if attribute else entity.place
