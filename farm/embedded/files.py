"""Small acts on files that must not go half way: whole writes, locks with an end to their patience."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAUSE = 0.02


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that it is there complete and on the disk, or as it was before."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def last_lines(path: Path, lines: int) -> str:
    """Return the end of a text file, "" where there is none."""
    try:
        text = path.read_bytes()[-lines * 500 :]
    except FileNotFoundError:
        return ""
    return "\n".join(text.decode(errors="replace").splitlines()[-lines:])


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Lock a file; return its descriptor, which holds the lock until every copy of it is closed, or None where
    another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def share_folder(folder: Path) -> int:
    """Lock a folder as one of many may; return the descriptor. systemd-tmpfiles, which clears /tmp of what is old,
    leaves it alone.

    Source: systemd-tmpfiles(8), tmpfiles.d(5) "Age".
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_locked(path: Path) -> bool:
    """Say whether another process holds the lock of a file."""
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


@contextmanager
def hold_lock(path: Path, *, seconds: float, what: str) -> Iterator[None]:
    """Hold the lock of a file; raises LowcodeError, naming `what` is under way, when another holds it for longer than
    `seconds`.
    """
    end = time.monotonic() + seconds
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > end:
            raise LowcodeError.of(
                f"another process has been busy with {what} for {seconds:.0f} s",
                f"see who holds {path} (fuser {path})",
                code="LK640",
            )
        time.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def disk_fault(error: OSError, place: Path) -> LowcodeError:
    """Say what the system said about a file as a user can act on it."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    hint = "make room and start again" if full else "look at its owner and mode, or set LOWCODE_HOME to another folder"
    return LowcodeError.of(f"{error.filename or place}: {(error.strerror or str(error)).lower()}", hint, code="LK641")
