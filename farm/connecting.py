"""From the addresses of an environment to its hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.farm.environments import Environment, HostAddress
    from lowcode_kernel.farm.hosts import Host


def connect_hosts(environment: Environment) -> tuple[Host, ...]:
    """Return the hosts of an environment, in its order. A connection is opened at the first use of its host."""
    return tuple(connect_host(environment, address) for address in environment.hosts)


def connect_host(environment: Environment, address: HostAddress) -> Host:
    """Return one host of an environment."""
    if address.kind == "ssh":
        from lowcode_kernel.farm.ssh import SshHost  # each brings what the other does without

        return SshHost(address)
    from lowcode_kernel.farm.development import find_development
    from lowcode_kernel.farm.local import LocalHost

    development = find_development(environment.home)
    if development is None:
        raise LowcodeError.of(
            "the development environment was never started here", "start it: %deploy dev", code="LK646"
        )
    return LocalHost(address, development.supervisor)
