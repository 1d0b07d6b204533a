"""The tour's flight desk, generated and served by two processes on one database and one queue: what the suite of a
generated application stands on.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import nats
import psycopg
from nats.js.api import DiscardPolicy, StreamConfig

from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.notebook import read_notebook
from tests.postgres import local_server
from tests.services import Nats, free_port, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.bundle import Bundle

TOUR = Path(__file__).parents[1] / "notebooks" / "00_tour.ipynb"
ROWS = """
INSERT INTO flightdesk.airline (code, name) VALUES ('UA', 'United'), ('DL', 'Delta');
INSERT INTO flightdesk.airport (code, name, latitude, longitude, altitude)
    VALUES ('EWR', 'Newark', 40, -74, 10), ('JFK', 'Kennedy', 40, -73, 13), ('LGA', 'La Guardia', 40, -73, 22);
INSERT INTO flightdesk.flight (carrier, number, origin, destination, departs_at, departure_delay, distance)
    VALUES ('UA', 1, 'EWR', 'JFK', '2013-02-08 10:00+00', 20, 100), ('DL', 2, 'EWR', 'LGA', '2013-02-08 11:00+00', NULL, 90);
"""


def bundle_of_the_tour() -> Bundle:
    """Return the bundle of the tour's notebook."""
    return generate(optimize(read_notebook(TOUR).application).application)


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


class Client(httpx.Client):
    """A browser with its cookies and, once signed in, the session's token."""

    def sign_in(self, email: str, password: str) -> httpx.Response:
        answer = self.post("/session", json={"email": email, "password": password})
        if answer.status_code == 200:
            self.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return answer

    def run(self, action: str, **arguments: object) -> httpx.Response:
        return self.post(f"/api/actions/{action}", json=arguments)


@dataclass(frozen=True, slots=True)
class Desk:
    """Two processes of one release, and what they share."""

    folder: Path
    database_url: str
    addresses: tuple[str, str]
    nats: Nats
    spool: Path

    def environment(self) -> dict[str, str]:
        given = {"DATABASE_URL": self.database_url, "NATS_URL": self.nats.url, "SPOOL_DIRECTORY": str(self.spool)}
        return {**os.environ, **given, "RELEASE": "test", "HOST_NAME": "fe1", "COOKIE_SECURE": "0", "POOL_SIZE": "4"}

    def python(self, *words: str) -> str:
        """Run a module of the application, and return what it says."""
        command = (sys.executable, "-m", *words)
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add_user(self, email: str, *roles: str) -> str:
        """Add a user, and return the password."""
        words = [word for role in roles for word in ("--role", role)]
        return self.python("flightdesk.users", "add", email, "--name", email.partition("@")[0], *words).split()[-1]

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement on the tables."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments)
            return cursor.fetchall() if cursor.description else []

    def client(self, process: int = 0) -> Client:
        """Return a new browser at one of the processes."""
        return Client(base_url=self.addresses[process], timeout=20)

    @contextmanager
    def user(self, email: str, *roles: str) -> Iterator[Client]:
        """Give the browser of a new user who is signed in."""
        with self.client() as client:
            assert client.sign_in(email, self.add_user(email, *roles)).status_code == 200
            yield client

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return all events of a kind that the queue has."""
        return asyncio.run(_read(self.nats.url, f"events.flightdesk.{kind}"))


async def _read(url: str, subject: str) -> list[dict[str, Any]]:
    client = await nats.connect(url)
    stream, events, sequence = client.jetstream(), [], 1
    last = (await stream.stream_info("EVENTS")).state.last_seq
    while sequence <= last:
        message = await stream.get_msg("EVENTS", sequence)
        sequence += 1
        if message.subject == subject:
            events += msgspec.json.decode(message.data or b"[]")
    await client.close()
    return events


async def _make_stream(url: str) -> None:
    client = await nats.connect(url)
    await client.jetstream().add_stream(StreamConfig(name="EVENTS", subjects=["events.>"], discard=DiscardPolicy.NEW))
    await client.close()


@contextmanager
def desk() -> Iterator[Desk]:
    """Serve the flight desk."""
    with tempfile.TemporaryDirectory(prefix="lowcode-desk-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        queue = Nats(folder / "nats", free_port())
        queue.start()
        stack.callback(queue.kill)
        asyncio.run(_make_stream(queue.url))
        server = stack.enter_context(local_server(folder / "postgres", free_port()))
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE flightdesk")
        ports = free_port(), free_port()
        first, second = (f"http://127.0.0.1:{port}" for port in ports)
        made = Desk(folder / "app", f"{server}/flightdesk", (first, second), queue, folder / "spool")
        write_bundle(bundle_of_the_tour(), made.folder)
        made.python("alembic", "-c", "upgrade/alembic.ini", "upgrade", "head")
        made.sql(ROWS)
        for port in ports:
            process = serve(made, port, folder / f"log{port}")
            stack.callback(stop, process)
        yield made


def serve(desk: Desk, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start one process by the documented command, and return when it is ready."""
    command = ("./start", "--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as file:
        environment = {**desk.environment(), "PYTHON": sys.executable}
        process = subprocess.Popen(
            command, cwd=desk.folder, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    eventually(lambda: _is_ready(f"http://127.0.0.1:{port}") or process.poll() is not None, 60)
    assert process.poll() is None, log.read_text()
    return process


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
