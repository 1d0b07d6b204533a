"""A private network for the test hosts: one namespace for the controller, one for each host, joined by a bridge.

    controller 10.77.0.1 on br0 --- v1 === host0 10.77.0.11 in the namespace of host 1
                                --- v2 === host0 10.77.0.12 in the namespace of host 2

No namespace has a default route, so that nothing in a test reaches anything else; the machine's own namespace is not
touched. A thread that has entered the controller's namespace passes it on to the threads and processes that it starts.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "10.77.0"
CONTROLLER = f"{PREFIX}.1"
SUBNET = f"{PREFIX}.0/24"
NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def address(number: int) -> str:
    """Return the address of host `number`, counted from 1."""
    return f"{PREFIX}.{10 + number}"


def ip(*words: str) -> None:
    """Run the ip command; what it refuses is an error in its words."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def set_namespace(path: str | Path) -> None:
    """Move this thread into a network namespace (`os.setns` came with Python 3.12)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Network:
    """The namespaces of one run of the tests; `name` is the run's own."""

    name: str

    @property
    def controller(self) -> str:
        return f"{self.name}-controller"

    def host(self, number: int) -> str:
        """Return the namespace of a host."""
        return f"{self.name}-h{number}"

    def create(self, hosts: int) -> None:
        """Make the namespaces, the bridge, and a cable to each host."""
        ip("netns", "add", self.controller)
        inside = ("-n", self.controller)
        ip(*inside, "link", "set", "lo", "up")
        ip(*inside, "link", "add", "br0", "type", "bridge")
        ip(*inside, "address", "add", f"{CONTROLLER}/24", "dev", "br0")
        ip(*inside, "link", "set", "br0", "up")
        for number in range(1, hosts + 1):
            self._plug_in(number)

    def _plug_in(self, number: int) -> None:
        namespace, cable = self.host(number), f"v{number}"
        ip("netns", "add", namespace)
        peer = ("peer", "name", "host0", "netns", namespace)
        ip("-n", self.controller, "link", "add", cable, "type", "veth", *peer)
        ip("-n", self.controller, "link", "set", cable, "master", "br0", "up")
        ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", namespace, "address", "add", f"{address(number)}/24", "dev", "host0")
        ip("-n", namespace, "link", "set", "host0", "up")

    def set_link(self, number: int, state: str) -> None:
        """Pull a host's cable (`down`) or plug it in (`up`)."""
        ip("-n", self.controller, "link", "set", f"v{number}", state)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put this thread into the controller's namespace for a while."""
        before = f"/proc/self/task/{_libc.gettid()}/ns/net"
        descriptor = os.open(before, os.O_RDONLY | os.O_CLOEXEC)
        try:
            set_namespace(NETNS / self.controller)
            yield
        finally:
            set_namespace(f"/proc/self/fd/{descriptor}")
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the namespaces of this run, with everything in them."""
        for namespace in sorted(NETNS.glob(f"{self.name}-*")):
            ip("netns", "delete", namespace.name)
