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

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from lowcode_kernel.farm import job_statements as sql
from lowcode_kernel.farm.databases import connect, ensure_database

from lowcode_kernel.events import Event, Outcome
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import psycopg
    from lowcode_kernel.farm.environments import Environment

    from lowcode_kernel.jobs import JobSpec

    type_of_row = dict[str, Any]

DATABASE = "lowcode"
PRIORITIES = {"low": 0, "normal": 1, "high": 2}
MOST_LOSSES = 3
LONGEST_PAUSE = timedelta(hours=1)
RunState = Literal["waiting", "running", "done", "parked", "cancelled", "skipped"]
OPEN: frozenset[RunState] = frozenset({"waiting", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job. `tick` is None where somebody asked for it; `record` is the executed notebook, on the worker's host."""

    id: int
    application: str
    job: str
    state: RunState
    attempt: int
    failures: int
    losses: int
    tick: datetime | None
    parameters: dict[str, object]
    run_at: datetime
    created_at: datetime
    worker: str | None = None
    version: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    record: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A run that a worker holds. `lost` says that it was taken from a worker that did not renew its lease."""

    run: Run
    notebook: str
    timeout: timedelta
    retries: int
    lost: bool


def ensure_tables(environment: Environment) -> None:
    """Create the scheduler's tables in the metadata database, and the database where it is missing."""
    ensure_database(environment, DATABASE)
    with connect(environment.database_url(DATABASE)) as connection:
        connection.execute(sql.LOCK)  # CREATE ... IF NOT EXISTS is not safe against a race
        connection.execute(sql.TABLES)


def next_tick(cron: str, after: datetime) -> datetime:
    """Return the first moment above `after` that a cron expression names, in UTC.

    Raises: LowcodeError where it is none.
    """
    return next(_moments(cron, after.astimezone(UTC)))


def latest_tick(cron: str, until: datetime) -> datetime:
    """Return the last moment up to `until` that a cron expression names, in UTC."""
    minute = until.astimezone(UTC).replace(second=0, microsecond=0)
    return next(_moments(cron, minute + timedelta(minutes=1), reverse=True))


def _moments(cron: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError

    try:
        return iter(CronSim(cron, start, reverse=reverse))
    except CronSimError as error:
        fact = f'"{cron}" is not a schedule: {str(error).lower()}'
        raise LowcodeError.of(fact, "write minute, hour, day, month, weekday: 0 2 * * *", code="LK660") from None


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
        tell(connection, _rows(connection, sql.CANCEL_RETIRED, mine))
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
            known = [schedule["job"] for schedule in _rows(connection, sql.SCHEDULES, values)]
            hint = did_you_mean(job, known) or "deploy it first"
            raise LowcodeError.of(f'{application} has no job "{job}" on {environment.name}', hint, code="LK661")
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
                raise LowcodeError.of(fact, hint, code="LK663")
            for note in connection.notifies(timeout=left):
                if note.payload == str(run_id):
                    break
        return run


def _run(connection: psycopg.Connection[Any], environment: Environment, run_id: int) -> Run:
    rows = _rows(connection, sql.RUN, {"environment": environment.name, "id": run_id})
    if not rows:
        raise LowcodeError.of(f"there is no run {run_id} on {environment.name}", code="LK662")
    return _as_run(rows[0])


def list_runs(environment: Environment, application: str, job: str | None = None, limit: int = 100) -> tuple[Run, ...]:
    """Return the latest runs of an application, or of one job of it, newest first."""
    ensure_tables(environment)
    values = {"environment": environment.name, "application": application, "job": job, "limit": limit}
    with connect(environment.database_url(DATABASE)) as connection:
        return tuple(map(_as_run, _rows(connection, sql.RUNS, values)))


def list_schedules(environment: Environment, application: str) -> tuple[Schedule, ...]:
    """Return the jobs of an application with their next tick, by name."""
    ensure_tables(environment)
    values = {"environment": environment.name, "application": application}
    with connect(environment.database_url(DATABASE)) as connection:
        rows = _rows(connection, sql.SCHEDULES, values)
    names = ("application", "job", "version", "cron", "next_tick", "last_state", "last_finished", "last_error")
    return tuple(Schedule(running=row["run"], **{name: row[name] for name in names}) for row in rows)


def cancel_run(environment: Environment, run_id: int) -> Run:
    """Cancel a run: at once where it waits; where it runs, its worker is told to end it.

    Raises: LowcodeError where there is no such run. One that has ended is returned as it is.
    """
    with connect(environment.database_url(DATABASE)) as connection:
        rows = _rows(connection, sql.CANCEL, {"environment": environment.name, "id": run_id})
        if not rows:
            return _run(connection, environment, run_id)
        if rows[0]["state"] == "cancelled":
            tell(connection, rows)
            _announce_end(connection, run_id)
        wake(connection)
        return _as_run(rows[0])


# what a worker does with a connection of its own; each function is one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The scheduler as a worker sees it: the jobs of one environment, and who the worker is."""

    connection: psycopg.Connection[Any]
    environment: str
    worker: str
    lease: timedelta
    pause: timedelta = field(default=timedelta(seconds=10))

    def make_ticks(self) -> None:
        """Add a run for the latest tick of each schedule that is due; ticks missed before it stay missed."""
        with self.connection.transaction():
            mine = {"environment": self.environment}
            for application, job, cron, _, now in self.connection.execute(sql.DUE, mine).fetchall():
                tick = latest_tick(cron, now)
                values = mine | {
                    "application": application,
                    "job": job,
                    "tick": tick,
                    "next_tick": next_tick(cron, now),
                }
                self.connection.execute(sql.ADD_TICK, values)
                tell(self.connection, _rows(self.connection, sql.SKIP_OLDER, values))
                self.connection.execute(sql.MOVE_TICK, values)
                wake(self.connection)

    def take(self, applications: Iterable[str]) -> Taken | None:
        """Take the next run of one of these applications, or nothing."""
        values = {"environment": self.environment, "applications": list(applications)}
        with self.connection.transaction():
            rows = _rows(self.connection, sql.TAKE, values | {"worker": self.worker, "lease": self.lease})
            if not rows:
                return None
            tell(self.connection, rows)
            row = rows[0]
            return Taken(
                run=_as_run(row),
                notebook=row["notebook"],
                timeout=row["timeout"],
                retries=row["retries"],
                lost=row["lost"],
            )

    def renew(self, held: Iterable[tuple[int, int]]) -> dict[int, bool]:
        """Renew the leases of (run, attempt) pairs; return those still held, and whether each is to be cancelled."""
        ids, attempts = zip(*held, strict=True)
        values = {"ids": list(ids), "attempts": list(attempts), "lease": self.lease}
        with self.connection.transaction():
            return dict(self.connection.execute(sql.RENEW, values).fetchall())

    def finish(self, taken: Taken, state: RunState, *, error: str = "", record: str = "", version: str = "") -> bool:
        """Write how an attempt ended; False where the run is no longer ours, and nothing was written.

        `state` "parked" means that the attempt failed: the run waits for its next attempt where it has one left.
        """
        failed = state == "parked"
        if failed and taken.run.failures < taken.retries:
            state = "waiting"
        pause = min(self.pause * 2**taken.run.failures, LONGEST_PAUSE) if failed else timedelta(0)
        values = {
            "id": taken.run.id, "attempt": taken.run.attempt, "state": state, "failed": failed, "pause": pause,
            "error": error or None, "record": record or None, "version": version or None,
        }  # fmt: skip
        with self.connection.transaction():
            rows = _rows(self.connection, sql.FINISH, values)
            if not rows:
                return False
            self.connection.execute(sql.LET_GO, values)
            tell(self.connection, rows)
            _announce_end(self.connection, taken.run.id)
            wake(self.connection)
        return True

    def until_next(self, applications: Iterable[str]) -> float | None:
        """Return the seconds until there will be something to do, or None where nothing is in sight."""
        values = {"environment": self.environment, "applications": list(applications)}
        with self.connection.transaction():
            row = self.connection.execute(sql.NEXT_MOMENT, values).fetchone()
        return None if row is None or row[0] is None else max(float(row[0]), 0.0)

    def forget_old(self, keep: int) -> list[str]:
        """Delete all but the latest `keep` runs of each job that have ended; return their records."""
        with self.connection.transaction():
            rows = self.connection.execute(sql.FORGET, {"environment": self.environment, "keep": keep}).fetchall()
        return [record for (record,) in rows if record]


def take_untold(connection: psycopg.Connection[Any], limit: int = 500) -> tuple[list[Event], list[int]]:
    """Return events that the queue was not told yet, locked until the transaction ends, and their numbers."""
    rows = connection.execute(sql.UNTOLD, {"limit": limit}).fetchall()
    return [msgspec.convert(event, Event) for _, event in rows], [number for number, _ in rows]


def forget_told(connection: psycopg.Connection[Any], numbers: list[int]) -> None:
    """Delete events that the queue has."""
    connection.execute(sql.TOLD, {"ids": numbers})


def wake(connection: psycopg.Connection[Any]) -> None:
    """Wake the workers when the transaction at hand is committed."""
    connection.execute(sql.NOTIFY, {"channel": "jobs_open", "payload": ""})


def _announce_end(connection: psycopg.Connection[Any], run_id: int) -> None:
    connection.execute(sql.NOTIFY, {"channel": "jobs_ended", "payload": str(run_id)})


def tell(connection: psycopg.Connection[Any], rows: Iterable[type_of_row]) -> None:
    """Write an event for each run that has changed its state."""
    for row in rows:
        content = msgspec.json.encode(_event(row)).decode()
        connection.execute(sql.TELL, {"event": content})


def _event(row: type_of_row) -> Event:
    end = row["finished_at"] or datetime.now(UTC)
    attributes = {
        "job.name": row["job"],
        "job.run": row["id"],
        "job.attempt": row["attempt"],
        "job.state": row["state"],
    }
    if row["tick"]:
        attributes["job.tick"] = row["tick"].isoformat()
    if row["error"]:
        attributes["exception.message"] = row["error"]
    failed: Outcome = "error" if row["error"] and row["state"] in {"parked", "waiting"} else "ok"
    ended = row["state"] != "running" and row["started_at"]
    return Event(
        id=f"job-{row['environment']}-{row['id']}-{row['attempt']}-{row['state']}",
        time=datetime.now(UTC), kind="job", application=row["application"], version=row["version"] or "",
        host=row["worker"] or "", element=f"job:{row['job']}", outcome=failed,
        duration_ms=(end - row["started_at"]).total_seconds() * 1000 if ended else 0.0, attributes=attributes,
    )  # fmt: skip


def _rows(connection: psycopg.Connection[Any], statement: str, values: Mapping[str, object]) -> list[type_of_row]:
    cursor = connection.execute(statement, values)  # type: ignore[call-overload]
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _as_run(row: type_of_row) -> Run:
    return Run(**{name: row[name] for name in Run.__dataclass_fields__})
