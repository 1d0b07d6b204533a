"""One supervisord for everything of a development environment: the door to the package supervisor.

It is controlled over XML-RPC through its Unix socket. A service is two files under `services/`: `<name>.json`, all of
it, for `launch`; and `<name>.conf`, what supervisord must know, without paths or secrets of the user (its format
would need escapes for both).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lowcode_kernel.farm.embedded.files import is_locked, last_lines, share_folder, try_lock, write_whole
from lowcode_kernel.farm.embedded.processes import await_exit, end_processes
from lowcode_kernel.farm.unix_http import UnixConnection
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lowcode_kernel.farm.hosts import ServiceState

MARK = "LOWCODE_SUPERVISOR"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RPC_SECONDS = 15.0
BOOT_SECONDS = 30.0
GONE_SECONDS = 10.0
STRAY_SECONDS = 5.0
NOT_WAITING = False

BAD_NAME, NOT_RUNNING, ALREADY_STARTED, STILL_RUNNING, ALREADY_ADDED, CANT_REREAD = 10, 70, 60, 91, 90, 92

STATES: dict[str, ServiceState] = {
    "RUNNING": "running", "STOPPING": "running", "STARTING": "starting", "STOPPED": "stopped",
    "BACKOFF": "failed", "EXITED": "failed", "FATAL": "failed",
}  # fmt: skip

INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "UV_CACHE_DIR",
)

CONFIGURATION = """\
[supervisord]
logfile = logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
childlogdir = logs
nocleanup = true
pidfile = supervisor.pid

