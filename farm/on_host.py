"""What runs on a host itself, under one lock: looking, switching, pruning, and starting a release. Standard library
only, Python 3.9 or newer.

python on_host.py facts FOLDER                          print what is here, as JSON python on_host.py fence FOLDER FENCE
from now on, refuse holders of an older lease python on_host.py switch FOLDER FENCE VERSION           make VERSION the
one that serves python on_host.py remove FOLDER FENCE VERSION...        remove releases, but never the one that serves
python on_host.py prune FOLDER FENCE VERSION...         remove all other releases, and environments that none uses
python on_host.py serve SOCKET COMMAND...               become COMMAND, after removing the socket that a killed process
left

FOLDER is `<root>/<application>`. A controller that was paused may wake up after another has taken its lease; the
highest fence seen is kept in a file, and whoever comes with a lower one is refused (exit status 75) while the lock is
held, so that it can switch and remove nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCED = 75
LONGEST_SOCKET = 107  # bytes of a Unix socket's path, by the kernel


@contextmanager
def fenced(folder: Path, fence: int) -> Iterator[None]:
    """Hold the host's lock; exit with status 75 where a higher fence was seen."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    # it is written over and never cut: fences only grow, and on a full disk the one that was seen stays
    with os.fdopen(os.open(folder / "fence", os.O_RDWR | os.O_CREAT, 0o644), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        seen = int(file.read() or 0)
        if fence < seen:
            sys.stderr.write(f"fence {fence} is older than {seen}\n")
            raise SystemExit(FENCED)
        file.seek(0)
        file.write(str(fence))
        file.flush()
        yield


def serving(folder: Path) -> str | None:
    """Return the version that serves: the target of the socket link is the authority."""
    link = folder / "run" / "current.sock"
    return link.readlink().name.removesuffix(".sock") if link.is_symlink() else None


def facts(folder: Path) -> dict[str, object]:
    """Return what is on this host."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "current": serving(folder),
        "staged": sorted(path.parent.name for path in folder.glob("releases/*/.complete")),
        "free_bytes": shutil.disk_usage(there).free,
    }


def point(link: Path, target: str) -> None:
    """Make a symbolic link in one atomic step."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)


def switch(folder: Path, version: str) -> None:
    """Flip the socket link, which is the switch, and then the folder link, which is for people.

    The first application that serves on a host is the one that its web server answers with where none is named.
    """
    point(folder / "run" / "current.sock", f"{version}.sock")
    point(folder / "current", f"releases/{version}")
    if not (folder.parent / "default").is_symlink():
        point(folder.parent / "default", folder.name)


def remove(folder: Path, versions: list[str]) -> list[str]:
    """Remove releases; the marker goes first, so that what an interrupted removal leaves doesn't count as staged."""
    gone = [version for version in versions if version != serving(folder) and (folder / "releases" / version).exists()]
    for version in gone:
        (folder / "releases" / version / ".complete").unlink(missing_ok=True)
        shutil.rmtree(folder / "releases" / version)
        # a server that is stopped before it is quite up leaves its socket
        (folder / "run" / f"{version}.sock").unlink(missing_ok=True)
    return gone


def prune(folder: Path, kept: list[str]) -> list[str]:
    """Remove every release that isn't kept, and every environment that none of the kept links to."""
    releases = sorted(path.name for path in folder.glob("releases/*"))
    gone = remove(folder, [version for version in releases if version not in kept])
    used = {path.readlink().name for path in folder.glob("releases/*/env") if path.is_symlink()}
    for environment in folder.glob("environments/*"):
        if environment.name not in used:
            shutil.rmtree(environment)
    return gone


def serve(socket: Path, command: list[str]) -> None:
    """Become the server. Granian does not start where a socket file lies, and a killed one leaves it there.

    Granian follows links before it binds, so a short way to a deep folder doesn't help it: there the socket itself is
    in a short folder, and what the web server knows is a link to it.
    """
    socket.unlink(missing_ok=True)
    real = Path(os.path.realpath(socket))
    if len(os.fsencode(real)) > LONGEST_SOCKET:
        short = short_folder(real.parent) / socket.name
        short.unlink(missing_ok=True)
        socket.symlink_to(short)
        command = [str(short) if word == str(socket) else word for word in command]
    os.execv(command[0], command)  # noqa: S606 - the supervisor must see the server itself


def short_folder(folder: Path) -> Path:
    """Return a short folder of our own that stands for a deep one; made anew where a reboot has emptied /tmp."""
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path("/tmp") / f"lowcode-{os.getuid()}-{digest}"  # noqa: S108 - its owner is checked
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid != os.getuid():
        sys.exit(f"{short} belongs to somebody else")
    return short


def main(words: list[str]) -> None:
    """Do what the words say."""
    verb, where, *rest = words
    folder = Path(where)
    if verb == "serve":
        serve(folder, rest)
    if verb == "facts":
        sys.stdout.write(json.dumps(facts(folder)))
        return
    with fenced(folder, int(rest[0])):
        if verb == "switch":
            switch(folder, rest[1])
        if verb in ("remove", "prune"):
            sys.stdout.write(" ".join((remove if verb == "remove" else prune)(folder, rest[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
