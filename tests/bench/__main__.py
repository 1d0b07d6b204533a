"""`make bench`: what a generated application, the generator, the loader and a deployment cost, beside peers measured
in the same run; a table, build/bench.json, build/bench.md, build/scaling.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tests.bench import imports, load, report, services
from tests.bench.farm import bench_farm
from tests.bench.generating import bench_generating
from tests.bench.optimizing import bench_optimizing
from tests.bench.reading import bench_reading
from tests.bench.scaling import bench_scaling, bench_whole, draw

if TYPE_CHECKING:
    from collections.abc import Callable

BUILD = services.ROOT / "build"


def say(text: str) -> None:
    """Write a line to the terminal at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def bench_imports(rounds: int) -> list[dict[str, Any]]:
    """Measure what import costs."""
    return [asdict(cost) for cost in imports.measure(rounds)]


def benchmarks(given: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """Return all benchmarks by name, in the order in which they run."""
    return {
        "reading": lambda: bench_reading(given.rounds, given.seconds, say),
        "farm": lambda: bench_farm(3, say),
        "generating": lambda: bench_generating(3),
        "scaling": lambda: bench_scaling(3),
        "whole": bench_whole,
        "optimizing": lambda: bench_optimizing(given.rounds),
        "imports": lambda: bench_imports(given.rounds),
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmarks that are named, all where none is."""
    before, began = os.getloadavg(), perf_counter()
    found: dict[str, Any] = {"python": platform.python_version(), "client": load.client(), "processors": os.cpu_count()}
    for name, run in benchmarks(given).items():
        if not given.which or name in given.which:
            say(f"--- {name}")
            found[name] = run()
    if "imports" in found:
        found["slowest_imports"] = imports.slowest()
    return {
        **found,
        "seconds": round(perf_counter() - began, 1),
        "load_average": {"before": before, "after": os.getloadavg()},
    }


def main() -> int:
    """Measure and report; a budget that isn't kept answers 1."""
    parser = argparse.ArgumentParser(prog="make bench", description="Compare with peers in the same run.")
    parser.add_argument(
        "which",
        nargs="*",
        help="reading, farm, generating, scaling, whole, optimizing or imports; all where none is named",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of the read screen")
    given = parser.parse_args()
    if unknown := set(given.which) - set(known := benchmarks(given)):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    found = measure(given)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(found, indent=2) + "\n")
    (BUILD / "bench.md").write_text(report.markdown(found))
    if "scaling" in found:
        (BUILD / "scaling.svg").write_text(draw(found["scaling"]))
    say("\n" + report.markdown(found))
    return 0 if all(cost["seconds"] < cost["budget"] for cost in found.get("imports", ())) else 1


if __name__ == "__main__":
    sys.exit(main())