[unix_http_server]
file = %(ENV_LOWCODE_RUN)s/supervisor.sock
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = services/*.conf
"""

# startsecs: a process that dies within a second is started again with growing pauses (else at once), and given up
# after startretries
PROGRAM = """\
[program:{name}]
command = %(ENV_LOWCODE_LAUNCH)s services/{name}.json {digest}
autostart = false
autorestart = unexpected
startsecs = 1
startretries = 10
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 1
priority = {priority}
"""


def base_environment() -> dict[str, str]:
    """Return what every process on this machine gets: paths and locale. The notebook's own variables (PYTHONPATH,
    PG*, VIRTUAL_ENV) stay out.
    """
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A service as supervisord runs it. `user` is the (user, group) to become, None for our own."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None
    stop_signal: str = "SIGTERM"
    stop_seconds: int = 30
    nice: bool = False
    priority: int = 500

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"a service's name holds letters, digits, '.', '_' and '-': {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What supervisord says of a service."""

    name: str
    state: ServiceState
    pid: int


class _Transport(xmlrpc.client.Transport):
    """XML-RPC through a Unix socket, one connection for each call: supervisord closes idle ones, and we have several
    processes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def make_connection(self, host: Any) -> UnixConnection:
        connection = UnixConnection(self.path, RPC_SECONDS)
        self._connection = (host, connection)  # what `close` closes
        return connection


class Supervisor:
    """The supervisord of one state folder; `run` is the folder of its socket."""

    def __init__(self, folder: Path, run: Path) -> None:
        self.folder = folder
        self.run = run

    # --- its own life

    def is_alive(self) -> bool:
        """Say whether a supervisord runs for this folder, whatever became of its socket."""
        return is_locked(self.folder / "supervisor.lock")

    def boot(self) -> None:
        """Start supervisord; when this returns, it answers. Services that are defined are known to it, and stopped.
        The caller holds `start.lock`.
        """
        for folder in ("logs", "services"):
            (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        write_whole(self.folder / "supervisord.conf", CONFIGURATION.encode())
        (self.run / "supervisor.sock").unlink(missing_ok=True)
        lock = try_lock(self.folder / "supervisor.lock")
        if lock is None:
            raise LowcodeError.of("supervisord is being started by another process", "try again", code="LK644")
        shared = share_folder(self.run)
        try:
            self._spawn((lock, shared))
        finally:
            os.close(lock)
            os.close(shared)

    def _spawn(self, locks: tuple[int, ...]) -> None:
        """Run supervisord until it has become a daemon: that is after its socket listens. The locks go with it."""
        # -P: a supervisor.py in the notebook's folder is not the one meant
        command = [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(self.folder / "supervisord.conf")]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=self._environment(), pass_fds=locks, umask=0o077,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise _did_not_start(self.folder, f"not ready after {BOOT_SECONDS:.0f} s") from None
        if done.returncode:
            raise _did_not_start(self.folder, (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:])

    def _environment(self) -> dict[str, str]:
        launch = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
        own = {"LOWCODE_RUN": str(self.run), "LOWCODE_LAUNCH": shlex.join(launch)}
        return base_environment() | own

    def shut_down(self) -> None:
        """Stop the applications' services, then ours, then supervisord."""
        pid = self.pid()
        with suppress(LowcodeError):
            names = [service.name for service in self.services()]
            self._halt(*(name for name in names if "." in name))
            self._halt(*(name for name in names if "." not in name))
            self._call("shutdown")
        if pid is not None:
            end_processes((pid,), patience=GONE_SECONDS, first=None)
        self.clear_strays()

    def pid(self) -> int | None:
        """Return the process of the living supervisord."""
        if not self.is_alive():
            return None
        with suppress(OSError, ValueError):
            return int((self.folder / "supervisor.pid").read_text())
        return None

    def end(self) -> None:
        """End a supervisord that does not answer, and everything that it left."""
        if (pid := self.pid()) is not None:
            end_processes((pid,), patience=2.0)
        self.clear_strays()

    def clear_strays(self) -> None:
        """End processes of this folder that outlived their supervisord."""
        if not self.is_alive():
            end_processes(tuple(self._strays()), patience=STRAY_SECONDS)

    def _strays(self) -> Iterator[int]:
        mark = f"{MARK}={self.folder}".encode()
        for entry in Path("/proc").glob("[0-9]*/environ"):  # none where there is no /proc
            with suppress(OSError):
                if mark in entry.read_bytes().split(b"\0"):
                    yield int(entry.parent.name)

    # --- its services

    def define(self, program: Program) -> bool:
        """Write down a service; say whether that changed it."""
        content = self._definition(program)
        path = self.folder / "services" / f"{program.name}.json"
        if path.exists() and path.read_bytes() == content:
            return False
        text = PROGRAM.format(
            name=program.name, digest=sha256(content).hexdigest()[:12],
            stop_signal=program.stop_signal.removeprefix("SIG"),
            stop_seconds=program.stop_seconds, priority=program.priority,
        )  # fmt: skip
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path.with_suffix(".conf"), text.encode())
        write_whole(path, content)  # last: it is what says that both are there
        return True

    def _definition(self, program: Program) -> bytes:
        environment = base_environment() | dict(program.environment) | {MARK: str(self.folder)}
        definition = {
            "command": program.command, "directory": str(program.directory), "environment": environment,
            "user": program.user, "stop_signal": program.stop_signal, "nice": program.nice,
        }  # fmt: skip
        return json.dumps(definition, sort_keys=True, indent=1).encode()

    def start(self, program: Program) -> None:
        """Define a service and start it; nothing happens where it already runs as defined."""
        self.require()
        changed = self.define(program)
        now = self.service(program.name)
        if now and not changed and now.state in {"running", "starting"}:
            return
        if now is None or changed:
            self._replace(program.name, known=now is not None)
        self.launch(program.name)

    def launch(self, name: str) -> None:
        """Start a service that is defined; it is running or on its way when this returns."""
        self._call("startProcess", name, NOT_WAITING, forgive=(ALREADY_STARTED,))

    def _replace(self, name: str, *, known: bool) -> None:
        if known:
            self._halt(name)
            self._call("removeProcessGroup", name, forgive=(BAD_NAME,))
        self._reread()
        self._call("addProcessGroup", name, forgive=(ALREADY_ADDED,))

    def _reread(self) -> None:
        for attempt in range(3):
            with suppress(_Unreadable):
                self._call("reloadConfig")
                return
            time.sleep(0.01 * attempt)  # a file that it had listed was removed by another process before it was read
        self._call("reloadConfig")

    def stop(self, name: str) -> None:
        """Stop a service and forget it; its log stays."""
        self.require()
        if self.service(name):
            self._halt(name)
            self._call("removeProcessGroup", name, forgive=(BAD_NAME,))
        for suffix in ("json", "conf"):
            (self.folder / "services" / f"{name}.{suffix}").unlink(missing_ok=True)

    def _halt(self, *names: str) -> None:
        """Stop services, all at once, and wait for each."""
        for name in names:
            self._call("stopProcess", name, NOT_WAITING, forgive=(NOT_RUNNING, BAD_NAME))
        for name in names:
            self._await_stop(name)

    def _await_stop(self, name: str) -> None:
        """Wait until a service that was told to stop has. supervisord itself would wait in a busy loop; the kernel
        tells us when the process is gone.
        """
        patience = self._stop_seconds(name) + GONE_SECONDS
        end = time.monotonic() + patience
        while (now := self._info(name)) and now["statename"] in {"STOPPING", "RUNNING", "STARTING"}:
            if time.monotonic() > end:
                raise LowcodeError.of(
                    f"service {name} (process {now['pid']}) does not end", f"kill -9 {now['pid']}", code="LK645"
                )
            await_exit(now["pid"], min(1.0, end - time.monotonic()))

    def _stop_seconds(self, name: str) -> int:
        text = (self.folder / "services" / f"{name}.conf").read_text()
        return int(text.partition("stopwaitsecs = ")[2].splitlines()[0])

    def service(self, name: str) -> Running | None:
        """Return what supervisord says of one service, None where it doesn't know it."""
        info = self._info(name)
        return _running(info) if info else None

    def services(self) -> tuple[Running, ...]:
        """Return what supervisord says of all services."""
        return tuple(_running(info) for info in self._call("getAllProcessInfo"))

    def _info(self, name: str) -> dict[str, Any] | None:
        return cast("dict[str, Any] | None", self._call("getProcessInfo", name, forgive=(BAD_NAME,)))

    def log(self, name: str, lines: int) -> str:
        """Return the last lines that a service printed."""
        return last_lines(self.folder / "logs" / f"{name}.log", lines)

    def require(self) -> None:
        """Raise LowcodeError where supervisord does not run."""
        if not self.is_alive():
            raise LowcodeError.of(
                "the development environment is not running", "start it: %deploy dev or %status dev", code="LK646"
            )

    def _call(self, method: str, *arguments: Any, forgive: tuple[int, ...] = ()) -> Any:
        """Ask supervisord; a fault in `forgive` is None. Raises LowcodeError where it does not answer, or can't do
        it.
        """
        transport = _Transport(self.run / "supervisor.sock")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            try:
                return getattr(server.supervisor, method)(*arguments)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode in forgive:
                    return None
                raise self._fault(fault) from None
            except OSError as error:
                raise LowcodeError.of(
                    f"supervisord does not answer: {error or type(error).__name__}",
                    "start again: %status dev",
                    code="LK647",
                ) from error

    def _fault(self, fault: xmlrpc.client.Fault) -> Exception:
        if fault.faultCode == CANT_REREAD:
            return _Unreadable(fault.faultString)
        return LowcodeError.of(f"supervisord: {fault.faultString}", f"look into {self.folder / 'logs'}", code="LK647")


class _Unreadable(Exception):  # noqa: N818 - a state, tried again
    """supervisord could not read its services' files."""


def _running(info: dict[str, Any]) -> Running:
    ended = info["statename"] == "EXITED" and info["exitstatus"] == 0
    return Running(
        name=info["name"], state="stopped" if ended else STATES.get(info["statename"], "unknown"), pid=info["pid"]
    )


def _did_not_start(folder: Path, reason: str | list[str]) -> LowcodeError:
    text = reason if isinstance(reason, str) else " ".join(reason)
    return LowcodeError.of(
        f"supervisord did not start: {text}", f"look into {folder / 'logs' / 'supervisord.log'}", code="LK644"
    )
