"""Work in a process beside this one, for a command that is alone in its process.

A thread would not do: generation is Python from end to end. A fork has everything at hand that was analyzed, and gives
back what it made. Where there is one processor, or threads run already (a notebook's kernel has many), the work is
done here.
"""

from __future__ import annotations

import os
import pickle
import threading
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
_allowed = False


def allow() -> None:
    """Let work be done beside: this process is a command's, and nobody else's."""
    global _allowed
    _allowed = True


def is_possible() -> bool:
    """Say whether a fork is safe, and of use."""
    alone = threading.active_count() == 1 and hasattr(os, "fork")
    return _allowed and alone and len(os.sched_getaffinity(0)) > 1


class Beside(Generic[R]):
    """The result of some work, which goes on beside what this process does until it is asked for."""

    def __init__(self, make: Callable[[], R]) -> None:
        self._make = make
        self._child = 0
        if is_possible():
            self._reading, writing = os.pipe()
            self._child = os.fork()
            if self._child == 0:
                _work(make, writing)
            os.close(writing)

    def result(self) -> R:
        """Return what was made; where the process beside failed it is made here, so that its error is told here."""
        if not self._child:
            return self._make()
        with os.fdopen(self._reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(self._child, 0)
        self._child = 0
        if status != 0:
            return self._make()
        return cast("R", pickle.loads(answer))  # noqa: S301 - our own process wrote it


def _work(make: Callable[[], object], writing: int) -> None:
    """Do the work and end, without what a process does at its end: that is the other's."""
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(make(), pickle.HIGHEST_PROTOCOL))
        status = 0
    finally:
        os._exit(status)
