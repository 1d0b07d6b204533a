"""Plans as text. LOWCODE_UPDATE=1 rewrites what is expected."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from lowcode_kernel.bundle import Bundle, File
from lowcode_kernel.farm.environments import Environment, HostAddress, Secret
from lowcode_kernel.farm.planning import describe, make_plan, make_rollback_plan, revisions
from lowcode_kernel.jobs import JobSpec
from lowcode_kernel.plan import DatabaseFacts, HostFacts, Plan, Release
from lowcode_kernel.schema import Change, Schema

GOLDEN = Path(__file__).parent / "golden" / "plans"
ENVIRONMENT = Environment(
    name="prod", home=Path("/nowhere"), server=Secret(""), hosts=(HostAddress(name="fe1", root=PurePosixPath("/srv")),)
)
CHANGES = (
    Change(sql="", kind="expand", table="customer_order", summary="add customer_order.note", lock="access exclusive"),
    Change(
        sql="", kind="expand", table="customer_order", summary="check customer_order.total", rewrites=True,
        lock="share update exclusive", risk="2 rows break the check",
    ),
    Change(sql="", kind="index", table="customer_order", summary="index customer_order(note)", concurrent=True),
)  # fmt: skip


def script(number: int) -> File:
    text = f'"""A script."""\n\nrevision = "000{number}_ab"\ndown_revision = None\n'
    return File(path=f"upgrade/versions/000{number}_ab.py", content=text.encode())


BUNDLE = Bundle(
    application="shop",
    title="Web shop",
    files=(File(path="README.md", content=b"x" * 41_000), script(1), script(2)),
    schema=Schema(application="shop", tables=()),
    changes=CHANGES,
    jobs=(JobSpec(name="nightly", schedule="0 2 * * *", notebook="jobs/nightly.ipynb"),),
)
ROOM = 10**10
NEW, OLD = BUNDLE.version, "0123456789ab"
PREVIOUS = Release(
    environment="prod", application="shop", version=OLD, state="deployed", started_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def host(
    name: str, current: str | None = OLD, *, fault: str = "", python: str = "3.12.1", room: int = 10**10
) -> HostFacts:
    known = (current,) if current else ()
    return HostFacts(
        host=name, python=python, current=current, staged=known, running=known, free_bytes=room, fault=fault
    )


def staged(name: str) -> HostFacts:
    return HostFacts(host=name, python="3.11.0", current=OLD, staged=(NEW, OLD), running=(OLD,), free_bytes=ROOM)


BEHIND = DatabaseFacts(revision="0001_ab", rows={"customer_order": 336_776})
AT_HEAD = DatabaseFacts(revision="0002_ab")
CURRENT = Release(
    environment="prod", application="shop", version=NEW, state="deployed", started_at=datetime(2026, 1, 1, tzinfo=UTC)
)
PLANS: dict[str, Plan] = {
    "first": make_plan(ENVIRONMENT, BUNDLE, (host("fe1", None), host("fe2", None)), DatabaseFacts(), None),
    "next": make_plan(ENVIRONMENT, BUNDLE, (host("fe1"), staged("fe2")), BEHIND, PREVIOUS),
    "no_upgrade": make_plan(ENVIRONMENT, BUNDLE, (host("fe1"),), AT_HEAD, PREVIOUS),
    "database_ahead": make_plan(ENVIRONMENT, BUNDLE, (host("fe1"),), DatabaseFacts(revision="0009_zz"), PREVIOUS),
    "nothing_to_do": make_plan(ENVIRONMENT, BUNDLE, (host("fe1", NEW), host("fe2", NEW)), AT_HEAD, CURRENT),
    "one_host_strayed": make_plan(ENVIRONMENT, BUNDLE, (host("fe1", NEW), host("fe2", "f" * 12)), AT_HEAD, CURRENT),
    "problems": make_plan(
        ENVIRONMENT,
        BUNDLE,
        (host("fe1", fault="it can't be reached"), host("fe2", python="3.9.2"), host("fe3", room=50_000_000)),
        DatabaseFacts(fault="the database shop at db.example.com does not answer"),
        PREVIOUS,
    ),
    "no_hosts": make_plan(ENVIRONMENT, BUNDLE, (), BEHIND, None),
    "rollback": make_rollback_plan(ENVIRONMENT, BUNDLE, (staged("fe1"), host("fe2")), PREVIOUS),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_reads_as_expected(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    text = describe(PLANS[name]).replace(NEW, "<new>") + "\n"
    if os.environ.get("LOWCODE_UPDATE"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_the_same_facts_make_the_same_plan() -> None:
    again = make_plan(ENVIRONMENT, BUNDLE, (host("fe1"), staged("fe2")), BEHIND, PREVIOUS)
    assert again == PLANS["next"]


def test_the_decision_parts_the_steps_and_every_host_is_switched_after_it() -> None:
    steps = PLANS["next"].steps
    decided = [step.name for step in steps].index("decide")
    assert all(step.before_decision == (number <= decided) for number, step in enumerate(steps))
    assert {step.host for step in steps[decided:] if step.name == "switch"} == {"fe1", "fe2"}
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))


def test_revisions_come_from_the_scripts_in_order() -> None:
    assert revisions(BUNDLE) == ("0001_ab", "0002_ab")


def test_a_schedule_that_is_none_is_a_problem_before_anything_runs() -> None:
    wrong = JobSpec(name="nightly", schedule="99 2 * * *", notebook="jobs/nightly.ipynb")
    files, schema = BUNDLE.files, BUNDLE.schema
    bundle = Bundle(application="shop", title="Web shop", files=files, schema=schema, jobs=(wrong,))
    plan = make_plan(ENVIRONMENT, bundle, (host("fe1"),), AT_HEAD, PREVIOUS)
    assert plan.steps == ()
    assert plan.problems[0].startswith("job nightly: ")
