"""A generated application in this process, on a database of its own: what its modules give, asked directly."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg

from lowcode_kernel.evolution import evolve
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.relational import schema_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from lowcode_kernel.application import Application
    from tests.database.conftest import Database


@dataclass(frozen=True)
class Running:
    """The application's package and its database; `search_path` is what its statements run with."""

    name: str
    url: str
    search_path: str

    def module(self, path: str) -> Any:
        """Return a module of the generated application."""
        return importlib.import_module(f"{self.name}.{path}")

    def ask(self, question: Callable[[Any], Awaitable[Any]], *, user: tuple[int, set[str]] | None = None) -> Any:
        """Return what a coroutine gives that asks with a context: a job's, or that of a user with an id and roles."""
        return asyncio.run(self._asked(question, user))

    async def _asked(self, question: Callable[[Any], Awaitable[Any]], user: tuple[int, set[str]] | None) -> Any:
        context = self.module("context")
        connection = await asyncpg.connect(self.url, server_settings={"search_path": self.search_path})
        await self.module("database")._prepare_connection(connection)
        known = context.User(id=user[0], name="", email="", roles=frozenset(user[1])) if user else None
        try:
            return await question(context.Context(connection, _Silent(), None, None, known, "trace"))
        finally:
            await connection.close()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement on the views, with `$1` for values."""
        with psycopg.connect(self.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
            connection.execute(f"SET search_path = {self.search_path}".encode())
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


class _Silent:
    """Events go nowhere."""

    def note(self, *event: object) -> None:
        """Take one event."""


@contextmanager
def running(app: Application, database: Database, folder: Path) -> Iterator[Running]:
    """Give an application as it is generated, with its tables in an empty database."""
    schema, changes, _ = evolve(None, schema_of(app))
    database.run(*(change.sql for change in changes))
    write_bundle(generate(app), folder)
    sys.path.insert(0, str(folder))
    try:
        yield Running(app.name, database.url, f"{schema.views}, {app.name}")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == app.name]:
            del sys.modules[name]
