"""What each step of a plan does, and how it is undone. Every action can be repeated: twice is once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from lowcode_kernel.farm.environments import Secret
from lowcode_kernel.farm.facts import SCRIPT, run_on_host
from lowcode_kernel.farm.journal import Journal, Lease, LeaseLost
from lowcode_kernel.farm.layout import layout_of, service_name, service_of, version_of_service
from lowcode_kernel.farm.on_host import FENCED
from lowcode_kernel.farm.scheduling import register_schedules
from lowcode_kernel.farm.upgrade import upgrade_database
from lowcode_kernel.farm.wheelhouse import ensure_environment
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host, Outcome
    from lowcode_kernel.farm.layout import Layout
    from lowcode_kernel.plan import Plan, StepName

START_SECONDS = 30.0
READY_SECONDS = 15.0
CONFIRM_SECONDS = 10.0
POLL_SECONDS = 0.05
# a connection made just before the flip may still wait in the old release's backlog, and SIGTERM closes that
SETTLE_SECONDS = 0.5
ANSWER = timedelta(seconds=5)
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A deployment being carried out: the plan, what it needs, and the lease that fences it."""

    environment: Environment
    bundle: Bundle
    plan: Plan
    hosts: Mapping[str, Host]
    journal: Journal
    lease: Lease
    deployment: int

    @property
    def version(self) -> str:
        """The version that is brought to the hosts."""
        return self.plan.version

    @property
    def application(self) -> str:
        """The application that is deployed."""
        return self.plan.application

    def places(self, host: Host) -> Layout:
        """Return where the application lies on a host."""
        return layout_of(host, self.application)


def fenced(work: Work, host: Host, verb: str, *words: str) -> Outcome:
    """Run `on_host` under this deployment's fence; raises LeaseLost where the host has seen a newer one."""
    command = (verb, str(work.places(host).folder), str(work.lease.fence), *words)
    outcome = run_on_host(work.environment, host, command, check=False)
    if outcome.status == FENCED:
        raise LeaseLost.of(f"{host.name} takes orders from a newer deployment: {outcome.err.strip()}", code="LK602")
    if outcome.status:
        raise LowcodeError.of(f"{verb} failed: {redact(work.environment, outcome.err.strip()[-500:])}", code="LK621")
    return outcome


def redact(environment: Environment, text: str) -> str:
    """Return `text` with the environment's secrets as `***`."""
    secrets = [
        environment.server.reveal(),
        *(value.reveal() for value in environment.variables.values() if isinstance(value, Secret)),
    ]
    authority = environment.server.reveal().partition("://")[2].partition("@")[0]
    for secret in (*secrets, authority.partition(":")[2]):
        text = text.replace(secret, "***") if secret else text
    return text


def lock(work: Work) -> str:
    """Raise the fence on every host, so that a controller whose lease we took can't act there any more."""
    raise_fence(work)
    return f"fence {work.lease.fence}"


def raise_fence(work: Work) -> None:
    """Make every host refuse who comes with an older lease. One that is away can't be told, by them either."""
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(work.hosts)))) as pool:
        list(pool.map(lambda host: fenced(work, host, "fence"), work.hosts.values()))


def stage(work: Work, host: Host) -> str:
    """Put the release's files and its environment; mark it complete at the very end."""
    places = work.places(host)
    release = places.release(work.version)
    host.put([(PurePosixPath(places.script.name), SCRIPT, False)], places.folder)
    host.put([(PurePosixPath(file.path), file.content, file.executable) for file in work.bundle.files], release)
    environment = ensure_environment(work.environment, host, work.bundle)
    host.link(f"../../environments/{environment.name}", release / "env")
    host.run(("mkdir", "-p", str(places.spool)))
    host.put([(PurePosixPath(".complete"), b"", False)], release)
    return f"environment {environment.name}"


def unstage(work: Work, host: Host) -> None:
    """Remove the release, unless it is the one that serves."""
    fenced(work, host, "remove", work.version)


def start(work: Work, host: Host) -> str:
    """Start the release on its own socket."""
    host.start(service_of(work.environment, host, work.application, work.version))
    return ""


def unstart(work: Work, host: Host) -> None:
    """Stop the release, unless it is the one that serves."""
    fenced(work, host, "fence")
    if serving(work, host) != work.version:
        host.stop(service_name(work.application, work.version))


def serving(work: Work, host: Host) -> str | None:
    """Return the version that a host's socket link points at."""
    outcome = host.run(("readlink", str(work.places(host).current_socket)), check=False)
    return outcome.out.strip().removesuffix(".sock") or None


