"""The database in a deployment: expanded, refused, kept after a cancel, renamed without a lock, read by the old release
all along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.farm.databases import connect, query, revision_of
from lowcode_kernel.farm.deploying import deploy, prepare
from lowcode_kernel.farm.history import history, journal_of, schema_history
from lowcode_kernel.farm.rollback import rollback
from lowcode_kernel.farm.upgrade import upgrade_database
from lowcode_kernel.problems import LowcodeError
from tests.test_applying import assert_cancelled, assert_deployed, current, serves, taken_over
from tests.tiny_application import SHAPES, bundle
from tests.tiny_farm import Farm, crash, open_farm, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lowcode_kernel.plan import Progress

pytestmark = pytest.mark.services
QUICK = (0.01, 0.01)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with postgres() as sockets:
        farm = open_farm(tmp_path, sockets)
        yield farm
        farm.stop()


def upgrade_journal(farm: Farm) -> Progress:
    return next(one for one in journal_of(farm.environment, "tiny") if one.step.name == "upgrade")


def revision(farm: Farm) -> str | None:
    return revision_of(farm.environment.database_url("tiny"), "tiny")


def test_a_database_goes_through_all_that_can_happen_to_it(farm: Farm) -> None:
    assert schema_history(farm.environment, "tiny") == ()
    first = deploy(farm.environment, bundle(1), farm.hosts, farm.report)
    assert first.previous is None
    # refused: the transaction is undone, the old release serves, the shape isn't part of the history
    refused = bundle(2, statements=("SELECT no_such_column FROM tiny.note",))
    with pytest.raises(LowcodeError, match=r"no_such_column.*\(42703\): SELECT no_such_column FROM") as caught:
        deploy(farm.environment, refused, farm.hosts, farm.report)
    assert "hunter2" not in str(caught.value)
    assert_cancelled(farm, first.version, refused.version)
    assert (revision(farm), schema_history(farm.environment, "tiny")) == ("0001", SHAPES[:1])
    # cancelled after the upgrade: the database stays expanded, the old release fits it, the journal says so
    unready = bundle(2, fault="readyz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lowcode_kernel.farm.steps.READY_SECONDS", 0.5)
        with pytest.raises(LowcodeError, match="answers /readyz with 503"):
            deploy(farm.environment, unready, farm.hosts, farm.report)
    assert_cancelled(farm, first.version, unready.version)
    assert "stays expanded: the old release fits it" in upgrade_journal(farm).detail
    assert (revision(farm), schema_history(farm.environment, "tiny")) == ("0002", SHAPES[:2])
    # the same shape again needs no upgrade; the next one is a rename, which no table notices
    second = bundle(2)
    assert "upgrade" not in {step.name for step in prepare(farm.environment, second, farm.hosts).steps}
    deploy(farm.environment, second, farm.hosts, farm.report)
    deploy(farm.environment, bundle(3), farm.hosts, farm.report)
    assert schema_history(farm.environment, "tiny") == SHAPES
    # backwards: the views of the older release are still there
    assert rollback(farm.environment, "tiny", farm.hosts, farm.report).version == second.version
    assert_deployed(farm, second.version)
    assert revision(farm) == "0003"


def test_a_controller_killed_as_it_upgrades_is_cancelled_and_the_next_deployment_goes_on(farm: Farm) -> None:
    deploy(farm.environment, bundle(1), farm.hosts, farm.report)
    for state in ("running", "done"):
        crash(farm, 2, f"killed {state}", "upgrade", state)
        taken_over(farm)
        assert_cancelled(farm, current(farm), bundle(2, note=f"killed {state}").version)
    second = deploy(farm.environment, bundle(2), farm.hosts, farm.report)
    assert serves(farm) == [second.version] * 2
    assert [one.state for one in history(farm.environment, "tiny")] == [
        "deployed",
        "cancelled",
        "cancelled",
        "deployed",
    ]


def test_a_lock_that_is_let_go_in_time_only_delays_an_upgrade(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade_database(farm.environment, bundle(1))
    with connect(farm.environment.database_url("tiny")) as reader:
        reader.execute("SELECT * FROM tiny.note")  # a transaction under way holds its lock
        monkeypatch.setattr("lowcode_kernel.farm.upgrade.time.sleep", lambda _: reader.commit())
        assert upgrade_database(farm.environment, bundle(2), pauses=(1.0,)) == "0001 -> 0002, after 2 attempts"


def test_a_lock_that_is_held_for_good_is_told_with_the_statement(farm: Farm) -> None:
    upgrade_database(farm.environment, bundle(1))
    with connect(farm.environment.database_url("tiny")) as reader:
        reader.execute("SELECT * FROM tiny.note")
        with pytest.raises(LowcodeError, match=r"could not be had in 2 attempts: ALTER TABLE tiny.note ADD COLUMN"):
            upgrade_database(farm.environment, bundle(2), pauses=(0.01,))
    assert revision(farm) == "0001"


def test_what_a_failed_concurrent_index_left_is_dropped(farm: Farm) -> None:
    url = farm.environment.database_url("tiny")
    upgrade_database(farm.environment, bundle(1))
    query(url, "INSERT INTO tiny.note (text) VALUES ('first')")
    with pytest.raises(Exception, match="could not create unique index"):
        query(url, "CREATE UNIQUE INDEX CONCURRENTLY broken ON tiny.note (text)", autocommit=True)
    with pytest.raises(LowcodeError):
        upgrade_database(farm.environment, bundle(2, statements=("SELECT nothing",)))
    assert query(url, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == []
