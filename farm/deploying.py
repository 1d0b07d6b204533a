"""The whole way of a bundle to an environment: settle what was left, look, plan, apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.farm.applying import apply_plan
from lowcode_kernel.farm.facts import gather_database_facts, gather_host_facts
from lowcode_kernel.farm.history import current_release
from lowcode_kernel.farm.planning import make_plan
from lowcode_kernel.farm.resuming import resume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.plan import Plan, Progress, Release


def prepare(environment: Environment, bundle: Bundle, hosts: Sequence[Host]) -> Plan:
    """Look at the hosts and the database and make the plan of a deployment. Changes nothing."""
    host_facts = gather_host_facts(environment, bundle.application, hosts)
    database_facts = gather_database_facts(environment, bundle.application)
    previous = current_release(environment, bundle.application)
    return make_plan(environment, bundle, host_facts, database_facts, previous)


def deploy(
    environment: Environment, bundle: Bundle, hosts: Sequence[Host], report: Callable[[Progress], None]
) -> Release:
    """Bring a bundle to an environment and return the release. What a crashed controller left is settled first, so that
    the plan fits.
    """
    resume(environment, bundle.application, hosts, report)
    plan = prepare(environment, bundle, hosts)
    return apply_plan(environment, bundle, plan, hosts, report)
