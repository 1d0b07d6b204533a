"""Statements that create the views of a version: its logical names over the physical ones, and what is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.ddl import qualified
from lowcode_kernel.quoting import identifier
from lowcode_kernel.row_expressions import filled
from lowcode_kernel.schema import Change

if TYPE_CHECKING:
    from lowcode_kernel.schema import Column, Schema, Table


def create_views(schema: Schema) -> tuple[Change, ...]:
    """Return the schema of views of a version:

    one per table with exactly its logical names, and the built-in `user`.
    """
    views = identifier(schema.views)
    users = qualified(schema.application, "app_user")
    user = f'CREATE OR REPLACE VIEW {views}."user" AS\nSELECT id, email, name, active\nFROM {users}'
    created = [change for table in schema.tables for change in _create_view(schema, table)]
    return (
        _view(f"CREATE SCHEMA IF NOT EXISTS {views}", schema.views, "the views of this version"),
        _view(user, "app_user", "User as this version sees it"),
        *created,
    )


def _create_view(schema: Schema, table: Table) -> list[Change]:
    name = qualified(schema.views, table.name)
    bases = {column.name: identifier(column.base) for column in table.stored}
    columns = ",\n".join(f"  {_shown_as(column, bases)}" for column in table.columns)
    sql = f"CREATE OR REPLACE VIEW {name} AS\nSELECT\n{columns}\nFROM {qualified(schema.application, table.base)}"
    defaults = [
        f"ALTER COLUMN {identifier(c.name)} SET DEFAULT {c.default}" for c in table.columns if c.default is not None
    ]
    created = [_view(sql, table.base, f"{table.entity} as this version sees it")]
    if defaults:
        text = ",\n".join(defaults)
        created.append(_view(f"ALTER VIEW {name}\n{text}", table.base, f"the defaults of {table.entity}"))
    return created


def _shown_as(column: Column, bases: dict[str, str]) -> str:
    if column.computed:
        return f"{filled(column.computed, bases)} AS {identifier(column.name)}"
    return _shown(column.base, column.name)


def _shown(base: str, name: str) -> str:
    return identifier(base) if base == name else f"{identifier(base)} AS {identifier(name)}"


def _view(sql: str, table: str, summary: str) -> Change:
    return Change(sql=sql, kind="views", table=table, summary=summary)
