"""`make bench`: services in turns on one database, and what import costs; a table, build/bench.json, build/bench.md.

Only ratios within one run mean anything: the machine is shared, so each round measures every service, every second
round in the opposite order, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests import postgres
from tests.bench import flights, imports, load, services

if TYPE_CHECKING:
    from tests.bench.load import Measured
    from tests.bench.services import Service

BUILD = services.ROOT / "build"
BENCHMARKS = ("http", "imports")
Runs = dict[tuple[str, str], list["Measured"]]


def say(text: str) -> None:
    """Write a line to the terminal at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def turns(chosen: list[Service], rounds: int, seconds: int) -> Runs:
    """Measure each case of each service once a round."""
    runs: Runs = {}
    for number in range(rounds):
        ordered = chosen if number % 2 == 0 else chosen[::-1]
        for case in services.CASES:
            for service in ordered:
                found = load.measure(service.addresses[case], service.headers, seconds)
                runs.setdefault((case, service.name), []).append(found)
                say(f"round {number + 1}: {service.name:<10} {case:<16} {found.rate:8.0f}/s")
    return runs


def summary(runs: Runs, peer: str) -> list[dict[str, Any]]:
    """Return a row for each case and service: medians, and its rate as a part of the peer's in the same rounds."""
    rows = []
    for (case, name), measured in runs.items():
        beside = runs[case, peer]
        ratio = median(one.rate / other.rate for one, other in zip(measured, beside, strict=True))
        figures = {key: round(median(getattr(one, key) for one in measured), 2) for key in ("rate", "median", "worst")}
        rows.append({"case": case, "service": name, **figures, "of_peer": round(ratio, 3), "rounds": len(measured)})
    return rows


def bench_http(rounds: int, seconds: int) -> list[dict[str, Any]]:
    """Compare the services on a new database with a year of flights."""
    with tempfile.TemporaryDirectory(prefix="lkbench") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user below it
        settings = ("max_connections=40", "shared_buffers=256MB")
        server = stack.enter_context(postgres.local_server(folder / "postgres", services.free_port(), *settings))
        url = f"{server}/postgres"
        say(f"{flights.load(url):,} flights loaded; load by {load.client()} on {load.CONNECTIONS} connections")
        peer = stack.enter_context(services.start_peer(url))
        generated = stack.enter_context(services.start_generated(url, folder / "generated"))
        chosen = [peer, *([generated] if generated else [])]
        if generated is None:
            say("no generated application yet: the peer alone")
        for service in chosen:
            for case in services.CASES:
                body = services.fetch(service.addresses[case], service.headers)
                say(f"{service.name:<10} {case:<16} {len(body):,} bytes")
        return summary(turns(chosen, rounds, seconds), peer.name)


def table(report: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [
        "| case | service | answers/s | median ms | 99 % ms | of the peer's rate |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in report.get("http", ()):
        figures = f"{row['rate']:,.0f} | {row['median']:.2f} | {row['worst']:.2f} | {row['of_peer']:.2f}"
        lines.append(f"| {row['case']} | {row['service']} | {figures} |")
    lines += ["", "| import | ms | `import IPython`, same run | budget ms | kept |", "|---|---:|---:|---:|---|"]
    for row in report.get("imports", ()):
        kept = "yes" if row["seconds"] < row["budget"] else "no"
        figures = f"{row['seconds'] * 1000:.0f} | {row['peer'] * 1000:.0f} | {row['budget'] * 1000:.0f} | {kept}"
        lines.append(f"| `{row['name']}` | {figures} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the benchmarks that are named, all where none is; a budget that isn't kept answers 1."""
    parser = argparse.ArgumentParser(prog="make bench", description="Compare with a hand-written service.")
    parser.add_argument("which", nargs="*", help="http or imports; both where none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    given = parser.parse_args()
    which = given.which or BENCHMARKS
    if unknown := set(which) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    report: dict[str, Any] = {"python": platform.python_version(), "client": load.client()}
    if "http" in which:
        report["http"] = bench_http(given.rounds, given.seconds)
    costs = imports.measure(given.rounds + 2) if "imports" in which else []
    report["imports"] = [asdict(cost) for cost in costs]
    report["slowest_imports"] = imports.slowest() if costs else []
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(report, indent=2) + "\n")
    (BUILD / "bench.md").write_text(table(report))
    say("\n" + table(report))
    return 0 if all(cost.kept for cost in costs) else 1


if __name__ == "__main__":
    sys.exit(main())
