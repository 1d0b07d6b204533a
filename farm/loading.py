"""Loading the rows of `%%data` cells into the database of an environment.

    read and map all files (DuckDB) -> check all rows -> write entity by entity, targets of references first, a
    transaction for each

Nothing is written before everything was checked. Loading again writes nothing twice: rows whose key or unique
attributes are there already stay as they are, and an entity without either is refused where it has rows, unless they
are to be replaced.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lowcode_kernel.farm.databases import connect
from lowcode_kernel.farm.files_reader import Rows, locate, opened
from lowcode_kernel.farm.row_checks import (
    Mapped,
    cast,
    column_problems,
    duck_type,
    reference_problems,
    unique_problems,
    value_problems,
)
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.quoting import identifier, identifiers, literal
from lowcode_kernel.relational import USER_TABLE, table_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psycopg

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Data
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.schema import BaseTable, Schema

    Connection = psycopg.Connection[tuple[Any, ...]]
    Report = Callable[[str, int, int], None]

CHUNK = 1 << 20  # bytes handed to COPY at once
# from so many rows on, indexes and references come last: 336,776 flights took 3.4 s so, and 20.1 s row by row
MANY = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What became of one `%%data` cell:

    the rows it gave, how many were written, how many were there already, and the time.
    """

    entity: str
    rows: int
    written: int
    there: int
    seconds: float

    def __str__(self) -> str:
        there = f", {self.there:,} were there already" if self.there else ""
        return f"{self.entity}: {self.written:,} of {self.rows:,} rows written in {self.seconds:.1f} s{there}"


def load_data(
    environment: Environment,
    application: Application,
    schema: Schema,
    base: Path,
    report: Report = lambda _entity, _done, _total: None,
    *,
    replace: bool = False,
) -> tuple[LoadReport, ...]:
    """Load all data of the application; `base` is the notebook's folder, `schema` the one that is deployed.

    `report` is told (entity, rows done, rows in all). With `replace`, rows that are there take the new values, and an
    entity without a natural key is emptied first. Raises LowcodeError with everything that is wrong with the files;
    nothing is written then.
    """
    with (
        opened(environment.home / "cache" / "files") as rows,
        connect(environment.database_url(application.name)) as connection,
    ):
        connection.execute(f"SET search_path = {identifier(schema.views)}, {identifier(schema.application)}".encode())
        mapped = tuple(_read(rows, application, schema, base))
        problems = [*_problems(rows, connection, schema, mapped), *_occupied(connection, mapped, replace=replace)]
        if problems:
            raise LowcodeError(*problems)
        connection.commit()
        return tuple(_load(rows, connection, schema, one, report, replace=replace) for one in mapped)


def _read(rows: Rows, application: Application, schema: Schema, base: Path) -> Iterator[Mapped]:
    """Read all files, each mapped to the attributes of its entity.

    All cells are tried before the problems are raised.
    """
    problems: list[Problem] = []
    for number, data in enumerate(_ordered(application, schema)):
        try:
            yield _read_one(rows, schema, base, data, f"mapped {number}")
        except LowcodeError as error:
            problems.extend(error.problems)
    if problems:
        raise LowcodeError(*problems)


def _ordered(application: Application, schema: Schema) -> list[Data]:
    """Put the targets of references before those that refer to them."""
    targets = {t.name: {r.target for r in t.references} - {t.name, USER_TABLE} for t in schema.tables}
    try:
        order = {name: position for position, name in enumerate(TopologicalSorter(targets).static_order())}
    except CycleError as error:
        fact = f"{' and '.join(sorted(set(error.args[1])))} refer to each other, so that neither can be loaded first"
        raise LowcodeError.of(fact, "make one reference optional and fill it in a job", code="LK645") from None
    return sorted(application.data.values(), key=lambda data: (order.get(table_name(data.entity), 0), data.name))


def _read_one(rows: Rows, schema: Schema, base: Path, data: Data, name: str) -> Mapped:
    try:
        table = schema.table(table_name(data.entity))
    except KeyError:
        hint = "deploy the application first"
        raise LowcodeError.of(
            f"the deployed version has no entity {data.entity}", hint, code="LK646", place=data.place
        ) from None
    file = locate(data.file, base, data.place) if data.file else None
    place = data.sql_place if data.sql else data.place
    rows.map(name, file, data.sql, place)
    return Mapped(name=name, table=table, columns=rows.columns(name), place=place)


def _problems(rows: Rows, connection: Connection, schema: Schema, mapped: tuple[Mapped, ...]) -> Iterator[Problem]:
    keys: dict[str, str] = {}
    for one in mapped:
        yield from column_problems(one)
        yield from value_problems(rows, one)
        yield from unique_problems(rows, one)
        for reference in one.table.references:
            column = reference.columns[0]
            if column in one.columns:
                target = reference.target
                if target not in keys:
                    keys[target] = _known_keys(rows, connection, schema, mapped, target)
                yield from reference_problems(rows, one, column, keys[target], _entity(schema, target))


