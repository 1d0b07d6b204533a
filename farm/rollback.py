"""Rolling back: the same switch backwards. The database is left as it is, since the views of the older release are
still in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.farm.applying import apply_plan
from lowcode_kernel.farm.facts import gather_host_facts
from lowcode_kernel.farm.journal import open_journal
from lowcode_kernel.farm.planning import make_rollback_plan
from lowcode_kernel.farm.resuming import resume
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.farm.journal import Deployment
    from lowcode_kernel.plan import Plan, Progress, Release


def rollback(
    environment: Environment,
    application: str,
    hosts: Sequence[Host],
    report: Callable[[Progress], None],
    *,
    to: str | None = None,
) -> Release:
    """Bring the release before the current one back, or release `to` (a version, or the beginning of one).

    The bundle comes from the metadata database, so it does not matter whether its folders were pruned.
    """
    resume(environment, application, hosts, report)
    plan, bundle = prepare_rollback(environment, application, hosts, to=to)
    return apply_plan(environment, bundle, plan, hosts, report, kind="rollback")


def prepare_rollback(
    environment: Environment, application: str, hosts: Sequence[Host], *, to: str | None = None
) -> tuple[Plan, Bundle]:
    """Return the plan of a rollback and the bundle it leads to. Changes nothing."""
    with open_journal(environment) as journal:
        deployed = journal.deployments(application, states=("deployed",))
        if not deployed:
            raise LowcodeError.of(f"{application} was never deployed to {environment.name}", code="LK629")
        version = _named(deployed, to) if to else _before(deployed)
        bundle = journal.bundle(application, version)
    facts = gather_host_facts(environment, application, hosts)
    return make_rollback_plan(environment, bundle, facts, deployed[0].release), bundle


def _before(deployed: Sequence[Deployment]) -> str:
    """Return what served before the current version was brought: a second rollback goes further back, and not to what
    was rolled back from.
    """
    current = deployed[0].plan.version
    brought = (one.plan.previous for one in deployed if one.kind == "deploy" and one.plan.version == current)
    before = next((version for version in brought if version not in (None, current)), None)  # a repair brings itself
    if before is None:
        raise LowcodeError.of(f"there is no release before {current}", code="LK630")
    return before


def _named(deployed: Sequence[Deployment], wanted: str) -> str:
    versions = list(dict.fromkeys(one.plan.version for one in deployed))
    found = [version for version in versions if version.startswith(wanted)]
    if len(found) != 1:
        which = "names several releases" if found else "names no release that was deployed here"
        raise LowcodeError.of(f'"{wanted}" {which}', did_you_mean(wanted, found or versions), code="LK635")
    return found[0]
