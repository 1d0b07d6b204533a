"""The Python environments of releases: made once for each set of requirements, shared by all releases that have the
same.

A local host takes the packages from uv's cache. A host behind SSH needs no way to the internet: the wheels are
downloaded here, once, and are shipped with `uv` itself. Both verify every hash that the bundle's `requirements.txt`
pins. This module is the door to uv.

Byte code is not compiled ahead: for 23 packages that took 4.0 s more (5.0 s against 1.1 s) and saved 0.5 s, once, at
the first start, after which Python has written what it needed (2 cores, 2026-11-23).
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lowcode_kernel.farm.facts import interpreter, look
from lowcode_kernel.farm.layout import layout_of
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Command, Host

REQUIREMENTS = "requirements.txt"
INSTALL = timedelta(minutes=5)
DOWNLOAD_SECONDS = 900


def requirements_digest(requirements: bytes, python: str, machine: str) -> str:
    """Return what names an environment: the same requirements for the same minor version of Python on the same kind of
    machine.
    """
    minor = ".".join(python.split(".")[:2])
    return hashlib.sha256(b"\0".join((requirements, minor.encode(), machine.encode()))).hexdigest()[:16]


def ensure_environment(environment: Environment, host: Host, bundle: Bundle) -> PurePosixPath:
    """Make the environment of a bundle on a host where it is missing; return its folder. Half an environment is made
    anew.
    """
    requirements = bundle.file(REQUIREMENTS).content
    seen = look(environment, host, bundle.application)
    places = layout_of(host, bundle.application)
    folder = places.environment(requirements_digest(requirements, seen.python, seen.machine))
    if host.read(folder / ".complete") is not None:
        return folder
    python = interpreter(environment, host)
    local = python == sys.executable
    uv, source = (_uv(), ()) if local else _ship(environment, host, requirements, seen.python, seen.machine)
    host.run(("rm", "-rf", str(folder)))
    host.run((uv, "venv", "--quiet", "--no-config", "--python", python, str(folder)), timeout=INSTALL)
    host.put([(PurePosixPath(REQUIREMENTS), requirements, False)], folder)
    wanted = (
        "--require-hashes",
        "--requirement",
        str(folder / REQUIREMENTS),
        "--python",
        str(folder / "bin" / "python"),
    )
    host.run((uv, "pip", "install", "--quiet", *source, *wanted), timeout=INSTALL)
    host.put([(PurePosixPath(".complete"), b"", False)], folder)
    return folder


def _uv() -> str:
    import uv

    return str(uv.find_uv_bin())


def _ship(environment: Environment, host: Host, requirements: bytes, python: str, machine: str) -> tuple[str, Command]:
    """Send `uv` and the wheels; return the command of the one and where it finds the others. What is there already
    isn't sent.
    """
    wheels = download(environment, requirements, python, machine)
    host.put([(PurePosixPath("uv"), Path(_uv()).read_bytes(), True)], host.root / "bin")
    host.put([(PurePosixPath(wheel.name), wheel.read_bytes(), False) for wheel in wheels], host.root / "wheels")
    return str(host.root / "bin" / "uv"), (
        "--offline",
        "--no-config",
        "--no-index",
        "--find-links",
        str(host.root / "wheels"),
    )


def download(environment: Environment, requirements: bytes, python: str, machine: str) -> tuple[Path, ...]:
    """Download the wheels of pinned requirements for a kind of machine into the environment's cache; return them,
    sorted.

    A download is kept under the digest of what was asked for, and appears there only when it is whole.
    """
    folder = environment.home / "wheels" / requirements_digest(requirements, python, machine)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # hosts are staged at once: the first one downloads, the others wait
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            (partial / REQUIREMENTS).write_bytes(requirements)
            _download(partial, python, machine)
            partial.rename(folder)
    return tuple(sorted(folder.glob("*.whl")))


def _download(folder: Path, python: str, machine: str) -> None:
    # uv has no `download`; it runs pip in a throw-away environment
    pip = (
        _uv(),
        "tool",
        "run",
        "--quiet",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
    )
    target = ("--python-version", ".".join(python.split(".")[:2]), "--implementation", "cp", *_platforms(machine))
    command = (*pip, *target, "--dest", str(folder), "--requirement", str(folder / REQUIREMENTS))
    done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-3:]
        raise LowcodeError.of(f"{REQUIREMENTS}: its wheels can't be downloaded: {' '.join(lines)}", code="LK620")


def _platforms(machine: str) -> Command:
    """Return the wheel tags that a Linux host of this kind takes, newest first (PEP 600)."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(28, 16, -1)] + [
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    ]
    return tuple(word for tag in tags for word in ("--platform", tag))
