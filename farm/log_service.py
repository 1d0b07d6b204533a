"""The log service: from the queue into the lake, each event exactly once, at the lowest priority of the machine.

    python -m lowcode_kernel.farm.log_service

Who is the authority: the lake. The position is written in the transaction that writes the events, and reading begins
behind it; the queue remembers nothing of us. So at any moment the process may be killed:

    before the commit    nothing is stored; the next one reads the same messages again
    after it             position and events are stored; the next one reads what follows
    in doubt             (the catalog went away during the commit) the position read next tells which of the two it was

Two services at once are harmless: the one that moves the position second is refused and reads it again.

What is stored is purged from the queue. A message that can't be read as events is stored in `rejected`, whole, and one
bad event in a good message is rejected alone; neither ever stops the flow.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import msgspec

from lowcode_kernel.events import EventKind, Outcome  # noqa: TC001 - msgspec reads the annotations
from lowcode_kernel.farm import lake, queue
from lowcode_kernel.farm.databases import ensure_database
from lowcode_kernel.farm.environments import Environment, Secret
from lowcode_kernel.farm.hosts import Service
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

MESSAGES = 1000  # in one transaction at most, and
BYTES = 8 * 1024 * 1024  # about this much of them
LINGER = 1.0  # seconds that the first message of a batch waits for others
IDLE = 5.0  # seconds between two looks at other duties
PURGE_EVERY = timedelta(seconds=10)
COMPACT_EVERY = timedelta(minutes=10)
HISTORY = timedelta(hours=1)
PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds before trying again
TRIES = 3  # of one message alone, before it is set aside


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the service is told by its environment variables."""

    server: Secret
    files: str
    queue_url: str
    keep: timedelta = timedelta(days=90)

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Settings:
        """Read them; raises LowcodeError for what is missing."""
        wanted = ("LOGS_SERVER_URL", "LOGS_FILES", "NATS_URL")
        if missing := [name for name in wanted if not variables.get(name)]:
            raise LowcodeError.of(f"the log service is not told {', '.join(missing)}", "set it", code="LK703")
        server, files, address = (variables[name] for name in wanted)
        keep = timedelta(days=float(variables.get("LOGS_KEEP_DAYS", "90")))
        return cls(server=Secret(server), files=files, queue_url=address, keep=keep)

    def as_environment(self) -> Environment:
        """Return the environment as far as the service knows it."""
        return Environment(name="logs", home=Path(), server=self.server, queue_url=self.queue_url, lake_path=self.files)


def log_service_of(environment: Environment) -> Service:
    """Return the log service of an environment, to be started on one host of it, or on several for spares."""
    return Service(
        name="log-service",
        command=(sys.executable, "-m", "lowcode_kernel.farm.log_service"),
        directory=PurePosixPath(environment.home),
        environment={
            "LOGS_SERVER_URL": environment.server.reveal(),
            "LOGS_FILES": environment.lake_path,
            "NATS_URL": environment.queue_url,
        },
        stop_seconds=10,
        nice=True,
    )


Name = Annotated[str, msgspec.Meta(max_length=500)]


class _Event(msgspec.Struct, frozen=True, gc=False):
    """An event as it comes, in the order of the lake's columns."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    kind: EventKind
    application: Name
    version: Name
    host: Name
    trace: Name = ""
    element: Name = ""
    outcome: Outcome = "ok"
    duration_ms: float = 0.0
    user: Name | None = None
    attributes: dict[str, object] = {}


_decode = msgspec.json.Decoder(list[_Event]).decode
_decode_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.encode


def rows_of(messages: list[queue.Message]) -> lake.Batch:
    """Read messages as rows of the lake. What can't be read becomes a row of `rejected`."""
    events: list[tuple[object, ...]] = []
    rejected: list[tuple[object, ...]] = []
    for message in messages:
        try:
            # a text with \u0000 in it is fine JSON, but PostgreSQL, which keeps the catalog, has no text for it
            if b"\\u0000" in message.content:
                raise msgspec.ValidationError
            events.extend(_row(event, message.sequence) for event in _decode(message.content))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            _sort_out(message, events, rejected)
    return lake.Batch(events=events, rejected=rejected)


