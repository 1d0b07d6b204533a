"""The one door to DuckDB: the lake of events, a DuckLake with its catalog in PostgreSQL and its rows in Parquet files.

What is in it, by table:

    events      one row per event, exactly once; `sequence` is where in the queue's stream it came from
    rejected    what could not be read as an event, with the reason
    position    one row: how far the stream is stored, written in the transaction that writes the rows

and a view per kind (`requests`, `queries`, `audit`, `errors`, `jobs`, `deployments`) with the attributes people ask
for as columns.

`position` is also the fence: two writers that both move it conflict, and DuckLake refuses the second. Small batches are
kept as rows in the catalog ("inlined") until a compaction turns them into one file, so a quiet farm does not make a
file per second.

duckdb and its two extensions come from wheels of one version and are loaded by path: nothing is ever fetched.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import duckdb
    import pyarrow as pa

    from lowcode_kernel.farm.environments import Secret

DATABASE = "lowcode_logs"
INLINED_ROWS = (
    400  # fewer rows than this are inlined: a commit takes 34 ms either way (2026-11), but leaves no small file
)
FILE_SIZE = "64MB"  # compaction leaves files of this size alone, so that it does not write every row again each time
EXTENSIONS = ("ducklake", "postgres_scanner")

TABLES = {
    "events": {
        "id": "VARCHAR", "time": "TIMESTAMPTZ", "kind": "VARCHAR", "application": "VARCHAR", "version": "VARCHAR",
        "host": "VARCHAR", "trace": "VARCHAR", "element": "VARCHAR", "outcome": "VARCHAR", "duration_ms": "DOUBLE",
        "user": "VARCHAR", "attributes": "JSON", "sequence": "BIGINT",
    },
    "rejected": {
        "time": "TIMESTAMPTZ", "subject": "VARCHAR", "reason": "VARCHAR", "content": "VARCHAR", "sequence": "BIGINT",
    },
    "position": {"stream": "VARCHAR", "created": "VARCHAR", "sequence": "BIGINT"},
}  # fmt: skip
VIEWS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "requests": ("request", {
        "method": ("VARCHAR", "http.request.method"),
        "route": ("VARCHAR", "http.route"),
        "status": ("INTEGER", "http.response.status_code"),
    }),
    "queries": ("query", {"summary": ("VARCHAR", "db.query.summary"), "rows": ("BIGINT", "db.response.returned_rows")}),
    "audit": ("audit", {}),
    "errors": ("error", {
        "type": ("VARCHAR", "exception.type"),
        "message": ("VARCHAR", "exception.message"),
        "stacktrace": ("VARCHAR", "exception.stacktrace"),
    }),
    "jobs": ("job", {
        "job": ("VARCHAR", "job.name"),
        "run": ("BIGINT", "job.run"),
        "attempt": ("INTEGER", "job.attempt"),
        "state": ("VARCHAR", "job.state"),
        "message": ("VARCHAR", "exception.message"),
    }),
    "deployments": ("deployment", {
        "state": ("VARCHAR", "deployment.state"),
        "step": ("VARCHAR", "deployment.step"),
        "previous": ("VARCHAR", "deployment.previous"),
    }),
}  # fmt: skip
COMMON = ("id", "time", "application", "version", "host", "trace", "element", "outcome", "duration_ms", "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswerable(Exception):  # noqa: N818 - the caller says it in the user's words
    """A statement that was not answered: why, as DuckDB calls it, and what it said."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows for `events` and for `rejected`, in the order of their columns."""

    events: Sequence[tuple[object, ...]]
    rejected: Sequence[tuple[object, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a stream is stored. `created` tells a stream from a later one of its name, which counts from 1 again."""

    stream: str
    created: str
    sequence: int


class LakeFault(Exception):  # noqa: N818 - a state of the world, not a mistake
    """The lake did not do what was asked: its catalog is away, or it refuses what it was given."""


class Superseded(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Another writer has moved the position since we read it: it writes what we were about to write."""


def open_lake(url: Secret, files: str, *, read_only: bool = False, memory: str = "256MB") -> duckdb.DuckDBPyConnection:
    """Open the lake with its catalog in database `url` and its Parquet files under `files`, as the default database.

    Raises: `LakeFault` where the catalog does not answer, or where a lake that was never written is to be read only.
    """
    import duckdb

    if not read_only and "://" not in files:
        Path(files).mkdir(parents=True, exist_ok=True)
    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config={"threads": 1, "memory_limit": memory, **offline})
    try:
        for name in EXTENSIONS:
            connection.load_extension(_extension(name, duckdb.__version__))
        connection.execute(_catalog_secret(url))
        options = ", READ_ONLY" if read_only else ""
        connection.execute(f"ATTACH 'ducklake:lake_catalog' AS lake (DATA_PATH {_literal(files)}{options})")
        connection.execute("USE lake")
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException as fault:
        connection.close()
        if isinstance(fault, duckdb.Error):
            raise LakeFault(str(fault)) from fault
        raise
    return connection


def _extension(name: str, version: str) -> str:
    """Return the file of an extension, from its wheel."""
    wheel = f"duckdb-extension-{name.replace('_', '-')}=={version}"
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        raise LowcodeError.of(f"the DuckDB extension {name} is not installed", f"pip install {wheel}", code="LK704")
    path = Path(found.origin).parent / "extensions" / f"v{version}" / f"{name}.duckdb_extension"
    if not path.exists():
        fact = f"duckdb is {version}, its extension {name} is of another version"
        raise LowcodeError.of(fact, f"pip install {wheel}", code="LK704")
    return str(path)


def _catalog_secret(url: Secret) -> str:
    """Return what tells DuckDB where the catalog is: a secret, so that `duckdb_databases()` shows no password."""
    parts = urlsplit(url.reveal())
    query = parse_qs(parts.query)
    words = {
        "HOST": unquote(parts.hostname or "") or query.get("host", [""])[0],
        "PORT": str(parts.port or query.get("port", ["5432"])[0]),
        "DATABASE": parts.path.lstrip("/"),
        "USER": unquote(parts.username or "") or query.get("user", [""])[0],
        "PASSWORD": unquote(parts.password or "") or query.get("password", [""])[0],
    }
    given = ", ".join(f"{name} {_literal(value)}" for name, value in words.items() if value)
    return (
        f"CREATE SECRET catalog_server (TYPE postgres, {given});"
        " CREATE SECRET lake_catalog (TYPE ducklake, METADATA_PATH '',"
        " METADATA_PARAMETERS MAP {'TYPE': 'postgres', 'SECRET': 'catalog_server'})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and the views that are missing, and views that have other columns now."""
    present = describe(connection)
    for table, columns in TABLES.items():
        shape = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({shape})")
    if (
        not present.keys() & VIEWS.keys()
    ):  # before the first view: DuckLake 1.5.5 crashes in set_option where a view exists
        connection.execute(f"CALL lake.set_option('data_inlining_row_limit', {INLINED_ROWS})")
        connection.execute(f"CALL lake.set_option('target_file_size', '{FILE_SIZE}')")
    for view, (kind, attributes) in VIEWS.items():
        if present.get(view) != (*COMMON, *attributes, "attributes"):
            connection.execute(f"CREATE OR REPLACE VIEW {view} AS {_view(kind, attributes)}")


def _view(kind: str, attributes: Mapping[str, tuple[str, str]]) -> str:
    shown = [f'"{name}"' for name in COMMON]
    for column, (sql, name) in attributes.items():
        shown.append(f'TRY_CAST(attributes->>\'$."{name}"\' AS {sql}) AS "{column}"')
    columns = ", ".join((*shown, "attributes"))
    return f"SELECT {columns} FROM lake.main.events WHERE kind = '{kind}'"  # noqa: S608 - constants of this module


def read_position(connection: duckdb.DuckDBPyConnection) -> Position | None:
    """Return how far the stream is stored, or None where nothing ever was."""
    row = connection.execute("SELECT stream, created, sequence FROM position").fetchone()
    return Position(stream=row[0], created=row[1], sequence=row[2]) if row else None


def write_batch(
    connection: duckdb.DuckDBPyConnection, batch: Batch, *, before: Position | None, after: Position
) -> int:
    """Store a batch and move the position, in one transaction; return how many events were new.

    An event that is stored already, with its time, is left out: an application that never saw the queue's
    acknowledgement sends it again, maybe hours later.

    Raises: `Superseded` where the position is not `before` any more. `LakeFault` where it fails: then open the lake and
    read the position again, since the transaction may or may not have been committed.
    """
    import duckdb

    try:
        connection.begin()
        _move(connection, before, after)
        stored = _insert_events(connection, _arrow("events", batch.events)) if batch.events else 0
        if batch.rejected:
            connection.register("batch", _arrow("rejected", batch.rejected))
            connection.execute("INSERT INTO rejected SELECT * FROM batch")
        connection.commit()
    except duckdb.Error as fault:
        raise LakeFault(str(fault)) from fault
    except Superseded:
        connection.rollback()
        raise
    return stored


def _arrow(table: str, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    import pyarrow as pa

    kinds = {"TIMESTAMPTZ": pa.timestamp("us", "UTC"), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    shape = [(name, kinds.get(kind, pa.string())) for name, kind in TABLES[table].items()]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, shape, strict=True)]
    return pa.table(arrays, schema=pa.schema(shape))


def _insert_events(connection: duckdb.DuckDBPyConnection, events: pa.Table) -> int:
    """Insert what is not there yet. The bounds on time let DuckLake pass over the files that can't hold any of it."""
    connection.register("batch", events)
    bounds = connection.execute("SELECT min(time) AS low, max(time) AS high FROM batch").fetchone() or (None, None)
    inserted = connection.execute(
        "INSERT INTO events SELECT DISTINCT ON (id) * FROM batch"
        " WHERE id NOT IN (SELECT id FROM events WHERE time BETWEEN $low AND $high)",
        {"low": bounds[0], "high": bounds[1]},
    ).fetchone()
    return int(inserted[0]) if inserted else 0


def _move(connection: duckdb.DuckDBPyConnection, before: Position | None, after: Position) -> None:
    values = {"stream": after.stream, "created": after.created, "sequence": after.sequence}
    if before is None:
        if read_position(connection) is not None:
            raise Superseded
        connection.execute("INSERT INTO position VALUES ($stream, $created, $sequence)", values)
        return
    moved = connection.execute(
        "UPDATE position SET stream = $stream, created = $created, sequence = $sequence"
        " WHERE created = $was_created AND sequence = $was_sequence",
        values | {"was_created": before.created, "was_sequence": before.sequence},
    ).fetchone()
    if moved is None or moved[0] != 1:
        raise Superseded


def compact(connection: duckdb.DuckDBPyConnection, *, keep: datetime, history: datetime) -> None:
    """Make few files of many, delete events from before `keep`, forget snapshots and files of before `history`.

    `history` is how long a query that reads an old snapshot may take. Files that a killed writer left are deleted too.

    Raises: `LakeFault`.
    """
    import duckdb

    try:
        _compact(connection, keep, history)
    except duckdb.Error as fault:
        raise LakeFault(str(fault)) from fault


def _compact(connection: duckdb.DuckDBPyConnection, keep: datetime, history: datetime) -> None:
    if connection.execute("SELECT 1 FROM events WHERE time < $keep LIMIT 1", {"keep": keep}).fetchone():
        connection.execute("DELETE FROM events WHERE time < $keep", {"keep": keep})
        connection.execute("CALL ducklake_rewrite_data_files('lake')")
    for table in ("events", "rejected"):  # `position` stays inlined: it is one row, written all the time
        connection.execute(f"CALL ducklake_flush_inlined_data('lake', table_name => '{table}')")
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    older = f"older_than => TIMESTAMPTZ '{history.isoformat()}'"
    for name in ("ducklake_expire_snapshots", "ducklake_cleanup_old_files", "ducklake_delete_orphaned_files"):
        connection.execute(f"CALL {name}('lake', {older})")


def describe(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Return the lake's tables and views with their columns."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()"
        " WHERE database_name = 'lake' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {table: tuple(columns) for table, columns in rows}


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """Run one statement that reads, and return its rows.

    Raises: `Unanswerable` where it is not one, or does not fit what is in the lake; `LakeFault` where the lake is away.
    """
    import duckdb

    cursor = connection.cursor()
    try:
        cursor.execute("USE lake")
        statements = cursor.extract_statements(sql)
        if len(statements) != 1:
            raise Unanswerable(kind="count", message=f"{len(statements)} statements")
        if statements[0].type not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
            raise Unanswerable(kind="write", message=statements[0].type.name)
        return cursor.execute(statements[0]).to_arrow_table()
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.OutOfMemoryException) as fault:
        raise Unanswerable(kind=type(fault).__name__, message=str(fault)) from fault
    except duckdb.Error as fault:
        raise LakeFault(str(fault)) from fault
    finally:
        cursor.close()