def _entity(schema: Schema, target: str) -> str:
    return "User" if target == USER_TABLE else schema.table(target).entity


def _known_keys(rows: Rows, connection: Connection, schema: Schema, mapped: tuple[Mapped, ...], target: str) -> str:
    """Make a DuckDB table of the keys of an entity: those in the database, and those that will be loaded."""
    name = f"keys {target}"
    key = "id" if target == USER_TABLE else schema.table(target).key[0]
    sql_type = "BIGINT" if target == USER_TABLE else duck_type(schema.table(target).column(key))
    rows.execute(f"CREATE TABLE {identifier(name)} (key {sql_type})")
    there = connection.execute(f"SELECT {identifier(key)}::text FROM {identifier(target)}".encode())
    while chunk := there.fetchmany(10_000):
        values = ", ".join(f"({literal(value)})" for (value,) in chunk)
        rows.execute(f"INSERT INTO {identifier(name)} VALUES {values}")
    for one in mapped:
        if one.table.name == target and key in one.columns:
            column = one.table.column(key)
            select = f"SELECT {cast(column)} FROM {identifier(one.name)} WHERE {cast(column)} IS NOT NULL"
            rows.execute(f"INSERT INTO {identifier(name)} {select}")
    return name


def _occupied(connection: Connection, mapped: tuple[Mapped, ...], *, replace: bool) -> Iterator[Problem]:
    for one in mapped:
        if natural_key(one) is None and not replace and _has_rows(connection, identifier(one.table.name)):
            fact = f"{one.table.entity} has rows already, and no key or unique attribute that says which are the same"
            hint = "load with --replace to take them away first, or declare a unique attribute"
            yield Problem(code="LK647", fact=fact, hint=hint, place=one.place, element=f"data:{one.table.entity}")


def natural_key(mapped: Mapped) -> tuple[str, ...] | None:
    """Return the key or unique attributes that the rows have, by which a row is known again; None where there are
    none.
    """
    given = {column.name for column in mapped.given}
    uniques = [mapped.table.key, *(index.columns for index in mapped.table.indexes if index.unique)]
    return next((columns for columns in uniques if given.issuperset(columns)), None)


def _has_rows(connection: Connection, table: str) -> bool:
    found = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})".encode()).fetchone()
    return bool(found and found[0])


def _load(
    rows: Rows, connection: Connection, schema: Schema, mapped: Mapped, report: Report, *, replace: bool
) -> LoadReport:
    """Write the rows of one cell in one transaction."""
    import psycopg

    started = time.perf_counter()
    total = int(rows.execute(f"SELECT count(*) FROM {identifier(mapped.name)}")[0][0])
    try:
        with connection.transaction():
            written = _write(rows, connection, _Target(schema, mapped), total, report, replace=replace)
    except psycopg.Error as error:
        raise _refused(error, mapped) from None
    connection.execute(f"ANALYZE {_Target(schema, mapped).name}".encode())
    connection.commit()
    report(mapped.table.entity, total, total)
    seconds = time.perf_counter() - started
    return LoadReport(entity=mapped.table.entity, rows=total, written=written, there=total - written, seconds=seconds)


class _Target:
    """The base table that rows go into, by its physical names."""

    def __init__(self, schema: Schema, mapped: Mapped) -> None:
        self.schema, self.mapped, self.table = schema, mapped, mapped.table
        self.name = f"{identifier(schema.application)}.{identifier(mapped.table.base)}"
        self.view = f"{identifier(schema.views)}.{identifier(mapped.table.name)}"
        self.columns = tuple(column.base for column in mapped.given)

    @property
    def base(self) -> BaseTable | None:
        return self.schema.base_table(self.table.base)

    @property
    def has_own_defaults(self) -> bool:
        """True where the base table itself fills in what the rows don't have, as the view would."""
        missing = [
            column for column in self.table.columns if column not in self.mapped.given and column.default is not None
        ]
        found = [(self.base.column(column.base) if self.base else None, column) for column in missing]
        return all(base is not None and base.default == column.default for base, column in found)


def _write(rows: Rows, connection: Connection, target: _Target, total: int, report: Report, *, replace: bool) -> int:
    connection.execute(
        f"LOCK TABLE {target.name} IN SHARE ROW EXCLUSIVE MODE".encode()
    )  # two loads at once: one after the other
    key = natural_key(target.mapped)
    if key is None and replace:
        connection.execute(f"DELETE FROM {target.name}".encode())
    if _has_rows(connection, target.name) or not target.has_own_defaults:
        written = _merge(rows, connection, target, total, report, key or (), replace=replace)
    else:
        written = _copy_unchecked(rows, connection, target, total, report)
    _advance_identity(connection, target)
    return written


