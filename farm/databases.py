"""The door to psycopg: short conversations with PostgreSQL that belong to no table of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from lowcode_kernel.farm.environments import Environment, Secret

CONNECT_SECONDS = 10
ROWS = """
SELECT c.relname, greatest(c.reltuples, s.n_live_tup, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
BROKEN_INDEXES = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname = %(schema)s
"""


def connect(url: Secret, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection; raises LowcodeError, without the password, where the server can't be reached or refuses."""
    import psycopg  # here, so that planning and `import lowcode_kernel.farm` stay light

    try:
        return psycopg.connect(url.reveal(), autocommit=autocommit, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fact = f"the database {_place(url)} does not answer: {lines[-1]}"
        hint = "look at the environment's database address and password"
        raise LowcodeError.of(fact, hint, code="LK610") from None


def _place(url: Secret) -> str:
    """Return a URL's database and server, without user and password."""
    parts = urlsplit(url.reveal())
    server = parts.hostname or parts.query.removeprefix("host=")
    return f"{parts.path.lstrip('/')} at {server}" + (f":{parts.port}" if parts.port else "")


def query(
    url: Secret, statement: str, parameters: Mapping[str, object] | None = None, *, autocommit: bool = False
) -> list[tuple[Any, ...]]:
    """Run one statement in a connection of its own; return its rows, or nothing where it has none."""
    with connect(url, autocommit=autocommit) as connection:
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def database_exists(environment: Environment, name: str) -> bool:
    """Say whether the environment's server has database `name`."""
    sql = "SELECT 1 FROM pg_database WHERE datname = %(name)s"
    return bool(query(environment.database_url("postgres"), sql, {"name": name}))


def ensure_database(environment: Environment, name: str) -> None:
    """Create database `name` where it is missing. Two at once are both content."""
    import psycopg

    if database_exists(environment, name):
        return
    statement = f"CREATE DATABASE {identifier(name)} ENCODING 'UTF8' TEMPLATE template0"
    try:
        query(environment.database_url("postgres"), statement, autocommit=True)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another controller was quicker
    except psycopg.errors.InsufficientPrivilege:
        fact = f"database {name} is not there and this user may not create it"
        raise LowcodeError.of(fact, "create it, or grant CREATEDB", code="LK611") from None


def has_table(url: Secret, schema: str, table: str) -> bool:
    """Say whether a database has a table."""
    name = f"{identifier(schema)}.{identifier(table)}"
    return query(url, "SELECT to_regclass(%(name)s)", {"name": name})[0][0] is not None


def revision_of(url: Secret, schema: str) -> str | None:
    """Return the Alembic revision that a database is at, None where it has none; its table lies in `schema`."""
    if not has_table(url, schema, "alembic_version"):
        return None
    found = query(url, f"SELECT version_num FROM {identifier(schema)}.alembic_version")  # noqa: S608 - quoted
    return str(found[0][0]) if found else None


def rows_of(url: Secret, schema: str) -> dict[str, int]:
    """Estimate the rows of each table of a schema.

    The planner's estimate is -1 until a table was analyzed; the statistics count what was written since they began.
    """
    return {table: int(rows) for table, rows in query(url, ROWS, {"schema": schema})}


def schemas_of(url: Secret) -> frozenset[str]:
    """Return the names of a database's schemas: a version's views are there where its schema is."""
    return frozenset(name for (name,) in query(url, "SELECT nspname FROM pg_namespace"))


def drop_broken_indexes(url: Secret, schema: str) -> None:
    """Drop what a concurrent index creation that failed left behind, so that it can be tried again.

    Source: PostgreSQL manual, CREATE INDEX, "Building Indexes Concurrently".
    """
    for (name,) in query(url, BROKEN_INDEXES, {"schema": schema}):
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {identifier(schema)}.{identifier(name)}"
        query(url, drop, autocommit=True)
