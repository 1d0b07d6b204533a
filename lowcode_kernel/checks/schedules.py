"""Jobs and time: those that overlap, that meet, and that may do their work twice."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import notice, warning
from lowcode_kernel.cron import first_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity, Job
    from lowcode_kernel.problems import Problem

_TICKS = 32  # enough for the shortest gap of what people write: a list of minutes, hours or days


def check_schedules(facts: Facts) -> Iterator[Problem]:
    """Every job ends before it starts again, and may be tried again."""
    for job in facts.app.jobs.values():
        ticks = first_ticks(job.schedule, _TICKS)
        gap = min((later - earlier for earlier, later in pairwise(ticks)), default=None)
        if gap is not None and job.timeout > gap:
            fact = f"job {job.name} may run for {_said(job.timeout)}, and starts again after {_said(gap)}"
            hint = f"write --timeout {_said(gap)} or less, or a schedule with wider gaps"
            yield warning("LK805", job, fact, hint)
        yield from _repeated(job, facts)


def _repeated(job: Job, facts: Facts) -> Iterator[Problem]:
    """A job that is tried again finds what an earlier attempt has done: by a search before, or by a uniqueness."""
    doing = facts.doings[job.id]
    if not job.retries:
        return
    for name in sorted(doing.creates - doing.reads):
        entity = facts.app.entities.get(name)
        if entity is not None and not _has_identity(entity):
            fact = f"job {job.name} may run {job.retries + 1} times, and creates rows of {name} each time"
            yield notice("LK807", job, fact, f"look for the row first: {name}.find(...), or make it unique(...)")


def _has_identity(entity: Entity) -> bool:
    """Say whether two rows with the same values can't be: by a key of its own, or a uniqueness."""
    return entity.key != ("id",) or bool(entity.uniques) or any(item.unique for item in entity.attributes)


def check_shared_ticks(facts: Facts) -> Iterator[Problem]:
    """Two jobs that start together don't write one entity: they wait for each other's rows, or fail."""
    writers: dict[str, list[Job]] = defaultdict(list)
    for job in facts.app.jobs.values():
        for name in facts.doings[job.id].writes:
            writers[name].append(job)
    told: set[tuple[str, str]] = set()
    for name, jobs in sorted(writers.items()):
        for first, second, tick in _meetings(jobs):
            if (first.name, second.name) not in told:
                told.add((first.name, second.name))
                fact = f"jobs {first.name} and {second.name} start together ({tick:%H:%M} UTC) and both write {name}"
                yield notice("LK806", second, fact, "let one start later")


def _meetings(jobs: list[Job]) -> Iterator[tuple[Job, Job, datetime]]:
    at: dict[datetime, Job] = {}
    for job in jobs:
        met: set[str] = set()
        for tick in first_ticks(job.schedule, _TICKS):
            other = at.setdefault(tick, job)
            if other is not job and other.name not in met:
                met.add(other.name)
                yield other, job, tick


def _said(span: timedelta) -> str:
    """Return a span as the language writes it: `90s`, `10m`, `2h`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
