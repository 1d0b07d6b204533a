"""From the database that is there to the one a new version wants, without taking anything from the versions that serve.

`evolve` decides which base table and column stands behind each name of the new version, `difference` says what has to
be done for it, and `contracted` what remains once only some versions are kept. Pure: records in, records out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lowcode_kernel.base import Copies, join, needs
from lowcode_kernel.conversions import conversion
from lowcode_kernel.difference import difference
from lowcode_kernel.problems import Problem, Severity
from lowcode_kernel.schema import BaseColumn, BaseTable, Column, Copy, Schema, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.schema import Change

Evolution = tuple[Schema, "tuple[Change, ...]", "tuple[Problem, ...]"]


def evolve(previous: Schema | None, desired: Schema) -> Evolution:
    """Return the desired schema with its physical names and base, the changes that lead to it, and what stands in the
    way.

    `previous` is the schema that was deployed last, as an earlier `evolve` gave it; None for a database that is not
    there yet. Changes only add: every version deployed before goes on reading and writing through its views. Where
    nothing changes, `previous` itself comes back.
    """
    resolution = _Resolution(previous=previous or Schema(application=desired.application, tables=()))
    named = replace(desired, tables=_resolved_tables(desired, resolution))
    base = join(resolution.previous.base, needs(named), resolution.copies_by_table())
    current = _versioned(previous, replace(named, base=base))
    if previous is not None and (previous.views, previous.base) == (current.views, current.base):
        return previous, (), tuple(resolution.problems)
    return current, difference(previous, current), tuple(resolution.problems)


def contracted(kept: tuple[Schema, ...]) -> Schema:
    """Return the last of the kept schemas with a base that holds only what one of them shows.

    Their order is that of deployment.
    """
    last = kept[-1]
    shown = [table for schema in kept for table in schema.tables]
    base = tuple(_narrowed(table, shown) for table in last.base if any(t.base == table.name for t in shown))
    views = {schema.views for schema in kept}
    return _revised(last, replace(last, base=base, known=tuple(known for known in last.known if known[0] in views)))


def contraction(kept: tuple[Schema, ...]) -> tuple[Change, ...]:
    """Return what takes from the database all that no kept version shows.

    Rows and values are put aside in schema `<app>_removed`.
    """
    return difference(kept[-1], contracted(kept))


@dataclass
class _Resolution:
    """What is found while names are resolved."""

    previous: Schema
    problems: list[Problem] = field(default_factory=list)
    copies: list[tuple[str, Copy]] = field(default_factory=list)

    def copies_by_table(self) -> Copies:
        """Return the new pairs of columns by base table."""
        grouped: defaultdict[str, tuple[Copy, ...]] = defaultdict(tuple)
        for table, copy in self.copies:
            grouped[table] += (copy,)
        return grouped

    def report(self, table: Table, column: str, fact: str, hint: str, severity: Severity = "error") -> None:
        """Note a problem of an attribute."""
        name = f"{table.entity}.{column}" if column else table.entity
        problem = Problem(
            code="LK510", fact=f"{name} {fact}", hint=hint, severity=severity, element=f"entity:{table.entity}"
        )
        self.problems.append(problem)


def _resolved_tables(desired: Schema, resolution: _Resolution) -> tuple[Table, ...]:
    matches = _match_tables(desired.tables, resolution.previous)
    used = {table.name for table in resolution.previous.base}
    used |= {"app_user", "app_session", "alembic_version"}
    named = [_physical_table(table, matches[table.name], resolution.previous, used) for table in desired.tables]
    # references compare by base table, so that all tables have their names before the columns get theirs
    bases = {table.name: table.base for table in named}
    return tuple(_resolved_columns(table, matches[table.name], bases, resolution) for table in named)


def _match_tables(tables: tuple[Table, ...], previous: Schema) -> dict[str, Table | None]:
    """Return the former table of each: renames first, since they take a name away from whoever has it now."""
    former = {table.name: table for table in previous.tables}
    matches: dict[str, Table | None] = {table.name: None for table in tables}
    for table in tables:
        if table.was and table.name not in former and table.was in former:
            matches[table.name] = former.pop(table.was)
    for table in tables:
        if matches[table.name] is None:
            matches[table.name] = former.pop(table.name, None)
    return matches


def _physical_table(table: Table, match: Table | None, previous: Schema, used: set[str]) -> Table:
    if match is not None:
        return replace(table, physical=match.base)
    left = _left_table(table, previous)
    name = left.name if left else _free(table.name, used)
    used.add(name)
    return replace(table, physical=name)


def _left_table(table: Table, previous: Schema) -> BaseTable | None:
    """Return the base table of an entity that was removed and comes back with the same key."""
    shown = {former.base for former in previous.tables}
    types = [table.column(name).type for name in table.key]
    for base in previous.base:
        if base.last == table.name and base.name not in shown and types == [_type(base, name) for name in base.key]:
            return base
    return None


def _type(base: BaseTable, name: str) -> str:
    column = base.column(name)
    return column.type if column else ""


def _free(name: str, used: Iterable[str]) -> str:
    taken = set(used)
    return next(free for n in range(1, len(taken) + 2) if (free := name if n == 1 else f"{name}_{n}") not in taken)


def _resolved_columns(table: Table, match: Table | None, bases: dict[str, str], resolution: _Resolution) -> Table:
    base = resolution.previous.base_table(table.base)
    if base is None:
        return replace(table, columns=tuple(_shown_first(column) for column in table.columns))
    former = match or _as_shown(table, base)
    matches = _match_columns(table, former)
    # a former column that comes first may be matched by a later one, so all matches are used before any free name is
    used = {column.name for column in base.columns}
    columns: list[Column] = []
    for column in table.columns:
        if column.computed:
            columns.append(column)
            continue
        place = _Place(
            table=table,
            base=base,
            former=former,
            bases=bases,
            used=used,
            given={c.base for c in columns if not c.computed},
            resolution=resolution,
        )
        columns.append(_resolved_column(column, matches[column.name], place))
        used.add(columns[-1].base)
    resolved = replace(table, columns=tuple(columns))
    _check_key(resolved, base, resolution)
    return resolved


def _shown_first(column: Column) -> Column:
    return column if column.computed else replace(column, physical=column.name)


def _as_shown(table: Table, base: BaseTable) -> Table:
    """Return a former table that shows nothing but the key: all else of a table that comes back is a leftover."""
    columns = tuple(Column(name=name, type=_type(base, name)) for name in base.key)
    return replace(table, columns=columns, references=(), indexes=(), key=base.key)


def _match_columns(table: Table, former: Table) -> dict[str, Column | None]:
    left = {column.name: column for column in former.stored}
    matches: dict[str, Column | None] = {column.name: None for column in table.stored}
    for column in table.stored:
        if column.was and column.name not in left and column.was in left:
            matches[column.name] = left.pop(column.was)
    for column in table.stored:
        if matches[column.name] is None:
            matches[column.name] = left.pop(column.name, None)
    return matches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a column is resolved:

    its table, the base table behind, the former table, and the physical names that are taken.
    """

    table: Table
    base: BaseTable
    former: Table
    bases: dict[str, str]
    used: set[str]
    given: set[str]
    resolution: _Resolution

    def target(self, column: Column) -> str | None:
        """Return the base table that a column of the new version refers to, or None."""
        reference = self.table.reference(column.name)
        return self.bases.get(reference.target, reference.target) if reference else None

    def former_target(self, physical: str) -> str | None:
        """Return the base table that a base column refers to, or None."""
        return next((r.target for r in self.base.references if r.columns == (physical,)), None)


