"""A host behind SSH: the one door to fabric.

Fabric opens and authenticates the connection; a command goes over a session of it as bytes, since `Connection.run`
decodes what it reads and takes no binary input. What is learnt from cut lines is in `_connect` and `_exchange`:
without the time-outs there, a line that is cut during a command hangs for ever.

Services are systemd units of the user, so that nothing here needs root.
"""

from __future__ import annotations

import io
import shlex
import socket
import tarfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from lowcode_kernel.farm import systemd, unix_http
from lowcode_kernel.farm.hosts import (
    MINUTE,
    TIMED_OUT,
    Command,
    HostLost,
    Outcome,
    Service,
    ServiceState,
    checked,
    checked_path,
)
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import fabric
    import paramiko

    from lowcode_kernel.farm.environments import HostAddress

CONNECT_SECONDS = 5
SILENCE_SECONDS = 5
KEEPALIVE_SECONDS = 2
KILL_AFTER = 5
"""Between SIGTERM and SIGKILL of a command that took too long."""

UPLOAD = timedelta(minutes=10)
STOP = timedelta(minutes=6)
ABSENT = 44
"""The status with which our scripts say that a file is not there."""

FULL = 28
"""The status with which they say that the disk has no room; what tar says last is only that it said something."""

KILLED = 137
LOST = -1

READ = '[ -e "$1" ] || exit 44; exec cat "$1"'
LINK = 'mkdir -p "${2%/*}" && ln -s "$1" "$2.$3" && mv -T "$2.$3" "$2" || { rm -f "$2.$3"; exit 1; }'
KNOWN = 'mkdir -p "$1" && cd "$1" && sha256sum --check 2>/dev/null || true'

# Everything goes to a folder beside; it is compared and brought to the disk, and only then are the files linked to
# their names, each at once.
RECEIVE = """
set -e
mkdir -p "$1"; cd "$1"
draft=".incoming-$2"; rm -rf "$draft"; mkdir "$draft"
trap 'rm -rf "$draft"' EXIT
tar -xf - -C "$draft" || { [ "$(stat -f -c %a .)" -gt 16 ] && exit 2; exit 28; }
(cd "$draft" && sha256sum --check --quiet .sums >&2 && rm .sums)
sync -f "$draft"
cp -rlf "$draft/." .
sync -f .
"""


class SshHost:
    """The host interface over SSH. It connects at the first use, and again after the line was lost; threads may share
    it.
    """

    def __init__(self, address: HostAddress) -> None:
        self.name = address.name
        self.root = address.root
        self._address = address
        self._connection: fabric.Connection | None = None
        self._opening = threading.Lock()

    # --- commands and files

    def run(self, command: Command, *, timeout: timedelta = MINUTE, input: bytes = b"", check: bool = True) -> Outcome:  # noqa: A002
        """Run a command under timeout(1) on the host: a command that is too slow, and all it started, ends there also
        when we are gone.
        """
        outcome = self._run(command, timeout, input).text()
        return checked(self.name, command, outcome, timeout) if check else outcome

    def put(self, files: Iterable[tuple[PurePosixPath, bytes, bool]], under: PurePosixPath) -> None:
        """Send what is missing as one tar stream."""
        wanted = {str(checked_path(path)): (content, executable) for path, content, executable in files}
        known = self._known(wanted, under)
        missing = {path: file for path, file in wanted.items() if path not in known}
        if missing:
            stream = _archive(missing)
            name = sha256(stream).hexdigest()[:12]
            command = ("sh", "-c", RECEIVE, "sh", str(under), name)
            reply = self._run(command, UPLOAD, stream)
            if reply.status == FULL:
                fact = f"host {self.name}: no space is left on the disk of {under}"
                raise LowcodeError.of(fact, "make room there and start again", code="LK673")
            checked(self.name, command, reply.text(), UPLOAD)

    def read(self, path: PurePosixPath) -> bytes | None:
        """Return a file's content, None where there is none."""
        command = ("sh", "-c", READ, "sh", str(path))
        reply = self._run(command, MINUTE, b"")
        if reply.status == ABSENT:
            return None
        checked(self.name, command, reply.text(), MINUTE)
        return reply.out

    def link(self, target: str, path: PurePosixPath) -> None:
        """Make a symbolic link, replacing one at once."""
        self.run(("sh", "-c", LINK, "sh", target, str(path), sha256(target.encode()).hexdigest()[:8]))

    def get(self, socket: PurePosixPath, path: str, *, timeout: timedelta = MINUTE) -> tuple[int, bytes]:
        """Make an HTTP GET through a Unix socket, by the host's own Python."""
        command = ("python3", "-", str(socket), path, str(timeout.total_seconds()))
        reply = self._checked(command, timeout + MINUTE, _source())
        status, _, body = reply.out.partition(b"\n")
        return int(status), body

    def _known(self, wanted: dict[str, tuple[bytes, bool]], under: PurePosixPath) -> set[str]:
        """Return the paths whose file there has the hash that it should have."""
        reply = self._checked(("sh", "-c", KNOWN, "sh", str(under)), UPLOAD, _sums(wanted))
        lines = reply.out.decode(errors="replace").splitlines()
        return {line.removesuffix(": OK") for line in lines if line.endswith(": OK")}

    # --- services

    def start(self, service: Service) -> None:
        """Start a service as a systemd unit of the user, which also starts with the host."""
        unit, variables = systemd.unit_text(service), systemd.variables_text(service)
        stream = _archive({"unit": (unit.encode(), False), "variables": (variables.encode(), False)})
        self._systemd(systemd.START, service.name, stream=stream)

    def stop(self, name: str) -> None:
        """Stop a service and remove its unit."""
        self._systemd(systemd.STOP, name, timeout=STOP)

    def status(self, prefix: str = "") -> dict[str, ServiceState]:
        """Return the state of each service."""
        return systemd.parse_states(self._systemd(systemd.STATUS, prefix))

    def log(self, name: str, *, lines: int = 50) -> str:
        """Return the last lines of a service in the journal."""
        return self._systemd(systemd.LOG, name, str(lines)).strip()

    def _systemd(self, script: str, *arguments: str, stream: bytes = b"", timeout: timedelta = MINUTE) -> str:
        """Run one of systemd's scripts; raises LowcodeError where the user has no systemd, or not one that outlives
        the login.
        """
        command = ("sh", "-c", systemd.BEGIN + script, "sh", *arguments)
        reply = self._run(command, timeout, stream).text()
        if fault := systemd.FAULTS.get(reply.status):
            fact, hint = fault
            raise LowcodeError.of(f"host {self.name}: {fact}", hint.format(user=self._address.user), code="LK672")
        return checked(self.name, command, reply, timeout).out

    # --- the connection

    def close(self) -> None:
        """Close the connection."""
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, EOFError):
                connection.close()

    def _checked(self, command: Command, timeout: timedelta, given: bytes) -> _Reply:
        reply = self._run(command, timeout, given)
        checked(self.name, command, reply.text(), timeout)
        return reply

    def _run(self, command: Command, timeout: timedelta, given: bytes) -> _Reply:
        seconds, begun = timeout.total_seconds(), time.monotonic()
        line = shlex.join(("timeout", "-k", str(KILL_AFTER), f"{seconds:g}", *command))
        try:
            reply = _exchange(self._open().create_session(), line, given, seconds + KILL_AFTER + SILENCE_SECONDS)
        except (OSError, EOFError, _ssh_error()) as error:
            self.close()
            raise HostLost(f"{self.name} ({self._address.address}): {str(error) or type(error).__name__}") from error
        if reply.status == LOST:
            self.close()
            raise HostLost(f"{self.name} ({self._address.address}): the connection broke during a command")
        if reply.status == KILLED and time.monotonic() - begun >= seconds:  # SIGTERM was not enough
            return replace(reply, status=TIMED_OUT)
        return reply

    def _open(self) -> fabric.Connection:
        with self._opening:
            if self._connection is None or not self._connection.is_connected:
                self._connection = _connect(self._address)
            return self._connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What a command gave, as bytes."""

    status: int
    out: bytes
    err: bytes

    def text(self) -> Outcome:
        return Outcome(status=self.status, out=self.out.decode(errors="replace"), err=self.err.decode(errors="replace"))


def _ssh_error() -> type[Exception]:
    import paramiko

    return paramiko.SSHException


def _connect(address: HostAddress) -> fabric.Connection:
    """Open a connection to a host that shows the pinned key. Raises HostLost, or LowcodeError where it answers and is
    not as it should be.
    """
    import fabric
    import paramiko

    configuration = fabric.Config(
        overrides={"run": {"in_stream": False, "hide": True}, "load_ssh_configs": False}, lazy=True,
    )  # fmt: skip
    connection = fabric.Connection(
        address.address, user=address.user or None, port=address.port, config=configuration,
        connect_timeout=CONNECT_SECONDS, connect_kwargs=_connect_options(address),
    )  # fmt: skip
    _pin(connection.client, address)
    try:
        connection.open()
        _watch(connection.transport)
    except Exception as error:
        connection.client.close()  # else its half of the line stays open: fabric only closes what it opened whole
        if isinstance(error, paramiko.BadHostKeyException | paramiko.AuthenticationException):
            raise _refused(address, error) from None
        if isinstance(error, OSError | EOFError | paramiko.SSHException):
            raise HostLost(f"{address.name} ({address.address}): {str(error) or type(error).__name__}") from error
        raise
    return connection


def _connect_options(address: HostAddress) -> dict[str, Any]:
    options: dict[str, Any] = {
        "channel_timeout": SILENCE_SECONDS, "banner_timeout": CONNECT_SECONDS, "auth_timeout": 2 * CONNECT_SECONDS,
    }  # fmt: skip
    if address.key_file:
        options |= {"key_filename": str(address.key_file), "look_for_keys": False, "allow_agent": False}
    return options


def _pin(client: paramiko.SSHClient, address: HostAddress) -> None:
    """Let the client know one key, and refuse every other."""
    import paramiko
    from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known = address.address if address.port == paramiko.config.SSH_PORT else f"[{address.address}]:{address.port}"
    try:
        entry = HostKeyEntry.from_line(f"{known} {address.known_host_key}")
    except (InvalidHostKey, paramiko.SSHException):
        entry = None
    if entry is None or entry.key is None:
        raise LowcodeError.of(
            f"host {address.name}: known_host_key is not a public key",
            f"ssh-keyscan -t ed25519 {address.address}",
            code="LK671",
        )
    client.get_host_keys().add(known, entry.key.get_name(), entry.key)


def _refused(address: HostAddress, error: Exception) -> LowcodeError:
    import paramiko

    if isinstance(error, paramiko.AuthenticationException):
        who = f"{address.user or 'the user'} on host {address.name} ({address.address})"
        return LowcodeError.of(
            f"{who} does not accept our key",
            "look at user and key_file, and ~/.ssh/authorized_keys there",
            code="LK671",
        )
    return LowcodeError.of(
        f"host {address.name} ({address.address}) shows another key than the one that is pinned",
        "if it was installed anew, put its new key into known_host_key; else somebody is in between",
        code="LK671",
    )


def _watch(transport: Any) -> None:
    """Notice a line that is cut: the kernel gives up on what it sent, and something is always being sent."""
    transport.set_keepalive(KEEPALIVE_SECONDS)
    line: socket.socket = transport.sock
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", SILENCE_SECONDS * 1000),
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3),
    ):  # fmt: skip
        if hasattr(socket, name):  # Linux has them all
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _exchange(channel: paramiko.Channel, line: str, given: bytes, seconds: float) -> _Reply:
    """Run a command line in a session: send what is given while reading what comes, and return both outputs and the
    status (-1: the connection broke).
    """
    errors: list[bytes] = []
    with channel:
        channel.settimeout(seconds)
        channel.exec_command(line)
        others = [
            threading.Thread(target=_send, args=(channel, given), daemon=True),
            threading.Thread(target=lambda: errors.append(_drain(channel.recv_stderr)), daemon=True),
        ]
        for thread in others:
            thread.start()
        out = _drain(channel.recv)
        ended = channel.status_event.wait(SILENCE_SECONDS)
        status = channel.exit_status if ended else LOST
    for thread in others:
        thread.join(SILENCE_SECONDS)
    return _Reply(status=status, out=out, err=b"".join(errors))


def _send(channel: paramiko.Channel, given: bytes) -> None:
    with suppress(OSError, EOFError):  # a command may end without reading; its status says whether that is well
        channel.sendall(given)
        channel.shutdown_write()


def _drain(receive: Any) -> bytes:
    parts = []
    with suppress(TimeoutError):
        while part := receive(65536):
            parts.append(part)
    return b"".join(parts)


def _archive(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """Pack files as a tar stream with their sums beside them. The same files give the same bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, (content, executable) in (*sorted(files.items()), (".sums", (_sums(files), False))):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _sums(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """Return the hashes of files as sha256sum --check reads them."""
    lines = (f"{sha256(content).hexdigest()}  {path}\n" for path, (content, _) in sorted(files.items()))
    return "".join(lines).encode()


def _source() -> bytes:
    """Return the program that makes a GET through a Unix socket."""
    return Path(unix_http.__file__).read_bytes()
