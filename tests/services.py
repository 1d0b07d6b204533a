"""PostgreSQL and NATS for a suite of its own, as an environment; what the suites of scheduler and logs stand on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.farm.environments import Environment, Secret
from tests.postgres import local_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lowcode_kernel.farm.hosts import Service


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Nats:
    """A nats-server that can be killed and started again on its files."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it says that it is ready."""
        program = Path(sys.executable).with_name("nats-server")
        command = (program, "-js", "-sd", self.folder, "-a", "127.0.0.1", "-p", str(self.port))
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if b"Server is ready" in line:
                break
        os.set_blocking(self.process.stderr.fileno(), False)

    def kill(self) -> None:
        """Kill it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@dataclass(frozen=True, slots=True)
class Services:
    """What runs, and the environment that is made of it."""

    environment: Environment
    nats: Nats


@contextmanager
def services() -> Iterator[Services]:
    """Run PostgreSQL, with a password on TCP, and NATS; give an environment of them."""
    with tempfile.TemporaryDirectory(prefix="lowcode-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        nats = Nats(folder / "nats", free_port())
        nats.start()
        try:
            with local_server(folder / "postgres", free_port()) as url:
                environment = Environment(
                    name="test",
                    home=folder,
                    server=Secret(url),
                    queue_url=nats.url,
                    lake_path=str(folder / "lake") + "/",
                )
                yield Services(environment, nats)
        finally:
            nats.kill()


def start(service: Service, variables: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a service as a host would, in a process group of its own."""
    environment = {**os.environ, **service.environment, **(variables or {})}
    return subprocess.Popen(service.command, cwd=service.directory, env=environment, start_new_session=True)


@contextmanager
def running(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service; it is told to stop at the end."""
    process = start(service)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Stop a process as a host does, and return its status."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
