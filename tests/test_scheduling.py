"""The scheduler by itself: ticks, taking, leases, fences, retries. Workers are played by desks on one database."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.farm import scheduling
from lowcode_kernel.farm.databases import connect
from lowcode_kernel.farm.desk import MOST_LOSSES, Desk, latest_tick, next_tick
from lowcode_kernel.jobs import JobSpec
from lowcode_kernel.problems import LowcodeError
from tests.services import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment

pytestmark = pytest.mark.services
LONG = timedelta(minutes=5)
OVER = timedelta(0)  # a lease that has run out when it is given
NIGHT = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Environment]:
    with services() as running:
        scheduling.ensure_tables(running.environment)
        yield running.environment


@pytest.fixture
def environment(server: Environment) -> Environment:
    with connect(server.database_url("lowcode")) as connection:
        connection.execute("TRUNCATE scheduler.schedule, scheduler.job_run, scheduler.outbox")
    return server


@contextmanager
def sit(environment: Environment, worker: str = "fe1", lease: timedelta = LONG) -> Iterator[Desk]:
    with closing(connect(environment.database_url("lowcode"), autocommit=True)) as connection:
        yield Desk(connection=connection, environment=environment.name, worker=worker, lease=lease, pause=timedelta(0))


def job(name: str, **more: object) -> JobSpec:
    return JobSpec(name=name, schedule="0 2 * * *", notebook=f"jobs/{name}.ipynb", **more)


def register(environment: Environment, *jobs: JobSpec, application: str = "shop") -> None:
    scheduling.register_schedules(environment, application, "abc", jobs)


def make_due(environment: Environment, when: datetime) -> None:
    with connect(environment.database_url("lowcode")) as connection:
        connection.execute("UPDATE scheduler.schedule SET next_tick = %s", [when])


def states(environment: Environment, application: str = "shop") -> list[str]:
    return [run.state for run in reversed(scheduling.list_runs(environment, application))]


@pytest.mark.parametrize(
    ("cron", "following", "latest"),
    [
        ("0 2 * * *", datetime(2026, 3, 2, 2, tzinfo=UTC), datetime(2026, 3, 1, 2, tzinfo=UTC)),
        ("30 2 * * *", datetime(2026, 3, 2, 2, 30, tzinfo=UTC), NIGHT),
        ("*/7 * * * *", datetime(2026, 3, 1, 2, 35, tzinfo=UTC), datetime(2026, 3, 1, 2, 28, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)),
        ("0 9 * * MON", datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 2, 23, 9, tzinfo=UTC)),
    ],
)
def test_ticks_are_found_in_both_directions(cron: str, following: datetime, latest: datetime) -> None:
    assert (next_tick(cron, NIGHT), latest_tick(cron, NIGHT)) == (following, latest)


def test_a_schedule_that_is_none_is_refused_and_nothing_is_registered(environment: Environment) -> None:
    with pytest.raises(LowcodeError, match=r'^"61 \* \* \* \*" is not a schedule: bad minute; write minute, hour'):
        register(environment, job("a"), JobSpec(name="b", schedule="61 * * * *", notebook="jobs/b.ipynb"))
    assert scheduling.list_schedules(environment, "shop") == ()


def test_a_tick_is_one_run_however_many_look_and_only_the_latest_missed_one(environment: Environment) -> None:
    register(environment, job("a"))
    make_due(environment, datetime.now(UTC) - timedelta(days=40))
    with sit(environment) as one, sit(environment) as two:
        threads = [threading.Thread(target=desk.make_ticks) for desk in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (run,) = scheduling.list_runs(environment, "shop")
    assert run.tick is not None
    assert datetime.now(UTC) - run.tick < timedelta(days=1)
    (schedule,) = scheduling.list_schedules(environment, "shop")
    assert schedule.next_tick == next_tick("0 2 * * *", datetime.now(UTC))


def test_a_run_that_nobody_took_is_skipped_when_the_next_tick_comes(environment: Environment) -> None:
    register(environment, job("a"))
    with connect(environment.database_url("lowcode")) as connection:
        old = {"environment": environment.name, "tick": NIGHT}
        connection.execute(
            "INSERT INTO scheduler.job_run (environment, application, job, tick)"
            " VALUES (%(environment)s, 'shop', 'a', %(tick)s)",
            old,
        )
    make_due(environment, datetime.now(UTC))
    with sit(environment) as desk:
        desk.make_ticks()
    assert states(environment) == ["skipped", "waiting"]


def test_runs_are_taken_by_priority_then_by_turns_between_applications_then_by_age(environment: Environment) -> None:
    register(environment, *(job(name) for name in "abc"), job("urgent", priority="high"), job("idle", priority="low"))
    register(environment, job("x"), job("y"), application="desk")
    for name in ("idle", "a", "b", "c", "urgent"):
        scheduling.run_now(environment, "shop", name)
    for name in "xy":
        scheduling.run_now(environment, "desk", name)
    with sit(environment) as desk:
        taken = [one.run.job for _ in range(7) if (one := desk.take(["shop", "desk"]))]
        assert taken == ["urgent", "x", "a", "y", "b", "c", "idle"]
        assert desk.take(["shop", "desk"]) is None


def test_a_worker_takes_only_what_its_host_serves(environment: Environment) -> None:
    register(environment, job("a"))
    scheduling.run_now(environment, "shop", "a")
    with sit(environment) as desk:
        assert desk.take(["desk"]) is None
        assert desk.take(["desk", "shop"]) is not None


def test_two_workers_never_run_one_job_at_once(environment: Environment) -> None:
    register(environment, job("a"), job("b"))
    for _ in range(40):
        scheduling.run_now(environment, "shop", "a")
        scheduling.run_now(environment, "shop", "b")
    inside: set[str] = set()
    met: list[str] = []
    done: list[int] = []

    def work(number: int) -> None:
        with sit(environment, f"w{number}") as desk:
            while len(done) < 80:
                if (taken := desk.take(["shop"])) is None:
                    continue
                if taken.run.job in inside:
                    met.append(taken.run.job)
                inside.add(taken.run.job)
                done.append(taken.run.id)
                inside.discard(taken.run.job)
                assert desk.finish(taken, "done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not met
    assert len(done) == len(set(done)) == 80


def test_a_lost_lease_is_taken_over_and_the_late_writer_changes_nothing(environment: Environment) -> None:
    register(environment, job("a"))
    run_id = scheduling.run_now(environment, "shop", "a")
    with sit(environment, "fe1", OVER) as slow, sit(environment, "fe2") as other:
        first = slow.take(["shop"])
        second = other.take(["shop"])
        assert first is not None
        assert second is not None
        assert (second.run.id, second.run.attempt, second.lost) == (run_id, 2, True)
        touched: list[str] = []
        assert slow.renew([(run_id, 1)]) == {}
        assert not slow.finish(first, "done", record="late", meanwhile=lambda: touched.append("late"))
        assert touched == []
        assert other.renew([(run_id, 2)]) == {run_id: False}
        assert other.finish(second, "done", record="good")
        assert not slow.finish(first, "parked", error="late")
    (run,) = scheduling.list_runs(environment, "shop")
    assert (run.state, run.attempt, run.worker, run.record, run.losses) == ("done", 2, "fe2", "good", 1)


def test_a_run_that_loses_its_workers_is_parked(environment: Environment) -> None:
    register(environment, job("a", retries=9))
    scheduling.run_now(environment, "shop", "a")
    with sit(environment, lease=OVER) as desk:
        for attempt in range(1, MOST_LOSSES + 2):
            taken = desk.take(["shop"])
            assert taken is not None
            assert taken.run.attempt == attempt
        assert desk.take(["shop"]) is None
    (run,) = scheduling.list_runs(environment, "shop")
    assert (run.state, run.error) == ("parked", f"{MOST_LOSSES + 1} workers were lost while they ran it")


def test_a_failed_run_is_tried_again_after_longer_and_longer_pauses_and_then_parked(environment: Environment) -> None:
    register(environment, job("a", retries=2))
    scheduling.run_now(environment, "shop", "a")
    pauses = []
    with sit(environment) as desk:
        desk = Desk(
            connection=desk.connection, environment="test", worker="fe1", lease=LONG, pause=timedelta(minutes=1)
        )
        while taken := desk.take(["shop"]):
            before = datetime.now(UTC)
            assert desk.finish(taken, "parked", error="ValueError: no")
            (run,) = scheduling.list_runs(environment, "shop")
            pauses.append(round((run.run_at - before).total_seconds() / 60))
            desk.connection.execute("UPDATE scheduler.job_run SET run_at = now()")
    assert pauses[:2] == [1, 2]
    assert (run.state, run.attempt, run.failures, run.error) == ("parked", 3, 3, "ValueError: no")
    assert scheduling.run_now(environment, "shop", "a") > run.id  # a parked run does not keep the next one out


def test_a_waiting_run_is_cancelled_at_once_and_a_running_one_by_its_worker(environment: Environment) -> None:
    register(environment, job("a"), job("b"))
    waiting, running = (scheduling.run_now(environment, "shop", name) for name in "ab")
    with sit(environment) as desk:
        assert scheduling.cancel_run(environment, waiting).state == "cancelled"
        taken = desk.take(["shop"])
        assert taken is not None
        assert scheduling.cancel_run(environment, running).state == "running"
        assert desk.held([(running, 1)]) == {running: True}
        assert desk.finish(taken, "cancelled")
    assert scheduling.cancel_run(environment, running).state == "cancelled"
    with pytest.raises(LowcodeError, match="there is no run 0 on test"):
        scheduling.cancel_run(environment, 0)


def test_a_new_release_keeps_ticks_that_are_due_and_retires_jobs_it_has_not(environment: Environment) -> None:
    register(environment, job("a"), job("b"))
    make_due(environment, NIGHT)
    scheduling.run_now(environment, "shop", "b")
    register(environment, job("a"))
    (schedule,) = scheduling.list_schedules(environment, "shop")
    assert (schedule.job, schedule.next_tick) == ("a", NIGHT)
    assert states(environment) == ["cancelled"]
    with pytest.raises(LowcodeError, match=r'^shop has no job "aa" on test; did you mean "a"\?$'):
        scheduling.run_now(environment, "shop", "aa")
    register(environment, JobSpec(name="a", schedule="0 3 * * *", notebook="jobs/a.ipynb"))
    (schedule,) = scheduling.list_schedules(environment, "shop")
    assert schedule.next_tick == next_tick("0 3 * * *", datetime.now(UTC))


def test_waiting_for_a_run_ends_with_the_run(environment: Environment) -> None:
    register(environment, job("a"))
    run_id = scheduling.run_now(environment, "shop", "a")
    with pytest.raises(LowcodeError, match=rf"run {run_id} of a is waiting after 0.05 s; is a worker running\?"):
        scheduling.wait_for_run(environment, run_id, timedelta(seconds=0.05))
    seen: list[str] = []
    waiter = threading.Thread(target=lambda: seen.append(scheduling.wait_for_run(environment, run_id).state))
    waiter.start()
    with sit(environment) as desk:
        taken = desk.take(["shop"])
        assert taken is not None
        desk.finish(taken, "done")
    waiter.join(20)
    assert seen == ["done"]


def test_each_change_of_state_leaves_an_event(environment: Environment) -> None:
    register(environment, job("a", retries=1))
    scheduling.run_now(environment, "shop", "a")
    with sit(environment) as desk:
        for state in ("parked", "done"):
            taken = desk.take(["shop"])
            assert taken is not None
            desk.finish(taken, state, error="ValueError: no" if state == "parked" else "")
        found = desk.connection.execute("SELECT event FROM scheduler.outbox ORDER BY id").fetchall()
    told = [
        (event["attributes"]["job.state"], event["attributes"]["job.attempt"], event["outcome"]) for (event,) in found
    ]
    assert told == [("running", 1, "ok"), ("waiting", 1, "error"), ("running", 2, "ok"), ("done", 2, "ok")]
    assert found[0][0]["element"] == "job:a"
