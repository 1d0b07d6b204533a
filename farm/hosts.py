"""A front-end as the deployment sees it: files, commands and services on one machine, local or behind SSH.

Two implementations answer to this one interface, `farm.local.LocalHost` and `farm.ssh.SshHost`; the same contract
test runs against both. Commands are data (tuples of words); only a host turns them into processes, so that quoting
and time-outs live in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePosixPath

Command = tuple[str, ...]
ServiceState = Literal["running", "starting", "stopped", "failed", "unknown"]

MINUTE = timedelta(minutes=1)
TIMED_OUT = 124
"""The status of a command that was ended because its time was up, as timeout(1) has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command gave: its exit status and what it printed."""

    status: int
    out: str = ""
    err: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process that a host keeps running. `name` is unique on the host and safe in a file's name (letters, digits,
    `-`, `.`).

    `environment` may hold secrets: a host writes it where only the service's user can read it. `stop_seconds` is how
    long it may drain after SIGTERM. `nice` lowers its CPU and I/O priority.
    """

    name: str
    command: Command
    directory: PurePosixPath
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 30
    nice: bool = False


class HostLost(Exception):  # noqa: N818 - a state of the world, named as the field names it
    """The host could not be reached, or the connection to it broke; what was under way there may or may not have
    happened.
    """


class Host(Protocol):
    """One front-end. Methods raise `HostLost` where the host can't be reached, and `LowcodeError` where it answers
    that a thing can't be done.

    `root` is the folder that holds everything of the farm on it; `name` is what the user calls it.
    """

    name: str
    root: PurePosixPath

    def run(self, command: Command, *, timeout: timedelta = ..., input: bytes = b"", check: bool = True) -> Outcome:  # noqa: A002
        """Run a command to its end, bounded in time on the host itself. With `check`, a status other than 0 is a
        LowcodeError.
        """
        ...

    def put(self, files: Iterable[tuple[PurePosixPath, bytes, bool]], under: PurePosixPath) -> None:
        """Write files (path, content, executable) under a folder: each complete and verified by hash, or not there at
        all. Files already there with the same hash aren't sent.
        """
        ...

    def read(self, path: PurePosixPath) -> bytes | None:
        """Return a file's content, or None where there is none."""
        ...

    def link(self, target: str, path: PurePosixPath) -> None:
        """Make `path` a symbolic link to `target` in one atomic step, replacing what was there."""
        ...

    def start(self, service: Service) -> None:
        """Define the service and start it; it is started again after a crash and after a reboot. Starting what runs
        with the same definition does nothing.
        """
        ...

    def stop(self, name: str) -> None:
        """Stop a service (SIGTERM, drain, then SIGKILL) and forget it. Stopping what isn't there does nothing."""
        ...

    def status(self, prefix: str = "") -> dict[str, ServiceState]:
        """Return the state of each service whose name starts with `prefix`."""
        ...

    def log(self, name: str, *, lines: int = 50) -> str:
        """Return the last lines that a service printed, also of one that has ended; "" where nothing is known."""
        ...

    def get(self, socket: PurePosixPath, path: str, *, timeout: timedelta = ...) -> tuple[int, bytes]:
        """Make an HTTP GET through a Unix socket on the host; return the status and the body. Status 0: nothing
        answers there.
        """
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


def checked(host: str, command: Command, outcome: Outcome, timeout: timedelta) -> Outcome:
    """Return the outcome of a command that went well; raises LowcodeError, with the reason, of one that did not."""
    if outcome.status == 0:
        return outcome
    said = (outcome.err.strip() or outcome.out.strip()).splitlines()
    why = f": {said[-1]}" if said else ""
    what = (
        f"was not done after {timeout.total_seconds():g} s"
        if outcome.status == TIMED_OUT
        else f"ended with status {outcome.status}"
    )
    raise LowcodeError.of(f"host {host}: `{_shown(command)}` {what}{why}", code="LK670")


def _shown(command: Command) -> str:
    """Return a command as an error shows it: scripts and long arguments are cut."""
    words = (word.strip().partition("\n")[0] for word in command)
    return " ".join(word if len(word) <= 60 else f"{word[:57]}..." for word in words)


def checked_path(path: PurePosixPath) -> PurePosixPath:
    """Return a path that stays below the folder it is put under; raises ValueError of another, or of one with
    characters that sha256sum escapes.
    """
    if path.is_absolute() or ".." in path.parts or not path.parts or any(sign in str(path) for sign in "\n\r\\"):
        raise ValueError(f"not a relative path of plain characters: {str(path)!r}")
    return path
