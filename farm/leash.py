"""Start a command that dies with the process that started it: `python leash.py PARENT COMMAND...`.

A kernel is started in a session of its own, so that nothing that happens to the process group of its worker reaches it.
On Linux the system kills it with its parent, however that one ends; elsewhere ipykernel's own look at its parent, once
a second, must do. Uses the standard library only and imports next to nothing: it runs once per job.

Source: prctl(2), PR_SET_PDEATHSIG; the setting survives execve.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become the command, on the leash of `parent`."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the leash was on
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - a tuple of words, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
