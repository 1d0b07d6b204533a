"""The worker: takes the jobs of one front-end and runs each in a process of its own.

    python -m lowcode_kernel.farm.worker [--config FILE]      without it, the variable LOWCODE_WORKER holds the content

One thread, which waits on everything at once: the database's socket (something to take or to cancel), the pipes of the
runs, signals, and the next moment that something is due. It imports neither papermill nor a queue until a job comes.

What happens when things break:

    the worker is killed      its runs die with their pipes; the lease runs out; another worker takes them again
    the database is away      leases can't be renewed, and runs end when theirs is over; the worker tries again for ever
    a job hangs               interrupted after its time-out, then killed, with all it started
    a kernel dies             the attempt failed
    SIGTERM                   nothing more is taken; runs have `drain` seconds; what is left is handed back at once
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lowcode_kernel.farm import attempts, job_statements
from lowcode_kernel.farm.databases import connect
from lowcode_kernel.farm.desk import Desk, forget_told, take_untold
from lowcode_kernel.farm.environments import Environment, HostAddress, Secret
from lowcode_kernel.farm.hosts import Service
from lowcode_kernel.farm.layout import service_of
from lowcode_kernel.farm.scheduling import DATABASE, ensure_tables
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from lowcode_kernel.farm.desk import Taken
    from lowcode_kernel.farm.hosts import Host

LONGEST_WAIT = 30.0  # seconds between two looks at the database, whatever it tells us
SHORTEST_WAIT = 0.2  # seconds, where something is due that another worker is just taking
RECONNECT = 1.0  # seconds between two tries to reach the database
MARGIN = 0.8  # of a lease: our runs end before the database thinks that they may be taken
CLEAN_EVERY = 3600.0
KEPT = 200  # runs of each job, and their records


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told. Times are in seconds."""

    environment: str
    host: str
    root: str
    server: str
    queue_url: str = ""
    public_url: str = ""
    variables: dict[str, str] = {}
    slots: int = 2
    lease: float = 30.0
    pause: float = 10.0
    drain: float = 20.0

    def as_environment(self) -> Environment:
        """Return the environment as far as a worker knows it."""
        return Environment(
            name=self.environment, home=Path(self.root), server=Secret(self.server), queue_url=self.queue_url,
            public_url=self.public_url, variables=self.variables,
        )  # fmt: skip


def worker_of(environment: Environment, host: HostAddress, **tuning: Any) -> Service:
    """Return the worker of a front-end as a service; `tuning` sets `slots`, `lease`, `pause` or `drain`."""
    settings = Settings(
        environment=environment.name, host=host.name, root=str(host.root), server=environment.server.reveal(),
        queue_url=environment.queue_url, public_url=environment.public_url,
        variables={name: str.__str__(value) for name, value in environment.variables.items()}, **tuning,
    )  # fmt: skip
    return Service(
        name="worker",
        command=(sys.executable, "-m", "lowcode_kernel.farm.worker"),
        directory=PurePosixPath(host.root),
        environment={"LOWCODE_WORKER": msgspec.json.encode(settings).decode()},
        stop_seconds=int(settings.drain + attempts.GRACE) + 5,
    )


