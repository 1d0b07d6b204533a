"""What identifies an entity, and how values travel as parameters of SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.types import INTEGER, Type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application

_COLUMN_TYPES = {
    "Integer": "bigint",
    "Boolean": "boolean",
    "Date": "date",
    "Time": "time",
    "DateTime": "timestamptz",
    "Uuid": "uuid",
    "Json": "jsonb",
}


def column_type(type_: Type, app: Application) -> str:
    """Return the PostgreSQL type that a value of this type has as a parameter: a reference has that of its target's
    key.
    """
    if type_.kind == "entity":
        return column_type(key_of(type_.name, app), app)
    base = "numeric" if type_.name == "Decimal" else _COLUMN_TYPES.get(type_.name, "text")
    return f"{base}[]" if type_.many else base


def key_of(entity: str, app: Application) -> Type:
    """Return the scalar type of an entity's single key: Integer where it is implied or composite keys meet (those are
    a check's business).
    """
    found = app.entities.get(entity)
    if found is None or found.key == ("id",):
        return INTEGER
    attribute = found.attribute(found.key[0])
    if attribute is None:
        return INTEGER
    return (
        key_of(attribute.type.name, app)
        if attribute.type.kind == "entity" and attribute.type.name != entity
        else attribute.type.required()
    )
