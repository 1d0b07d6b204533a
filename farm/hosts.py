"""A front-end as the deployment sees it: files, commands and services on one machine, local or behind SSH.

Two implementations answer to this one interface, `farm.local.LocalHost` and `farm.ssh.SshHost`; the same contract test runs against both. Commands are data
(tuples of words); only a host turns them into processes, so that quoting and time-outs live in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Command = tuple[str, ...]
ServiceState = Literal["running", "starting", "stopped", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command gave: its exit status and what it printed."""

    status: int
    out: str = ""
    err: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process that a host keeps running. `name` is unique on the host and safe in a file's name (letters, digits, `-`, `.`).

    `environment` may hold secrets: a host writes it where only the service's user can read it. `stop_seconds` is how long it may drain after SIGTERM.
    `nice` lowers its CPU and I/O priority.
    """

    name: str
    command: Command
    directory: PurePosixPath
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 30
    nice: bool = False


class HostLost(Exception):  # noqa: N818 - a state of the world, named as the field names it
    """The host could not be reached, or the connection to it broke; what was under way there may or may not have happened."""


class Host(Protocol):
    """One front-end. Methods raise `HostLost` where the host can't be reached, and `LowcodeError` where it answers that a thing can't be done.

    `root` is the folder that holds everything of the farm on it; `name` is what the user calls it.
    """

    name: str
    root: PurePosixPath

    def run(self, command: Command, *, timeout: timedelta = ..., input: bytes = b"", check: bool = True) -> Outcome:  # noqa: A002
        """Run a command to its end, bounded in time on the host itself. With `check`, a status other than 0 is a LowcodeError."""
        ...

    def put(self, files: Iterable[tuple[PurePosixPath, bytes, bool]], under: PurePosixPath) -> None:
        """Write files (path, content, executable) under a folder: each complete and verified by hash, or not there at all. Files already there with the same hash aren't sent."""
        ...

    def read(self, path: PurePosixPath) -> bytes | None:
        """Return a file's content, or None where there is none."""
        ...

    def link(self, target: str, path: PurePosixPath) -> None:
        """Make `path` a symbolic link to `target` in one atomic step, replacing what was there."""
        ...

    def start(self, service: Service) -> None:
        """Define the service and start it; it is started again after a crash and after a reboot. Starting what runs with the same definition does nothing."""
        ...

    def stop(self, name: str) -> None:
        """Stop a service (SIGTERM, drain, then SIGKILL) and forget it. Stopping what isn't there does nothing."""
        ...

    def status(self, prefix: str = "") -> dict[str, ServiceState]:
        """Return the state of each service whose name starts with `prefix`."""
        ...

    def get(self, socket: PurePosixPath, path: str, *, timeout: timedelta = ...) -> tuple[int, bytes]:
        """Make an HTTP GET through a Unix socket on the host; return the status and the body. Status 0: nothing answers there."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...
