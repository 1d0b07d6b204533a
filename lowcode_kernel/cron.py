"""When a schedule of five cron fields (UTC) ticks: the core's one door to cronsim."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice

_FIELDS = 5
_LONGEST = 500
# any year would do; a test's and a notebook's answers should not depend on today
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def schedule_fault(schedule: str) -> str:
    """Return what can't be read in a schedule, or "" where it is right."""
    from cronsim import CronSim, CronSimError  # lazily: most models have no job

    if len(schedule) > _LONGEST:
        return f"it has {len(schedule):,} characters"
    try:
        CronSim(schedule, _FIRST)
    except CronSimError as error:
        return str(error)
    return ""


def never_runs(schedule: str) -> bool:
    """Say whether a schedule would be right in another month, as that of 31 February would."""
    fields = schedule.split()
    return len(fields) == _FIELDS and not schedule_fault(" ".join([*fields[:3], "*", fields[4]]))


@lru_cache(maxsize=4096)
def first_ticks(schedule: str, count: int) -> tuple[datetime, ...]:
    """Return the first ticks from a fixed day on."""
    from cronsim import CronSim

    return tuple(islice(CronSim(schedule, _FIRST), count))
