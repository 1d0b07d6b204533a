"""The platform's own services on an environment: a worker for jobs on each front-end, and one log service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.farm.embedded.web import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host


def ensure_platform_services(environment: Environment, hosts: Sequence[Host], application: str) -> None:
    """Start what is not running. The first application of an embedded environment answers at its address without a
    name.

    Hosts behind SSH hold no platform yet: their worker is started with the controller's own Python, so only where they
    share its machine.
    """
    if not environment.embedded:
        return
    from lowcode_kernel.farm.databases import ensure_database
    from lowcode_kernel.farm.lake import DATABASE
    from lowcode_kernel.farm.log_service import log_service_of
    from lowcode_kernel.farm.worker import worker_of

    for host, address in zip(hosts, environment.hosts, strict=True):
        if host.run(("test", "-e", str(host.root / DEFAULT)), check=False).status != 0:
            host.link(application, host.root / DEFAULT)
        host.start(worker_of(environment, address))
    if environment.queue_url and environment.lake_path:
        ensure_database(environment, DATABASE)
        hosts[0].start(log_service_of(environment))
