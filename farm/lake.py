"""The one door to DuckDB: the lake of events, a DuckLake with its catalog in PostgreSQL and its rows in Parquet files.

What is in it, by table:

    events      one row per event, exactly once; `sequence` is where in the queue's stream it came from
    rejected    what could not be read as an event, with the reason, cut at 64 KiB
    position    one row: how far the stream is stored. It is written in the transaction that writes the rows, so it can be neither ahead nor behind

and a view per kind (`requests`, `queries`, `audit`, `errors`, `jobs`, `deployments`) that turns the attributes people ask for into columns.

`position` is also the fence: two writers that both move it conflict, and DuckLake refuses the second. Small batches are kept as rows in the catalog
("inlined") until a compaction turns them into one file, so a quiet farm does not make a file per second.

duckdb and its two extensions come from wheels of one version and are loaded by path: nothing is ever fetched from the network. They move together.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb
    import pyarrow as pa

    from lowcode_kernel.farm.environments import Secret

DATABASE = "lowcode_logs"
INLINED_ROWS = 400  # below this a batch costs the catalog less than a Parquet file does (measured 2026-11: 34 ms a commit either way)
FILE_SIZE = "64MB"  # files of this size are left alone by compaction: each row is then rewritten a few times, not every time
EXTENSIONS = ("ducklake", "postgres_scanner")

TABLES = {
    "events": {
        "id": "VARCHAR", "time": "TIMESTAMPTZ", "kind": "VARCHAR", "application": "VARCHAR", "version": "VARCHAR", "host": "VARCHAR",
        "trace": "VARCHAR", "element": "VARCHAR", "outcome": "VARCHAR", "duration_ms": "DOUBLE", "user": "VARCHAR", "attributes": "JSON",
        "sequence": "BIGINT",
    },
    "rejected": {"time": "TIMESTAMPTZ", "subject": "VARCHAR", "reason": "VARCHAR", "content": "VARCHAR", "sequence": "BIGINT"},
    "position": {"stream": "VARCHAR", "created": "VARCHAR", "sequence": "BIGINT"},
}  # fmt: skip
VIEWS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "requests": ("request", {
        "method": ("VARCHAR", "http.request.method"), "route": ("VARCHAR", "http.route"), "status": ("INTEGER", "http.response.status_code"),
    }),
    "queries": ("query", {"summary": ("VARCHAR", "db.query.summary"), "rows": ("BIGINT", "db.response.returned_rows")}),
    "audit": ("audit", {}),
    "errors": ("error", {
        "type": ("VARCHAR", "exception.type"), "message": ("VARCHAR", "exception.message"), "stacktrace": ("VARCHAR", "exception.stacktrace"),
    }),
    "jobs": ("job", {
        "job": ("VARCHAR", "job.name"), "run": ("BIGINT", "job.run"), "attempt": ("INTEGER", "job.attempt"), "state": ("VARCHAR", "job.state"),
        "message": ("VARCHAR", "exception.message"),
    }),
    "deployments": ("deployment", {
        "state": ("VARCHAR", "deployment.state"), "step": ("VARCHAR", "deployment.step"), "previous": ("VARCHAR", "deployment.previous"),
    }),
}  # fmt: skip
COMMON = ("id", "time", "application", "version", "host", "trace", "element", "outcome", "duration_ms", "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a stream is stored. `created` tells one stream from another of the same name, whose numbers begin again at 1."""

    stream: str
    created: str
    sequence: int


