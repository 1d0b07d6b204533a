"""What identifies an entity, and how values travel as parameters of SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.types import INTEGER, Type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Entity

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
    """Return the scalar type of an entity's single key: Integer where it is implied, where composite keys meet, and
    where keys lead back to themselves (those are a check's business).
    """
    seen: set[str] = set()
    while entity not in seen:
        seen.add(entity)
        found = app.entities.get(entity)
        attribute = found.attribute(found.key[0]) if found and found.key != ("id",) else None
        if attribute is None:
            break
        if attribute.type.kind != "entity":
            return attribute.type.required()
        entity = attribute.type.name
    return INTEGER


def key_names(entity: str, app: Application) -> tuple[str, ...]:
    """Return the attributes of an entity's key; `id` where it is implied."""
    found = app.entities.get(entity)
    return found.key if found else ("id",)


def naming_attribute(entity: Entity) -> str | None:
    """Return the attribute that names a row to people: `name` or `title`, else the first text that is not the key."""
    texts = [
        item.name
        for item in entity.attributes
        if item.type.name in {"Text", "Email"} and not item.type.many and item.name not in entity.key
    ]
    return next((name for name in texts if name in {"name", "title"}), texts[0] if texts else None)
