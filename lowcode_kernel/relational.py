"""The database of an application: tables, columns, keys, references and indexes, as the model asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.defaults import default_sql
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import key_of
from lowcode_kernel.memo import once, remembered
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.row_expressions import columns_in, compiled, expression, numbered, row_of
from lowcode_kernel.schema import ANYTHING, Check, Column, Index, Limit, Reference, Schema, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Attribute, Constraint, Entity
    from lowcode_kernel.row_expressions import Row
    from lowcode_kernel.types import Type

USER = "User"
USER_TABLE = "app_user"
SYSTEM_TABLES = frozenset({USER_TABLE, "app_session", "alembic_version"})
SQL_TYPES = {
    "Text": "text",
    "Email": "text",
    "Url": "text",
    "Choice": "text",
    "File": "text",
    "Integer": "bigint",
    "Decimal": "numeric",
    "Boolean": "boolean",
    "Date": "date",
    "Time": "time",
    "DateTime": "timestamptz",
    "Uuid": "uuid",
    "Json": "jsonb",
}


def table_name(entity: str) -> str:
    """Return the table of an entity: its name in snake case. One that a system table has gets a line at its end.

    >>> table_name("FlightNote"), table_name("URLCheck"), table_name("AppUser")
    ('flight_note', 'url_check', 'app_user_')
    """
    name = snake_case(entity)
    return f"{name}_" if name in SYSTEM_TABLES or (name == "user" and entity != USER) else name


def column_type(type: Type, app: Application) -> str:  # noqa: A002 - the field's own word
    """Return the PostgreSQL type of a value: of a reference, that of the key it holds.

    Raises: LowcodeError where the entity isn't there, has a key of several attributes, or a key that leads back to
    itself.
    """
    seen: set[str] = set()
    while type.kind == "entity" and type.name != USER:
        name = type.name
        if name not in app.entities or name in seen:
            fact = f"the key of {name} leads back to itself" if name in seen else f"there is no entity {name}"
            raise LowcodeError.of(fact, code="LK500")
        seen.add(name)
        key = _key_attribute(app.entities[name])
        if key is None:
            return "bigint"
        type = key.type  # noqa: A001 - the field's own word
    return "bigint" if type.kind == "entity" else _scalar(type)


def schema_of(app: Application) -> Schema:
    """Return the tables that the application's entities ask for, sorted by name.

    Logical names only: `evolution.evolve` adds the physical ones.
    """
    tables = [table for entity in app.entities.values() for table in tables_of(entity, app)]
    ordered = tuple(sorted(tables, key=lambda table: table.name))
    return once("schema", ordered, lambda: Schema(application=app.name, tables=ordered), variant=app.name)


def _scalar(type: Type) -> str:  # noqa: A002 - the field's own word
    name = SQL_TYPES.get(type.name, "jsonb")
    if type.name == "Decimal" and type.precision is not None:
        return f"numeric({type.precision}, {type.scale or 0})"
    return "jsonb" if type.many else name


def _key_attribute(entity: Entity) -> Attribute | None:
    """Return the attribute that is the entity's key, or None for the implied id."""
    if len(entity.key) > 1:
        fact = f"{entity.name} has a key of {len(entity.key)} attributes, so that one column can't refer to it"
        hint = "leave the key to the implied id and declare unique(...) over these attributes"
        raise LowcodeError(Problem(code="LK501", fact=fact, hint=hint, place=entity.place, element=entity.id))
    return entity.attribute(entity.key[0])


def tables_of(entity: Entity, app: Application) -> tuple[Table, ...]:
    """Return an entity's own table, and one for each of its `many` attributes."""
    return remembered("tables", entity, app, lambda: tuple(_tables(entity, app)))


def _tables(entity: Entity, app: Application) -> Iterator[Table]:
    stored = [attribute for attribute in entity.attributes if not _is_pairs(attribute)]
    row = row_of(entity, lambda name: key_of(name, app), clock=True)
    identity = [Column(name="id", type="bigint", identity=True)] if _implied(entity) else []
    yield Table(
        name=table_name(entity.name),
        entity=entity.name,
        columns=(*identity, *(_column(attribute, entity, row, app) for attribute in stored)),
        key=entity.key,
        references=tuple(
            _reference(attribute.name, attribute, app)
            for attribute in stored
            if attribute.type.kind == "entity" and attribute.computed is None
        ),
        indexes=_indexes(entity, [attribute for attribute in stored if attribute.computed is None]),
        checks=tuple(_check(constraint, row) for constraint in entity.constraints),
        was=table_name(entity.was) if entity.was else None,
    )
    for attribute in entity.attributes:
        if _is_pairs(attribute):
            yield _pairs(entity, attribute, app)


