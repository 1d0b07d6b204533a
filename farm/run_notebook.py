"""Run one notebook in a kernel of another Python, in a process of its own: what a worker starts for each run.

    python -m lowcode_kernel.farm.run_notebook        the order and then the leash on stdin, the outcome on stdout

Papermill changes the working directory and waits for ever for some kernels that are gone, so it never runs in the
worker. stdin is the leash: each line is either how long the lease holds now (a moment of the monotonic clock) or why
to stop. When the lease runs out, or the worker is gone and the pipe closed, the kernel is killed and so is this
process: a worker that was frozen or cut off from the database can't go on with a run that another has taken since.

A run that is to stop is interrupted, so that its record shows where it was, and killed if that does not end it.

This is the one door to papermill.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import threading
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNEL = "application"
START_SECONDS = 60
MERCY_SECONDS = 3.0  # between the interrupt and the kill
LEASE_LOST = 75  # exit status
SOCKET_PATH = 107  # bytes that a Unix socket's path may have
# What papermill imports where it is there, to check addresses and to reach HDFS: more than half of the CPU that
# a run would cost (2026-11: 2.5 s of 4.4 s, most of it a grammar that rfc3987_syntax compiles).
NOT_NEEDED = ("rfc3987_syntax", "pyarrow")
WORDS = 4000  # characters of an error that are kept


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: the notebook, where its executed copy goes, whose Python, and until when the lease holds."""

    notebook: str
    record: str
    python: str
    directory: str
    parameters: dict[str, object]
    until: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: the kernel's process as soon as there is one; then whether it was done, or the error."""

    kernel: int = 0
    done: bool = False
    error: str = ""


class Leash:
    """The end of the pipe from the worker. It watches in a thread of its own and acts on the kernel."""

    def __init__(self, until: float, lines: TextIO) -> None:
        self.until = until
        self.lines = lines
        self.kernel = 0
        self.reason = ""

    def hold(self) -> None:
        """Watch until the process ends."""
        threading.Thread(target=self._watch, name="leash", daemon=True).start()

    def _watch(self) -> None:
        while self.until > monotonic():
            ready, _, _ = select.select([self.lines], [], [], max(self.until - monotonic(), 0))
            if not ready:
                continue
            line = self.lines.readline()
            if not line:
                break
            self._obey(line.strip())
        self._signal(signal.SIGKILL)
        os._exit(LEASE_LOST)

    def _obey(self, word: str) -> None:
        if word.replace(".", "", 1).isdigit():
            self.until = float(word)
            return
        self.reason = word
        self._signal(signal.SIGINT)
        timer = threading.Timer(MERCY_SECONDS, self._signal, (signal.SIGKILL,))
        timer.daemon = True
        timer.start()

    def _signal(self, number: signal.Signals) -> None:
        """Reach the kernel and what it started."""
        if self.kernel:
            try:
                os.killpg(self.kernel, number)
            except ProcessLookupError:
                return


def execute(order: Order, leash: Leash, tell: TextIO) -> Outcome:
    """Execute the notebook; its copy is written cell by cell, so that it shows how far a killed run came."""
    absent: dict[str, Any] = sys.modules
    for name in NOT_NEEDED:
        absent[name] = None  # reads as "not installed", which their importers allow for
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillException
    from papermill.execute import execute_notebook

    _watch_kernels(leash, tell)
    Path(order.record).parent.mkdir(parents=True, exist_ok=True)
    try:
        execute_notebook(
            order.notebook, order.record, order.parameters, kernel_name=KERNEL, language="python", cwd=order.directory,
            progress_bar=False, start_timeout=START_SECONDS, config=_transport(),
        )  # fmt: skip
    except DeadKernelError:
        return Outcome(error=leash.reason or "its kernel died")
    except PapermillException as error:
        return Outcome(error=leash.reason or _short(error))
    except (OSError, RuntimeError, ValueError) as error:
        return Outcome(error=leash.reason or f"the notebook could not be run: {_short(error)}")
    return Outcome(done=True)


def _transport() -> Any:
    """Have the kernel listen on Unix sockets in a folder of ours, where their paths are short enough.

    Without `ip` they would be in the working directory, one set for all runs of a release. TCP ports are found free
    first and taken later, so that two kernels that start at once may meet on one.
    """
    from traitlets.config import Config

    address = os.environ["JUPYTER_RUNTIME_DIR"] + "/k"
    if len(address) + len("-1") > SOCKET_PATH:
        return Config()
    return Config({"ConnectionFileMixin": {"transport": "ipc", "ip": address}})


def _short(error: Exception) -> str:
    """Return an error's kind and text; papermill's has the cell and its traceback before it."""
    name, value = getattr(error, "ename", ""), getattr(error, "evalue", "")
    text = f"{name}: {value}" if name else str(error).strip()
    return text[:WORDS]


def _watch_kernels(leash: Leash, tell: TextIO) -> None:
    """Learn the process of the kernel as soon as it is started, and pass it on."""
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    provisioner: Any = LocalProvisioner
    launch = provisioner.launch_kernel

    async def launch_and_tell(self: Any, *words: Any, **named: Any) -> Any:
        connection = await launch(self, *words, **named)
        leash.kernel = self.pid
        _tell(tell, Outcome(kernel=self.pid))
        return connection

    provisioner.launch_kernel = launch_and_tell


def _tell(tell: TextIO, outcome: Outcome) -> None:
    tell.write(msgspec.json.encode(outcome).decode() + "\n")
    tell.flush()


def write_kernel(folder: Path, order: Order) -> None:
    """Write the kernel's specification: the application's Python, on a leash to this process.

    The application itself is found through PYTHONPATH, since it is a folder of the release and not installed.
    """
    leash = Path(__file__).with_name("leash.py")
    launcher = (order.python, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    spec = {
        "argv": [sys.executable, "-I", "-S", str(leash), str(os.getpid()), *launcher],
        "display_name": "Application",
        "language": "python",
        "env": {"PYTHONPATH": order.directory},
    }
    place = folder / "kernels" / KERNEL
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec))


def jupyter_places(folder: Path) -> Mapping[str, str]:
    """Return the variables that keep Jupyter and IPython inside one folder, away from the user's own settings."""
    names = {
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "IPYTHONDIR": "ipython",
    }
    return {name: str(folder / place) for name, place in names.items()} | {"JUPYTER_PATH": str(folder)}


def main() -> int:
    """Take an order, carry it out, tell the outcome."""
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    leash = Leash(order.until, sys.stdin)
    leash.hold()
    # what the kernel prints by itself must not be taken for an outcome
    tell = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="lowcode-run-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        os.environ.update(jupyter_places(folder))
        (folder / "runtime").mkdir(mode=0o700)
        write_kernel(folder, order)
        outcome = execute(order, leash, tell)
    _tell(tell, outcome)
    return 0 if outcome.done else 1


if __name__ == "__main__":
    sys.exit(main())