def check(work: Work, host: Host) -> str:
    """Wait until the release lives and says that it is what was meant to be started."""
    socket = work.places(host).socket(work.version)
    _await(work, host, socket, "/livez", START_SECONDS)
    _same_version(work, host, socket)
    return ""


def ready(work: Work, host: Host) -> str:
    """Wait until the release finds its views in the database."""
    _await(work, host, work.places(host).socket(work.version), "/readyz", READY_SECONDS)
    return ""


def _await(work: Work, host: Host, socket: PurePosixPath, path: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        status, body = host.get(socket, path, timeout=ANSWER)
        if status == OK:
            return
        name = service_name(work.application, work.version)
        state = host.status(name).get(name, "stopped")
        if state == "failed" or time.monotonic() > deadline:
            said = body[:300].decode(errors="replace").strip() if status else f"its service is {state}"
            raise _silent(work, host, path, f"{status or 'nothing'} ({said})")
        time.sleep(POLL_SECONDS)


def _silent(work: Work, host: Host, path: str, answer: str) -> LowcodeError:
    """Make the error of a release that doesn't answer as it should, with the last words of its log."""
    log = redact(work.environment, host.log(service_name(work.application, work.version), lines=5).strip())
    hint = f"its log ends: {' | '.join(log.splitlines())}" if log else ""
    fact = f"{work.version} answers {path} with {redact(work.environment, answer)}"
    return LowcodeError.of(fact, hint, code="LK622")


def _same_version(work: Work, host: Host, socket: PurePosixPath) -> None:
    status, body = host.get(socket, "/version", timeout=ANSWER)
    found = msgspec.json.decode(body, type=dict[str, object]).get("version") if status == OK else f"status {status}"
    if found != work.version:
        raise LowcodeError.of(f"/version answers {found}, not {work.version}", code="LK623")


def upgrade(work: Work) -> str:
    """Expand the database; the shape is recorded first, so that none that a database was given is ever unknown."""
    work.journal.record_schema(work.lease, work.version, work.bundle.schema)
    return upgrade_database(work.environment, work.bundle)


def switch(work: Work, host: Host) -> str:
    """Flip the socket link."""
    old = serving(work, host)
    fenced(work, host, "switch", work.version)
    return f"{old or 'nothing'} -> {work.version}"


def confirm(work: Work, host: Host) -> str:
    """Ask through the link that the web server uses."""
    socket = work.places(host).current_socket
    _await(work, host, socket, "/livez", CONFIRM_SECONDS)
    _same_version(work, host, socket)
    return ""


def schedule(work: Work) -> str:
    """Make the release's jobs the active ones."""
    with work.journal.fenced(work.lease):  # nobody takes the lease meanwhile
        register_schedules(work.environment, work.application, work.version, work.bundle.jobs)
    return f"{len(work.bundle.jobs)} jobs"


def drain(_work: Work, _host: Host) -> str:
    """Let the old release take what came to it before the flip; `stop` then lets requests under way end."""
    time.sleep(SETTLE_SECONDS)
    return ""


def stop(work: Work, host: Host) -> str:
    """Stop every release but the one that serves, and prune what isn't kept."""
    fenced(work, host, "fence")
    names = host.status(f"{work.application}-")
    old = sorted(name for name in names if version_of_service(work.application, name) != work.version)
    for name in old:
        host.stop(name)
    gone = fenced(work, host, "prune", *kept_versions(work)).out.split()
    return ", ".join([f"stopped {name}" for name in old] + [f"pruned {version}" for version in gone])


def kept_versions(work: Work) -> tuple[str, ...]:
    """Return the versions that stay staged: this one, the one before, and the newest that were deployed,
    `keep_releases` in all.
    """
    deployed = work.journal.deployments(work.application, states=("deployed",), limit=50)
    versions = dict.fromkeys(
        (work.version, work.plan.previous or work.version, *(one.plan.version for one in deployed))
    )
    return tuple(versions)[: max(work.environment.keep_releases, 1)]


HOST_ACTIONS: Mapping[StepName, Callable[[Work, Host], str]] = {
    "stage": stage,
    "start": start,
    "check": check,
    "ready": ready,
    "switch": switch,
    "confirm": confirm,
    "drain": drain,
    "stop": stop,
}
OWN_ACTIONS: Mapping[StepName, Callable[[Work], str]] = {"lock": lock, "upgrade": upgrade, "schedule": schedule}
UNDO: Mapping[StepName, Callable[[Work, Host], None]] = {"stage": unstage, "start": unstart}
