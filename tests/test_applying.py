"""Deployments to two hosts with a real PostgreSQL: a fault at each step in turn, controllers that crash, two at once,
one that lost its lease.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.farm.applying import apply_plan
from lowcode_kernel.farm.databases import query
from lowcode_kernel.farm.deploying import deploy, prepare
from lowcode_kernel.farm.environments import Secret
from lowcode_kernel.farm.history import history, journal_of, status
from lowcode_kernel.farm.journal import LeaseLost, open_journal
from lowcode_kernel.farm.resuming import resume
from lowcode_kernel.farm.rollback import rollback
from lowcode_kernel.farm.steps import fenced
from lowcode_kernel.farm.users import add_user
from lowcode_kernel.jobs import JobSpec
from lowcode_kernel.problems import LowcodeError
from tests.tiny_application import bundle
from tests.tiny_farm import Farm, crash, open_farm, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.plan import Plan, Progress

pytestmark = pytest.mark.services

AFTER = ("switch", "confirm", "schedule", "drain", "stop", "release")
STATES = ("running", "done")
_notes = map(str, count())


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    with postgres() as folder:
        yield folder


@pytest.fixture(scope="module")
def served(sockets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm that serves version 1; each test may bring it to any other."""
    farm = open_farm(tmp_path_factory.mktemp("farm"), sockets)
    deploy(farm.environment, bundle(1), farm.hosts, farm.report)
    yield farm
    farm.stop()


@pytest.fixture
def farm(served: Farm) -> Farm:
    for host in served.hosts:
        host.lost = False
    served.reports.clear()
    return served


def serves(farm: Farm) -> list[str]:
    """Return the version that answers on each host, having read the table through it."""
    found = []
    for host in farm.hosts:
        socket = host.root / "tiny" / "run" / "current.sock"
        assert host.get(socket, "/notes")[0] == 200
        found.append(json.loads(host.get(socket, "/version")[1])["version"])
    return found


def traces(farm: Farm, version: str) -> list[str]:
    """Return what is left of a version on the hosts."""
    left = []
    for host in farm.hosts:
        left += [name for name in host.status() if version in name]
        listing = host.run(("find", str(host.root / "tiny"), "-name", f"*{version}*", "-not", "-path", "*/env/*")).out
        left += listing.split()
    return left


def current(farm: Farm) -> str:
    release = status(farm.environment, "tiny", farm.hosts).release
    assert release is not None
    return release.version


def fault_at(farm: Farm, step: str, state: str = "running") -> partial[None]:
    """Return a report that loses the second host where `step` first gets to `state`, until the cancel or the retries
    are through.
    """
    return partial(_cut, farm, step, state, [])


def _cut(farm: Farm, step: str, state: str, cut: list[str], progress: Progress) -> None:
    farm.report(progress)
    if (progress.step.name, progress.state) == (step, state) and not cut:
        cut.append(step)
        farm.hosts[1].lost = True
        if progress.step.host is None and state == "running":
            farm.hosts[1].lost = False
            raise LowcodeError.of(f"a fault at {step}")
    elif progress.state == "failed":
        farm.hosts[1].lost = False


def assert_cancelled(farm: Farm, old: str, new: str) -> None:
    assert serves(farm) == [old, old]
    assert traces(farm, new) == []
    newest = history(farm.environment, "tiny")[0]
    assert (newest.version, newest.state) == (new, "cancelled")
    assert {one.state for one in journal_of(farm.environment, "tiny")} <= {"waiting", "done", "failed", "undone"}
    assert status(farm.environment, "tiny", farm.hosts).is_sound


def assert_deployed(farm: Farm, new: str) -> None:
    assert serves(farm) == [new, new]
    assert [list(host.status()) for host in farm.hosts] == [[f"tiny-{new}"], [f"tiny-{new}"]]
    newest = history(farm.environment, "tiny")[0]
    assert (newest.version, newest.state) == (new, "deployed")
    assert status(farm.environment, "tiny", farm.hosts).is_sound