def _resolved_column(column: Column, match: Column | None, place: _Place) -> Column:
    if match is None:
        return _new_column(column, place)
    same = column.type == match.type and place.target(column) == place.former_target(match.base)
    if same or match.base in place.base.key:
        _check_tightened(column, match, place)
        if not same:
            place.resolution.report(
                place.table, column.name, "is the key, and a key's type can't change", "declare a new entity"
            )
        return replace(column, physical=match.base)
    return _retyped(column, match, place)


def _new_column(column: Column, place: _Place) -> Column:
    left = _left_column(column, place)
    if column.was and left is None and column.was not in {c.name for c in place.former.stored}:
        fact = f'was("{column.was}"), but the version deployed last has no {column.was}'
        place.resolution.report(place.table, column.name, fact, "it starts empty", "warning")
    if not column.nullable and column.default is None:
        fact = f"is new and required, but rows of {place.table.entity} may be there already"
        place.resolution.report(place.table, column.name, fact, "give it a default, or make it optional (| None)")
    return replace(column, physical=left.name if left else _free(column.name, place.used))


def _left_column(column: Column, place: _Place) -> BaseColumn | None:
    """Return the column of a removed attribute that comes back by its name or `was`, with the same type and target."""
    shown = {c.base for c in place.former.stored}
    paired = {name for copy in place.base.copies for name in (copy.source, copy.target)}
    for left in place.base.columns:
        free = left.name not in shown | paired | place.given and left.last in {column.name, column.was}
        if free and left.type == column.type and place.former_target(left.name) == place.target(column):
            return left
    return None


