"""From the queue into the lake: each event exactly once, whatever is killed, and nothing that stops the flow."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from lowcode_kernel.events import Event
from lowcode_kernel.farm import queue
from lowcode_kernel.farm.analysis import query_logs
from lowcode_kernel.farm.log_service import Settings, log_service_of
from lowcode_kernel.problems import LowcodeError
from tests.services import Services, running, services, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment

pytestmark = pytest.mark.services
PATIENCE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def farm() -> Iterator[Services]:
    with services() as running_services:
        yield running_services


@pytest.fixture
def application() -> str:
    """A name of its own for each test: they share the stream and the lake."""
    return f"app_{uuid4().hex[:8]}"


def make_events(application: str, count: int) -> list[Event]:
    now = datetime.now(UTC)
    event = Event(id="", time=now, kind="request", application=application, version="abc", host="fe1")
    return [replace(event, id=uuid4().hex, attributes={"number": number}) for number in range(count)]


def stored(environment: Environment, application: str) -> tuple[int, int]:
    """Return how many events of an application there are, and how many different ones."""
    sql = f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM requests WHERE application = '{application}'"
    (row,) = query_logs(environment, sql)
    return row["n"], row["ids"]


def send_raw(url: str, application: str, *contents: bytes) -> None:
    async def send() -> None:
        connection = await queue.connect(url)
        stream = await queue.ensure_stream(connection)
        for content in contents:
            await stream.publish(f"events.{application}.request", content)
        await connection.close()

    queue.run_apart(send())


def test_events_are_in_the_lake_exactly_once_though_the_service_is_killed_again_and_again(
    farm: Services, application: str
) -> None:
    events = make_events(application, 6000)
    published = threading.Event()

    def publish() -> None:
        for first in range(0, len(events), 50):
            queue.publish_to(farm.nats.url, events[first : first + 50])
        published.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    kills = 0
    while not published.is_set() or kills < 4:
        service = start(log_service_of(farm.environment))
        queue.run_apart(hear_position(farm.nats.url))  # it has begun, or stored a batch: any moment is as good to die
        service.kill()
        service.wait()
        kills += 1
    publisher.join()
    with running(log_service_of(farm.environment)):
        queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (6000, 6000)


async def hear_position(url: str) -> None:
    connection = await queue.connect(url)
    told = await connection.subscribe(queue.POSITION)
    await told.next_msg(timeout=60)
    await connection.close()


def test_nothing_acknowledged_is_lost_when_the_queue_is_killed(farm: Services, application: str) -> None:
    events = make_events(application, 2000)
    acknowledged: list[str] = []
    with running(log_service_of(farm.environment)):
        for first in range(0, len(events), 100):
            batch = events[first : first + 100]
            if first in {500, 1200}:
                farm.nats.kill()
                with pytest.raises(LowcodeError, match=r"^the queue at 127\.0\.0\.1:\d+ does not answer: .*failed"):
                    queue.publish_events(farm.environment, batch)
                farm.nats.start()
            queue.publish_events(farm.environment, batch)
            acknowledged += [event.id for event in batch]
        queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (len(acknowledged), len(acknowledged))


def test_what_is_no_event_is_set_aside_and_the_rest_goes_on(farm: Services, application: str) -> None:
    good, late = make_events(application, 2)
    ill = [
        {**msgspec.to_builtins(good), "id": "other", "kind": "gossip"},
        {**msgspec.to_builtins(good), "id": "nul", "element": "a\0b"},
        {**msgspec.to_builtins(good), "id": "naive", "time": "2026-01-01T00:00:00"},
        "text",
    ]
    whole = (b"not json", b"\xff\xfe", b"{}", b"[" * 100_000, msgspec.json.encode([msgspec.to_builtins(good), *ill]))
    with running(log_service_of(farm.environment)):
        send_raw(farm.nats.url, application, *whole, b"[]")
        queue.publish_events(farm.environment, [late])
        queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (2, 2)
    sql = f"SELECT reason, content FROM rejected WHERE subject = 'events.{application}.request' ORDER BY sequence"
    rejected = list(query_logs(farm.environment, sql))
    assert len(rejected) == 4 + len(ill)
    assert {row["reason"] for row in rejected[4:]} >= {
        "Invalid enum value 'gossip' - at `$.kind`",
        "holds the character \\u0000",
        "Expected `object`, got `str`",
    }


def test_events_that_an_application_sends_again_are_stored_once(farm: Services, application: str) -> None:
    events = make_events(application, 30)
    content = msgspec.json.encode(events)
    with running(log_service_of(farm.environment)):
        send_raw(farm.nats.url, application, content, content)  # in one batch
        queue.flush_logs(farm.environment, PATIENCE)
        send_raw(farm.nats.url, application, content)  # and long after
        queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (30, 30)


def test_two_services_at_once_store_each_event_once(farm: Services, application: str) -> None:
    with running(log_service_of(farm.environment)), running(log_service_of(farm.environment)):
        for _ in range(5):
            queue.publish_events(farm.environment, make_events(application, 100))
            queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (500, 500)


def test_a_stream_that_was_made_anew_is_read_from_its_start(farm: Services, application: str) -> None:
    async def forget() -> None:
        connection = await queue.connect(farm.nats.url)
        await connection.jetstream().delete_stream(queue.STREAM)
        await connection.close()

    queue.run_apart(forget())
    queue.publish_events(farm.environment, make_events(application, 3))
    with running(log_service_of(farm.environment)):
        queue.flush_logs(farm.environment, PATIENCE)
    assert stored(farm.environment, application) == (3, 3)


def test_waiting_for_a_service_that_is_not_there_ends_with_a_hint(farm: Services, application: str) -> None:
    queue.publish_events(farm.environment, make_events(application, 1))
    with pytest.raises(
        LowcodeError, match=r"^the log service is silent, .* after 0.2 s; is the log service running\?$"
    ):
        queue.flush_logs(farm.environment, timedelta(seconds=0.2))


def test_the_service_says_what_it_is_not_told() -> None:
    with pytest.raises(LowcodeError, match=r"^the log service is not told LOGS_FILES, NATS_URL; set it$"):
        Settings.read({"LOGS_SERVER_URL": "postgresql://"})
