"""Workers as processes: what a run is given and leaves, and what happens when any part of it is killed or hangs.

A notebook says where it is by opening a pipe, so that a test acts at that moment and waits for nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import nbformat
import pytest

from lowcode_kernel.farm import queue, scheduling
from lowcode_kernel.farm.analysis import query_logs
from lowcode_kernel.farm.environments import HostAddress
from lowcode_kernel.farm.log_service import log_service_of
from lowcode_kernel.farm.worker import worker_of
from lowcode_kernel.jobs import JobSpec
from tests.services import running, services, start, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.desk import Run
    from lowcode_kernel.farm.environments import Environment

pytestmark = pytest.mark.services
PATIENCE = timedelta(seconds=120)
NOTEBOOK = """
import os, signal, time

def arrive():
    with open(gate, "w") as there:
        there.write(f"{os.getpid()} {os.environ['JOB_ATTEMPT']}")

if what == "tell":
    print(f"hello {name}", os.environ["DATABASE_URL"].rpartition("/")[2], os.environ["RELEASE"], sorted(os.environ))
elif what == "fail":
    raise ValueError("no such order")
elif what == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "hang":
    print("here I hang", flush=True)
    time.sleep(600)
elif what == "wait":
    arrive()
    time.sleep(600)
elif what == "wait once":
    arrive()
    time.sleep(600 if os.environ["JOB_ATTEMPT"] == "1" else 0)
"""


@dataclass(frozen=True, slots=True)
class Farm:
    """An environment with two front-ends that serve one application with jobs."""

    environment: Environment
    hosts: tuple[HostAddress, HostAddress]
    gate: Path

    def ask(self, job: str, what: str, **more: str) -> int:
        parameters = {"what": what, "gate": str(self.gate), **more}
        return scheduling.run_now(self.environment, "shop", job, parameters)

    def wait(self, run_id: int) -> Run:
        return scheduling.wait_for_run(self.environment, run_id, PATIENCE)

    def arrival(self) -> tuple[int, int]:
        """Wait for a notebook to say where it is; return its kernel's process and its attempt."""
        kernel, attempt = self.gate.read_text().split()
        return int(kernel), int(attempt)


def serve(folder: Path, name: str) -> HostAddress:
    """Lay out a front-end that serves release `abc` of `shop`, with the Python of these tests."""
    release = folder / name / "shop" / "releases" / "abc"
    (release / "jobs").mkdir(parents=True)
    (release / "env").symlink_to(sys.prefix)
    (folder / name / "shop" / "current").symlink_to("releases/abc")
    given = nbformat.v4.new_code_cell("what = name = gate = ''", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[given, nbformat.v4.new_code_cell(NOTEBOOK)])
    nbformat.write(notebook, release / "jobs" / "any.ipynb")
    return HostAddress(name=name, kind="local", root=PurePosixPath(folder / name))


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with services() as started:
        environment = started.environment
        hosts = (serve(environment.home, "fe1"), serve(environment.home, "fe2"))
        gate = environment.home / "gate"
        os.mkfifo(gate)
        jobs = [JobSpec(name=name, schedule="0 2 * * *", notebook="jobs/any.ipynb") for name in ("a", "b", "c")]
        jobs.append(JobSpec(name="short", schedule="0 2 * * *", notebook="jobs/any.ipynb", timeout=0.1))
        jobs.append(JobSpec(name="retried", schedule="0 2 * * *", notebook="jobs/any.ipynb", retries=1))
        scheduling.register_schedules(environment, "shop", "abc", tuple(jobs))
        yield Farm(environment, hosts, gate)


def said(record: str | None) -> str:
    """Return what the cells of an executed notebook printed, and the errors they ended with."""
    assert record is not None
    outputs = [each for cell in nbformat.read(record, 4).cells for each in cell.get("outputs", [])]
    return "\n".join(each.get("text", "") or f"{each.get('ename')}: {each.get('evalue')}" for each in outputs)


