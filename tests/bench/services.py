"""The services that are compared: each an ordinary process on a port of its own, with the same cases."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.bench.flights import DAY, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
CASES = ("a day, 300 rows", "20 rows")
POOL_SIZE = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service: the address of each case, and what every request carries (a session's cookie)."""

    name: str
    addresses: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(address: str, headers: Mapping[str, str]) -> bytes:
    """Return the body of one answer; anything but 200 is an error."""
    request = urllib.request.Request(address, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
        return body


@contextmanager
def running(command: tuple[str, ...], ready: str, directory: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Run a service's command until the block ends; enter it when `ready` answers."""
    with tempfile.TemporaryFile() as log:  # not a pipe: an application that writes its events there would fill it
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _await(process, ready, log)
            yield
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
    granian = (sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--port", str(port), "--workers", "1")
    base = f"http://127.0.0.1:{port}/departures?origin={ORIGIN}&day={DAY}"
    variables = {"DATABASE_URL": database_url, "POOL_SIZE": POOL_SIZE}
    with running((*granian, "tests.bench.peer:app"), base, ROOT, variables):
        yield Service(name="peer", addresses=dict(zip(CASES, (base, f"{base}&limit=20"), strict=True)))


@contextmanager
def start_generated(database_url: str, folder: Path) -> Iterator[Service | None]:
    """Run the generated flight desk, on the same database, or give None while there is no generator to make it.

    To complete: generate the tour's bundle into `folder` with one more query of 20 rows, run its upgrade on
    `database_url`, fill `flightdesk.airline`, `airport` and `flight` from `tests.bench.flights` (`names`, `rows`), add
    a user by `python -m flightdesk.users add`, sign in, and start it by the documented command with `POOL_SIZE`. Each
    address is that of a screen's data (`/api/screens/departures?origin=JFK&day=...`), its headers the session's cookie.
    """
    del database_url, folder
    yield None