class Superseded(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Another writer has moved the position since we read it: what we were about to write is, or will be, written by it."""


def open_lake(url: Secret, files: str, *, read_only: bool = False, memory: str = "256MB") -> duckdb.DuckDBPyConnection:
    """Open the lake whose catalog is database `url` and whose Parquet files are under `files`; it is the connection's default database.

    Raises: `duckdb.Error` where the catalog does not answer, or where `read_only` is asked of a lake that was never written.
    """
    import duckdb

    if not read_only and "://" not in files:
        Path(files).mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        config={"threads": 1, "memory_limit": memory, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    try:
        for name in EXTENSIONS:
            connection.load_extension(_extension(name, duckdb.__version__))
        connection.execute(_catalog_secret(url))
        options = ", READ_ONLY" if read_only else ""
        connection.execute(f"ATTACH 'ducklake:lake_catalog' AS lake (DATA_PATH {_literal(files)}{options})")
        connection.execute("USE lake")
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


def _extension(name: str, version: str) -> str:
    """The file of an extension, from its wheel."""
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        raise LowcodeError.of(f"the DuckDB extension {name} is not installed", "pip install lowcode-kernel again", code="LK650")
    path = Path(found.origin).parent / "extensions" / f"v{version}" / f"{name}.duckdb_extension"
    if not path.exists():
        fact = f"duckdb is {version}, its extension {name} is of another version"
        raise LowcodeError.of(fact, f"pip install duckdb-extension-{name.replace('_', '-')}=={version}", code="LK650")
    return str(path)


def _catalog_secret(url: Secret) -> str:
    """The statement that tells DuckDB where the catalog is. A secret, so that `duckdb_databases()` does not show its password."""
    parts = urlsplit(url.reveal())
    query = parse_qs(parts.query)
    words = {
        "HOST": parts.hostname or query.get("host", [""])[0],
        "PORT": str(parts.port or query.get("port", ["5432"])[0]),
        "DATABASE": parts.path.lstrip("/"),
        "USER": unquote(parts.username or query.get("user", [""])[0]),
        "PASSWORD": unquote(parts.password or query.get("password", [""])[0]),
    }
    given = ", ".join(f"{name} {_literal(unquote(value))}" for name, value in words.items() if value)
    return (
        f"CREATE SECRET catalog_server (TYPE postgres, {given});"
        " CREATE SECRET lake_catalog (TYPE ducklake, METADATA_PATH '', METADATA_PARAMETERS MAP {'TYPE': 'postgres', 'SECRET': 'catalog_server'})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and bring the views up to date. What is there already is left as it is."""
    present = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").fetchall()}
    connection.begin()
    for table, columns in TABLES.items():
        if table not in present:
            shape = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({shape})")
            connection.execute(f"CALL lake.set_option('data_inlining_row_limit', {INLINED_ROWS}, table_name => '{table}')")
    for view, (kind, attributes) in VIEWS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {view} AS {_view(kind, attributes)}")
    if "events" not in present:
        connection.execute(f"CALL lake.set_option('target_file_size', '{FILE_SIZE}')")
    connection.commit()


def _view(kind: str, attributes: Mapping[str, tuple[str, str]]) -> str:
    columns = [f'"{name}"' for name in COMMON]
    columns += [f"TRY_CAST(attributes->>'$.\"{name}\"' AS {sql}) AS \"{column}\"" for column, (sql, name) in attributes.items()]
    return f"SELECT {', '.join(columns)}, attributes FROM lake.main.events WHERE kind = '{kind}'"  # noqa: S608 - constants of this module


def read_position(connection: duckdb.DuckDBPyConnection) -> Position | None:
    """Return how far the stream is stored, or None where nothing ever was."""
    row = connection.execute("SELECT stream, created, sequence FROM position").fetchone()
    return Position(stream=row[0], created=row[1], sequence=row[2]) if row else None


def write_batch(connection: duckdb.DuckDBPyConnection, events: pa.Table, rejected: pa.Table, *, before: Position | None, after: Position) -> int:
    """Store a batch and move the position, in one transaction; return how many events were new.

    An event whose id is already stored with the same time is left out: an application that never saw the queue's acknowledgement sends a batch again.

    Raises: `Superseded` where the position is not `before` any more; `duckdb.Error` where the catalog does not answer: then read the position again,
    since the transaction may or may not have been committed.
    """
    connection.begin()
    try:
        _move(connection, before, after)
        stored = _insert_events(connection, events) if events.num_rows else 0
        if rejected.num_rows:
            connection.register("batch", rejected)
            connection.execute("INSERT INTO rejected SELECT * FROM batch")
        connection.commit()
    except BaseException:
        _roll_back(connection)
        raise
    return stored


def _insert_events(connection: duckdb.DuckDBPyConnection, events: pa.Table) -> int:
    """Insert what is not there yet. The bounds on time let DuckLake pass over every file that this batch can't be in."""
    connection.register("batch", events)
    low, high = connection.execute("SELECT min(time), max(time) FROM batch").fetchone() or (None, None)
    known = connection.execute(
        "SELECT DISTINCT id FROM events WHERE time BETWEEN $low AND $high AND id IN (SELECT id FROM batch)", {"low": low, "high": high}
    ).fetchall()
    new = "SELECT DISTINCT ON (id) * FROM batch WHERE NOT list_contains($known, id)"
    result = connection.execute(f"INSERT INTO events {new}", {"known": [id_ for (id_,) in known]}).fetchone()  # noqa: S608 - constants
    return int(result[0]) if result else 0


def _move(connection: duckdb.DuckDBPyConnection, before: Position | None, after: Position) -> None:
    values = {"stream": after.stream, "created": after.created, "sequence": after.sequence}
    if before is None:
        if read_position(connection) is not None:
            raise Superseded
        connection.execute("INSERT INTO position VALUES ($stream, $created, $sequence)", values)
        return
    moved = connection.execute(
        "UPDATE position SET stream = $stream, created = $created, sequence = $sequence WHERE created = $was_created AND sequence = $was_sequence",
        values | {"was_created": before.created, "was_sequence": before.sequence},
    ).fetchone()
    if moved is None or moved[0] != 1:
        raise Superseded


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    try:
        connection.rollback()
    except duckdb.Error:
        return  # the failed commit has already ended it


def compact(connection: duckdb.DuckDBPyConnection, *, keep: datetime, history: datetime) -> None:
    """Make few files of many: turn inlined rows into files, merge small files, delete events older than `keep`, forget snapshots older than `history`."""
    moment = {"keep": keep}
    if connection.execute("SELECT 1 FROM events WHERE time < $keep LIMIT 1", moment).fetchone():
        connection.execute("DELETE FROM events WHERE time < $keep", moment)
        connection.execute("CALL ducklake_rewrite_data_files('lake')")
    for table in ("events", "rejected"):  # `position` stays inlined: it is one row, written all the time
        connection.execute(f"CALL ducklake_flush_inlined_data('lake', table_name => '{table}')")
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    connection.execute(f"CALL ducklake_expire_snapshots('lake', older_than => TIMESTAMPTZ '{history.isoformat()}')")
    connection.execute(f"CALL ducklake_cleanup_old_files('lake', older_than => TIMESTAMPTZ '{history.isoformat()}')")
    connection.execute(f"CALL ducklake_delete_orphaned_files('lake', older_than => TIMESTAMPTZ '{history.isoformat()}')")


def describe(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Return the lake's tables and views with their columns."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() WHERE database_name = 'lake' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {table: tuple(columns) for table, columns in rows}