def is_alive(process: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_runs_are_executed_recorded_and_told_and_each_fault_is_named(farm: Farm) -> None:
    told = farm.ask("a", "tell", name="you")
    failed, died, hung = farm.ask("retried", "fail"), farm.ask("b", "die"), farm.ask("short", "hang")
    with running(worker_of(farm.environment, farm.hosts[0], slots=4, pause=0.0)):
        runs = {run_id: farm.wait(run_id) for run_id in (told, failed, died, hung)}
    run = runs[told]
    assert (run.state, run.attempt, run.worker, run.version, run.error) == ("done", 1, "fe1", "abc", None)
    assert run.record == str(farm.hosts[0].root / "shop" / "runs" / "a" / f"{told}.ipynb")
    assert said(run.record).startswith("hello you shop abc [")
    assert "LOWCODE_WORKER" not in said(run.record)
    assert (runs[failed].state, runs[failed].attempt) == ("parked", 2)
    assert runs[failed].error == "ValueError: no such order"
    assert "ValueError: no such order" in said(runs[failed].record)
    assert (runs[died].state, runs[died].error) == ("parked", "its kernel died")
    assert (runs[hung].state, runs[hung].error) == ("parked", "ran longer than 0.1 s")
    with running(log_service_of(farm.environment)):
        queue.flush_logs(farm.environment, PATIENCE)  # a worker that stopped in order has passed on all its events
    sql = f"SELECT state, attempt, message FROM jobs WHERE run = {failed} ORDER BY time"
    assert [tuple(row.values()) for row in query_logs(farm.environment, sql)] == [
        ("running", 1, None),
        ("waiting", 1, "ValueError: no such order"),
        ("running", 2, None),
        ("parked", 2, "ValueError: no such order"),
    ]


def test_a_killed_worker_takes_its_run_with_it_and_another_one_runs_it_again(farm: Farm) -> None:
    run_id = farm.ask("a", "wait once")
    first = start(worker_of(farm.environment, farm.hosts[0], lease=3.0))
    kernel, attempt = farm.arrival()
    assert attempt == 1
    with running(worker_of(farm.environment, farm.hosts[1], lease=3.0)):
        first.kill()
        first.wait()
        _, attempt = farm.arrival()
        assert attempt == 2
        assert not is_alive(kernel)
        run = farm.wait(run_id)
    assert (run.state, run.attempt, run.losses, run.worker) == ("done", 2, 1, "fe2")


def test_a_frozen_worker_loses_its_run_before_another_takes_it_and_writes_nothing_later(farm: Farm) -> None:
    run_id = farm.ask("b", "wait once")
    frozen = start(worker_of(farm.environment, farm.hosts[0], lease=3.0))
    try:
        kernel, _ = farm.arrival()
        frozen.send_signal(signal.SIGSTOP)
        with running(worker_of(farm.environment, farm.hosts[1], lease=3.0)):
            _, attempt = farm.arrival()
            assert attempt == 2
            assert not is_alive(kernel)
            run = farm.wait(run_id)
            frozen.send_signal(signal.SIGCONT)
    finally:
        stop(frozen)
    (after,) = [one for one in scheduling.list_runs(farm.environment, "shop") if one.id == run_id]
    assert after == run
    assert (run.state, run.attempt, run.worker) == ("done", 2, "fe2")


def test_a_cancelled_run_ends_and_a_stopped_worker_hands_back_what_it_holds(farm: Farm) -> None:
    cancelled = farm.ask("a", "wait")
    worker = start(worker_of(farm.environment, farm.hosts[0], drain=0.0))
    farm.arrival()
    scheduling.cancel_run(farm.environment, cancelled)
    run = farm.wait(cancelled)
    assert (run.state, run.error) == ("cancelled", "cancelled")
    handed_back = farm.ask("b", "wait once")
    kernel, _ = farm.arrival()
    assert stop(worker) == 0
    assert not is_alive(kernel)
    (run,) = [one for one in scheduling.list_runs(farm.environment, "shop", "b") if one.id == handed_back]
    assert (run.state, run.failures, run.losses) == ("waiting", 0, 0)
    with running(worker_of(farm.environment, farm.hosts[1])):
        _, attempt = farm.arrival()
        assert (farm.wait(handed_back).state, attempt) == ("done", 2)


def test_a_release_without_a_kernel_is_said_to_have_none(farm: Farm) -> None:
    bare = farm.environment.home / "bare"
    shutil.copytree(farm.hosts[0].root, bare, symlinks=True, ignore=shutil.ignore_patterns("env", "runs"))
    run_id = farm.ask("c", "tell")
    with running(worker_of(farm.environment, HostAddress(name="bare", kind="local", root=PurePosixPath(bare)))):
        run = farm.wait(run_id)
    assert run.state == "parked"
    assert str(run.error).endswith("shop/releases/abc/env/bin/python is not there or has no ipykernel")