def another(number: int = 1) -> Bundle:
    """Return a version that was never deployed, with the database of version `number`."""
    return bundle(number, note=f"note {next(_notes)}")


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("lock", "done"),
        *[(step, state) for step in ("stage", "start", "check") for state in ("running", "done")],
        ("ready", "running"),
    ],
)
def test_a_fault_before_the_decision_leaves_the_old_release_and_nothing_else(farm: Farm, step: str, state: str) -> None:
    old, new = current(farm), another()
    with pytest.raises(LowcodeError, match=r"connection to it was lost|a fault at"):
        deploy(farm.environment, new, farm.hosts, fault_at(farm, step, state))
    assert_cancelled(farm, old, new.version)


@pytest.mark.parametrize("step", ["lock", "decide"])
def test_a_fault_of_the_controller_before_the_decision_cancels(farm: Farm, step: str) -> None:
    old, new = current(farm), another()
    with pytest.raises(LowcodeError, match=f"a fault at {step}"):
        deploy(farm.environment, new, farm.hosts, fault_at(farm, step))
    assert_cancelled(farm, old, new.version)


def test_an_answer_lost_after_the_decision_was_recorded_does_not_cancel_it(farm: Farm) -> None:
    new = another()
    deploy(farm.environment, new, farm.hosts, partial(_fail, "decide", "done", []))
    assert_deployed(farm, new.version)


def _fail(step: str, state: str, failed: list[str], progress: Progress) -> None:
    if (progress.step.name, progress.state) == (step, state) and not failed:
        failed.append(step)
        raise LowcodeError.of(f"a fault at {step}")


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("decide", "done"),
        *[(step, state) for step in ("switch", "confirm", "drain") for state in ("running", "done")],
        ("stop", "running"),
    ],
)
def test_a_fault_after_the_decision_is_rolled_forward(farm: Farm, step: str, state: str) -> None:
    new = another()
    deploy(farm.environment, new, farm.hosts, fault_at(farm, step, state))
    assert_deployed(farm, new.version)


@pytest.mark.parametrize("step", ["schedule", "release"])
def test_a_fault_of_the_controller_after_the_decision_is_rolled_forward(farm: Farm, step: str) -> None:
    new = another()
    deploy(farm.environment, new, farm.hosts, fault_at(farm, step))
    assert_deployed(farm, new.version)


def test_a_host_that_stays_away_after_the_decision_is_brought_along_by_whoever_comes_next(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowcode_kernel.farm.phases.RETRY_PAUSES", (0.01,))
    old, new = current(farm), another()

    def lose(progress: Progress) -> None:
        farm.hosts[1].lost = farm.hosts[1].lost or progress.step.name == "switch"

    with pytest.raises(LowcodeError, match=f"{new.version} is decided but not on every host yet"):
        deploy(farm.environment, new, farm.hosts, lose)
    farm.hosts[1].lost = False
    assert serves(farm) == [new.version, old]
    assert not status(farm.environment, "tiny", farm.hosts).is_sound
    assert [one.state for one in resume(farm.environment, "tiny", farm.hosts, farm.report)] == ["deployed"]
    assert_deployed(farm, new.version)


CRASHES = [
    *[(step, "running") for step in ("lock", "stage", "start", "check", "ready", "decide")],
    *[(step, "done") for step in ("stage", "start", "ready")],
]


def taken_over(farm: Farm) -> None:
    """Resume as soon as the crashed controller's lease, of one second, has run out."""
    end = time.monotonic() + 10
    while True:
        try:
            resume(farm.environment, "tiny", farm.hosts, farm.report)
        except LowcodeError as error:
            if error.problems[0].code != "LK601" or time.monotonic() > end:
                raise
            threading.Event().wait(0.1)
        else:
            return


@pytest.mark.campaign
@pytest.mark.parametrize(("step", "state"), CRASHES)
def test_a_controller_killed_before_the_decision_is_cleaned_up_after(farm: Farm, step: str, state: str) -> None:
    old, new = current(farm), another()
    crash(farm, 1, _note(new), step, state)
    taken_over(farm)
    assert_cancelled(farm, old, new.version)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("step", "state"), [("decide", "done"), *[(step, state) for step in AFTER for state in STATES]]
)
def test_a_controller_killed_after_the_decision_is_finished_by_the_next(farm: Farm, step: str, state: str) -> None:
    new = another()
    crash(farm, 1, _note(new), step, state)
    taken_over(farm)
    assert_deployed(farm, new.version)


