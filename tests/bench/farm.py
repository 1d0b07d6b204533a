"""The flight desk on a development environment of its own: deploy, load a year of flights, deploy a change.

The peer of the load is the least that PostgreSQL can do with the same rows on the same server: COPY from one CSV file
into a table without key, references or index. It reads, maps and checks nothing.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psycopg

from lowcode_kernel.farm.development import stop_development
from lowcode_kernel.farm.history import schema_history
from lowcode_kernel.farm.loading import load_data
from lowcode_kernel.magics.verbs import find_verb
from lowcode_kernel.magics.verbs.verb import parse
from lowcode_kernel.magics.workbench import Workbench
from tests.bench import flightdesk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.farm.environments import Environment

    Say = Callable[[str], None]

FLIGHTS = 336_776
COLUMNS = "carrier, number, origin, destination, plane, departs_at, departure_delay, arrival_delay, distance"
EMPTY = "TRUNCATE flightdesk.flight, flightdesk.plane, flightdesk.airport, flightdesk.airline CASCADE"
PLAIN = f"CREATE TABLE plain_flight AS SELECT {COLUMNS} FROM flightdesk.flight LIMIT 0"
CHUNK = 1 << 20  # bytes, as the loader hands them over


@contextmanager
def state_folder() -> Iterator[Path]:
    """Give a folder for a development environment; what runs there ends with the block."""
    with tempfile.TemporaryDirectory(prefix="lkbench", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user below it
        before = os.environ.get("LOWCODE_HOME")
        os.environ["LOWCODE_HOME"] = str(folder / "state")
        try:
            yield folder
        finally:
            stop_development(folder / "state")
            os.environ.pop("LOWCODE_HOME")
            if before is not None:
                os.environ["LOWCODE_HOME"] = before


def deploy(model: Model, folder: Path) -> float:
    """Return the seconds of `%deploy dev`: generate, plan, stage, upgrade the database, start, check, switch."""
    verb, bench = find_verb("deploy"), Workbench(lambda: model, folder)
    began = perf_counter()
    verb.run(bench, parse(verb, ["dev"], prefix="%"), lambda _: None)
    return perf_counter() - began


def load_all(environment: Environment, model: Model, folder: Path) -> tuple[float, float]:
    """Return the seconds of `load_data` into empty tables, and those of writing the flights alone."""
    began = perf_counter()
    schema = schema_history(environment, flightdesk.NAME)[-1]
    reports = load_data(environment, model.application, schema, folder)
    passed = perf_counter() - began
    written = next(report for report in reports if report.entity == "Flight")
    if written.written != FLIGHTS:
        raise ValueError(f"{written.written:,} flights were written, not {FLIGHTS:,}")
    return passed, written.seconds


def write_csv(url: str, file: Path) -> None:
    """Write the flights that were loaded into a CSV file."""
    statement = f"COPY (SELECT {COLUMNS} FROM flightdesk.flight ORDER BY id) TO STDOUT (FORMAT csv)"
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(statement.encode()) as copy,
        file.open("wb") as out,
    ):
        for part in copy:
            out.write(part)


def copy_plain(url: str, file: Path) -> float:
    """Return the seconds of COPY from the CSV file into a new plain table, with its commit."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS plain_flight")
        connection.execute(PLAIN.encode())
        began = perf_counter()
        with connection.cursor() as cursor, file.open("rb") as rows:
            with cursor.copy(f"COPY plain_flight ({COLUMNS}) FROM STDIN (FORMAT csv)".encode()) as copy:
                while part := rows.read(CHUNK):
                    copy.write(part)
            passed = perf_counter() - began
            if cursor.rowcount != FLIGHTS:
                raise ValueError(f"COPY wrote {cursor.rowcount:,} flights, not {FLIGHTS:,}")
        return passed


def bench_loading(environment: Environment, model: Model, folder: Path, rounds: int) -> dict[str, Any]:
    """Load the year into empty tables, in turns with the peer."""
    url, file = environment.database_url(flightdesk.NAME).reveal(), folder / "flights.csv"
    whole, flights, plain = [], [], []
    for number in range(rounds):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(EMPTY)
            passed, alone = load_all(environment, model, folder)
        if number == 0:
            write_csv(url, file)
        whole.append(passed)
        flights.append(alone)
        plain.append(copy_plain(url, file))
    ratio = median(one / other for one, other in zip(whole, plain, strict=True))
    figures = {"load_data": whole, "flights_alone": flights, "plain_copy": plain}
    medians = {name: round(median(times), 3) for name, times in figures.items()}
    return {**medians, "first": round(whole[0], 3), "of_peer": round(ratio, 2), "rows": FLIGHTS, "rounds": rounds}


def bench_farm(rounds: int, say: Say) -> dict[str, Any]:
    """Start a development environment, deploy, load, deploy a change of it with the rows there."""
    with state_folder() as folder:
        first = flightdesk.first_model()
        began = perf_counter()
        environment = Workbench(lambda: first, folder).environment("dev")
        times = {"start of dev": perf_counter() - began}
        times["first deployment"] = deploy(first, folder)
        loading = bench_loading(environment, first, folder, rounds)
        times["deployment of a change"] = deploy(flightdesk.changed_model(), folder)
        for name, seconds in times.items():
            say(f"{name}: {seconds:.1f} s")
        deploying = [{"name": name, "seconds": round(seconds, 2)} for name, seconds in times.items()]
        return {"loading": loading, "deploying": deploying}
