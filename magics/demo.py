"""`lowcode demo`: the tour from the first cell to the last, headless, as a person would run it, and a short plain
report of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from types import FrameType

CELL_SECONDS = 600


def run_demo(notebook: Path) -> int:
    """Run a notebook in a folder of its own and report; returns the exit status. Whatever happens, its processes end
    with it.
    """
    if not notebook.is_file():
        raise LowcodeError.of(f"there is no notebook {notebook}", "run it in the repository's folder", code="LK002")
    signal.signal(signal.SIGTERM, _interrupt)
    with TemporaryDirectory(prefix="lowcode-demo-") as folder:
        home = Path(folder) / "state"
        os.environ["LOWCODE_HOME"] = str(home)
        try:
            return _run(notebook, Path(folder))
        finally:
            _stop(home)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(home: Path) -> None:
    """End the development environment; a second Ctrl-C does not keep it alive."""
    from lowcode_kernel.farm.development import stop_development

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(LowcodeError):
        stop_development(home)


def _run(notebook: Path, folder: Path) -> int:
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    document: Any = nbformat.read(notebook, as_version=4)
    say(f"{notebook}: {sum(cell.cell_type == 'code' for cell in document.cells)} cells")
    start = perf_counter()
    # sockets in a folder of our own: nobody else on the machine can reach the kernel
    manager = AsyncKernelManager(kernel_name="lowcode", transport="ipc", ip=str(folder / "kernel"))
    client = NotebookClient(
        document,
        km=manager,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    times = _Times(client)
    client.owns_km = True  # it ends the kernel, also where a cell fails
    try:
        client.execute()
    except CellExecutionError as error:
        said = _said(times.cell) or f"{error.ename}: {error.evalue}"
        say(f"cell {times.number} failed: {times.first_line}\n{said}", to=sys.stderr)
        return 1
    except (DeadKernelError, asyncio.CancelledError) as error:
        if times.stopped:
            raise KeyboardInterrupt from None
        say(f"cell {times.number} ended the kernel: {error}", to=sys.stderr)
        return 1
    nbformat.write(document, folder / "tour.ipynb")
    report(document, perf_counter() - start, times)
    return 0


def _said(cell: Any) -> str:
    """Return what a cell said of its error, without the colours of a terminal."""
    import re

    lines = [line for output in cell.outputs if output.output_type == "error" for line in output.traceback]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


class _Times:
    """How long each cell took, which one runs, and whether somebody told the run to stop."""

    def __init__(self, client: Any) -> None:
        client.on_cell_execute, client.on_cell_executed = self.begin, self.end
        self._client = client
        self.cell: Any = None
        self.stopped = False
        self.number, self.first_line, self._start = 0, "", 0.0
        self.longest: list[tuple[float, int, str]] = []

    def begin(self, cell: Any, cell_index: int) -> None:
        """Note that a cell begins, and take Ctrl-C: nbclient's own answer to it looks as if the kernel had died."""
        del cell_index
        loop, run = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, run)
        if cell.cell_type == "code":
            self.cell = cell
            self.number += 1
            self.first_line = str(cell.source).strip().partition("\n")[0]
            self._start = perf_counter()

    def _stop(self, run: asyncio.Task[Any] | None) -> None:
        self.stopped = True
        self._client.shutdown_kernel = "immediate"  # it has nothing more to say
        if run is not None:
            run.cancel()

    def end(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """Note that a cell has ended."""
        del cell, cell_index, execute_reply
        self.longest.append((perf_counter() - self._start, self.number, self.first_line))


def report(document: Any, seconds: float, times: _Times) -> None:
    """Print what the cells marked with the tag `report` said, the longest cells, and that it went well."""
    for cell in document.cells:
        if "report" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                text = output.get("text") or output.get("data", {}).get("text/plain", "")
                say(str(text).rstrip())
    for took, number, line in sorted(times.longest, reverse=True)[:5]:
        say(f"{took:6.1f} s  cell {number}: {line}")
    say(f"{seconds:6.1f} s  in all\ndemo: ok")


def say(text: str, to: Any = None) -> None:
    """Print a line at once."""
    print(text, file=to or sys.stdout, flush=True)
