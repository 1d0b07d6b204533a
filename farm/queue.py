"""The one door to nats-py: the stream of events between those who publish and the log service.

The stream EVENTS keeps messages on disk until the log service has stored them and purges them; it refuses new ones when
it is full rather than forget old ones (`discard=new`). A message is a JSON array of events; its `Nats-Msg-Id` is the id
of the first one, so that a message sent twice within the window is kept once.

Two subjects beside the stream, lost when nobody listens: `logs.position` tells how far events are stored, after each
batch, and `logs.flush` asks the log service to store now what it has.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lowcode_kernel.events import subject
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

    from lowcode_kernel.events import Event
    from lowcode_kernel.farm.environments import Environment

STREAM = "EVENTS"
SUBJECTS = "events.>"
POSITION = "logs.position"
FLUSH = "logs.flush"
MAX_BYTES = 512 * 1024 * 1024  # reserved on the queue's disk: about two million events that nobody has stored yet
DUPLICATES = timedelta(minutes=10)
CONNECT = timedelta(seconds=3)
ACKNOWLEDGE = timedelta(seconds=5)
BATCH = 500  # events in a message
PULLED = 500  # messages asked for at once, and
PULLED_BYTES = 64 * 1024 * 1024  # no more than this of them; one message must fit, or it is never given
LINGER = timedelta(seconds=20)  # how long one question for messages stays with the server
NUDGE = "nudge"  # a status that we send ourselves

T = TypeVar("T")


class StreamMoved(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Messages may have been missed: the connection or the consumer was lost, and the feed has to be opened again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the stream. `sequence` is its number there."""

    sequence: int
    subject: str
    content: bytes


async def connect(url: str) -> Client:
    """Connect to the queue. A connection that breaks stays broken: whoever holds it decides what to do.

    Raises: LowcodeError where nothing answers.
    """
    import nats

    met: list[Exception] = []

    async def note(error: Exception) -> None:
        met.append(error)

    try:
        # by itself nats-py tries a first connection sixty times, two seconds apart, whatever allow_reconnect says
        return await nats.connect(
            url,
            connect_timeout=int(CONNECT.total_seconds()),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,
            error_cb=note,
        )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        cause = met[-1] if met else error
        address = url.rpartition("@")[2].removeprefix("nats://")
        fact = f"the queue at {address} does not answer: {cause or type(cause).__name__}"
        raise LowcodeError.of(fact, "is nats-server running?", code="LK700") from None


def faults() -> tuple[type[Exception], ...]:
    """Return what an operation on a connection raises where the queue is away or refuses."""
    import nats

    return (nats.errors.Error, asyncio.TimeoutError, OSError, StreamMoved)


async def ensure_stream(connection: Client) -> JetStreamContext:
    """Create the stream where it is missing; return what publishes to it. A stream that is there keeps its limits."""
    from nats.js.api import DiscardPolicy, StorageType, StreamConfig
    from nats.js.errors import BadRequestError, NotFoundError

    queue = connection.jetstream(timeout=ACKNOWLEDGE.total_seconds())
    try:
        await queue.stream_info(STREAM)
    except NotFoundError:
        config = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS],
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=MAX_BYTES,
            duplicate_window=DUPLICATES.total_seconds(),
        )
        try:
            await queue.add_stream(config)
        except BadRequestError:  # another was quicker, with other limits
            await queue.stream_info(STREAM)
    return queue


async def publish(queue: JetStreamContext, events: Iterable[Event]) -> None:
    """Publish events and wait until the queue has each on its disk."""
    by_subject = sorted(events, key=lambda event: (event.application, event.kind))
    for (application, kind), group in groupby(by_subject, key=lambda event: (event.application, event.kind)):
        alike = list(group)
        for start in range(0, len(alike), BATCH):
            batch = alike[start : start + BATCH]
            headers = {"Nats-Msg-Id": batch[0].id}
            await queue.publish(subject(application, kind), msgspec.json.encode(batch), stream=STREAM, headers=headers)


def publish_events(environment: Environment, events: Iterable[Event]) -> None:
    """Publish events of the platform itself (jobs, deployments); returns when the queue has them on its disk.

    Raises: LowcodeError where it does not take them.
    """
    publish_to(environment.queue_url, events)


def publish_to(url: str, events: Iterable[Event]) -> None:
    """Publish events to the queue at an address, as `publish_events` does."""
    run_apart(_publish_once(url, tuple(events)))


