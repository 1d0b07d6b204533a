"""The read screen of the generated application beside the hand-written peer: the same statement, the same rows.

Only ratios within one run mean anything: the machine is shared, so each round measures every service, every second
round in the opposite order, and a ratio is the median of the rounds' ratios. The processor time is that of the service
alone, without the database and the queue; it tells the same with less noise, since it does not count who else waits.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests import postgres
from tests.bench import flights, load, processor, services
from tests.services import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.load import Measured
    from tests.bench.services import Service

    Say = Callable[[str], None]

SHOWN = ("id", "number", "airline", "destination", "departure_delay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the client measured, and the service's processor time for one answer (milliseconds)."""

    measured: Measured
    processor: float


Runs = dict[tuple[str, str], list[Turn]]


def take_turn(service: Service, case: str, seconds: int) -> Turn:
    """Measure one case of one service."""
    before = processor.seconds(service.process)
    measured = load.measure(service.addresses[case], service.headers, seconds)
    used = processor.seconds(service.process) - before
    return Turn(measured=measured, processor=used * 1000 / measured.answers)


def turns(chosen: tuple[Service, ...], rounds: int, seconds: int, say: Say) -> Runs:
    """Measure each case of each service once a round."""
    runs: Runs = {}
    for number in range(rounds):
        for case in services.CASES:
            for service in chosen if number % 2 == 0 else chosen[::-1]:
                turn = take_turn(service, case, seconds)
                runs.setdefault((case, service.name), []).append(turn)
                figures = f"{turn.measured.rate:8.0f}/s {turn.processor:7.3f} ms of processor"
                say(f"round {number + 1}: {service.name:<10} {case:<16} {figures}")
    return runs


def summary(runs: Runs, peer: str) -> list[dict[str, Any]]:
    """Return a row for each case and service: medians, and its rate and processor time as parts of the peer's in the
    same rounds.
    """
    rows = []
    for (case, name), own in runs.items():
        pairs = list(zip(own, runs[case, peer], strict=True))
        figures = {
            key: round(median(getattr(turn.measured, key) for turn in own), 2) for key in ("rate", "median", "worst")
        }
        figures["processor"] = round(median(turn.processor for turn in own), 4)
        figures["rate_of_peer"] = round(median(one.measured.rate / other.measured.rate for one, other in pairs), 3)
        figures["processor_of_peer"] = round(median(one.processor / other.processor for one, other in pairs), 3)
        rows.append({"case": case, "service": name, **figures, "rounds": len(own)})
    return rows


def rows_of(body: bytes) -> list[tuple[object, ...]]:
    """Return the rows of an answer, of either service."""
    answer = json.loads(body)
    rows = answer["components"]["c1"]["rows"] if "components" in answer else answer["rows"]
    return [tuple(row[name] for name in SHOWN) for row in rows]


def compare_answers(peer: Service, generated: Service, say: Say) -> None:
    """Make sure that both answer each case with the same rows; whoever reads a table of ratios relies on it."""
    for case in services.CASES:
        bodies = [services.fetch(one.addresses[case], one.headers) for one in (peer, generated)]
        theirs, ours = (rows_of(body) for body in bodies)
        if theirs != ours or not ours:
            raise ValueError(
                f"{case}: the peer answers {len(theirs)} rows, the generated application {len(ours)} others"
            )
        say(f"{case}: {len(ours)} rows, the same from both; {len(bodies[0]):,} and {len(bodies[1]):,} bytes")


def bench_reading(rounds: int, seconds: int, say: Say) -> list[dict[str, Any]]:
    """Compare the two on a new database with a year of flights."""
    with tempfile.TemporaryDirectory(prefix="lkbench") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user below it
        settings = ("max_connections=40", "shared_buffers=256MB")
        server = stack.enter_context(postgres.local_server(folder / "postgres", free_port(), *settings))
        url = f"{server}/postgres"
        say(f"{flights.load(url):,} flights loaded; load by {load.client()} on {load.CONNECTIONS} connections")
        peer = stack.enter_context(services.start_peer(url))
        generated = stack.enter_context(services.start_generated(url, folder / "generated"))
        compare_answers(peer, generated, say)
        return summary(turns((peer, generated), rounds, seconds, say), peer.name)
