"""The door to psycopg: short conversations with PostgreSQL that belong to no table of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from lowcode_kernel.farm.environments import Environment, Secret

CONNECT_SECONDS = 10


def connect(url: Secret, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection; raises LowcodeError, without the password, where the server can't be reached or refuses."""
    import psycopg  # here, so that planning and `import lowcode_kernel.farm` stay light

    try:
        return psycopg.connect(url.reveal(), autocommit=autocommit, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        where = urlsplit(url.reveal())
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise LowcodeError.of(
            f"database {where.path.lstrip('/')} at {_place(url)} does not answer: {reason}",
            "look at the address and the password of the environment",
            code="LK610",
        ) from None


def _place(url: Secret) -> str:
    """The address of a server without its user and password."""
    parts = urlsplit(url.reveal())
    host = parts.hostname or parts.query.removeprefix("host=")
    return urlunsplit(("", "", f"{host}:{parts.port}" if parts.port else host, "", ""))


def query(
    url: Secret, statement: LiteralString | psycopg.sql.Composed, parameters: Mapping[str, object] | None = None, *, autocommit: bool = False
) -> list[tuple[Any, ...]]:
    """Run one statement in a connection of its own; return its rows, or nothing where it has none."""
    with connect(url, autocommit=autocommit) as connection:
        cursor = connection.execute(statement, parameters)
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
    statement = psycopg.sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
        psycopg.sql.Identifier(name)
    )
    with connect(environment.database_url("postgres"), autocommit=True) as connection:
        try:
            connection.execute(statement)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another controller was quicker
        except psycopg.errors.InsufficientPrivilege:
            raise LowcodeError.of(
                f"database {name} is not there and this user may not create it",
                f"CREATE DATABASE {name}, or grant CREATEDB",
                code="LK611",
            ) from None


def revision_of(url: Secret, schema: str) -> str | None:
    """Return the Alembic revision that a database is at, or None where it has none. Its table lies in schema `schema`."""
    import psycopg

    table = psycopg.sql.Identifier(schema, "alembic_version")
    if query(url, "SELECT to_regclass(%(name)s)", {"name": table.as_string()})[0][0] is None:
        return None
    revisions = query(url, psycopg.sql.SQL("SELECT version_num FROM {}").format(table))
    return str(revisions[0][0]) if revisions else None


def drop_broken_indexes(url: Secret, schema: str) -> list[str]:
    """Drop what a concurrent index creation that failed left behind, so that it can be tried again; return the names.

    Source: PostgreSQL manual, CREATE INDEX, "Building Indexes Concurrently".
    """
    import psycopg

    found = query(
        url,
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND n.nspname = %(schema)s",
        {"schema": schema},
    )
    with connect(url, autocommit=True) as connection:
        for (name,) in found:
            drop = psycopg.sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}")
            connection.execute(drop.format(psycopg.sql.Identifier(schema, name)))
    return [name for (name,) in found]
