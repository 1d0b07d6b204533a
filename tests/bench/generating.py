"""How long the flight desk takes to generate: the command as a shell runs it, and the same work inside a process that
has it all imported, as a notebook has.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from statistics import median
from time import perf_counter
from typing import Any

from lowcode_kernel.magics.workbench import Workbench
from lowcode_kernel.notebook import read_notebook
from tests.bench.flightdesk import NOTEBOOK

COMMAND = (sys.executable, "-m", "lowcode_kernel.magics.command", "generate", str(NOTEBOOK), "--out")


def by_command() -> float:
    """Return the seconds of `lowcode generate` into a new folder."""
    with tempfile.TemporaryDirectory(prefix="lkbench") as folder:
        began = perf_counter()
        subprocess.run((*COMMAND, folder), check=True, capture_output=True, cwd=folder)
        return perf_counter() - began


def in_process() -> float:
    """Return the seconds from the notebook's text to the bundle: read, check, optimize, generate, format."""
    began = perf_counter()
    Workbench(lambda: read_notebook(NOTEBOOK), NOTEBOOK.parent).bundle()
    return perf_counter() - began


def bench_generating(rounds: int) -> list[dict[str, Any]]:
    """Measure both, in turns; what was never imported before is not counted in the second."""
    in_process()
    pairs = [(by_command(), in_process()) for _ in range(rounds)]
    names = ("`lowcode generate`, whole process", "read, check and generate, in a process")
    return [
        {"name": name, "seconds": round(median(times), 3), "slowest": round(max(times), 3), "rounds": rounds}
        for name, times in zip(names, zip(*pairs, strict=True), strict=True)
    ]
