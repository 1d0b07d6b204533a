"""Making the plan of a deployment from facts. Pure: nothing here looks at the world.

lock -> stage -> start -> check -> upgrade -> ready -> decide | -> switch -> confirm -> schedule -> drain -> stop ->
release

Only hosts that do not serve the version yet have steps; a database that is at the bundle's last revision needs no
upgrade.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lowcode_kernel.farm.desk import next_tick
from lowcode_kernel.plan import Plan, Step, StepName
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.plan import DatabaseFacts, HostFacts, Release
    from lowcode_kernel.schema import Change

OLDEST_PYTHON = (3, 11)
ENVIRONMENT_BYTES = (
    200_000_000  # a Python environment took 130 MB (2026-11-23) where the disk of uv's cache is another one, else a few
)

_Draft = tuple[StepName, "str | None", str]


def make_plan(
    environment: Environment,
    bundle: Bundle,
    host_facts: Sequence[HostFacts],
    database_facts: DatabaseFacts,
    previous: Release | None,
) -> Plan:
    """Make the plan that brings `bundle` to an environment. `previous` is the release that was deployed last, None
    before the first.
    """
    problems = (*_host_problems(bundle, host_facts), *_database_problems(database_facts), *_job_problems(bundle))
    pending = pending_hosts(bundle.version, host_facts, previous)
    upgrade = _upgrade_summary(bundle, database_facts)
    drafts = _drafts(bundle, pending, upgrade) if pending and not problems else ()
    changes = bundle.changes if drafts and _goes_up(bundle, database_facts) else ()
    return Plan(
        environment=environment.name,
        application=bundle.application,
        version=bundle.version,
        previous=previous.version if previous else None,
        hosts=tuple(facts.host for facts in host_facts),
        changes=changes,
        rows={table: rows for table, rows in database_facts.rows.items() if table in {c.table for c in changes}},
        steps=_numbered(drafts),
        problems=problems,
        notices=tuple(_notices(bundle, host_facts, database_facts, previous)) if drafts else (),
    )  # fmt: skip


def make_rollback_plan(
    environment: Environment, bundle: Bundle, host_facts: Sequence[HostFacts], previous: Release
) -> Plan:
    """Make the plan of the same switch backwards: no upgrade, since the views of the older release are still there."""
    problems = tuple(_host_problems(bundle, host_facts))
    pending = pending_hosts(bundle.version, host_facts, previous)
    return Plan(
        environment=environment.name,
        application=bundle.application,
        version=bundle.version,
        previous=previous.version,
        hosts=tuple(facts.host for facts in host_facts),
        steps=_numbered(_drafts(bundle, pending, "")) if pending and not problems else (),
        problems=problems,
    )


def pending_hosts(version: str, host_facts: Sequence[HostFacts], previous: Release | None) -> tuple[HostFacts, ...]:
    """Return the hosts to bring to `version`: all of them, or where it was deployed already those whose link or service
    strayed.
    """
    if previous is None or previous.version != version:
        return tuple(host_facts)
    return tuple(facts for facts in host_facts if facts.current != version or version not in facts.running)


def revisions(bundle: Bundle) -> tuple[str, ...]:
    """Return the revisions of the bundle's upgrade scripts, first to last (their files are sorted by number)."""
    scripts = (file for file in bundle.files if re.fullmatch(r"upgrade/versions/[^/]+\.py", file.path))
    found = (re.search(rb"^revision\b[^=\n]*=\s*[\"']([^\"']+)", file.content, re.MULTILINE) for file in scripts)
    return tuple(match.group(1).decode() for match in found if match)


def _host_problems(bundle: Bundle, host_facts: Sequence[HostFacts]) -> Iterator[str]:
    if not host_facts:
        yield "the environment has no hosts; name them under [hosts]"
    needed = ENVIRONMENT_BYTES + 2 * sum(len(file.content) for file in bundle.files)
    for facts in host_facts:
        if facts.fault:
            yield f"{facts.host}: {facts.fault}"
        elif _python(facts) < OLDEST_PYTHON:
            yield f"{facts.host}: its Python is {facts.python}; 3.11 or newer is needed"
        elif bundle.version not in facts.staged and facts.free_bytes < needed:
            yield f"{facts.host}: {_megabytes(facts.free_bytes)} are free; a release needs {_megabytes(needed)}"


def _database_problems(facts: DatabaseFacts) -> Iterator[str]:
    if facts.fault:
        yield facts.fault


def _job_problems(bundle: Bundle) -> Iterator[str]:
    """Yield what would keep the schedules from being registered: that comes after the decision, too late."""
    for job in bundle.jobs:
        try:
            next_tick(job.schedule, datetime(2000, 1, 1, tzinfo=UTC))
        except LowcodeError as error:
            yield f"job {job.name}: {error}"


def _python(facts: HostFacts) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", facts.python)[:2])


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def _goes_up(bundle: Bundle, facts: DatabaseFacts) -> bool:
    """Say whether the database is at an earlier revision of the bundle's, or at none."""
    scripts = revisions(bundle)
    return facts.revision is None or not scripts or facts.revision in scripts[:-1]


