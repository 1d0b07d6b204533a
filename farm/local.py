"""A host of the development environment: a folder on this machine, whose services run under the environment's
supervisord.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lowcode_kernel.farm import unix_http
from lowcode_kernel.farm.embedded.files import disk_fault, sync_folder, write_whole
from lowcode_kernel.farm.embedded.supervisor import Program, base_environment
from lowcode_kernel.farm.embedded.web import DEFAULT
from lowcode_kernel.farm.hosts import MINUTE, TIMED_OUT, Command, Outcome, Service, ServiceState, checked, checked_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from lowcode_kernel.farm.embedded.supervisor import Supervisor
    from lowcode_kernel.farm.environments import HostAddress

NOT_FOUND, NOT_EXECUTABLE = 127, 126
GRACE_SECONDS = 5.0


class LocalHost:
    """The host interface on this machine."""

    def __init__(self, address: HostAddress, supervisor: Supervisor) -> None:
        self.name = address.name
        self.root = address.root
        self._supervisor = supervisor

    def run(self, command: Command, *, timeout: timedelta = MINUTE, input: bytes = b"", check: bool = True) -> Outcome:  # noqa: A002
        """Run a command in a process group of its own; when time is up the whole group ends, and the status is 124,
        as timeout(1) has it.
        """
        outcome = _run(command, timeout.total_seconds(), input)
        return checked(self.name, command, outcome, timeout) if check else outcome

    def put(self, files: Iterable[tuple[PurePosixPath, bytes, bool]], under: PurePosixPath) -> None:
        """Write files below a folder, each whole and on the disk."""
        folders = {Path(under)}
        try:
            for path, content, executable in files:
                target = Path(under) / checked_path(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
                _write(target, content, 0o755 if executable else 0o644)
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                sync_folder(folder)
        except OSError as error:
            raise disk_fault(error, Path(under)) from error

    def read(self, path: PurePosixPath) -> bytes | None:
        """Return a file's content, None where there is none."""
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_fault(error, Path(path)) from error

    def link(self, target: str, path: PurePosixPath) -> None:
        """Make a symbolic link, replacing one at once. The first application that is switched to here becomes the one
        that answers where none is named.
        """
        place = Path(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(target, place)
            if (
                path.name == "current.sock"
                and path.parent.parent.parent == self.root
                and not (Path(self.root) / DEFAULT).is_symlink()
            ):
                _link(path.parent.parent.name, Path(self.root) / DEFAULT)
        except OSError as error:
            raise disk_fault(error, place) from error

    def start(self, service: Service) -> None:
        """Start a service under supervisord."""
        self._supervisor.start(
            Program(
                name=self._name(service.name), command=service.command, directory=Path(service.directory),
                environment=service.environment, stop_seconds=service.stop_seconds, nice=service.nice,
            )
        )  # fmt: skip

    def stop(self, name: str) -> None:
        """Stop a service and forget it."""
        self._supervisor.stop(self._name(name))

    def status(self, prefix: str = "") -> dict[str, ServiceState]:
        """Return the state of each service here; nothing where supervisord does not run."""
        if not self._supervisor.is_alive():
            return {}
        own = self._name("")
        found = {
            service.name: service.state
            for service in self._supervisor.services()
            if service.name.startswith(own + prefix)
        }
        return {name.removeprefix(own): state for name, state in sorted(found.items())}

    def log(self, name: str, *, lines: int = 50) -> str:
        """Return the last lines that a service printed."""
        return self._supervisor.log(self._name(name), lines)

    def get(self, socket: PurePosixPath, path: str, *, timeout: timedelta = MINUTE) -> tuple[int, bytes]:
        """Make an HTTP GET through a Unix socket."""
        return unix_http.get(str(socket), path, timeout.total_seconds())

    def close(self) -> None:
        """Nothing is held."""

    def _name(self, service: str) -> str:
        return f"{self.name}.{service}"


def _run(command: Command, seconds: float, given: bytes) -> Outcome:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=base_environment(),
            cwd=Path.home(),
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(
            status=NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE,
            err=f"{command[0]}: {error.strerror}",
        )
    with process:
        try:
            out, err = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            out, err = _end_group(process)
            return Outcome(status=TIMED_OUT, out=_text(out), err=_text(err))
    return Outcome(status=process.returncode, out=_text(out), err=_text(err))


def _end_group(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """End a command and all that it started: SIGTERM, and SIGKILL to what stays."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=GRACE_SECONDS)
    _kill_group(process.pid)
    return process.communicate()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _write(target: Path, content: bytes, mode: int) -> None:
    """Write a file unless it is there with this content."""
    if target.is_file() and target.read_bytes() == content:
        target.chmod(mode)
        return
    write_whole(target, content, mode=mode)


def _link(target: str, place: Path) -> None:
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    draft.symlink_to(target)
    try:
        draft.rename(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