def _row(event: _Event, sequence: int) -> tuple[object, ...]:
    return (
        event.id, event.time, event.kind, event.application, event.version, event.host, event.trace, event.element,
        event.outcome, event.duration_ms, event.user, _encode(event.attributes).decode(), sequence,
    )  # fmt: skip


def _sort_out(message: queue.Message, events: list[tuple[object, ...]], rejected: list[tuple[object, ...]]) -> None:
    """Read a message event by event."""
    try:
        parts = [bytes(part) for part in _decode_parts(message.content)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        rejected.append(_rejected(message, str(fault), message.content))
        return
    for part in parts:
        try:
            if b"\\u0000" in part:
                raise msgspec.ValidationError("holds the character \\u0000")
            events.append(_row(_decode_one(part), message.sequence))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            rejected.append(_rejected(message, str(fault), part))


def _rejected(message: queue.Message, reason: str, content: bytes) -> tuple[object, ...]:
    text = content.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return (datetime.now(UTC), message.subject, reason, text, message.sequence)


@dataclass(slots=True)
class LogService:
    """The service between its faults: each fault ends a session, and the next one begins at what the lake says."""

    settings: Settings
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    limit: int = MESSAGES
    failures: Counter[int] = field(default_factory=Counter)
    stored: int = 0
    due: dict[str, datetime] = field(default_factory=dict)
    session: Session | None = None
    ending: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End after the batch at hand."""
        self.stopping.set()
        if self.session and self.session.client.is_connected:
            self.ending = asyncio.ensure_future(self.session.feed.nudge())

    async def serve(self) -> None:
        """Run sessions until told to stop, with longer and longer pauses where one after the other fails."""
        pause = PAUSE
        faults: tuple[type[Exception], ...] = (lake.LakeFault, lake.Superseded, LowcodeError, *queue.faults())
        while not self.stopping.is_set():
            before = self.stored
            try:
                async with AsyncExitStack() as stack:
                    await self._run_session(stack)
            except faults as fault:
                print(f"{type(fault).__name__}: {fault}", file=sys.stderr, flush=True)  # noqa: T201 - its log
                pause = PAUSE if self.stored != before else min(pause * 2, LONGEST_PAUSE)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), pause)

    async def _run_session(self, stack: AsyncExitStack) -> None:
        environment = self.settings.as_environment()
        ensure_database(environment, lake.DATABASE)
        connection = lake.open_lake(environment.database_url(lake.DATABASE), self.settings.files)
        stack.callback(connection.close)
        lake.ensure_tables(connection)
        client = await queue.connect(self.settings.queue_url)
        stack.push_async_callback(client.close)
        stream = await queue.ensure_stream(client)
        session = Session(self, connection, client, stream)
        await session.begin()
        self.session = session
        stack.push_async_callback(session.feed.close)
        while not self.stopping.is_set():
            await session.step()

    def is_due(self, duty: str, every: timedelta) -> bool:
        """Say whether a duty is due, and count it as done."""
        now = datetime.now(UTC)
        if now < self.due.setdefault(duty, now + every):
            return False
        self.due[duty] = now + every
        return True


class Session:
    """An open lake, a connection to the queue, and how far the one is behind the other."""

    def __init__(
        self, service: LogService, connection: duckdb.DuckDBPyConnection, client: Client, stream: JetStreamContext
    ) -> None:
        self.service = service
        self.connection = connection
        self.client = client
        self.stream = stream
        self.feed = queue.Feed(client, stream)
        self.before: lake.Position | None = None
        self.position = lake.Position(stream=queue.STREAM, created="", sequence=0)
        self.wanted = 0
        self.purged = 0

    async def begin(self) -> None:
        """Find where to begin: behind what is stored, or at the start of a stream that isn't the one we knew."""
        info = await self.stream.stream_info(queue.STREAM)
        created, state = queue.created_at(info), info.state
        self.before = lake.read_position(self.connection)
        stored = self.before.sequence if self.before and self.before.created == created else 0
        # a queue that lost its end in a power cut counts on from what it has; one that was purged begins later
        sequence = max(min(stored, state.last_seq), state.first_seq - 1)
        self.position = lake.Position(stream=queue.STREAM, created=created, sequence=sequence)
        await self.feed.open(sequence)
        await self.client.subscribe(queue.FLUSH, cb=self._hurry)
        await self._tell()

    async def step(self) -> None:
        """Store one batch, and do what else is due.

        Raises: what ends a session; all that was not stored is read again by the next one.
        """
        if messages := await self._gather():
            self._store(messages)
            await self._tell()
        if self.position.sequence > self.purged and self.service.is_due("purge", PURGE_EVERY):
            await self.stream.purge_stream(queue.STREAM, seq=self.position.sequence + 1)
            self.purged = self.position.sequence
        if self.service.is_due("compact", COMPACT_EVERY):
            now = datetime.now(UTC)
            lake.compact(self.connection, keep=now - self.service.settings.keep, history=now - HISTORY)

    async def _gather(self) -> list[queue.Message]:
        """Collect a batch: as many as may be, or what came in a second, or what somebody waits for."""
        loop = asyncio.get_running_loop()
        messages: list[queue.Message] = []
        size, until = 0, loop.time() + IDLE
        while len(messages) < self.service.limit and size < BYTES:
            message = await self.feed.next(until - loop.time())
            if message is None:
                break
            if not messages:
                until = loop.time() + LINGER
            messages.append(message)
            size += len(message.content)
            if message.sequence == self.wanted or loop.time() >= until:
                break
        return messages

    def _store(self, messages: list[queue.Message]) -> None:
        after = lake.Position(stream=queue.STREAM, created=self.position.created, sequence=messages[-1].sequence)
        try:
            lake.write_batch(self.connection, self._batch_of(messages), before=self.before, after=after)
        except lake.LakeFault:
            # smaller and smaller batches find the one message, if it is one, that the lake does not take
            self.service.limit = max(len(messages) // 8, 1)
            self.service.failures[messages[0].sequence] += len(messages) == 1
            raise
        self.service.limit = MESSAGES
        self.service.failures.clear()
        self.before = self.position = after
        self.service.stored = after.sequence

    def _batch_of(self, messages: list[queue.Message]) -> lake.Batch:
        first = messages[0]
        if self.service.failures[first.sequence] < TRIES or len(messages) > 1:
            return rows_of(messages)
        row = _rejected(first, f"the lake refused it {TRIES} times", first.content)
        return lake.Batch(events=(), rejected=(row,))

    async def _tell(self) -> None:
        await self.client.publish(queue.POSITION, str(self.position.sequence).encode())

    async def _hurry(self, message: Msg) -> None:
        with suppress(ValueError):
            self.wanted = max(self.wanted, int(message.data))
        await self._tell()
        await self.feed.nudge()


def lower_priority() -> None:
    """Give way to everything else on the machine: CPU and, where the kernel knows it, disk.

    Source: ioprio_set(2); 2 << 13 | 7 is the lowest best-effort priority ("idle" can starve for ever on a busy disk).
    """
    os.nice(10)
    number = {"x86_64": 251, "aarch64": 30}.get(platform.machine())
    if sys.platform == "linux" and number:
        ctypes.CDLL(None).syscall(number, 1, 0, 2 << 13 | 7)


def main() -> int:
    """Run the log service as its environment variables say, until SIGTERM."""
    lower_priority()
    try:
        settings = Settings.read(os.environ)
        asyncio.run(_serve(settings))
    except LowcodeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - its log
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    service = LogService(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    await service.serve()


if __name__ == "__main__":
    sys.exit(main())
