"""What the database holds for all versions at once: the base that one version needs, and the join of that with what
is there.

    base of the next schema = join(base that is there, needs(next version))

The join only widens: a column that one side lacks may be empty, a check lets through what either side lets through,
and an index is unique only where both sides say so. That is why the old release can go on writing through its own
views.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.relational import USER_TABLE
from lowcode_kernel.schema import BaseColumn, BaseTable, Copy, Index, Reference, Schema

if TYPE_CHECKING:
    from lowcode_kernel.schema import Table

Copies = dict[str, tuple[Copy, ...]]


def needs(schema: Schema) -> tuple[BaseTable, ...]:
    """Return the base tables that a version asks for by itself, in the order of its tables."""
    return tuple(_needed(schema, table) for table in schema.tables)


def join(there: tuple[BaseTable, ...], needed: tuple[BaseTable, ...], copies: Copies) -> tuple[BaseTable, ...]:
    """Return the base that serves both; `copies` are pairs of columns to keep in step from now on, by table."""
    named = {table.name: table for table in needed}
    kept = [
        _join_table(table, named[table.name], copies.get(table.name, ())) if table.name in named else table
        for table in there
    ]
    names = {table.name for table in there}
    return (*kept, *(table for table in needed if table.name not in names))


def _needed(schema: Schema, table: Table) -> BaseTable:
    names = {column.name: column.base for column in table.stored}
    columns = tuple(
        BaseColumn(
            name=c.base,
            type=c.type,
            nullable=c.nullable,
            default=c.default,
            identity=c.identity,
            limit=c.limit,
            last=c.name,
        )
        for c in table.stored
    )
    return BaseTable(
        name=table.base,
        entity=table.entity,
        columns=columns,
        key=tuple(names[name] for name in table.key),
        references=tuple(_based(schema, reference, names) for reference in table.references),
        indexes=tuple(
            Index(columns=tuple(names[n] for n in index.columns), unique=index.unique) for index in table.indexes
        ),
        checks=tuple(replace(check, columns=tuple(names[name] for name in check.columns)) for check in table.checks),
        last=table.name,
    )


def _based(schema: Schema, reference: Reference, names: dict[str, str]) -> Reference:
    columns = tuple(names[name] for name in reference.columns)
    if reference.target == USER_TABLE:
        return replace(reference, columns=columns)
    target = schema.table(reference.target)
    target_columns = tuple(target.column(name).base for name in reference.target_columns)
    return replace(reference, columns=columns, target=target.base, target_columns=target_columns)


def _join_table(there: BaseTable, needed: BaseTable, copies: tuple[Copy, ...]) -> BaseTable:
    paired = {copy.source for copy in copies}
    in_step = {name for copy in (*there.copies, *copies) for name in (copy.source, copy.target)}
    kept = [_join_column(column, needed, there.key, paired, in_step) for column in there.columns]
    added = [_added(column, copies) for column in needed.columns if there.column(column.name) is None]
    return replace(
        there,
        columns=(*kept, *added),
        references=_join_references(there, needed),
        indexes=_join_indexes(there, needed, paired),
        copies=(*_join_copies(there.copies, needed), *copies),
        checks=needed.checks,  # an older version's condition would stand in the way of the new one's rows
        last=needed.last,
        entity=needed.entity,
    )


def _join_column(
    there: BaseColumn, needed: BaseTable, key: tuple[str, ...], paired: set[str], in_step: set[str]
) -> BaseColumn:
    wanted = needed.column(there.name)
    if there.name in key:
        return there if wanted is None else replace(there, last=wanted.last, limit=there.limit.joined(wanted.limit))
    if there.name in paired:
        return replace(there, nullable=True, default=None)  # the trigger takes every value for one that was written
    if wanted is None:
        return replace(there, nullable=True)
    default = there.default
    if there.nullable and default is None and there.name not in in_step:
        default = _required_default(wanted)  # for rows of versions that don't show the column
    nullable = there.nullable or wanted.nullable
    return replace(there, nullable=nullable, default=default, limit=there.limit.joined(wanted.limit), last=wanted.last)


def _required_default(column: BaseColumn | None) -> str | None:
    return column.default if column and not column.nullable else None


def _join_copies(there: tuple[Copy, ...], needed: BaseTable) -> tuple[Copy, ...]:
    return tuple(
        replace(copy, target_default=copy.target_default or _required_default(needed.column(copy.target)))
        for copy in there
    )


def _added(column: BaseColumn, copies: tuple[Copy, ...]) -> BaseColumn:
    """Return a new column of a table with rows: old releases don't write it, so it has a default, or may be empty."""
    if any(column.name == copy.target for copy in copies):
        return replace(column, nullable=True, default=None)  # the trigger fills it; a default would look like a value
    return replace(column, nullable=column.nullable or column.default is None)


def _join_references(there: BaseTable, needed: BaseTable) -> tuple[Reference, ...]:
    newer = {reference.columns: reference for reference in needed.references}
    kept = [newer.pop(reference.columns, reference) for reference in there.references]
    return (*kept, *newer.values())


def _join_indexes(there: BaseTable, needed: BaseTable, paired: set[str]) -> tuple[Index, ...]:
    """Keep what is unique in both. A column that a trigger rounds into can't be unique: two values may become one."""
    shown = {column.name for column in needed.columns}
    kept = [i for i in there.indexes if not i.unique or _stays_unique(i, needed, shown, paired)]
    return (*kept, *(index for index in needed.indexes if index not in kept))


def _stays_unique(index: Index, needed: BaseTable, shown: set[str], paired: set[str]) -> bool:
    if paired.intersection(index.columns):
        return False
    return index in needed.indexes or not shown.issuperset(index.columns)