def _upgrade_summary(bundle: Bundle, facts: DatabaseFacts) -> str:
    """Say what the upgrade does, or "" where the database is there already."""
    scripts = revisions(bundle)
    if scripts and facts.revision == scripts[-1]:
        return ""
    if not _goes_up(bundle, facts):
        return f"leave the database at {facts.revision}, if it holds the views {bundle.schema.views}"
    count = f"{len(bundle.changes)} statement{'s' if len(bundle.changes) != 1 else ''}"
    return f"upgrade the database from {facts.revision or 'nothing'} to {scripts[-1] if scripts else 'head'} ({count})"


def _drafts(bundle: Bundle, pending: Sequence[HostFacts], upgrade: str) -> Iterator[_Draft]:
    """Yield the steps in the order of the protocol; neighbours of one name run on their hosts at once."""
    version, hosts = bundle.version, [facts.host for facts in pending]
    staged = {facts.host for facts in pending if version in facts.staged}
    yield "lock", None, f"lock {bundle.application}"
    for host in hosts:
        yield (
            "stage",
            host,
            f"verify {version}, staged already" if host in staged else f"stage {version} ({_size(bundle)})",
        )
    yield from (
        ("start", host, f"start {version} beside the old" if _old(f) else f"start {version}")
        for host, f in zip(hosts, pending, strict=True)
    )
    yield from (("check", host, f"{version} answers /livez and /version") for host in hosts)
    if upgrade:
        yield "upgrade", None, upgrade
    yield from (("ready", host, f"{version} answers /readyz") for host in hosts)
    yield "decide", None, "record the decision: from here on the deployment is only rolled forward"
    yield from (("switch", facts.host, f"{_old(facts) or 'nothing'} -> {version}") for facts in pending)
    yield from (("confirm", host, f"{host} serves {version}") for host in hosts)
    yield "schedule", None, _schedule_summary(bundle)
    old = [facts for facts in pending if _others(facts, version)]
    yield from (("drain", facts.host, f"let requests to {_others(facts, version)} end") for facts in old)
    yield from (("stop", host, "stop other releases, prune what isn't kept") for host in hosts)
    yield "release", None, "release the lock"


def _old(facts: HostFacts) -> str | None:
    return facts.current


def _others(facts: HostFacts, version: str) -> str:
    return ", ".join(running for running in facts.running if running != version)


def _size(bundle: Bundle) -> str:
    return f"{len(bundle.files)} files, {sum(len(file.content) for file in bundle.files) / 1000:,.0f} kB"


def _schedule_summary(bundle: Bundle) -> str:
    return "schedule " + (", ".join(f'{job.name} "{job.schedule}"' for job in bundle.jobs) or "no jobs")


def _numbered(drafts: Iterator[_Draft] | tuple[()]) -> tuple[Step, ...]:
    steps: list[Step] = []
    decided = False
    for number, (name, host, summary) in enumerate(drafts, 1):
        steps.append(Step(number=number, name=name, host=host, summary=summary, before_decision=not decided))
        decided = decided or name == "decide"
    return tuple(steps)


def _notices(
    bundle: Bundle, host_facts: Sequence[HostFacts], facts: DatabaseFacts, previous: Release | None
) -> Iterator[str]:
    """Yield what should be known before: hosts that stray, data at risk, tables that are rewritten."""
    expected = previous.version if previous else None
    for host in host_facts:
        if not host.fault and host.current not in (expected, bundle.version):
            serves = f"{host.host} serves {host.current or 'nothing'}, not {expected or 'nothing'}"
            yield f"{serves}; it gets {bundle.version} too"
    scripts = revisions(bundle)
    if facts.revision and scripts and facts.revision not in scripts:
        yield f"the database is at {facts.revision}, which this version doesn't know: a later version was here"
    elif _goes_up(bundle, facts):
        yield from (f"{change.table}: {change.risk}" for change in bundle.changes if change.risk)
        yield from _rewrites(bundle.changes, facts)


def _rewrites(changes: Sequence[Change], facts: DatabaseFacts) -> Iterator[str]:
    for change in changes:
        if change.rewrites and (rows := facts.rows.get(change.table, 0)):
            yield f"{change.table}: about {rows:,} rows are rewritten or scanned under a lock ({change.lock})"


def describe(plan: Plan) -> str:
    """Return the plan as text: what `lowcode plan` prints."""
    where = f"{plan.environment} ({', '.join(plan.hosts) or 'no hosts'})"
    head = f"{plan.application}: {plan.previous or 'nothing'} -> {plan.version} on {where}"
    if plan.problems:
        return "\n".join((head, *(f"  can't: {problem}" for problem in plan.problems)))
    if plan.is_noop:
        return "\n".join(
            (
                f"{plan.application}: {plan.version} is deployed on {plan.environment} already; nothing to do",
                *_warned(plan),
            )
        )
    return "\n".join((head, *_warned(plan), *map(_change_line, plan.changes), *map(_step_line, plan.steps)))


def _warned(plan: Plan) -> Iterator[str]:
    return (f"  note: {notice}" for notice in plan.notices)


def _change_line(change: Change) -> str:
    marks = [f"lock: {change.lock}"] + ["concurrent"] * change.concurrent + ["rewrites"] * change.rewrites
    return f"  {change.kind:8} {change.summary}  [{', '.join(marks)}]"


def _step_line(step: Step) -> str:
    return f"  {step.number:2} {step.name:8} {step.host or '':10} {step.summary}".rstrip()
