"""One application twice in this process: as it is written, and optimized; and what each answers to the same requests.

Each twin is a whole generated application, imported under a name of its own, with a schema of its own in one database,
so that nothing is shared but the data that both are given. Requests go through the application's own ASGI stack.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from lowcode_kernel.application import Application
from lowcode_kernel.generators import generation

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from lowcode_kernel.bundle import Bundle
    from tests.differential.requests import Request, Sample

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
Optimizer = "Callable[[Application], Application]"


class _Clock(datetime):
    """The clock of both twins stands still, so that a stored time is the same."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        del tz
        return NOW


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request was answered, and the events that it left, without what differs by nature (ids, times)."""

    status: int
    body: Any
    events: tuple[Any, ...]


@dataclass
class Cost:
    """What an application asked of its database."""

    statements: int = 0
    rows: int = 0


@dataclass
class Observed:
    """All that one twin showed."""

    answers: list[Answer] = field(default_factory=list)
    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    seconds: float = 0.0  # of all requests together


def renamed(app: Application, name: str) -> Application:
    """Return the application under another name: the name of its package and its schema."""
    return Application.of(name, app.title, app.elements)


def unformatted(app: Application) -> Bundle:
    """Generate without the formatter, which changes no meaning and takes most of the time."""
    return generation.generate(app, formatted=False)


class Twin:
    """One generated application, served in this process."""

    def __init__(self, app: Application, folder: Path, url: str) -> None:
        self.app, self.url = app, url
        self.bundle = unformatted(app)
        self.folder = folder / app.name
        self.cost = Cost()  # of the last run
        self.heard: list[Any] = []
        self._write()

    def _write(self) -> None:
        for file in self.bundle.files:
            target = self.folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)

    def _module(self, name: str) -> types.ModuleType:
        return importlib.import_module(f"{self.app.name}.{name}")

    async def prepare(self, connection: asyncpg.Connection[Any], sample: Sample) -> None:
        """Make the schema of this twin, its users, and its rows."""
        name = self.app.name
        await connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
        for change in self.bundle.changes:
            await connection.execute(change.sql)
        await connection.execute(f'SET search_path = "{self.bundle.schema.views}", "{name}"')
        for user in sample.users:
            number = await connection.fetchval(
                "INSERT INTO app_user (email, name, roles, password_hash, active) VALUES ($1, $2, $3, '', true) RETURNING id",
                f"{user.name}@example.com",
                user.name,
                list(user.roles),
            )
            await connection.execute(
                "INSERT INTO app_session (token_hash, app_user, csrf, expires_at) VALUES ($1, $2, 'csrf', now() + interval '1 day')",
                sha256(user.name.encode()).digest(),
                number,
            )
        for statement in sample.rows:
            await connection.execute(statement)
        await connection.execute("RESET search_path")

    async def observe(self, requests: Iterable[Request]) -> Observed:
        """Answer the requests in order, and tell what was answered and what the tables hold at the end."""
        sys.path.insert(0, str(self.folder))
        before = os.environ.get("DATABASE_URL")
        os.environ["DATABASE_URL"] = self.url
        try:
            application = self._module("main").app
            self._module("context").datetime = _Clock  # type: ignore[attr-defined]
            return await self._observed(application, requests)
        finally:
            sys.path.remove(str(self.folder))
            os.environ.pop("DATABASE_URL") if before is None else os.environ.update(DATABASE_URL=before)
            for module in [key for key in sys.modules if key.partition(".")[0] == self.app.name]:
                del sys.modules[module]

    async def _observed(self, application: Any, requests: Iterable[Request]) -> Observed:
        main, sessions = self._module("main"), self._module("sessions")
        config = main._config
        events = main._events
        pool = await self._module("database").open_pool(config)
        self.cost = Cost()
        events.note, events.record = self._noted, self._recorded
        state = application.state
        state.config, state.pool, state.events = config, pool, events
        state.sessions = sessions.Sessions(pool, config.database_url, config.session_hours)
        state.services = self._module("integrations_client").Services(config.integrations)
        found = Observed(cost=self.cost)
        try:
            transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://twin") as client:
                began = perf_counter()
                for request in requests:
                    found.answers.append(await self._answer(client, request))
                found.seconds = perf_counter() - began
            for table in self.bundle.schema.tables:
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                rows = await pool.fetch(f'SELECT {columns} FROM "{table.name}" ORDER BY {columns}')
                found.tables[table.name] = [tuple(row) for row in rows]
        finally:
            await state.services.close()
            await pool.close()
        return found

    async def _answer(self, client: httpx.AsyncClient, request: Request) -> Answer:
        self.heard = []
        answer = await client.request(
            request.method,
            request.path,
            params=request.parameters or None,
            json=request.arguments if request.method != "GET" else None,
            headers={"X-CSRF-Token": "csrf", "Cookie": f"{self.app.name}_session={request.user}"},
        )
        body = answer.json() if answer.content else None
        if isinstance(body, dict):
            body.pop("trace", None)
        return Answer(answer.status_code, body, tuple(self.heard))

    def _noted(
        self,
        kind: str,
        _trace: str,
        element: str,
        outcome: str,
        _ms: float,
        user: str | None,
        attributes: dict[str, Any],
    ) -> None:
        if kind == "query":
            self.cost.statements += 1
            self.cost.rows += attributes.get("db.response.returned_rows", 0)
        else:
            self.heard.append((kind, element, outcome, user, self._plain(attributes)))

    async def _recorded(
        self, kind: str, _trace: str, element: str, outcome: str, user: str | None, attributes: dict[str, Any]
    ) -> None:
        self.heard.append((kind, element, outcome, user, self._plain(attributes)))

    def _plain(self, attributes: dict[str, Any]) -> tuple[Any, ...]:
        """Leave out what tells where in the code an error happened: that may differ, what happened may not."""
        return tuple((key, repr(value)) for key, value in attributes.items() if not key.startswith("exception.stack"))


async def observed(
    app: Application, optimizer: Callable[[Application], Application], sample: Sample, folder: Path, url: str
) -> tuple[Observed, Observed]:
    """Run a sample's requests against the application as it is, and against what the optimizer makes of it."""
    twins = (Twin(renamed(app, "plain"), folder, url), Twin(renamed(optimizer(app), "tuned"), folder, url))
    connection = await asyncpg.connect(url)
    try:
        for twin in twins:
            await twin.prepare(connection, sample)
        plain, tuned = [await twin.observe(sample.requests) for twin in twins]
    finally:
        for twin in twins:
            for schema in (twin.app.name, twin.bundle.schema.views):
                await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        await connection.close()
    return plain, tuned


def difference(plain: Observed, tuned: Observed, requests: Iterable[Request]) -> str:
    """Return the first difference in words, or ""."""
    for request, one, other in zip(requests, plain.answers, tuned.answers, strict=True):
        if one != other:
            return f"{request}\n  as written: {one}\n  optimized:  {other}"
    for table, rows in plain.tables.items():
        if tuned.tables.get(table) != rows:
            return f"table {table}\n  as written: {rows}\n  optimized:  {tuned.tables.get(table)}"
    return ""


def without_tests(app: Application) -> Application:
    """Return the application without its `%%test` cells, which are no part of what is served."""
    return replace(app, elements=tuple(element for element in app.elements if element.kind != "test"))