def _note(one: Bundle) -> str:
    return one.file("README.md").content.decode().removeprefix("tiny 1 ").strip()


def test_a_second_deployment_is_told_who_holds_the_lock_since_when(farm: Farm) -> None:
    first, second = another(), another()
    plans = {one.version: prepare(farm.environment, one, farm.hosts) for one in (first, second)}
    told: list[str] = []

    def report(progress: Progress) -> None:
        if (progress.step.name, progress.state) == ("check", "running") and not told:
            with pytest.raises(LowcodeError) as caught:
                apply_plan(farm.environment, second, plans[second.version], farm.hosts, farm.report)
            told.append(str(caught.value))

    apply_plan(farm.environment, first, plans[first.version], farm.hosts, report)
    assert "has the lock on tiny in test since 20" in told[0]
    assert_deployed(farm, first.version)
    with pytest.raises(LowcodeError, match="was deployed since it was made; plan again"):
        apply_plan(farm.environment, second, plans[second.version], farm.hosts, farm.report)


def test_a_controller_that_lost_its_lease_writes_and_switches_nothing(farm: Farm) -> None:
    late, next_one = another(), another()
    plan = prepare(farm.environment, late, farm.hosts)

    def report(progress: Progress) -> None:
        if (progress.step.name, progress.state) == ("ready", "running") and progress.step.host == "fe1":
            expire(farm)
            deploy(farm.environment, next_one, farm.hosts, farm.report)

    with pytest.raises(LeaseLost, match="is not ours any more"):
        apply_plan(farm.environment, late, plan, farm.hosts, report)
    assert_deployed(farm, next_one.version)
    assert [one.state for one in history(farm.environment, "tiny")[:2]] == ["deployed", "cancelled"]


def expire(farm: Farm) -> None:
    """Make the lease one that ran out: what happens to a controller that is paused for longer than it lasts."""
    query(farm.environment.database_url("lowcode"), "UPDATE lease SET expires_at = now() - interval '1 second'")


def test_a_host_refuses_a_switch_under_an_old_fence(farm: Farm) -> None:
    """The controller is paused between its last look at the journal and the switch: only the host can tell then."""
    from lowcode_kernel.farm.steps import Work

    old, new = current(farm), another()
    with open_journal(farm.environment) as journal:
        late = journal.take_lease("tiny", "late", timedelta(seconds=30))
        plan = prepare(farm.environment, new, farm.hosts)
        hosts = {host.name: host for host in farm.hosts}
        number = journal.begin_deployment(late, plan, new, "deploy")
        work = Work(
            environment=farm.environment,
            bundle=new,
            plan=plan,
            hosts=hosts,
            journal=journal,
            lease=late,
            deployment=number,
        )
        expire(farm)
        resume(farm.environment, "tiny", farm.hosts, farm.report)
        with pytest.raises(LeaseLost, match="takes orders from a newer deployment"):
            fenced(work, farm.hosts[0], "switch", new.version)
    assert serves(farm) == [old, old]


def plan_of(farm: Farm, one: Bundle) -> Plan:
    return prepare(farm.environment, one, farm.hosts)


def test_deploying_what_is_deployed_does_nothing(farm: Farm) -> None:
    new = another()
    deploy(farm.environment, new, farm.hosts, farm.report)
    farm.reports.clear()
    assert plan_of(farm, new).is_noop
    assert deploy(farm.environment, new, farm.hosts, farm.report).version == new.version
    assert farm.reports == []


def test_a_host_whose_release_is_down_is_repaired_by_deploying_again(farm: Farm) -> None:
    new = another()
    deploy(farm.environment, new, farm.hosts, farm.report)
    farm.hosts[1].stop(f"tiny-{new.version}")
    plan = plan_of(farm, new)
    assert {step.host for step in plan.steps} == {None, "fe2"}
    deploy(farm.environment, new, farm.hosts, farm.report)
    assert_deployed(farm, new.version)


