"""Runs the tests of a model's cells: the application as it would be deployed, on a database that lives for as long as
they do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from lowcode_kernel.farm.databases import ensure_database, query
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment

PATIENCE = 300  # seconds for all tests


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """How one test ended; `message` says why where it failed, with the place."""

    __test__ = False  # pytest: not a test class

    name: str
    ok: bool
    message: str
    seconds: float


def run_cell_tests(environment: Environment, bundle: Bundle) -> tuple[TestOutcome, ...]:
    """Run all tests of a bundle that was generated with its tests; each in a transaction that is rolled back.

    Raises LowcodeError where the database can't be made.
    """
    with (
        TemporaryDirectory(prefix="lowcode-test-") as name,
        _database(environment, f"{bundle.application}_test_{os.getpid()}") as url,
    ):
        folder = Path(name)
        for file in bundle.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
        variables = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": name, "PYTHONDONTWRITEBYTECODE": "1"}
        _run(folder, variables, "alembic", "-c", "upgrade/alembic.ini", "upgrade", "head")
        out = _run(folder, variables, f"{bundle.application}.cell_tests")
    return tuple(msgspec.json.decode(out, type=list[TestOutcome]))


def _run(folder: Path, variables: dict[str, str], *words: str) -> bytes:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise LowcodeError.of(f"the tests can't run: {' '.join(last)}", "%check, and %status dev", code="LK680")
    return done.stdout


@contextmanager
def _database(environment: Environment, name: str) -> Iterator[str]:
    """Make a database, and take it away at the end."""
    ensure_database(environment, name)
    try:
        yield environment.database_url(name).reveal()
    finally:
        query(
            environment.database_url("postgres"),
            f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)",
            autocommit=True,
        )
