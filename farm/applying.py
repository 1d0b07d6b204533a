"""Applying a plan: under the lock, after what another left unfinished was settled, and only while the plan still fits
what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.farm.journal import open_journal
from lowcode_kernel.farm.lease import TTL, hold_lease
from lowcode_kernel.farm.phases import carry_out
from lowcode_kernel.farm.resuming import settle
from lowcode_kernel.farm.steps import Work
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.farm.journal import DeploymentKind, Journal, Lease
    from lowcode_kernel.plan import Plan, Progress, Release


def apply_plan(
    environment: Environment,
    bundle: Bundle,
    plan: Plan,
    hosts: Sequence[Host],
    report: Callable[[Progress], None],
    *,
    kind: DeploymentKind = "deploy",
    ttl: timedelta = TTL,
) -> Release:
    """Carry a plan out and return the release that serves then. `report` is called from this thread only, for each
    change of a step's state.

    Raises LowcodeError where the plan has problems or is outdated, where another deploys (who, since when), where it
    was cancelled, or where it was decided but could not be finished; LeaseLost where another took over.
    """
    _refuse_unfit(plan, bundle)
    with open_journal(environment) as journal:
        if plan.is_noop:
            return _deployed(journal, plan)
        with hold_lease(journal, plan.application, ttl=ttl) as lease:
            return _apply(environment, bundle, plan, hosts, report, kind, journal, lease)


def _apply(
    environment: Environment, bundle: Bundle, plan: Plan, hosts: Sequence[Host], report: Callable[[Progress], None],
    kind: DeploymentKind, journal: Journal, lease: Lease,
) -> Release:  # fmt: skip
    settle(environment, journal, lease, hosts, report, supersede=True)
    _refuse_outdated(journal, plan)
    number = journal.begin_deployment(lease, plan, bundle, kind)
    work = Work(
        environment=environment,
        bundle=bundle,
        plan=plan,
        hosts={host.name: host for host in hosts},
        journal=journal,
        lease=lease,
        deployment=number,
    )
    return carry_out(work, report)


def _refuse_unfit(plan: Plan, bundle: Bundle) -> None:
    if plan.problems:
        raise LowcodeError(*(Problem(code="LK626", fact=problem) for problem in plan.problems))
    if plan.version != bundle.version:
        raise LowcodeError.of(
            f"the plan is for {plan.version}, the bundle is {bundle.version}", "plan again", code="LK627"
        )


def _refuse_outdated(journal: Journal, plan: Plan) -> None:
    deployed = journal.deployments(plan.application, states=("deployed",), limit=1)
    now = deployed[0].plan.version if deployed else None
    if now != plan.previous:
        raise LowcodeError.of(
            f"the plan leads from {plan.previous or 'nothing'}, but {now or 'nothing'} was deployed since it was made",
            "plan again",
            code="LK627",
        )


def _deployed(journal: Journal, plan: Plan) -> Release:
    return journal.deployments(plan.application, states=("deployed",), limit=1)[0].release