async def _publish_once(url: str, events: tuple[Event, ...]) -> None:
    import nats

    connection = await connect(url)
    try:
        await publish(await ensure_stream(connection), events)
    except (TimeoutError, nats.errors.Error) as error:
        fact = f"the queue did not take {len(events)} events: {error or type(error).__name__}"
        raise LowcodeError.of(fact, "is its disk or its stream full?", code="LK701") from None
    finally:
        await connection.close()


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own: a notebook's thread already runs an event loop."""
    results: list[T] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as fault:  # noqa: BLE001 - raised again below, in the thread that asked
            faults.append(fault)

    thread = threading.Thread(target=run, name="queue", daemon=True)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return results[0]


def flush_logs(environment: Environment, timeout: timedelta = timedelta(seconds=15)) -> int:
    """Wait until all that is in the queue now can be queried; return the position up to which that holds.

    What an application has not sent yet (it keeps request and query events for up to 0.5 s) is not waited for.

    Raises: LowcodeError where the log service does not get there in time.
    """
    return run_apart(_flush(environment.queue_url, timeout.total_seconds()))


async def _flush(url: str, seconds: float) -> int:
    connection = await connect(url)
    try:
        told = await connection.subscribe(POSITION)
        target = (await (await ensure_stream(connection)).stream_info(STREAM)).state.last_seq
        await connection.publish(FLUSH, str(target).encode())
        stored = -1
        async with asyncio.timeout(seconds):
            while stored < target:
                stored = int((await told.next_msg(timeout=None)).data)
        return stored
    except TimeoutError:
        at = f"at {stored}" if stored >= 0 else "silent"
        fact = f"the log service is {at}, the queue at {target}, after {seconds:g} s"
        raise LowcodeError.of(fact, "is the log service running?", code="LK702") from None
    finally:
        await connection.close()


def created_at(info: StreamInfo) -> str:
    """Return what tells this stream from another of the same name, before or after it."""
    return info.created.astimezone(UTC).isoformat() if info.created else ""


class Feed:
    """The messages of the stream after a position, in order, each once and without a hole.

    The position is the reader's; the server keeps none for it. So the consumer is made anew at each opening, needs no
    acknowledgements, and can't skip what was delivered but never stored. Messages are asked for in portions, as they
    are used, so a slow reader is never flooded.
    """

    def __init__(self, connection: Client, queue: JetStreamContext) -> None:
        self._connection = connection
        self._queue = queue
        self._credit = 0
        self._received = 0
        self._name = ""

    async def open(self, after: int) -> None:
        """Begin with the first message whose sequence is above `after`."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=5 * LINGER.total_seconds(),
        )
        self._inbox = self._connection.new_inbox()
        self._messages = await self._connection.subscribe(self._inbox)
        self._name = (await self._queue.add_consumer(STREAM, config)).name
        self._credit = self._received = 0

    async def next(self, seconds: float) -> Message | None:
        """Return the next message; None where none came in that time, or where the reader was nudged.

        Raises: `StreamMoved` where one may have been missed.
        """
        import nats

        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            if not self._connection.is_connected:
                raise StreamMoved
            await self._ask()
            try:
                message = await self._messages.next_msg(timeout=max(until - loop.time(), 0.001))
            except nats.errors.TimeoutError:
                return None
            status = (message.headers or {}).get("Status", "")
            if status == NUDGE:
                return None
            if not status:
                return self._read(message)
            self._end_question(status)

    async def nudge(self) -> None:
        """End the wait in `next`, after what the server has sent already."""
        await self._connection.publish(self._inbox, headers={"Status": NUDGE})

    async def _ask(self) -> None:
        if self._credit > PULLED // 2:
            return
        wanted = PULLED - self._credit
        ask = {"batch": wanted, "expires": int(LINGER.total_seconds() * 1e9), "max_bytes": PULLED_BYTES}
        await self._connection.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self._name}", msgspec.json.encode(ask), reply=self._inbox
        )
        self._credit += wanted

    def _read(self, message: Msg) -> Message:
        self._credit -= 1
        self._received += 1
        if message.metadata.sequence.consumer != self._received:
            raise StreamMoved
        return Message(sequence=message.metadata.sequence.stream, subject=message.subject, content=message.data)

    def _end_question(self, status: str) -> None:
        """Ask anew after 408 (run out) and 409 (its bytes are used up). Anything else: the consumer is gone."""
        if status not in {"408", "409"}:
            raise StreamMoved
        self._credit = 0

    async def close(self) -> None:
        """Give back the consumer, if the server is there to take it; else it goes by itself."""
        with suppress(*faults()):
            await self._messages.unsubscribe()
            await self._queue.delete_consumer(STREAM, self._name)
