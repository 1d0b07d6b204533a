"""The lake and the questions put to it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.farm import lake
from lowcode_kernel.farm.analysis import query_logs
from lowcode_kernel.problems import LowcodeError
from tests.services import services

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from lowcode_kernel.farm.environments import Environment

pytestmark = pytest.mark.services
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REQUEST = '{"http.request.method":"GET","http.route":"/orders","http.response.status_code":200}'


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with services() as running:
        query_logs(running.environment, "SELECT 1")  # makes the lake where the log service was never there
        yield running.environment


def open_lake(environment: Environment) -> closing[duckdb.DuckDBPyConnection]:
    return closing(lake.open_lake(environment.database_url(lake.DATABASE), environment.lake_path))


def event(name: str, kind: str = "request", *, time: datetime = NOON, attributes: str = REQUEST) -> tuple[object, ...]:
    return (name, time, kind, "shop", "abc", "fe1", "", "screen:orders", "ok", 1.5, None, attributes, 1)


def at(sequence: int) -> lake.Position:
    return lake.Position(stream="EVENTS", created="then", sequence=sequence)


def count(environment: Environment, sql: str) -> int:
    (row,) = query_logs(environment, f"SELECT count(*) AS n FROM {sql}")
    return int(row["n"])


def move_on(connection: duckdb.DuckDBPyConnection, *events: tuple[object, ...]) -> int:
    """Store a batch behind what is stored."""
    before = lake.read_position(connection)
    after = at(before.sequence + 1 if before else 1)
    return lake.write_batch(connection, lake.Batch(events=events), before=before, after=after)


def test_the_second_of_two_writers_is_refused_and_nothing_of_it_stays(environment: Environment) -> None:
    with open_lake(environment) as one, open_lake(environment) as two:
        move_on(one, event("first"))
        before = lake.read_position(one)
        assert before == lake.read_position(two)
        assert before is not None
        move_on(one, event("second"))
        with pytest.raises((lake.Superseded, lake.LakeFault)):
            lake.write_batch(two, lake.Batch(events=[event("stray")]), before=before, after=at(before.sequence + 1))
        with pytest.raises((lake.Superseded, lake.LakeFault)):
            lake.write_batch(two, lake.Batch(events=[event("stray")]), before=None, after=at(99))
    assert count(environment, "events WHERE id = 'stray'") == 0
    assert count(environment, "events WHERE id IN ('first', 'second')") == 2


def test_two_open_transactions_that_move_the_position_conflict(environment: Environment) -> None:
    with open_lake(environment) as one, open_lake(environment) as two:
        move_on(one, event("base"))
        for connection in (one, two):
            connection.begin()
            connection.execute("UPDATE position SET sequence = sequence + 1")
        one.commit()
        with pytest.raises(Exception, match=r"[Cc]onflict"):
            two.commit()


def test_compaction_changes_no_answer_and_leaves_few_files(environment: Environment) -> None:
    with open_lake(environment) as connection:
        for number in range(6):
            batch = [event(f"c{number}-{each}", attributes='{"many":1}') for each in range(500 if number % 2 else 5)]
            assert move_on(connection, *batch) == len(batch)
        before = count(environment, "events")
        now = datetime.now(UTC)
        lake.compact(connection, keep=NOON - timedelta(days=1), history=now)
        assert count(environment, "events") == before
        assert move_on(connection, event("c1-1", attributes='{"many":1}')) == 0
        move_on(connection, event("old", time=NOON - timedelta(days=9)))
        lake.compact(connection, keep=NOON - timedelta(days=1), history=datetime.now(UTC))
    assert count(environment, "events") == before
    assert len(list(Path(environment.lake_path).rglob("*.parquet"))) <= 3


def test_a_view_shows_the_attributes_people_ask_for(environment: Environment) -> None:
    odd = event("odd", attributes='{"http.response.status_code":"teapot"}')
    failed = event(
        "failed", "error", attributes='{"exception.type":"ValueError","exception.message":"it\\u2019s \\"so\\""}'
    )
    with open_lake(environment) as connection:
        move_on(connection, event("seen"), odd, failed)
    (seen,) = query_logs(environment, "SELECT method, route, status FROM requests WHERE id = 'seen'")
    assert seen == {"method": "GET", "route": "/orders", "status": 200}
    (seen,) = query_logs(environment, "SELECT method, status FROM requests WHERE id = 'odd'")
    assert seen == {"method": None, "status": None}
    frame = query_logs(environment, "SELECT type, message, time FROM errors WHERE id = 'failed'").to_df()
    assert frame.iloc[0].to_list()[:2] == ["ValueError", 'it\N{RIGHT SINGLE QUOTATION MARK}s "so"']
    assert frame.iloc[0]["time"] == NOON


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM eror", 'line 1: there is no table "eror"; did you mean "errors"?'),
        ("SELECT id,\n duration FROM requests", 'line 2: there is no column "duration"; did you mean "duration_ms"?'),
        ("SELECT e.tme FROM events e", 'line 1: there is no column "tme"; did you mean "time"?'),
        ("SELEKT 1", 'line 1: syntax error at or near "SELEKT"'),
        ("SELECT cuont(*) FROM events", 'line 1: there is no function cuont; did you mean "count"?'),
        ("SELECT e.id FROM events", 'line 1: "e" is not among the tables after FROM; known:'),
        ("DELETE FROM events", "the logs are only read here, DELETE would write; ask with SELECT"),
        ("COPY events TO 'x'", "the logs are only read here, COPY would write; ask with SELECT"),
        ("SELECT 1; SELECT 2", "a question is one statement, here are 2 statements"),
        ("", "a question is one statement, here are 0 statements"),
    ],
)
def test_a_question_that_has_no_answer_says_why(environment: Environment, sql: str, words: str) -> None:
    with pytest.raises(LowcodeError) as caught:
        query_logs(environment, sql)
    assert str(caught.value).startswith(words)


def test_no_question_shows_the_password(environment: Environment) -> None:
    password = environment.server.reveal().split(":")[2].split("@")[0]
    for sql in ("FROM duckdb_databases()", "FROM duckdb_secrets()", "FROM duckdb_settings()"):
        assert password not in str(list(query_logs(environment, sql)))


def test_logs_that_are_away_are_a_message(environment: Environment) -> None:
    away = type(environment)(
        name="away", home=environment.home, server=type(environment.server)("postgresql://u:secret@127.0.0.1:1")
    )
    with pytest.raises(LowcodeError) as caught:
        query_logs(away, "SELECT 1")
    assert "secret" not in str(caught.value)


def test_a_table_of_answers_reads_well(environment: Environment) -> None:
    table = query_logs(environment, "SELECT i AS number, NULL AS nothing FROM range(25) t(i)")
    lines = str(table).splitlines()
    assert (len(table), table.columns) == (25, ("number", "nothing"))
    assert lines[0] == "number  nothing"
    assert lines[-1] == "and 5 more"
