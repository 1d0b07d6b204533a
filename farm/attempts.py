"""One attempt at a run: the process that executes the notebook, seen from the worker that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lowcode_kernel.farm.desk import RunState, Taken

CANCELLED = "cancelled"
DRAINED = "the worker stopped"
GRACE = 10.0  # seconds that a stopped process has to write its record
COMMAND = (sys.executable, "-m", "lowcode_kernel.farm.run_notebook")
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an application's jobs run on this host: the release that serves now, and where records are kept."""

    release: Path
    records: Path

    @property
    def version(self) -> str:
        """The version of the release."""
        return self.release.name

    @property
    def python(self) -> Path:
        """The Python of the application's own environment."""
        return self.release / "env" / "bin" / "python"

    @property
    def has_kernel(self) -> bool:
        """True where that environment can run a notebook."""
        return self.python.exists() and any(self.release.glob("env/lib/python*/site-packages/ipykernel"))


def place_of(root: Path, application: str, job: str) -> Place | None:
    """Return where a job runs, or None where this host serves no release of the application.

    The link is resolved once: a switch in the middle of a run does not mix two releases.
    """
    with suppress(OSError):
        release = (root / application / "current").resolve(strict=True)
        return Place(release=release, records=root / application / "runs" / job)
    return None


def applications_on(root: Path) -> list[str]:
    """Return the applications that this host serves a release of."""
    return sorted(link.parent.name for link in root.glob("*/current") if link.exists())


@dataclass(slots=True)
class Attempt:
    """A started attempt. `reason` is why it was stopped, `deadline` when it has run too long, both ours to decide."""

    taken: Taken
    place: Place
    process: subprocess.Popen[bytes]
    deadline: float
    kernel: int = 0
    done: bool = False
    error: str = ""
    reason: str = ""
    killed_at: float = 0.0
    unread: bytes = field(default=b"")

    @property
    def key(self) -> tuple[int, int]:
        """The run and the attempt, which every write names."""
        return self.taken.run.id, self.taken.run.attempt

    @property
    def draft(self) -> Path:
        """The notebook as this attempt writes it."""
        return _draft(self.place, self.taken)

    @property
    def record(self) -> Path:
        """The record of the run: what the last attempt that ended left."""
        return self.place.records / f"{self.taken.run.id}.ipynb"

    @property
    def kept(self) -> str:
        """The path of the record, or "" where the attempt did not get as far as to write one."""
        return str(self.record) if self.draft.exists() else ""

    def keep(self) -> None:
        """Make what this attempt wrote the record of the run; call it only while nobody else can take the run."""
        if self.draft.exists():
            self.draft.replace(self.record)

    def extend(self, until: float) -> None:
        """Pass on how long the lease holds."""
        self._say(repr(until))

    def stop(self, reason: str) -> None:
        """Have it interrupted; if that is not enough it is killed by and by."""
        if not self.reason:
            self.reason = reason
            self.killed_at = monotonic() + GRACE
            self._say(reason)

    def kill(self) -> None:
        """Kill the process, the kernel, and what the kernel started."""
        for group in (self.process.pid, self.kernel):
            if group:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)

    def watch(self, now: float) -> None:
        """Stop it when it has run too long, kill it when it was stopped and has not ended."""
        if now >= self.deadline:
            self.stop(f"ran longer than {self.taken.timeout.total_seconds():g} s")
        if self.killed_at and now >= self.killed_at:
            self.kill()

    def next_moment(self) -> float:
        """Return when `watch` will have something to do."""
        return self.killed_at or self.deadline

    def read(self) -> bool:
        """Read what the process told; True where it has ended and its status is known."""
        ended = self.process.poll() is not None
        with suppress(BlockingIOError):
            while part := os.read(output_of(self.process), 65536):
                self.unread += part
        *lines, self.unread = self.unread.split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line, type=dict[str, object])
            self.kernel = int(str(told["kernel"])) or self.kernel
            self.done, self.error = bool(told["done"]), str(told["error"])
        return ended

    def close(self) -> None:
        """Give back the pipes, and end what the kernel left behind."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def outcome(self) -> tuple[RunState, str]:
        """Return how it ended, as `Desk.finish` wants it."""
        if self.done:
            return "done", ""
        if self.reason == CANCELLED:
            return "cancelled", self.reason
        if self.reason == DRAINED:
            return "waiting", ""
        status = self.process.returncode or 0
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return "parked", self.reason or self.error or f"its process ended with {how}"

    def _say(self, word: str) -> None:
        with suppress(OSError, ValueError):
            assert self.process.stdin is not None  # noqa: S101 - for the type checker
            self.process.stdin.write(word.encode() + b"\n")
            self.process.stdin.flush()


def output_of(process: subprocess.Popen[bytes]) -> int:
    """Return the pipe that the process tells things through."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    return process.stdout.fileno()


def _draft(place: Place, taken: Taken) -> Path:
    return place.records / f"{taken.run.id}-{taken.run.attempt}.ipynb"


def start_attempt(taken: Taken, place: Place, variables: Mapping[str, str], until: float) -> Attempt:
    """Start the process of an attempt. `until` is when the lease runs out, on the monotonic clock.

    The process sees the application's variables and a few of the system's, none of the worker's own.
    """
    order = {
        "notebook": str(place.release / taken.notebook),
        "record": str(_draft(place, taken)),
        "python": str(place.python),
        "directory": str(place.release),
        "parameters": taken.run.parameters,
        "until": until,
    }
    told = {
        "JOB_RUN": str(taken.run.id),
        "JOB_ATTEMPT": str(taken.run.attempt),
        "JOB_TICK": taken.run.tick.isoformat() if taken.run.tick else "",
    }
    system = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=system | dict(variables) | told,
        start_new_session=True,
    )
    os.set_blocking(output_of(process), False)
    attempt = Attempt(taken=taken, place=place, process=process, deadline=monotonic() + taken.timeout.total_seconds())
    attempt._say(msgspec.json.encode(order).decode())  # noqa: SLF001 - its first line
    return attempt


def remove_old_records(root: Path, keep: int) -> None:
    """Delete all but the latest `keep` notebooks of each job."""
    for folder in root.glob("*/runs/*/"):
        for old in sorted(folder.glob("*.ipynb"), key=lambda path: path.stat().st_mtime)[:-keep]:
            old.unlink(missing_ok=True)
