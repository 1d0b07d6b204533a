"""Holding the lease of an application while its releases change: taken, renewed in the background, given back."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from lowcode_kernel.farm.journal import Lease, LeaseLost
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.journal import Journal

TTL = timedelta(seconds=15)


def holder_name() -> str:
    """Say who we are, as a colleague who meets our lock wants to read it."""
    return f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"


@contextmanager
def hold_lease(journal: Journal, application: str, *, ttl: timedelta = TTL) -> Iterator[Lease]:
    """Hold the lease; a thread renews it three times in its life. A database that is away for a moment costs nothing
    until the lease runs out.
    """
    lease = journal.take_lease(application, holder_name(), ttl)
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(journal, lease, ttl, over), name="lease", daemon=True)
    heart.start()
    try:
        yield lease
    finally:
        over.set()
        heart.join()
        with suppress(LowcodeError):  # it runs out by itself
            journal.release_lease(lease)


def _beat(journal: Journal, lease: Lease, ttl: timedelta, over: threading.Event) -> None:
    while not over.wait(ttl.total_seconds() / 3):
        try:
            journal.renew_lease(lease, ttl)
        except LeaseLost:
            return  # every write is fenced: whoever acts finds it out there
        except LowcodeError:
            continue