@dataclass(slots=True)
class Worker:
    """A worker and what it has in hand. Moments are of the monotonic clock."""

    settings: Settings
    woken: int
    running: dict[int, attempts.Attempt] = field(default_factory=dict)
    ended: list[attempts.Attempt] = field(default_factory=list)
    desk: Desk | None = None
    renew_at: float = 0.0
    connect_at: float = 0.0
    clean_at: float = 0.0
    stop_at: float = 0.0
    look_at: float = 0.0

    @property
    def root(self) -> Path:
        """The folder of this front-end."""
        return Path(self.settings.root)

    def run(self) -> None:
        """Work until told to stop and nothing is left."""
        while not (self.stop_at and not self.running and not self.ended):
            self._watch_runs()
            try:
                self._work()
            except LowcodeError as error:
                self._lose_database(error)
            self._wait()

    def stop(self) -> None:
        """Take nothing more, and give the runs a while to end."""
        self.stop_at = self.stop_at or monotonic() + self.settings.drain

    def _watch_runs(self) -> None:
        now = monotonic()
        for attempt in list(self.running.values()):
            if self.stop_at and now >= self.stop_at:
                attempt.stop(attempts.DRAINED)
            attempt.watch(now)
            if attempt.read():
                attempt.close()
                self.ended.append(self.running.pop(attempt.taken.run.id))

    def _work(self) -> None:
        """Do all that needs the database."""
        self.look_at = monotonic() + RECONNECT
        if self.desk is None:
            if monotonic() < self.connect_at:
                return
            self.desk = self._sit_down()
        desk = self.desk
        try:
            self._renew(desk)
            self._hand_in(desk)
            if not self.stop_at:
                desk.make_ticks()
                self._take(desk)
                self._clean(desk)
            self.look_at = self._next_look(desk)
        except desk.connection.OperationalError as error:
            self._lose_database(error)

    def _sit_down(self) -> Desk:
        environment = self.settings.as_environment()
        self.connect_at = monotonic() + RECONNECT
        ensure_tables(environment)
        connection = connect(environment.database_url(DATABASE), autocommit=True)
        connection.execute("SET statement_timeout = '10s'")
        connection.execute(job_statements.LISTEN_OPEN)
        return Desk(
            connection=connection, environment=self.settings.environment, worker=self.settings.host,
            lease=timedelta(seconds=self.settings.lease), pause=timedelta(seconds=self.settings.pause),
        )  # fmt: skip

    def _lose_database(self, error: Exception) -> None:
        say(f"the database is away: {str(error).strip().partition(chr(10))[0]}")
        if self.desk is not None:
            self.desk.connection.close()
        self.desk, self.connect_at = None, monotonic() + RECONNECT

    def _renew(self, desk: Desk) -> None:
        """Renew all leases a third into them; end runs that are to be cancelled, and those that are ours no more."""
        asked_at = monotonic()
        if not self.running:
            return
        if asked_at >= self.renew_at:
            self.renew_at = asked_at + self.settings.lease / 3
            held = desk.renew([attempt.key for attempt in self.running.values()])
        else:
            held = desk.held([attempt.key for attempt in self.running.values()])
            asked_at = 0.0
        for run, attempt in self.running.items():
            if run not in held:
                attempt.kill()
            elif held[run]:
                attempt.stop(attempts.CANCELLED)
            elif asked_at:
                attempt.extend(asked_at + self.settings.lease * MARGIN)

    def _hand_in(self, desk: Desk) -> None:
        """Write how attempts ended; what is not written, since the database is away, is written when it is back."""
        while self.ended:
            attempt = self.ended[0]
            state, error = attempt.outcome()
            kept, version = attempt.kept, attempt.place.version
            desk.finish(attempt.taken, state, error=error, record=kept, version=version, meanwhile=attempt.keep)
            self.ended.pop(0)

    def _take(self, desk: Desk) -> None:
        """Take runs while hands are free."""
        while len(self.running) < self.settings.slots:
            asked_at = monotonic()
            taken = desk.take(attempts.applications_on(self.root))
            if taken is None:
                return
            self._start(desk, taken, asked_at + self.settings.lease * MARGIN)

    def _start(self, desk: Desk, taken: Taken, until: float) -> None:
        run = taken.run
        place = attempts.place_of(self.root, run.application, run.job)
        if place is None:  # taken down since we looked
            desk.finish(taken, "waiting")
            return
        if not place.has_kernel:
            desk.finish(taken, "parked", error=f"{place.python} is not there or has no ipykernel", final=True)
            return
        host = cast("Host", SimpleNamespace(name=self.settings.host, root=PurePosixPath(self.settings.root)))
        environment = self.settings.as_environment()
        variables = service_of(environment, host, run.application, place.version).environment
        self.running[run.id] = attempts.start_attempt(taken, place, variables, until)
        self.renew_at = min(self.renew_at or until, until - self.settings.lease * MARGIN + self.settings.lease / 3)

    def _clean(self, desk: Desk) -> None:
        if monotonic() >= self.clean_at:
            self.clean_at = monotonic() + CLEAN_EVERY
            desk.forget_old(KEPT)
            attempts.remove_old_records(self.root, KEPT)

    def _next_look(self, desk: Desk) -> float:
        """Return when there will be something to do with the database though it does not tell us."""
        now = monotonic()
        if self.stop_at or len(self.running) >= self.settings.slots:
            return now + LONGEST_WAIT
        due = desk.until_next(attempts.applications_on(self.root))
        return now + min(max(due if due is not None else LONGEST_WAIT, SHORTEST_WAIT), LONGEST_WAIT)

    def _wait(self) -> None:
        """Wait for whatever comes first."""
        if self.desk is not None and any(True for _ in self.desk.connection.notifies(timeout=0)):
            return  # told while we were working
        moments = [self.look_at, *(attempt.next_moment() for attempt in self.running.values())]
        if self.running:
            moments.append(self.renew_at)
            moments += [self.stop_at] if self.stop_at > monotonic() else []
        sources = [self.woken, *(attempts.output_of(attempt.process) for attempt in self.running.values())]
        if self.desk is not None:
            sources.append(self.desk.connection.fileno())
        ready, _, _ = select.select(sources, [], [], max(min(moments) - monotonic(), 0))
        if self.woken in ready:
            with suppress(BlockingIOError):
                os.read(self.woken, 4096)


