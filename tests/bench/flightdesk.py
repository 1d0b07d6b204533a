"""The tour's flight desk as the benchmark has it: its notebook up to the first change, the whole notebook, and with
one more screen that asks what the peer is asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from lowcode_kernel.assembly import assemble
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.language import read_cell
from lowcode_kernel.notebook import code_cells, read_notebook
from lowcode_kernel.places import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lowcode_kernel.assembly import Model

NAME = "flightdesk"
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "00_tour.ipynb"
EMAIL = "bench@example.com"
# the peer's statement, in the names of the model
QUERY = """%%query bench_departures(origin: Airport, day: Date, limit: Integer)
SELECT f.id, f.departs_at, f.number, a.name AS airline, d.name AS destination, f.departure_delay
FROM Flight f
JOIN Airline a ON a.code = f.carrier
JOIN Airport d ON d.code = f.destination
WHERE f.origin = :origin AND f.departs_at >= :day AND f.departs_at < :day + 1
ORDER BY f.departs_at, f.number
LIMIT :limit
"""
SCREEN = """%%screen bench "/bench/{code}/{limit}" (code: Text, limit: Integer) --role Dispatcher
day = date_input("Day", default=date(2013, 7, 10))
table(
    bench_departures(origin=code, day=day, limit=limit),
    columns=[departs_at, number, airline, destination, departure_delay],
    row=link(flight, flight=row.id),
)
"""
ROWS = """
INSERT INTO flightdesk.airline (code, name) SELECT code, name FROM peer.airline;
INSERT INTO flightdesk.airport (code, name, latitude, longitude, altitude) SELECT code, name, 0, 0, 0 FROM peer.airport;
INSERT INTO flightdesk.flight (id, carrier, number, origin, destination, departs_at, departure_delay, distance)
    SELECT id, carrier, number, origin, destination, departs_at, departure_delay, distance FROM peer.flight ORDER BY id;
"""


def first_model(*more: str) -> Model:
    """Return the model as the tour deploys it first, and with more cells where they are given."""
    texts = []
    for _, _, text in code_cells(NOTEBOOK):
        if "--replace" in text.partition("\n")[0]:
            break
        texts.append(text)
    return assemble([read_cell(text, Place(cell=number)) for number, text in enumerate((*texts, *more), start=1)])


def changed_model() -> Model:
    """Return the model as the tour deploys it under traffic: an attribute more, an attribute renamed, an action more."""
    return read_notebook(NOTEBOOK)


def write(folder: Path) -> None:
    """Write the generated application with the screen of the benchmark."""
    write_bundle(generate(optimize(first_model(QUERY, SCREEN).application).application), folder)


def python(folder: Path, variables: Mapping[str, str], *words: str) -> str:
    """Run a module of the application; return what it says."""
    command = (sys.executable, "-m", *words)
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OSError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def prepare(folder: Path, database_url: str, variables: Mapping[str, str]) -> str:
    """Make the application's tables, give them the peer's rows and add a user; return the password."""
    python(folder, variables, "alembic", "-c", "upgrade/alembic.ini", "upgrade", "head")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ROWS)
        connection.execute("VACUUM ANALYZE")
    return python(folder, variables, f"{NAME}.users", "add", EMAIL, "--name", "Bench", "--role", "Dispatcher").split()[
        -1
    ]
