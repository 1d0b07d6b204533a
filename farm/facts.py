"""What is there before a deployment: the hosts, looked at in parallel, and the application's database."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lowcode_kernel.farm import on_host
from lowcode_kernel.farm.databases import database_exists, revision_of, rows_of
from lowcode_kernel.farm.hosts import HostLost
from lowcode_kernel.farm.layout import layout_of, version_of_service
from lowcode_kernel.plan import DatabaseFacts, HostFacts
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Command, Host, Outcome

SCRIPT = Path(on_host.__file__).read_bytes()


class Seen(msgspec.Struct, frozen=True):
    """What `on_host facts` prints."""

    python: str
    machine: str
    current: str | None
    staged: tuple[str, ...]
    free_bytes: int


def interpreter(environment: Environment, host: Host) -> str:
    """Return the Python that environments on a host are made of: ours on this machine, else the one on its path."""
    kinds = {address.name: address.kind for address in environment.hosts}
    return sys.executable if kinds.get(host.name, "local") == "local" else "python3"


def run_on_host(environment: Environment, host: Host, command: Command, *, check: bool = True) -> Outcome:
    """Run `on_host` there. It is sent along, so that nothing needs to be installed first."""
    return host.run((interpreter(environment, host), "-", *command), input=SCRIPT, check=check)


def look(environment: Environment, host: Host, application: str) -> Seen:
    """Return what a host has of an application."""
    outcome = run_on_host(environment, host, ("facts", str(layout_of(host, application).folder)))
    return msgspec.json.decode(outcome.out, type=Seen)


def gather_host_facts(environment: Environment, application: str, hosts: Sequence[Host]) -> tuple[HostFacts, ...]:
    """Look at all hosts at once, in the order given. A host that can't be looked at is a fact too: its `fault`."""
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(hosts)))) as pool:
        return tuple(pool.map(partial(_host_facts, environment, application), hosts))


def _host_facts(environment: Environment, application: str, host: Host) -> HostFacts:
    try:
        seen = look(environment, host, application)
        services = host.status(f"{application}-")
    except HostLost as lost:
        return HostFacts(host=host.name, fault=f"it can't be reached: {lost}" if str(lost) else "it can't be reached")
    except LowcodeError as error:
        return HostFacts(host=host.name, fault=str(error))
    running = sorted(version_of_service(application, name) for name, state in services.items() if state == "running")
    return HostFacts(
        host=host.name,
        python=seen.python,
        current=seen.current,
        staged=seen.staged,
        running=tuple(running),
        free_bytes=seen.free_bytes,
    )


def gather_database_facts(environment: Environment, application: str) -> DatabaseFacts:
    """Look at the application's database: its revision and estimates of its tables' rows."""
    try:
        if not database_exists(environment, application):
            return DatabaseFacts()
        url = environment.database_url(application)
        return DatabaseFacts(revision=revision_of(url, application), rows=rows_of(url, application))
    except LowcodeError as error:
        return DatabaseFacts(fault=str(error))