def _check_required(column: Column, match: Column, place: _Place) -> None:
    if match.nullable and not column.nullable and column.default is None:
        fact = "is required now, but rows may have no value"
        place.resolution.report(place.table, column.name, fact, "give it a default, or leave it optional (| None)")


def _check_tightened(column: Column, match: Column, place: _Place) -> None:
    _check_required(column, match, place)
    if match.limit.joined(column.limit) != column.limit:
        fact = "allows less than before; rows that are there keep their values"
        hint = "the database goes on allowing what an earlier version may write"
        place.resolution.report(place.table, column.name, fact, hint, "warning")


def _retyped(column: Column, match: Column, place: _Place) -> Column:
    physical = _free(column.name, place.used)
    plain = place.target(column) is None and place.former_target(match.base) is None
    found = conversion(match.type, column.type, column.limit) if plain else None
    if found:
        _check_required(column, match, place)
        place.resolution.copies.append((place.base.name, _copy(column, match, physical, found, place.base)))
        return replace(column, physical=physical)
    before, after = _words(match.type, place.former_target(match.base)), _words(column.type, place.target(column))
    fact = f"changes from {before} to {after}, and the values that are there can't be converted by themselves"
    required = not column.nullable and column.default is None
    hint = (
        "add an attribute of another name and fill it in a job"
        if required
        else "it starts anew; the old values stay in the database"
    )
    place.resolution.report(place.table, column.name, fact, hint, "error" if required else "warning")
    return replace(column, physical=physical)


def _copy(column: Column, match: Column, physical: str, found: tuple[str, str | None], base: BaseTable) -> Copy:
    source = base.column(match.base)
    return Copy(
        source=match.base,
        target=physical,
        up=found[0],
        down=found[1],
        source_default=source.default if source and not source.nullable else None,
        target_default=column.default if not column.nullable else None,
    )


def _words(type_sql: str, target: str | None) -> str:
    return f"a reference to {target}" if target else type_sql


def _check_key(table: Table, base: BaseTable, resolution: _Resolution) -> None:
    if tuple(table.column(name).base for name in table.key) != base.key:
        hint = f"keep key({', '.join(base.key)}), or declare a new entity and copy the rows in a job"
        resolution.report(table, "", "has another key than the database", hint)


def _versioned(previous: Schema | None, current: Schema) -> Schema:
    """Give the version its edition, the schemas of views known by then, and its revision."""
    known = dict(previous.known) if previous else {}
    edition = 0
    while known.get(replace(current, edition=edition).views, current.shown) != current.shown:
        edition += 1
    current = replace(current, edition=edition)
    known[current.views] = current.shown
    return _revised(previous, replace(current, known=tuple(known.items())))


def _revised(previous: Schema | None, current: Schema) -> Schema:
    before = previous.revision if previous else ""
    number = int(before.partition("_")[0] or 0) + 1
    digest = hashlib.sha256(repr((before, current.views, current.base)).encode()).hexdigest()[:8]
    return replace(current, revision=f"{number:04d}_{digest}")


def _narrowed(table: BaseTable, shown: list[Table]) -> BaseTable:
    """Return a base table without what none of the shown tables shows."""
    versions = [t for t in shown if t.base == table.name]
    names = {column.base for version in versions for column in version.stored} | set(table.key)
    indexes = {
        (tuple(version.column(name).base for name in index.columns), index.unique)
        for version in versions
        for index in version.indexes
    }
    return replace(
        table,
        columns=tuple(column for column in table.columns if column.name in names),
        references=tuple(reference for reference in table.references if names.issuperset(reference.columns)),
        indexes=tuple(index for index in table.indexes if (index.columns, index.unique) in indexes),
        copies=tuple(copy for copy in table.copies if {copy.source, copy.target} <= names),
        checks=tuple(check for check in table.checks if names.issuperset(check.columns)),
    )