def _copy_unchecked(rows: Rows, connection: Connection, target: _Target, total: int, report: Report) -> int:
    """Copy into an empty table.

    Many rows are indexed, and their references checked, once at the end: row by row is several times slower.
    """
    rebuilt = _rebuilt(connection, target) if total >= MANY else []
    for drop, _ in rebuilt:
        connection.execute(drop.encode())
    written = _copy(rows, connection, target, target.name, total, report)
    for _, create in rebuilt:
        connection.execute(create.encode())
    return written


def _rebuilt(connection: Connection, target: _Target) -> list[tuple[str, str]]:
    """Return what takes away and what builds again each foreign key and each index but the key's."""
    references = connection.execute(_REFERENCES, (target.name,)).fetchall()
    indexes = connection.execute(_INDEXES, (target.name,)).fetchall()
    alter = f"ALTER TABLE {target.name}"
    return [(f"DROP INDEX {name}", definition) for name, definition in indexes] + [
        (f"{alter} DROP CONSTRAINT {name}", f"{alter} ADD CONSTRAINT {name} {definition}")
        for name, definition in references
    ]


_REFERENCES = """
    SELECT quote_ident(conname), pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE contype = 'f' AND conrelid = %s::regclass
    ORDER BY 1
"""
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = %s::regclass AND NOT indisprimary AND indisvalid
    ORDER BY 1
"""


def _merge(
    rows: Rows,
    connection: Connection,
    target: _Target,
    total: int,
    report: Report,
    key: tuple[str, ...],
    *,
    replace: bool,
) -> int:
    """Copy into a temporary table, then insert what is new through the view; with `replace`, rows that are there take
    the new values.
    """
    names = tuple(column.name for column in target.mapped.given)
    columns, physical = identifiers(names), identifiers(target.columns)
    connection.execute(
        f"CREATE TEMPORARY TABLE loading ON COMMIT DROP AS SELECT {physical} FROM {target.name} LIMIT 0".encode()
    )
    _copy(rows, connection, target, "pg_temp.loading", total, report)
    changed = [identifier(name) for name in names if name not in key]
    action = "DO NOTHING"
    if replace and key and changed:
        values = ", ".join(f"{name} = excluded.{name}" for name in changed)
        action = f"({identifiers(key)}) DO UPDATE SET {values}"
    sql = f"INSERT INTO {target.view} ({columns}) SELECT {physical} FROM pg_temp.loading ON CONFLICT {action}"
    return connection.execute(sql.encode()).rowcount


def _copy(rows: Rows, connection: Connection, target: _Target, into: str, total: int, report: Report) -> int:
    """Stream the rows as CSV from DuckDB into COPY, telling how far it is by the bytes that went."""
    given = target.mapped.given
    values = ", ".join(f"{cast(column)} AS {identifier(column.name)}" for column in given)
    with TemporaryDirectory(prefix="lowcode-rows-") as folder:
        path = f"{folder}/rows.csv"
        rows.execute(
            f"COPY (SELECT {values} FROM {identifier(target.mapped.name)} ORDER BY rowid)"
            f" TO {literal(path)} (FORMAT csv, HEADER false)"
        )
        statement = f"COPY {into} ({identifiers(target.columns)}) FROM STDIN (FORMAT csv)".encode()
        with open(path, "rb") as file, connection.cursor() as cursor:  # noqa: PTH123 - the path is DuckDB's text
            size = max(file.seek(0, 2), 1)
            file.seek(0)
            with cursor.copy(statement) as copy:
                while chunk := file.read(CHUNK):
                    copy.write(chunk)
                    report(target.table.entity, total * file.tell() // size, total)
            return cursor.rowcount


def _advance_identity(connection: Connection, target: _Target) -> None:
    """Let new rows have numbers after those that were loaded."""
    for column in target.mapped.given:
        if column.identity:
            name = identifier(column.base)
            sql = f"SELECT setval(pg_get_serial_sequence(%s, %s), max({name})) FROM {target.name} HAVING count(*) > 0"
            connection.execute(sql.encode(), (target.name, column.base))


def _refused(error: psycopg.Error, mapped: Mapped) -> LowcodeError:
    broken = {check.mark: check.message for check in mapped.table.checks}.get((error.diag.constraint_name or "")[-8:])
    reason = broken or error.diag.message_primary or type(error).__name__
    fact = f"the database refused the rows of {mapped.table.entity}: {reason}"
    detail = error.diag.message_detail or ""
    return LowcodeError.of(
        fact, f"{detail} nothing of {mapped.table.entity} was written".strip(), code="LK648", place=mapped.place
    )
