"""The services that are compared: each an ordinary process on a port of its own, with the same cases."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lowcode_kernel.farm import queue
from tests.bench import flightdesk
from tests.bench.flights import DAY, ORIGIN
from tests.services import Nats, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
CASES = {"a day, 300 rows": 1000, "20 rows": 20}  # and the limit that each asks with
POOL_SIZE = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service: its process, the address of each case, and what every request carries (a session's cookie)."""

    name: str
    process: int
    addresses: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


def fetch(address: str, headers: Mapping[str, str]) -> bytes:
    """Return the body of one answer; anything but 200 is an error."""
    request = urllib.request.Request(address, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
        return body


@contextmanager
def running(command: tuple[str, ...], ready: str, directory: Path, variables: Mapping[str, str]) -> Iterator[int]:
    """Run a service's command until the block ends; enter it, with the process' id, when `ready` answers."""
    with tempfile.TemporaryFile() as log:  # not a pipe: an application that writes its events there would fill it
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _await(process, ready, log)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(process: subprocess.Popen[bytes], ready: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            fetch(ready, {})
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                said = log.read().decode(errors="replace")[-2000:]
                raise OSError(f"{ready} does not answer: {error}\n{said}") from error
            time.sleep(0.05)
        else:
            return


@contextmanager
def start_peer(database_url: str) -> Iterator[Service]:
    """Run the hand-written service."""
    port = free_port()
    granian = (sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--workers", "1", "--port", str(port))
    base = f"http://127.0.0.1:{port}/departures?origin={ORIGIN}&day={DAY}"
    variables = {"DATABASE_URL": database_url, "POOL_SIZE": POOL_SIZE}
    with running((*granian, "tests.bench.peer:app"), base, ROOT, variables) as process:
        addresses = {case: f"{base}&limit={limit}" for case, limit in CASES.items()}
        yield Service(name="peer", process=process, addresses=addresses)


@contextmanager
def start_generated(database_url: str, folder: Path) -> Iterator[Service]:
    """Run the generated flight desk by its own command on the same database and rows, with a user who is signed in and
    a queue that takes its events; afterwards the queue must have some.
    """
    flightdesk.write(folder / "app")
    port, events = free_port(), Nats(folder / "queue", free_port())
    given = {"DATABASE_URL": database_url, "POOL_SIZE": POOL_SIZE, "NATS_URL": events.url, "PYTHON": sys.executable}
    variables = {**given, "SPOOL_DIRECTORY": str(folder / "spool"), "RELEASE": "bench", "HOST_NAME": "fe1"}
    password = flightdesk.prepare(folder / "app", database_url, variables)
    base = f"http://127.0.0.1:{port}"
    events.start()
    try:
        asyncio.run(_messages(events.url))
        command = ("./start", "--host", "127.0.0.1", "--port", str(port))
        with running(command, f"{base}/readyz", folder / "app", variables) as process:
            screen = f"{base}/api/screens/bench?code={ORIGIN}&day={DAY}"
            addresses = {case: f"{screen}&limit={limit}" for case, limit in CASES.items()}
            cookie = {"Cookie": _sign_in(base, password)}
            yield Service(name="generated", process=process, addresses=addresses, headers=cookie)
        if not asyncio.run(_messages(events.url)):
            raise OSError("the generated application sent no events: it was not measured with events on")
    finally:
        events.kill()


def _sign_in(base: str, password: str) -> str:
    """Return the session's cookie."""
    body = json.dumps({"email": flightdesk.EMAIL, "password": password}).encode()
    request = urllib.request.Request(f"{base}/session", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["Set-Cookie"]).partition(";")[0]


async def _messages(url: str) -> int:
    """Return how many messages the stream of events has; it is made where it is missing."""
    connection = await queue.connect(url)
    try:
        found = await (await queue.ensure_stream(connection)).stream_info(queue.STREAM)
        return int(found.state.messages)
    finally:
        await connection.close()