def _is_pairs(attribute: Attribute) -> bool:
    return attribute.type.many and attribute.type.kind == "entity"


def _implied(entity: Entity) -> bool:
    return entity.key == ("id",) and entity.attribute("id") is None


def _column(attribute: Attribute, entity: Entity, row: Row, app: Application) -> Column:
    type_sql = column_type(attribute.type, app)
    if attribute.computed is not None:
        computed = _computed(attribute, row)
        return Column(name=attribute.name, type=type_sql, nullable=attribute.type.optional, computed=computed)
    return Column(
        name=attribute.name,
        type=type_sql,
        nullable=attribute.type.optional and attribute.name not in entity.key,
        default=default_sql(attribute.default, type_sql),
        limit=_limit(attribute.type),
        was=attribute.was,
    )


def _computed(attribute: Attribute, row: Row) -> str:
    """Return the SQL of a computed attribute, as a value of its type."""
    sql = compiled(row.computed[attribute.name], row).sql
    if attribute.type.name == "Decimal" and attribute.type.scale is not None:
        return f"round(({sql})::numeric, {attribute.type.scale})"
    return f"({sql})::{SQL_TYPES[attribute.type.name]}"


def _check(constraint: Constraint, row: Row) -> Check:
    sql = compiled(expression(constraint.condition), row).sql
    return Check(columns=columns_in(sql), condition=numbered(sql), message=constraint.message)


def _limit(type: Type) -> Limit:  # noqa: A002 - the field's own word
    if type.kind != "scalar" or type.many:
        return ANYTHING
    return Limit(length=type.length, choices=type.choices, email=type.name == "Email")


def _reference(column: str, attribute: Attribute, app: Application) -> Reference:
    name = attribute.type.name
    key = ("id",) if name == USER else app.entities[name].key
    return Reference(columns=(column,), target=_target(name), target_columns=key, on_delete=attribute.on_delete)


def _target(entity: str) -> str:
    return USER_TABLE if entity == USER else table_name(entity)


def _indexes(entity: Entity, stored: list[Attribute]) -> tuple[Index, ...]:
    """Return the declared indexes, and one for each reference that no other index and not the key begins with."""
    unique = [(attribute.name,) for attribute in stored if attribute.unique] + list(entity.uniques)
    unique = [columns for columns in dict.fromkeys(unique) if columns != entity.key]
    plain = [columns for columns in dict.fromkeys(entity.indexes) if columns not in unique]
    first = {columns[0] for columns in (*unique, *plain, entity.key)}
    references = [(a.name,) for a in stored if a.type.kind == "entity" and a.name not in first]
    found = [Index(columns=columns, unique=True) for columns in unique] + [
        Index(columns=c) for c in (*plain, *references)
    ]
    return tuple(sorted(found, key=lambda index: (index.columns, index.unique)))


def pair_columns(entity: str, target: str) -> tuple[str, str]:
    """Return the two columns of the table behind a `many` attribute: the owner's and the target's.

    >>> pair_columns("Order", "Tag"), pair_columns("Person", "Person")
    (('order', 'tag'), ('person', 'other_person'))
    """
    owner, other = table_name(entity), table_name(target)
    return (owner, f"other_{other}") if owner == other else (owner, other)


def pair_table_name(entity: str, attribute: str) -> str:
    """Return the name of the table behind a `many` attribute."""
    return f"{table_name(entity)}_{attribute}"


def _pairs(entity: Entity, attribute: Attribute, app: Application) -> Table:
    target = attribute.type.name
    owner, other = pair_columns(entity.name, target)
    key = _key_attribute(entity)
    types = ("bigint" if key is None else column_type(key.type, app), column_type(attribute.type, app))
    target_key = ("id",) if target == USER else app.entities[target].key
    former = pair_columns(entity.was or entity.name, _former(target, app))
    renamed = entity.was or attribute.was
    return Table(
        name=pair_table_name(entity.name, attribute.name),
        entity=entity.name,
        columns=tuple(
            Column(name=name, type=sql, was=was if was != name else None)
            for name, sql, was in zip((owner, other), types, former, strict=True)
        ),
        key=(owner, other),
        references=(
            Reference(columns=(owner,), target=table_name(entity.name), target_columns=entity.key, on_delete="cascade"),
            Reference(columns=(other,), target=_target(target), target_columns=target_key, on_delete="cascade"),
        ),
        indexes=(Index(columns=(other,)),),
        was=pair_table_name(entity.was or entity.name, attribute.was or attribute.name) if renamed else None,
    )


def _former(entity: str, app: Application) -> str:
    return (app.entities[entity].was or entity) if entity in app.entities else entity