def pass_events_on(settings: Settings) -> None:
    """Pass events of runs on to the queue, for ever: what a thread of the worker does.

    They are deleted in the transaction that read them, after the queue has acknowledged them; one that is sent twice
    carries the same id.
    """
    url = settings.as_environment().database_url(DATABASE)
    while True:
        try:
            with connect(url, autocommit=True) as connection:
                connection.execute(job_statements.LISTEN_OPEN)
                while True:
                    while _pass_on(connection, settings.queue_url):
                        continue
                    next(connection.notifies(timeout=LONGEST_WAIT, stop_after=1), None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay where they are
            say(f"events of jobs wait: {str(error).strip().partition(chr(10))[0]}")
        sleep(RECONNECT)


def pass_rest_on(settings: Settings) -> None:
    """Pass on what events there are."""
    with connect(settings.as_environment().database_url(DATABASE), autocommit=True) as connection:
        while _pass_on(connection, settings.queue_url):
            continue


def _pass_on(connection: psycopg.Connection[Any], queue_url: str) -> bool:
    with connection.transaction():
        events, numbers = take_untold(connection)
        if events:
            from lowcode_kernel.farm.queue import publish_to

            publish_to(queue_url, events)
            forget_told(connection, numbers)
    return bool(events)


def say(words: str) -> None:
    """Write a line to the log of the service."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - it is the log


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker until SIGTERM."""
    parser = argparse.ArgumentParser(prog="lowcode_kernel.farm.worker", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, help="a JSON file with the worker's settings")
    options = parser.parse_args(arguments)
    try:
        content = options.config.read_bytes() if options.config else os.environ["LOWCODE_WORKER"].encode()
        settings = msgspec.json.decode(content, type=Settings)
    except (OSError, KeyError, msgspec.MsgspecError) as error:
        say(f"the worker has no settings: {error}; give --config FILE or set LOWCODE_WORKER")
        return 1
    if settings.queue_url:
        threading.Thread(target=pass_events_on, args=(settings,), name="events", daemon=True).start()
    _run_until_told(settings)
    if settings.queue_url:
        with suppress(LowcodeError):  # else the next worker does it
            pass_rest_on(settings)
    return 0


def _run_until_told(settings: Settings) -> None:
    """Let SIGTERM, and the end of a child, wake the worker."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    worker = Worker(settings, reading)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    sys.exit(main())
