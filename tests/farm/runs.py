"""One folder per run of the tests, and the way to clean up after a run that could not do it itself (kill -9).

A run leaves its process (number and start time, since numbers come again) in its folder before it makes anything else,
and all that it makes carries its name: cgroups, namespaces, mounts. So a later run knows what is dead, and whose.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.farm.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = Path("/run/lowcode-kernel-tests")
CGROUP = Path("/sys/fs/cgroup")


def cgroup_parents() -> tuple[Path, ...]:
    """Return the cgroup hierarchies that systemd uses: one on a current machine, two on a hybrid one."""
    if (CGROUP / "cgroup.controllers").exists():
        return (CGROUP,)
    return tuple(path for path in (CGROUP / "systemd", CGROUP / "unified") if (path / "cgroup.procs").exists())


def started_at(process: int) -> str:
    """Return when a process began, in the kernel's ticks; nothing where it isn't there."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def begin() -> Path:
    """Claim a folder for this run."""
    name = f"lk{os.getpid()}"
    folder = RUNS / name
    folder.mkdir(parents=True)
    (folder / "owner").write_text(f"{os.getpid()} {started_at(os.getpid())}")
    return folder


def is_over(folder: Path) -> bool:
    """Say whether the run that claimed a folder is gone."""
    try:
        process, began = (folder / "owner").read_text().split()
    except (OSError, ValueError):
        return time.time() - folder.stat().st_mtime > 60
    return started_at(int(process)) != began


def in_cgroup(name: str, part: str, command: Sequence[str]) -> list[str]:
    """Return a command that runs in a cgroup of the run, where whoever cleans up finds it and all that it started."""
    groups = [parent / f"{name}-{part}" for parent in cgroup_parents()]
    for group in groups:
        group.mkdir(exist_ok=True)
    enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    return ["sh", "-c", f'{enter} exec "$@"', "run", *command]


def processes(name: str) -> list[int]:
    """Return the processes in a run's cgroups: those of its hosts, and no others."""
    found = []
    for parent in cgroup_parents():
        for listing in parent.glob(f"{name}-*/**/cgroup.procs"):
            with suppress(OSError):  # the group went away meanwhile
                found += [int(word) for word in listing.read_text().split()]
    return sorted(set(found) - {0, os.getpid()})


def kill_all(name: str) -> None:
    """Kill what is left of a run's hosts, until nothing is."""
    deadline = time.monotonic() + 10
    while (left := processes(name)) and time.monotonic() < deadline:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def remove_cgroups(name: str) -> None:
    """Remove a run's cgroups, innermost first; the kernel refuses while a process dies, so twice."""
    for parent in cgroup_parents():
        for group in parent.glob(f"{name}-*"):
            for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
                for _ in range(50):
                    try:
                        folder.rmdir()
                    except OSError:
                        time.sleep(0.02)
                    else:
                        break


def unmount(folder: Path) -> None:
    """Take down every mount below a run's folder, the last one first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    below = [mount for mount in mounts if mount == str(folder) or mount.startswith(f"{folder}/")]
    for mount in reversed(below):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def end(folder: Path) -> None:
    """Remove everything that carries a run's name."""
    kill_all(folder.name)
    with suppress(OSError):
        Network(folder.name).remove()
    unmount(folder)
    remove_cgroups(folder.name)
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[str]:
    """End the runs that died; return their names."""
    dead = [folder for folder in RUNS.glob("lk*") if is_over(folder)]
    for folder in dead:
        end(folder)
    return [folder.name for folder in dead]
