"""Upgrading the database of an application with the scripts of its bundle.

The scripts only add, take locks for two seconds at most, and are one transaction but for concurrent indexes. So a
refused lock costs nothing but time: the same upgrade is tried again, a few times, ever later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.farm.databases import drop_broken_indexes, ensure_database, revision_of, schemas_of
from lowcode_kernel.farm.planning import revisions
from lowcode_kernel.farm.upgrade_process import REFUSED
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment, Secret

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
LONGEST_SECONDS = 3600
LOCK_REFUSED = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected


def upgrade_database(environment: Environment, bundle: Bundle, *, pauses: tuple[float, ...] = PAUSES) -> str:
    """Bring the application's database to what `bundle` expects, created where it is missing; return what was done.

    Raises LowcodeError with the statement that the database refused.
    """
    ensure_database(environment, bundle.application)
    url = environment.database_url(bundle.application)
    before, known = revision_of(url, bundle.application), revisions(bundle)
    if before and known and before not in known:
        return _ahead(environment, bundle, before)
    attempts = _run_until_locked(url, bundle, pauses)
    after = revision_of(url, bundle.application)
    return f"{before or 'nothing'} -> {after or 'nothing'}" + (f", after {attempts} attempts" if attempts > 1 else "")


def _ahead(environment: Environment, bundle: Bundle, revision: str) -> str:
    """Leave a database alone that a later version upgraded: it is right where it holds this version's views too."""
    if bundle.schema.views in schemas_of(environment.database_url(bundle.application)):
        return f"left at {revision}: it holds the views of this version already"
    fact = f"the database is at {revision}, which {bundle.version} doesn't know, and has no views {bundle.schema.views}"
    hint = "generate the application again with the history of this environment"
    raise LowcodeError.of(fact, hint, code="LK631")


def _run_until_locked(url: Secret, bundle: Bundle, pauses: tuple[float, ...]) -> int:
    with tempfile.TemporaryDirectory(prefix="lowcode-upgrade-") as folder:
        for file in bundle.files:
            path = Path(folder, file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        for attempt, pause in enumerate((*pauses, None), 1):
            refusal = _run(url, folder)
            if refusal is None:
                return attempt
            drop_broken_indexes(url, bundle.application)
            if refusal["sqlstate"] not in LOCK_REFUSED or pause is None:
                raise _refused(bundle, refusal, attempt)
            time.sleep(pause)
    raise AssertionError("unreachable")


def _run(url: Secret, folder: str) -> dict[str, str] | None:
    """Run the scripts once; return None, or what the database refused."""
    variables = {**os.environ, "DATABASE_URL": url.reveal()}
    command = (sys.executable, "-m", "lowcode_kernel.farm.upgrade_process")
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    if done.returncode == 0:
        return None
    if done.returncode == REFUSED:
        refusal: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return refusal
    last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    raise LowcodeError.of(f"the upgrade scripts stopped: {last[0].replace(url.reveal(), '***')}", code="LK632")


def _refused(bundle: Bundle, refusal: dict[str, str], attempts: int) -> LowcodeError:
    statement = f": {' '.join(refusal['statement'].split())}" if refusal["statement"] else ""
    if refusal["sqlstate"] in LOCK_REFUSED:
        fact = f"a lock in database {bundle.application} could not be had in {attempts} attempts{statement}"
        return LowcodeError.of(fact, "a long transaction holds it; end it, or deploy at a quieter time", code="LK633")
    fact = f"database {bundle.application} refused the upgrade, {refusal['message']} ({refusal['sqlstate']}){statement}"
    return LowcodeError.of(fact, "the transaction was rolled back", code="LK634")
