"""What it costs to have the platform in a notebook: `import lowcode_kernel`, and `%load_ext lowcode_kernel`.

Each figure is the median of fresh processes, timed inside, so that the start of Python itself is not counted. The peer
of an import is one that every notebook has done: `import IPython`.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from statistics import median

EXTENSION = (
    "shell.run_line_magic('load_ext', 'lowcode_kernel'); assert 'lowcode_kernel' in shell.extension_manager.loaded"
)
SHELL = "from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance()"
TIMED = """
{before}
from time import perf_counter
began = perf_counter()
{statement}
print(perf_counter() - began)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a statement takes (seconds), and what it may take."""

    name: str
    seconds: float
    peer: float
    budget: float

    @property
    def kept(self) -> bool:
        return self.seconds < self.budget


def timed(statement: str, before: str = "") -> float:
    """Return how long a statement takes in a fresh process."""
    script = TIMED.format(before=before, statement=statement)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    return float(done.stdout.split()[-1])


def slowest(count: int = 5) -> list[str]:
    """Return the modules that `import lowcode_kernel` spends most in, as `-X importtime` tells."""
    words = [sys.executable, "-X", "importtime", "-c", "import lowcode_kernel"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True, cwd="/").stderr.splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines if "|" in line and "self" not in line]
    ordered = sorted(((int(own), name.strip()) for own, _, name in rows), reverse=True)
    return [f"{name} {own / 1000:.1f} ms" for own, name in ordered[:count]]


def measure(rounds: int) -> list[Cost]:
    """Measure both, in turns with the peer."""
    plain, peer, extension = [], [], []
    for _ in range(rounds):
        plain.append(timed("import lowcode_kernel"))
        peer.append(timed("import IPython"))
        extension.append(timed(EXTENSION, SHELL))
    reference = median(peer)
    return [
        Cost(name="import lowcode_kernel", seconds=median(plain), peer=reference, budget=0.2),
        Cost(name="%load_ext lowcode_kernel", seconds=median(extension), peer=reference, budget=0.5),
    ]
