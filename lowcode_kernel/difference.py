"""What has to be done to a database that holds one base so that it holds another.

Statements that only add come in three groups, in this order: in one transaction, tables, columns, references and then
the views of the version; outside of it, one by one and safe to be run again, what reads or writes many rows (filling,
validating, indexes).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel import ddl
from lowcode_kernel.ddl_views import create_views
from lowcode_kernel.quoting import identifier, identifiers
from lowcode_kernel.schema import BaseTable, Change, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.schema import BaseColumn, Copy, Table


def difference(previous: Schema | None, current: Schema) -> tuple[Change, ...]:
    """Return the statements that lead from one schema to the other:

    all that adds, or, where the base got smaller, all that removes.
    """
    before = previous or Schema(application=current.application, tables=())
    if _smaller(before, current):
        return tuple(_removals(before, current))
    changes = [*(() if previous else ddl.system_tables(current.application)), *_additions(before, current)]
    views = () if current.views in dict(before.known) else create_views(current)
    inside = [change for change in changes if not change.concurrent]
    return (*inside, *views, *(change for change in changes if change.concurrent))


def _smaller(before: Schema, current: Schema) -> bool:
    def names(schema: Schema) -> set[tuple[str, str]]:
        return {(table.name, column.name) for table in schema.base for column in table.columns}

    return names(current) < names(before) or bool(set(before.known) - set(current.known))


def _additions(before: Schema, current: Schema) -> Iterator[Change]:
    app = current.application
    there = {table.name: table for table in before.base}
    new = [table for table in current.base if table.name not in there]
    for table in new:
        yield from ddl.create_table(app, table)
    for table in new:
        for reference in table.references:
            yield from ddl.add_reference(app, table, reference, new=True)
    for table in current.base:
        if table.name in there and table != there[table.name]:
            yield from _altered(app, there[table.name], table)
    yield from _fillings(before, current)
    for table in current.base:
        yield from _validated(app, there.get(table.name, table), table)


def _altered(app: str, before: BaseTable, table: BaseTable) -> Iterator[Change]:
    for column in table.columns:
        former = before.column(column.name)
        if former is None:
            yield ddl.add_column(app, table, column)
        else:
            yield from _altered_column(app, table, former, column)
    if table.copies != before.copies:
        yield from ddl.keep_in_step(app, table)
        for copy in table.copies[len(before.copies) :]:
            yield from _copied(app, table, copy)
    yield from _altered_references(app, before, table)
    yield from _altered_checks(app, before, table)
    yield from _altered_indexes(app, before, table)


def _altered_column(app: str, table: BaseTable, former: BaseColumn, column: BaseColumn) -> Iterator[Change]:
    if column.nullable and not former.nullable:
        yield ddl.drop_not_null(app, table, column, "may be empty from now on")
    if column.default != former.default:
        yield ddl.change_default(app, table, column)
    if column.limit != former.limit and former.limit.sql(column.name):
        yield from ddl.widen_check(app, table, column)


def _copied(app: str, table: BaseTable, copy: Copy) -> Iterator[Change]:
    column = table.column(copy.target)
    if column is not None:
        source = identifier(copy.source)
        value = copy.up.format(source)
        if copy.target_default:
            yield ddl.fill(app, table, column, f"coalesce({value}, {copy.target_default})")
            return
        yield ddl.fill(app, table, column, value, f" AND {source} IS NOT NULL")


def _altered_references(app: str, before: BaseTable, table: BaseTable) -> Iterator[Change]:
    former = {reference.columns: reference for reference in before.references}
    for reference in table.references:
        if reference != former.get(reference.columns):
            yield from ddl.add_reference(app, table, reference, new=False, replaces=reference.columns in former)


def _altered_checks(app: str, before: BaseTable, table: BaseTable) -> Iterator[Change]:
    for check in before.checks:
        if check not in table.checks:
            yield ddl.drop_check(app, table, check)
    for check in table.checks:
        if check not in before.checks:
            yield ddl.add_check(app, table, check)


def _validated(app: str, before: BaseTable, table: BaseTable) -> Iterator[Change]:
    """Hold rows against new conditions once every value is filled in."""
    for check in table.checks:
        if check not in before.checks:
            yield ddl.validate_check(app, table, check)


def _altered_indexes(app: str, before: BaseTable, table: BaseTable) -> Iterator[Change]:
    for index in table.indexes:
        if index not in before.indexes:
            yield from ddl.add_index(app, table, index)
    for index in before.indexes:
        if index not in table.indexes:
            yield ddl.drop_index(app, table, index, "not unique any more")


def _fillings(before: Schema, current: Schema) -> Iterator[Change]:
    """Fill what the new version requires and older rows may lack.

    It has a default then, else `evolve` reports a problem.
    """
    former = {table.base: {c.base: c for c in table.stored} for table in before.tables}
    for table in current.tables:
        base, there = current.base_table(table.base), before.base_table(table.base)
        if base is None or there is None:
            continue
        for name, default in _required(table):
            column, shown = base.column(name), former.get(table.base, {}).get(name)
            lacking = shown.nullable if shown else there.column(name) is not None
            if column is not None and lacking:
                yield ddl.fill(current.application, base, replace(column, last=column.last), default)


def _required(table: Table) -> list[tuple[str, str]]:
    return [(c.base, c.default) for c in table.columns if not c.nullable and c.default is not None]


def _removals(before: Schema, current: Schema) -> Iterator[Change]:
    app = current.application
    for views, _ in before.known:
        if views not in dict(current.known):
            summary = f"the views {views}, which no kept version uses"
            yield _contract(f"DROP SCHEMA IF EXISTS {identifier(views)} CASCADE", views, summary)
    yield _contract(f"CREATE SCHEMA IF NOT EXISTS {identifier(_aside(app))}", _aside(app), "where removed data is kept")
    for table in before.base:
        kept = current.base_table(table.name)
        if kept is not None and kept != table:
            yield from _narrowed(app, table, kept)
    for table in before.base:
        if current.base_table(table.name) is None:
            yield from _put_aside(app, table)


def _aside(app: str) -> str:
    return f"{app}_removed"


def _narrowed(app: str, table: BaseTable, kept: BaseTable) -> Iterator[Change]:
    name = ddl.qualified(app, table.name)
    if table.copies != kept.copies:
        yield from _stop_copies(app, table, kept)
    removed = [column for column in table.columns if kept.column(column.name) is None]
    for column in removed:
        yield _save_column(app, table, column)
        sql = f"ALTER TABLE {name}\nDROP COLUMN IF EXISTS {identifier(column.name)}"
        risk = f"its values are kept in {_aside(app)}"
        yield _contract(sql, table.name, f"{table.entity}.{column.last}: no kept version shows it", risk=risk)
    gone = {column.name for column in removed}
    for index in table.indexes:
        if index not in kept.indexes and not gone.intersection(index.columns):
            sql = f"DROP INDEX IF EXISTS {ddl.qualified(app, ddl.index_name(table.name, index))}"
            yield _contract(sql, table.name, f"{table.entity}: an index that no kept version declares")


def _stop_copies(app: str, table: BaseTable, kept: BaseTable) -> Iterator[Change]:
    if kept.copies:
        yield from (replace(change, kind="contract") for change in ddl.keep_in_step(app, kept))
        return
    name = ddl.named(table.name, "in_step")
    sql = f"DROP TRIGGER IF EXISTS {identifier(name)} ON {ddl.qualified(app, table.name)}"
    yield _contract(sql, table.name, f"{table.entity}: no columns to keep in step any more")
    yield _contract(f"DROP FUNCTION IF EXISTS {ddl.qualified(app, name)}()", table.name, f"{table.entity}: the same")


def _save_column(app: str, table: BaseTable, column: BaseColumn) -> Change:
    name = ddl.qualified(_aside(app), ddl.named(table.name, column.name))
    columns = identifiers((*table.key, column.name))
    source = ddl.qualified(app, table.name)
    sql = f"CREATE TABLE {name} AS\nSELECT {columns}\nFROM {source}\nWHERE {identifier(column.name)} IS NOT NULL"
    change = _contract(sql, table.name, f"{table.entity}.{column.last}: put its values aside")
    return replace(change, rewrites=True)


def _put_aside(app: str, table: BaseTable) -> Iterator[Change]:
    name = ddl.qualified(app, table.name)
    for reference in table.references:
        constraint = identifier(ddl.reference_name(table, reference))
        sql = f"ALTER TABLE {name}\nDROP CONSTRAINT IF EXISTS {constraint}"
        yield _contract(sql, table.name, f"{table.entity}: does not hold rows of {reference.target} any more")
    sql = f"ALTER TABLE {name}\nSET SCHEMA {identifier(_aside(app))}"
    yield _contract(
        sql, table.name, f"{table.entity}: put the whole table aside", risk=f"its rows are kept in {_aside(app)}"
    )


def _contract(sql: str, table: str, summary: str, *, risk: str = "") -> Change:
    return Change(sql=sql, kind="contract", table=table, summary=summary, lock="access exclusive", risk=risk)
