"""`lowcode demo` from outside: what it says, its exit status, and that nothing of it stays, however it ends.

The whole tour is run in JupyterLab (`tour` in conftest.py); here the notebook is its first cells and one deployment,
which start the same processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.tour.conftest import NOTEBOOKS, TOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.services
LOWCODE = Path(sys.executable).with_name("lowcode")
MODEL = 10  # code cells of the tour: roles, entities and two queries, which are an application
REPORT = 'print("flightdesk is", release.state)'
WAIT = "import pathlib, threading; pathlib.Path('reached').touch(); threading.Event().wait()"
SECONDS = 240


@dataclass(frozen=True)
class Demo:
    """A demo that runs. Its temporary files are in `folder`, so whatever it started names that folder in its words or
    its variables.
    """

    process: subprocess.Popen[str]
    folder: Path

    def processes(self) -> list[str]:
        """Return the command lines of the processes that the demo has started."""
        return [line for pid, line in command_lines() if pid != self.process.pid and self._is_ours(pid, line)]

    def _is_ours(self, pid: int, line: str) -> bool:
        return str(self.folder) in line or str(self.folder) in read(f"/proc/{pid}/environ")

    def ended(self) -> tuple[int, str, str]:
        """Wait for its end; return its exit status and what it said."""
        said, complained = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said, complained


def command_lines() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (line := read(f"/proc/{entry.name}/cmdline")):
            yield int(entry.name), line


def read(path: str) -> str:
    """Return a file of a process, empty where the process is gone."""
    try:
        return Path(path).read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def demo(notebook: Path) -> Iterator[Demo]:
    """Start a demo in a process group of its own, as a terminal does."""
    pipe = subprocess.PIPE
    with tempfile.TemporaryDirectory(prefix="demo-") as name:  # a short path, as the temporary folder usually has
        process = subprocess.Popen(
            [LOWCODE, "demo", notebook],
            env={**os.environ, "TMPDIR": name},
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )
        try:
            yield Demo(process, Path(name))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.communicate(timeout=60)


def cells_of_the_tour() -> list[str]:
    document: Any = nbformat.read(NOTEBOOKS / TOUR, as_version=4)
    return [str(cell.source) for cell in document.cells if cell.cell_type == "code"]


def notebook(folder: Path, *cells: str) -> Path:
    """Write a notebook of code cells; the last is its report."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made[-1].metadata["tags"] = ["report"]
    path = folder / "tour.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def eventually(holds: Any, what: str) -> None:
    ends = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < ends, f"{what} did not come to pass"
        time.sleep(0.05)


def nothing_stays(running: Demo) -> None:
    assert running.processes() == []
    assert list(running.folder.iterdir()) == []


def test_a_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    cells = [*cells_of_the_tour()[:MODEL], "%check", "%deploy dev -o release", REPORT]
    with demo(notebook(tmp_path, *cells)) as running:
        eventually(
            lambda: running.process.poll() is not None or any("postgres" in one for one in running.processes()),
            "its database",
        )
        status, said, complained = running.ended()
        assert status == 0, complained
        assert said.splitlines()[0].endswith(f"{MODEL + 3} cells")
        assert "flightdesk is deployed" in said
        assert said.splitlines()[-1] == "demo: ok"
        nothing_stays(running)


def test_a_broken_cell_is_told_with_its_number(tmp_path: Path) -> None:
    cells = cells_of_the_tour()
    cells[2] = cells[2].replace("Text(2)", "Txt(2)")
    with demo(notebook(tmp_path, *cells)) as running:
        status, said, complained = running.ended()
        assert status == 1
        assert complained.splitlines()[0] == "cell 3 failed: %%entity Airline"
        assert 'cell 3, line 4: "Txt" is not a type; did you mean "Text"?' in complained.splitlines()[1]
        assert "demo: ok" not in said
        nothing_stays(running)


def test_a_demo_that_is_interrupted_ends_what_it_started(tmp_path: Path) -> None:
    cells = [*cells_of_the_tour()[:MODEL], "%plan dev", WAIT]
    with demo(notebook(tmp_path, *cells)) as running:
        reached = tmp_path / "reached"
        eventually(lambda: reached.exists() or running.process.poll() is not None, "its last cell")
        assert running.processes(), "its kernel and its services should be seen"
        os.killpg(running.process.pid, signal.SIGINT)
        status, said, complained = running.ended()
        assert (status, complained) == (130, "stopped\n")
        assert "demo: ok" not in said
        nothing_stays(running)


def test_a_notebook_that_is_not_there_is_told(tmp_path: Path) -> None:
    with demo(tmp_path / "nothing.ipynb") as running:
        status, _, complained = running.ended()
        assert status == 2
        assert f"there is no notebook {tmp_path / 'nothing.ipynb'}" in complained
