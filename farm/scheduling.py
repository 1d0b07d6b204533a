"""The scheduler: which job runs when, held in the metadata database, so that every front-end can do the work.

There is no leader. Each worker makes the ticks that are due (one row per schedule and tick, by a unique key) and takes
what there is to run (`FOR UPDATE SKIP LOCKED`). The database is the authority, and its clock the only clock:

    waiting ──taken──> running ──────> done
       ^ ^                │ │ └──────> cancelled
       │ └─ failed: after a pause      (a waiting run: at once)
       │    that doubles  │ └────────> parked     failed more often than its retries allow, or lost MOST_LOSSES workers
       │                  │
       └─ handed back by a worker that stops
    waiting ──> skipped   a later tick came first: of ticks that were missed only the latest is run

A worker holds a run by a lease that it renews. One that was killed, or cut off, or frozen, loses it, and the run is
taken again; `attempt` grows with each taking, and every write names its attempt, so that a late writer changes nothing.
Its process ends with the lease, too (see `farm.run_notebook`). `schedule.run` names the run that has the job: while it
is set no other run of the job is taken.

Each change of state writes an event into `outbox` in the same transaction; workers pass it on to the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from lowcode_kernel.farm import job_statements as sql
from lowcode_kernel.farm.databases import connect, ensure_database
from lowcode_kernel.farm.desk import OPEN, Run, RunState, announce_end, as_run, next_tick, rows, tell, wake
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.jobs import JobSpec

DATABASE = "lowcode"
PRIORITIES = {"low": 0, "normal": 1, "high": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A job of the release that serves, and how it went last."""

    application: str
    job: str
    version: str
    cron: str
    next_tick: datetime | None
    running: int | None
    last_state: RunState | None = None
    last_finished: datetime | None = None
    last_error: str | None = None


def ensure_tables(environment: Environment) -> None:
    """Create the scheduler's tables in the metadata database, and the database where it is missing."""
    ensure_database(environment, DATABASE)
    with connect(environment.database_url(DATABASE)) as connection:
        connection.execute(sql.LOCK)  # CREATE ... IF NOT EXISTS is not safe against a race
        connection.execute(sql.TABLES)


def register_schedules(environment: Environment, application: str, version: str, jobs: tuple[JobSpec, ...]) -> None:
    """Make `jobs` the schedules of an application; jobs that are not among them are not run any more.

    Raises: LowcodeError where a job's schedule is none; then nothing is changed.
    """
    ensure_tables(environment)
    with connect(environment.database_url(DATABASE)) as connection:
        mine = {"environment": environment.name, "application": application, "version": version}
        now = datetime.now(UTC)
        for job in jobs:
            connection.execute(sql.REGISTER, mine | _columns(job, now))
        connection.execute(sql.RETIRE, mine | {"jobs": [job.name for job in jobs]})
        tell(connection, rows(connection, sql.CANCEL_RETIRED, mine))
        wake(connection)


def _columns(job: JobSpec, now: datetime) -> dict[str, object]:
    return {
        "job": job.name,
        "cron": job.schedule,
        "notebook": job.notebook,
        "timeout": timedelta(seconds=job.timeout),
        "retries": job.retries,
        "priority": PRIORITIES[job.priority],
        "next_tick": next_tick(job.schedule, now),
    }


def run_now(
    environment: Environment, application: str, job: str, parameters: Mapping[str, object] | None = None
) -> int:
    """Ask for a run of a job beside its schedule, and return the run's id.

    Raises: LowcodeError where the application has no such job.
    """
    ensure_tables(environment)
    with connect(environment.database_url(DATABASE)) as connection:
        values = {"environment": environment.name, "application": application, "job": job}
        content = msgspec.json.encode(dict(parameters or {})).decode()
        added = connection.execute(sql.ADD_RUN, values | {"parameters": content}).fetchone()
        if added is None:
            known = [schedule["job"] for schedule in rows(connection, sql.SCHEDULES, values)]
            hint = did_you_mean(job, known) or "deploy it first"
            raise LowcodeError.of(f'{application} has no job "{job}" on {environment.name}', hint, code="LK711")
        wake(connection)
        return int(added[0])


def wait_for_run(environment: Environment, run_id: int, timeout: timedelta = timedelta(minutes=10)) -> Run:
    """Wait until a run has come to its end, and return it.

    Raises: LowcodeError where it is not there, or has not ended in time.
    """
    until = monotonic() + timeout.total_seconds()
    with connect(environment.database_url(DATABASE), autocommit=True) as connection:
        connection.execute(sql.LISTEN_ENDED)  # before the first look, so that no end is missed between the two
        while (run := _run(connection, environment, run_id)).state in OPEN:
            if (left := until - monotonic()) <= 0:
                fact = f"run {run_id} of {run.job} is {run.state} after {timeout.total_seconds():g} s"
                hint = "is a worker running?" if run.state == "waiting" else "it goes on"
                raise LowcodeError.of(fact, hint, code="LK713")
            for note in connection.notifies(timeout=left):
                if note.payload == str(run_id):
                    break
        return run


def _run(connection: psycopg.Connection[Any], environment: Environment, run_id: int) -> Run:
    found = rows(connection, sql.RUN, {"environment": environment.name, "id": run_id})
    if not found:
        raise LowcodeError.of(f"there is no run {run_id} on {environment.name}", code="LK712")
    return as_run(found[0])


def list_runs(environment: Environment, application: str, job: str | None = None, limit: int = 100) -> tuple[Run, ...]:
    """Return the latest runs of an application, or of one job of it, newest first."""
    ensure_tables(environment)
    values = {"environment": environment.name, "application": application, "job": job, "limit": limit}
    with connect(environment.database_url(DATABASE)) as connection:
        return tuple(map(as_run, rows(connection, sql.RUNS, values)))


def list_schedules(environment: Environment, application: str) -> tuple[Schedule, ...]:
    """Return the jobs of an application with their next tick, by name."""
    ensure_tables(environment)
    values = {"environment": environment.name, "application": application}
    with connect(environment.database_url(DATABASE)) as connection:
        found = rows(connection, sql.SCHEDULES, values)
    names = ("application", "job", "version", "cron", "next_tick", "last_state", "last_finished", "last_error")
    return tuple(Schedule(running=row["run"], **{name: row[name] for name in names}) for row in found)


def cancel_run(environment: Environment, run_id: int) -> Run:
    """Cancel a run: at once where it waits; where it runs, its worker is told to end it.

    Raises: LowcodeError where there is no such run. One that has ended is returned as it is.
    """
    with connect(environment.database_url(DATABASE)) as connection:
        found = rows(connection, sql.CANCEL, {"environment": environment.name, "id": run_id})
        if not found:
            return _run(connection, environment, run_id)
        if found[0]["state"] == "cancelled":
            tell(connection, found)
            announce_end(connection, run_id)
        wake(connection)
        return as_run(found[0])
