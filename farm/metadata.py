"""The metadata database `lowcode`: what was released where, the journal of every deployment, and who may deploy now.

This module is the one door to SQLAlchemy. Its tables:

    release            a bundle, whole, so that it can be staged again after its folders were pruned
    deployment         one attempt to bring a release to its hosts: running -> deployed | cancelled | failed
    step               the journal: each step of a deployment, written before and after it acts
    lease              who deploys an application now; `fence` grows by one with each holder and never falls
    schema_snapshot    each shape that an application's database was given
    schedule           the jobs of the release that serves

Every write of a deployment is fenced: its transaction first locks the lease's row for the fence that it holds. A controller that was paused, and whose
lease another has taken since, can therefore write nothing any more, the decision least of all.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, insert

from lowcode_kernel.bundle import Bundle
from lowcode_kernel.farm.databases import connect, ensure_database
from lowcode_kernel.plan import DeploymentState, Plan, Progress, Release, Step, StepState
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.jobs import JobSpec

DATABASE = "lowcode"
DeploymentKind = Literal["deploy", "rollback"]

_tables = sa.MetaData()
_moment = sa.DateTime(timezone=True)
_clock = sa.func.clock_timestamp()


def _owner() -> tuple[sa.Column[str], sa.Column[str]]:
    return sa.Column("environment", sa.Text, primary_key=True), sa.Column("application", sa.Text, primary_key=True)


RELEASE = sa.Table(
    "release", _tables, *_owner(), sa.Column("version", sa.Text, primary_key=True), sa.Column("title", sa.Text, nullable=False),
    sa.Column("bundle", BYTEA, nullable=False), sa.Column("created_at", _moment, nullable=False, server_default=sa.func.now()),
)  # fmt: skip
DEPLOYMENT = sa.Table(
    "deployment", _tables, sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False), sa.Column("application", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False), sa.Column("previous", sa.Text), sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False), sa.Column("plan", JSONB, nullable=False), sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("by", sa.Text, nullable=False), sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("started_at", _moment, nullable=False, server_default=_clock), sa.Column("decided_at", _moment), sa.Column("finished_at", _moment),
    sa.Index("deployment_of_application", "environment", "application", "id"),
)  # fmt: skip
STEP = sa.Table(
    "step", _tables, sa.Column("deployment", sa.ForeignKey("deployment.id", ondelete="cascade"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True), sa.Column("name", sa.Text, nullable=False), sa.Column("host", sa.Text),
    sa.Column("summary", sa.Text, nullable=False), sa.Column("before_decision", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False), sa.Column("seconds", sa.Float, nullable=False, server_default="0"),
    sa.Column("detail", sa.Text, nullable=False, server_default=""), sa.Column("changed_at", _moment),
)  # fmt: skip
LEASE = sa.Table(
    "lease", _tables, *_owner(), sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("holder", sa.Text), sa.Column("acquired_at", _moment), sa.Column("heard_at", _moment), sa.Column("expires_at", _moment),
)  # fmt: skip
SNAPSHOT = sa.Table(
    "schema_snapshot", _tables, sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False), sa.Column("application", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False), sa.Column("views", sa.Text, nullable=False), sa.Column("schema", JSONB, nullable=False),
    sa.Column("recorded_at", _moment, nullable=False, server_default=_clock),
)  # fmt: skip
SCHEDULE = sa.Table(
    "schedule", _tables, *_owner(), sa.Column("job", sa.Text, primary_key=True), sa.Column("version", sa.Text, nullable=False),
    sa.Column("schedule", sa.Text, nullable=False), sa.Column("notebook", sa.Text, nullable=False), sa.Column("timeout", sa.Float, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False), sa.Column("priority", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("registered_at", _moment, nullable=False, server_default=_clock),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to change an application's releases, as long as `fence` is the newest."""

    environment: str
    application: str
    fence: int
    holder: str
    acquired_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A row of the journal: one attempt, the plan that it follows, and whether its decision stands."""

    id: int
    kind: DeploymentKind
    state: DeploymentState
    plan: Plan
    decided: bool
    by: str
    started_at: datetime
    finished_at: datetime | None = None
    detail: str = ""

    @property
    def release(self) -> Release:
        """This attempt as the history shows it."""
        return Release(
            environment=self.plan.environment, application=self.plan.application, version=self.plan.version, state=self.state,
            started_at=self.started_at, finished_at=self.finished_at, previous=self.plan.previous, by=self.by, detail=self.detail,
        )  # fmt: skip


class LeaseLost(LowcodeError):
    """Another controller has taken over: this one must not act any more."""


def open_metadata(environment: Environment) -> Metadata:
    """Open the metadata database of an environment, created where it is missing."""
    ensure_database(environment, DATABASE)
    url = environment.database_url(DATABASE)
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: connect(url), pool_size=2, pool_pre_ping=True)
    metadata = Metadata(engine, environment.name)
    with metadata.begin() as connection:
        # two first controllers at once: CREATE TABLE IF NOT EXISTS itself is not safe against a race in PostgreSQL
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('lowcode metadata'))"))
        _tables.create_all(connection)
    return metadata


class Metadata:
    """The rows of one environment. Close it, or use it as a context."""

    def __init__(self, engine: sa.Engine, environment: str) -> None:
        self._engine = engine
        self.environment = environment

    def __enter__(self) -> Metadata:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction; a server that went away is a LowcodeError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            reason = str(error.orig).strip().splitlines()[-1]
            raise LowcodeError.of(f"the metadata database does not answer: {reason}", code="LK612") from error

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[sa.Connection]:
        """Open a transaction that nobody can take the lease in; raises LeaseLost where somebody has."""
        with self.begin() as connection:
            held = sa.select(LEASE.c.fence).where(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
            if connection.execute(held.with_for_update(read=True)).first() is None:
                raise self._lost(connection, lease)
            yield connection

    def _mine(self, table: sa.Table, application: str) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.environment == self.environment, table.c.application == application)

    def _lost(self, connection: sa.Connection, lease: Lease) -> LeaseLost:
        row = connection.execute(sa.select(LEASE).where(self._mine(LEASE, lease.application))).first()
        now = f"{row.holder or 'nobody'} (fence {row.fence})" if row else "nobody"
        return LeaseLost.of(
            f"the lock on {lease.application} in {self.environment} was lost: it was ours with fence {lease.fence}, now it is with {now}",
            "nothing more was done; the next deployment finishes or cancels this one",
            code="LK602",
        )  # fmt: skip

    def take_lease(self, application: str, holder: str, ttl: timedelta) -> Lease:
        """Take the lease where it is free or has run out; raises LowcodeError that says who holds it since when."""
        with self.begin() as connection:
            connection.execute(insert(LEASE).values(environment=self.environment, application=application).on_conflict_do_nothing())
            columns = (LEASE, _clock.label("now"))
            row = connection.execute(sa.select(*columns).where(self._mine(LEASE, application)).with_for_update()).one()
            if row.holder is not None and row.expires_at > row.now:
                raise _held(row, self.environment)
            taken = sa.update(LEASE).where(self._mine(LEASE, application)).values(
                fence=row.fence + 1, holder=holder, acquired_at=row.now, heard_at=row.now, expires_at=row.now + ttl
            )  # fmt: skip
            connection.execute(taken)
        return Lease(
            environment=self.environment, application=application, fence=row.fence + 1, holder=holder, acquired_at=row.now
        )

    def renew_lease(self, lease: Lease, ttl: timedelta) -> None:
        """Say that the holder is alive; raises LeaseLost."""
        mine = sa.and_(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
        with self.begin() as connection:
            if not connection.execute(sa.update(LEASE).where(mine).values(heard_at=_clock, expires_at=_clock + ttl)).rowcount:
                raise self._lost(connection, lease)

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; nothing happens where it isn't ours any more. The fence stays, so that it only ever grows."""
        mine = sa.and_(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
        with self.begin() as connection:
            connection.execute(sa.update(LEASE).where(mine).values(holder=None, expires_at=None))

    def begin_deployment(self, lease: Lease, plan: Plan, bundle: Bundle, kind: DeploymentKind) -> int:
        """Write a deployment with its bundle and all of its steps, waiting; return its number."""
        with self.fenced(lease) as connection:
            packed = zlib.compress(msgspec.msgpack.encode(bundle), 6)
            values = {"environment": self.environment, "application": plan.application, "version": plan.version}
            connection.execute(insert(RELEASE).values(**values, title=bundle.title, bundle=packed).on_conflict_do_nothing())
            new = sa.insert(DEPLOYMENT).values(
                **values, previous=plan.previous, kind=kind, state="running", plan=msgspec.to_builtins(plan), fence=lease.fence, by=lease.holder
            )  # fmt: skip
            number = int(connection.execute(new.returning(DEPLOYMENT.c.id)).scalar_one())
            connection.execute(sa.insert(STEP), [_step_row(number, step) for step in plan.steps])
        return number

    def write_step(self, lease: Lease, deployment: int, progress: Progress) -> None:
        """Journal a step's state."""
        with self.fenced(lease) as connection:
            _write_step(connection, deployment, progress)

    def decide(self, lease: Lease, deployment: int, progress: Progress) -> None:
        """Record the decision, once: from here on the deployment is only rolled forward."""
        with self.fenced(lease) as connection:
            mine = sa.update(DEPLOYMENT).where(DEPLOYMENT.c.id == deployment, DEPLOYMENT.c.state == "running")
            connection.execute(mine.values(decided_at=sa.func.coalesce(DEPLOYMENT.c.decided_at, _clock)))
            _write_step(connection, deployment, progress)

    def finish(self, lease: Lease, deployment: int, state: DeploymentState, detail: str = "") -> None:
        """Close a deployment, or with state `running` only say why it stands still."""
        finished = None if state == "running" else _clock
        with self.fenced(lease) as connection:
            mine = sa.update(DEPLOYMENT).where(DEPLOYMENT.c.id == deployment)
            connection.execute(mine.values(state=state, detail=detail, finished_at=finished))

    def record_schema(self, lease: Lease, version: str, schema: Schema) -> None:
        """Keep a shape before the database is given it; the same as the last one is kept once."""
        with self.fenced(lease) as connection:
            newest = sa.select(SNAPSHOT.c.schema).where(self._mine(SNAPSHOT, schema.application)).order_by(SNAPSHOT.c.id.desc())
            encoded = msgspec.to_builtins(schema)
            if connection.execute(newest.limit(1)).scalar() != encoded:
                values = {"environment": self.environment, "application": schema.application, "version": version}
                connection.execute(sa.insert(SNAPSHOT).values(**values, views=schema.views, schema=encoded))

    def schemas(self, application: str) -> tuple[Schema, ...]:
        """Return every shape that was recorded, oldest first."""
        wanted = sa.select(SNAPSHOT.c.schema).where(self._mine(SNAPSHOT, application)).order_by(SNAPSHOT.c.id)
        with self.begin() as connection:
            return tuple(msgspec.convert(row, Schema) for row in connection.execute(wanted).scalars())

    def register_schedules(self, lease: Lease, version: str, jobs: tuple[JobSpec, ...]) -> None:
        """Make the jobs of `version` the active ones; those that it no longer has are kept, inactive, for their history."""
        with self.fenced(lease) as connection:
            mine = self._mine(SCHEDULE, lease.application)
            connection.execute(sa.update(SCHEDULE).where(mine, SCHEDULE.c.job.not_in([job.name for job in jobs])).values(active=False))
            for job in jobs:
                values: dict[str, Any] = {
                    "version": version, "schedule": job.schedule, "notebook": job.notebook, "timeout": job.timeout, "retries": job.retries,
                    "priority": job.priority, "active": True, "registered_at": _clock,
                }  # fmt: skip
                new = insert(SCHEDULE).values(environment=self.environment, application=lease.application, job=job.name, **values)
                connection.execute(new.on_conflict_do_update(index_elements=list(SCHEDULE.primary_key), set_=values))

    def deployments(self, application: str, *, states: tuple[DeploymentState, ...] = (), limit: int | None = None) -> tuple[Deployment, ...]:
        """Return the attempts of an application, newest first, of these states or of all."""
        wanted = sa.select(DEPLOYMENT).where(self._mine(DEPLOYMENT, application)).order_by(DEPLOYMENT.c.id.desc())
        if states:
            wanted = wanted.where(DEPLOYMENT.c.state.in_(states))
        with self.begin() as connection:
            return tuple(_deployment(row) for row in connection.execute(wanted.limit(limit)))

    def journal(self, deployment: int) -> tuple[Progress, ...]:
        """Return the steps of a deployment with their states."""
        with self.begin() as connection:
            rows = connection.execute(sa.select(STEP).where(STEP.c.deployment == deployment).order_by(STEP.c.number)).all()
        return tuple(_progress(row) for row in rows)

    def bundle(self, application: str, version: str) -> Bundle | None:
        """Return a bundle that was released here, whole, or None."""
        with self.begin() as connection:
            packed = connection.execute(
                sa.select(RELEASE.c.bundle).where(self._mine(RELEASE, application), RELEASE.c.version == version)
            ).scalar()
        return None if packed is None else msgspec.msgpack.decode(zlib.decompress(packed), type=Bundle)

    def holder(self, application: str) -> str | None:
        """Return who holds the lease now, or None."""
        held = sa.select(LEASE.c.holder).where(self._mine(LEASE, application), LEASE.c.expires_at > _clock)
        with self.begin() as connection:
            return connection.execute(held).scalar()


def _held(row: sa.Row[Any], environment: str) -> LowcodeError:
    since = row.acquired_at.astimezone(UTC)
    heard, left = (row.now - row.heard_at).total_seconds(), (row.expires_at - row.now).total_seconds()
    return LowcodeError.of(
        f"{row.holder} has the lock on {row.application} in {environment} since {since:%Y-%m-%d %H:%M:%S} UTC and was heard {heard:.0f} s ago",
        f"wait until it is done; if it crashed, its lock ends in {left:.0f} s",
        code="LK601",
    )  # fmt: skip


def _step_row(deployment: int, step: Step) -> dict[str, Any]:
    return {
        "deployment": deployment, "number": step.number, "name": step.name, "host": step.host, "summary": step.summary,
        "before_decision": step.before_decision, "state": "waiting",
    }  # fmt: skip


def _write_step(connection: sa.Connection, deployment: int, progress: Progress) -> None:
    mine = sa.update(STEP).where(STEP.c.deployment == deployment, STEP.c.number == progress.step.number)
    connection.execute(mine.values(state=progress.state, seconds=progress.seconds, detail=progress.detail, changed_at=_clock))


def _deployment(row: sa.Row[Any]) -> Deployment:
    return Deployment(
        id=row.id, kind=row.kind, state=row.state, plan=msgspec.convert(row.plan, Plan), decided=row.decided_at is not None, by=row.by,
        started_at=row.started_at.astimezone(UTC), finished_at=row.finished_at and row.finished_at.astimezone(UTC), detail=row.detail,
    )  # fmt: skip


def _progress(row: sa.Row[Any]) -> Progress:
    state: StepState = row.state
    step = Step(number=row.number, name=row.name, host=row.host, summary=row.summary, before_decision=row.before_decision)
    return Progress(step=step, state=state, seconds=row.seconds, detail=row.detail)
