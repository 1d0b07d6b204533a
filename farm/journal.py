"""The journal: what a deployment writes into the metadata database, and reads from it.

Every write of a deployment is fenced: its transaction first locks the lease's row for the fence that it holds. A
controller that was paused, and whose lease another has taken since, can therefore write nothing any more, the decision
least of all.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from lowcode_kernel.bundle import Bundle
from lowcode_kernel.farm.metadata import (
    CLOCK,
    DEPLOYMENT,
    LEASE,
    RELEASE,
    SNAPSHOT,
    STEP,
    open_engine,
    transaction,
)
from lowcode_kernel.plan import DeploymentState, Plan, Progress, Release, Step
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment


DeploymentKind = Literal["deploy", "rollback"]


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
        """The attempt as the history shows it."""
        return Release(
            environment=self.plan.environment,
            application=self.plan.application,
            version=self.plan.version,
            state=self.state,
            started_at=self.started_at,
            finished_at=self.finished_at,
            previous=self.plan.previous,
            by=self.by,
            detail=self.detail,
        )


class LeaseLost(LowcodeError):  # noqa: N818 - a state of the world, named as the field names it
    """Another controller has taken over: this one must not act any more."""


def open_journal(environment: Environment) -> Journal:
    """Open the journal of an environment, in a metadata database that is created where it is missing."""
    return Journal(open_engine(environment), environment.name)


class Journal:
    """The rows of one environment. Close it, or use it as a context."""

    def __init__(self, engine: sa.Engine, environment: str) -> None:
        self._engine = engine
        self.environment = environment

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    @contextmanager
    def fenced(self, lease: Lease) -> Iterator[sa.Connection]:
        """Open a transaction that nobody can take the lease in; raises LeaseLost where somebody has."""
        with transaction(self._engine) as connection:
            held = sa.select(LEASE.c.fence).where(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
            if connection.execute(held.with_for_update(read=True)).first() is None:
                raise self._lost(connection, lease)
            yield connection

    def _mine(self, table: sa.Table, application: str) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.environment == self.environment, table.c.application == application)

    def _lost(self, connection: sa.Connection, lease: Lease) -> LeaseLost:
        row = connection.execute(sa.select(LEASE).where(self._mine(LEASE, lease.application))).first()
        now = f"with {row.holder or 'nobody'}, fence {row.fence}" if row else "with nobody"
        where = f"{lease.application} in {self.environment}"
        fact = f"the lock on {where} is not ours any more (fence {lease.fence}): it is {now}"
        hint = "nothing more was done; whoever has it finishes or cancels what was left"
        return LeaseLost(Problem(code="LK602", fact=fact, hint=hint))

    def take_lease(self, application: str, holder: str, ttl: timedelta) -> Lease:
        """Take the lease where it is free or has run out; raises LowcodeError that says who holds it since when."""
        empty = insert(LEASE).values(environment=self.environment, application=application)
        mine = self._mine(LEASE, application)
        with transaction(self._engine) as connection:
            connection.execute(empty.on_conflict_do_nothing())
            row = connection.execute(sa.select(LEASE, CLOCK.label("now")).where(mine).with_for_update()).one()
            if row.holder is not None and row.expires_at > row.now:
                raise _held(row, self.environment)
            moments = {"acquired_at": row.now, "heard_at": row.now, "expires_at": row.now + ttl}
            connection.execute(sa.update(LEASE).where(mine).values(fence=row.fence + 1, holder=holder, **moments))
        return Lease(
            environment=self.environment,
            application=application,
            fence=row.fence + 1,
            holder=holder,
            acquired_at=row.now,
        )

    def renew_lease(self, lease: Lease, ttl: timedelta) -> None:
        """Say that the holder is alive; raises LeaseLost."""
        mine = sa.and_(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
        renewed = sa.update(LEASE).where(mine).values(heard_at=CLOCK, expires_at=CLOCK + ttl)
        with transaction(self._engine) as connection:
            if connection.execute(renewed).rowcount == 0:
                raise self._lost(connection, lease)

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; nothing happens where it isn't ours any more. The fence stays: it only ever grows."""
        mine = sa.and_(self._mine(LEASE, lease.application), LEASE.c.fence == lease.fence)
        with transaction(self._engine) as connection:
            connection.execute(sa.update(LEASE).where(mine).values(holder=None, expires_at=None))

    def holder(self, application: str) -> str | None:
        """Return who holds the lease now, or None."""
        held = sa.select(LEASE.c.holder).where(self._mine(LEASE, application), LEASE.c.expires_at > CLOCK)
        with transaction(self._engine) as connection:
            return connection.execute(held).scalar()

    def begin_deployment(self, lease: Lease, plan: Plan, bundle: Bundle, kind: DeploymentKind) -> int:
        """Write a deployment with its bundle and all of its steps, waiting; return its number."""
        which = {"environment": self.environment, "application": plan.application, "version": plan.version}
        packed = zlib.compress(msgspec.msgpack.encode(bundle), 6)
        release = insert(RELEASE).values(**which, title=bundle.title, bundle=packed).on_conflict_do_nothing()
        new = sa.insert(DEPLOYMENT).values(
            **which,
            previous=plan.previous,
            kind=kind,
            state="running",
            plan=msgspec.to_builtins(plan),
            fence=lease.fence,
            by=lease.holder,
        )
        with self.fenced(lease) as connection:
            connection.execute(release)
            number = int(connection.execute(new.returning(DEPLOYMENT.c.id)).scalar_one())
            connection.execute(sa.insert(STEP), [_step_row(number, step) for step in plan.steps])
        return number

    def write_step(self, lease: Lease, deployment: int, progress: Progress) -> None:
        """Journal a step's state."""
        with self.fenced(lease) as connection:
            _write_step(connection, deployment, progress)

    def decide(self, lease: Lease, deployment: int, progress: Progress) -> None:
        """Record the decision, once: from here on the deployment is only rolled forward."""
        mine = sa.update(DEPLOYMENT).where(DEPLOYMENT.c.id == deployment, DEPLOYMENT.c.state == "running")
        with self.fenced(lease) as connection:
            connection.execute(mine.values(decided_at=sa.func.coalesce(DEPLOYMENT.c.decided_at, CLOCK)))
            _write_step(connection, deployment, progress)

    def finish(self, lease: Lease, deployment: int, state: DeploymentState, detail: str = "") -> None:
        """Close a deployment, or with state `running` only say why it stands still."""
        finished = None if state == "running" else CLOCK
        mine = sa.update(DEPLOYMENT).where(DEPLOYMENT.c.id == deployment)
        with self.fenced(lease) as connection:
            connection.execute(mine.values(state=state, detail=detail, finished_at=finished))

    def record_schema(self, lease: Lease, version: str, schema: Schema) -> None:
        """Keep a shape before the database is given it; the same as the last one is kept once."""
        mine = self._mine(SNAPSHOT, schema.application)
        newest = sa.select(SNAPSHOT.c.schema).where(mine).order_by(SNAPSHOT.c.id.desc()).limit(1)
        encoded = msgspec.to_builtins(schema)
        which = {"environment": self.environment, "application": schema.application, "version": version}
        with self.fenced(lease) as connection:
            found = connection.execute(newest).scalar()
            if found is None or msgspec.convert(found, Schema) != schema:
                connection.execute(sa.insert(SNAPSHOT).values(**which, views=schema.views, schema=encoded))

    def schemas(self, application: str) -> tuple[Schema, ...]:
        """Return every shape that was recorded, oldest first."""
        wanted = sa.select(SNAPSHOT.c.schema).where(self._mine(SNAPSHOT, application)).order_by(SNAPSHOT.c.id)
        with transaction(self._engine) as connection:
            return tuple(msgspec.convert(row, Schema) for row in connection.execute(wanted).scalars())

    def deployments(
        self, application: str, *, states: tuple[DeploymentState, ...] = (), limit: int | None = None
    ) -> tuple[Deployment, ...]:
        """Return the attempts of an application, newest first, of these states or of all."""
        wanted = sa.select(DEPLOYMENT).where(self._mine(DEPLOYMENT, application)).order_by(DEPLOYMENT.c.id.desc())
        if states:
            wanted = wanted.where(DEPLOYMENT.c.state.in_(states))
        with transaction(self._engine) as connection:
            return tuple(_deployment(row) for row in connection.execute(wanted.limit(limit)))

    def steps(self, deployment: int) -> tuple[Progress, ...]:
        """Return the steps of a deployment with their states."""
        wanted = sa.select(STEP).where(STEP.c.deployment == deployment).order_by(STEP.c.number)
        with transaction(self._engine) as connection:
            return tuple(_progress(row) for row in connection.execute(wanted))

    def bundle(self, application: str, version: str) -> Bundle:
        """Return a bundle that was released here, whole; raises LowcodeError where there is none."""
        wanted = sa.select(RELEASE.c.bundle).where(self._mine(RELEASE, application), RELEASE.c.version == version)
        with transaction(self._engine) as connection:
            packed = connection.execute(wanted).scalar()
        if packed is None:
            raise LowcodeError.of(f"the metadata database has no bundle {version} of {application}", code="LK628")
        return msgspec.msgpack.decode(zlib.decompress(packed), type=Bundle)


