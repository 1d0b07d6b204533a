"""Settling what a crashed controller left: before its decision it is cancelled and cleaned away, after it it is rolled
forward.

Nobody has to notice the crash: whoever deploys, rolls back, or resumes next does this first, from the journal, with the
bundle that the metadata keeps.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lowcode_kernel.farm.hosts import HostLost
from lowcode_kernel.farm.journal import LeaseLost, open_journal
from lowcode_kernel.farm.lease import TTL, hold_lease
from lowcode_kernel.farm.phases import cancel, roll_forward
from lowcode_kernel.farm.steps import Work, fenced
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.farm.journal import Deployment, Journal, Lease
    from lowcode_kernel.plan import Progress, Release


def resume(
    environment: Environment,
    application: str,
    hosts: Sequence[Host],
    report: Callable[[Progress], None],
    *,
    ttl: timedelta = TTL,
) -> tuple[Release, ...]:
    """Settle what is unfinished and return it as it ended; nothing where nothing is. Raises LowcodeError where it still
    can't be finished.
    """
    with open_journal(environment) as journal:
        if not journal.deployments(application, states=("running",)):
            return ()
        with hold_lease(journal, application, ttl=ttl) as lease:
            return settle(environment, journal, lease, hosts, report, supersede=False)


def settle(
    environment: Environment,
    journal: Journal,
    lease: Lease,
    hosts: Sequence[Host],
    report: Callable[[Progress], None],
    *,
    supersede: bool,
) -> tuple[Release, ...]:
    """Settle every unfinished deployment under our lease.

    With `supersede`, one that was decided and still can't be finished is given up as failed, since another release is
    about to go to every host.
    """
    unfinished = journal.deployments(lease.application, states=("running",))
    for deployment in reversed(unfinished):
        work = _work(environment, journal, lease, hosts, deployment)
        for host in work.hosts.values():
            with suppress(HostLost):  # what follows meets it again, and says so
                fenced(work, host, "fence")
        if deployment.decided:
            _finish(work, report, supersede=supersede)
        else:
            cancel(work, report, f"{deployment.by} stopped before the decision")
    ended = {one.id: one.release for one in journal.deployments(lease.application)}
    return tuple(ended[deployment.id] for deployment in reversed(unfinished))


def _work(
    environment: Environment, journal: Journal, lease: Lease, hosts: Sequence[Host], deployment: Deployment
) -> Work:
    return Work(
        environment=environment,
        bundle=journal.bundle(lease.application, deployment.plan.version),
        plan=deployment.plan,
        hosts={host.name: host for host in hosts},
        journal=journal,
        lease=lease,
        deployment=deployment.id,
    )


def _finish(work: Work, report: Callable[[Progress], None], *, supersede: bool) -> None:
    """Roll forward what the journal doesn't show as done; hosts that have left the environment since have nothing to
    do.
    """
    written = work.journal.steps(work.deployment)
    gone = {one.step.number for one in written if one.step.host is not None and one.step.host not in work.hosts}
    done = {one.step.number for one in written if one.state == "done"}
    try:
        roll_forward(work, report, frozenset(done | gone))
    except LeaseLost:
        raise
    except LowcodeError as error:
        if not supersede:
            raise
        work.journal.finish(work.lease, work.deployment, "failed", str(error))
