"""The scheduler as a worker sees it: runs taken, held, ended. `farm.scheduling` says how it all goes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lowcode_kernel.events import Event, Outcome
from lowcode_kernel.farm import job_statements as sql
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import psycopg

    Row = dict[str, Any]

MOST_LOSSES = 3
LONGEST_PAUSE = timedelta(hours=1)
RunState = Literal["waiting", "running", "done", "parked", "cancelled", "skipped"]
OPEN: frozenset[RunState] = frozenset({"waiting", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job. `tick` is None where somebody asked for it; `record` is the executed notebook on its host."""

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
class Taken:
    """A run that a worker holds. `lost` says that it was taken from a worker that did not renew its lease."""

    run: Run
    notebook: str
    timeout: timedelta
    retries: int
    lost: bool


def next_tick(cron: str, after: datetime) -> datetime:
    """Return the first moment above `after` that a cron expression names, in UTC.

    Raises: LowcodeError where it is none.
    """
    return next(_moments(cron, after))


def latest_tick(cron: str, until: datetime) -> datetime:
    """Return the last moment up to `until` that a cron expression names, in UTC."""
    minute = until.replace(second=0, microsecond=0)
    return next(_moments(cron, minute + timedelta(minutes=1), reverse=True))


def _moments(cron: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError

    try:
        return iter(CronSim(cron, start.astimezone(UTC), reverse=reverse))
    except CronSimError as error:
        fact = f'"{cron}" is not a schedule: {str(error).lower()}'
        raise LowcodeError.of(fact, "write minute, hour, day, month, weekday: 0 2 * * *", code="LK710") from None


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
                tell(self.connection, rows(self.connection, sql.SKIP_OLDER, values))
                self.connection.execute(sql.MOVE_TICK, values)
                wake(self.connection)

    def take(self, applications: Iterable[str]) -> Taken | None:
        """Take the next run of one of these applications, or nothing. A run that lost too many workers is parked."""
        served = list(applications)
        values = {"environment": self.environment, "applications": served, "worker": self.worker, "lease": self.lease}
        with self.connection.transaction():
            found = rows(self.connection, sql.TAKE, values)
            if not found:
                return None
            row = found[0]
            extra = {name: row[name] for name in ("notebook", "timeout", "retries", "lost")}
            taken = Taken(run=as_run(row), **extra)
            if taken.run.losses <= MOST_LOSSES:
                tell(self.connection, found)
                return taken
            fact = f"{taken.run.losses} workers were lost while they ran it"
            self.finish(taken, "parked", error=fact, final=True)
        return self.take(served)

    def renew(self, held: Iterable[tuple[int, int]]) -> dict[int, bool]:
        """Renew the leases of (run, attempt) pairs; return those still held, and whether each is to be cancelled."""
        return self._held(sql.RENEW, held)

    def held(self, held: Iterable[tuple[int, int]]) -> dict[int, bool]:
        """Return the same without renewing."""
        return self._held(sql.HELD, held)

    def _held(self, statement: str, held: Iterable[tuple[int, int]]) -> dict[int, bool]:
        ids, attempts = zip(*held, strict=True)
        found = rows(self.connection, statement, {"ids": list(ids), "attempts": list(attempts), "lease": self.lease})
        return {row["id"]: row["cancelling"] for row in found}

    def finish(
        self,
        taken: Taken,
        state: RunState,
        *,
        error: str = "",
        record: str = "",
        version: str = "",
        final: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> bool:
        """Write how an attempt ended; False where the run is no longer ours, and nothing was written.

        `state` "parked" says that the attempt failed: the run waits for its next attempt where it has one left, and it
        is not `final`. `meanwhile` is called only if the run is ours, and before anybody else can take it.
        """
        failed = state == "parked"
        if failed and not final and taken.run.failures < taken.retries:
            state = "waiting"
        pause = min(self.pause * 2**taken.run.failures, LONGEST_PAUSE) if failed else timedelta(0)
        values = {
            "id": taken.run.id, "attempt": taken.run.attempt, "state": state, "failed": failed, "pause": pause,
            "error": error or None, "record": record or None, "version": version or None,
        }  # fmt: skip
        with self.connection.transaction():
            found = rows(self.connection, sql.FINISH, values)
            if found:
                self.connection.execute(sql.LET_GO, values)
                tell(self.connection, found)
                announce_end(self.connection, taken.run.id)
                wake(self.connection)
                meanwhile()
        return bool(found)

    def until_next(self, applications: Iterable[str]) -> float | None:
        """Return the seconds until there will be something to do, or None where nothing is in sight."""
        values = {"environment": self.environment, "applications": list(applications)}
        with self.connection.transaction():
            row = self.connection.execute(sql.NEXT_MOMENT, values).fetchone()
        return None if row is None or row[0] is None else max(float(row[0]), 0.0)

    def forget_old(self, keep: int) -> None:
        """Delete all but the latest `keep` runs of each job that have ended."""
        with self.connection.transaction():
            self.connection.execute(sql.FORGET, {"environment": self.environment, "keep": keep})


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


def announce_end(connection: psycopg.Connection[Any], run_id: int) -> None:
    """Wake those who wait for a run when the transaction at hand is committed."""
    connection.execute(sql.NOTIFY, {"channel": "jobs_ended", "payload": str(run_id)})


def tell(connection: psycopg.Connection[Any], rows: Iterable[Row]) -> None:
    """Write an event for each run that has changed its state."""
    for row in rows:
        content = msgspec.json.encode(_event(row)).decode()
        connection.execute(sql.TELL, {"event": content})


def _event(row: Row) -> Event:
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


def rows(connection: psycopg.Connection[Any], statement: str, values: Mapping[str, object]) -> list[Row]:
    """Run a statement of `job_statements` and return its rows by column; moments are in UTC."""
    cursor = connection.execute(statement, values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, map(_in_utc, row), strict=True)) for row in cursor.fetchall()]


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def as_run(row: Row) -> Run:
    """Return a row of `job_run` as a record."""
    return Run(**{name: row[name] for name in Run.__dataclass_fields__})