def _held(row: sa.Row[Any], environment: str) -> LowcodeError:
    since = row.acquired_at.astimezone(UTC)
    heard, left = (row.now - row.heard_at).total_seconds(), (row.expires_at - row.now).total_seconds()
    where = f"{row.application} in {environment}"
    return LowcodeError.of(
        f"{row.holder} has the lock on {where} since {since:%Y-%m-%d %H:%M:%S} UTC and was heard {heard:.0f} s ago",
        f"wait until it is done; if it crashed, its lock ends in {left:.0f} s",
        code="LK601",
    )


def _step_row(deployment: int, step: Step) -> dict[str, Any]:
    return {**msgspec.to_builtins(step), "deployment": deployment, "state": "waiting"}


def _write_step(connection: sa.Connection, deployment: int, progress: Progress) -> None:
    mine = sa.update(STEP).where(STEP.c.deployment == deployment, STEP.c.number == progress.step.number)
    values = {"state": progress.state, "seconds": progress.seconds, "detail": progress.detail, "changed_at": CLOCK}
    connection.execute(mine.values(**values))


def _deployment(row: sa.Row[Any]) -> Deployment:
    return Deployment(
        id=row.id,
        kind=row.kind,
        state=row.state,
        plan=msgspec.convert(row.plan, Plan),
        decided=row.decided_at is not None,
        by=row.by,
        started_at=row.started_at.astimezone(UTC),
        finished_at=row.finished_at and row.finished_at.astimezone(UTC),
        detail=row.detail,
    )


def _progress(row: sa.Row[Any]) -> Progress:
    step = Step(
        number=row.number, name=row.name, host=row.host, summary=row.summary, before_decision=row.before_decision
    )
    return Progress(step=step, state=row.state, seconds=row.seconds, detail=row.detail)
