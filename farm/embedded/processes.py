"""Ending processes that may not be our children, and waiting for their end without asking again and again."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress


def await_exit(pid: int, seconds: float) -> bool:
    """Wait until a process that may not be our child is gone; say whether it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):  # macOS, or a kernel before 5.3
        return _watch_exit(pid, seconds)
    try:
        return bool(select.select([handle], [], [], max(seconds, 0))[0])
    finally:
        os.close(handle)


def _watch_exit(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def end_processes(pids: tuple[int, ...], *, patience: float, first: signal.Signals | None = signal.SIGTERM) -> None:
    """End processes: `first`, then SIGKILL to what is still there when patience ends."""
    end = time.monotonic() + patience
    for pid in pids:
        if first is not None:
            _signal(pid, first)
    for pid in pids:
        if not await_exit(pid, end - time.monotonic()):
            _signal(pid, signal.SIGKILL)
            await_exit(pid, 5.0)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