def test_releases_beyond_those_kept_are_pruned_and_come_back_by_rollback(farm: Farm) -> None:
    versions = [another() for _ in range(4)]
    for one in versions:
        deploy(farm.environment, one, farm.hosts, farm.report)
    staged = status(farm.environment, "tiny", farm.hosts).hosts[0].staged
    assert set(staged) == {one.version for one in versions[1:]}
    rollback(farm.environment, "tiny", farm.hosts, farm.report, to=versions[0].version[:8])
    assert_deployed(farm, versions[0].version)


def test_a_second_rollback_goes_further_back(farm: Farm) -> None:
    versions = [another() for _ in range(3)]
    for one in versions:
        deploy(farm.environment, one, farm.hosts, farm.report)
    assert rollback(farm.environment, "tiny", farm.hosts, farm.report).version == versions[1].version
    assert rollback(farm.environment, "tiny", farm.hosts, farm.report).version == versions[0].version
    with pytest.raises(LowcodeError, match="names no release that was deployed here"):
        rollback(farm.environment, "tiny", farm.hosts, farm.report, to="zzz")


def test_jobs_are_registered_and_those_that_are_gone_become_inactive(farm: Farm) -> None:
    nightly, hourly = (
        JobSpec(name="nightly", schedule="0 2 * * *", notebook="jobs/nightly.ipynb"),
        JobSpec(name="hourly", schedule="0 * * * *", notebook="jobs/hourly.ipynb", priority="high"),
    )
    for jobs in ((nightly, hourly), (hourly,)):
        deploy(farm.environment, bundle(1, note=next(_notes) + "jobs", jobs=jobs), farm.hosts, farm.report)
    sql = "SELECT job, active, version FROM scheduler.schedule WHERE application = 'tiny' ORDER BY job"
    rows = query(farm.environment.database_url("lowcode"), sql)
    assert [row[:2] for row in rows] == [("hourly", True), ("nightly", False)]
    assert rows[0][2] == current(farm)


def test_a_request_under_way_ends_while_its_release_is_stopped(farm: Farm) -> None:
    socket = farm.hosts[0].root / "tiny" / "run" / "current.sock"
    answers: list[tuple[int, bytes]] = []
    old, new = current(farm), another()

    def report(progress: Progress) -> None:
        if (progress.step.name, progress.state, progress.step.host) == ("switch", "running", "fe1"):
            slow.start()
            time.sleep(0.2)  # on its way to the old release before the flip

    slow = threading.Thread(target=lambda: answers.append(farm.hosts[0].get(socket, "/slow?seconds=2")))
    deploy(farm.environment, new, farm.hosts, report)
    slow.join()
    assert answers[0][0] == 200
    assert json.loads(answers[0][1]) == {"slow": old}


def test_secrets_are_in_no_journal_and_no_message(farm: Farm) -> None:
    broken = bundle(1, fault="livez", note=next(_notes))
    assert "hunter2" not in repr(farm.environment)
    with pytest.raises(LowcodeError):
        deploy(farm.environment, broken, farm.hosts, fault_at(farm, "stage"))
    written = query(farm.environment.database_url("lowcode"), "SELECT d::text, s::text FROM deployment d, step s")
    assert "hunter2" not in str(written)


def test_users_are_added_once_and_keep_their_password(farm: Farm) -> None:
    first = add_user(farm.environment, "tiny", "Ana@Example.com", "Ana", ["Dispatcher"])
    again = add_user(farm.environment, "tiny", "ana@example.com", "Ana B.", ["Dispatcher", "Supervisor"])
    rows = query(
        farm.environment.database_url("tiny"), "SELECT email, name, roles, password_hash, active FROM tiny.app_user"
    )
    assert [row[:3] for row in rows] == [("ana@example.com", "Ana B.", ["Dispatcher", "Supervisor"])]
    assert (str(first), again.reveal(), len(first.reveal())) == ("***", "", 16)
    assert rows[0][3].startswith("$argon2id$")
    given = Secret("correct horse")
    assert add_user(farm.environment, "tiny", "ana@example.com", "Ana", ["Supervisor"], given) is given
