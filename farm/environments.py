"""Environments: where a release goes. `dev` is built in; the others are tables of `farm.toml` (see
`farm.example.toml` and `farm_file`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path, PurePosixPath

DEV = "dev"


class Secret(str):
    """A text that prints as `***`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def reveal(self) -> str:
        """Return the text itself."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """A host of an environment: local folders in `dev`, else a machine behind SSH. `known_host_key` is the line that
    pins its key (`ssh-ed25519 AAAA...`).

    `port` is that of SSH; of a local host, the one where it alone answers HTTP.
    """

    name: str
    kind: Literal["local", "ssh"] = "ssh"
    address: str = "127.0.0.1"
    port: int = 22
    user: str = ""
    key_file: Path | None = None
    known_host_key: str = ""
    root: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment. Database addresses are libpq URLs without a database name at their end
    (`postgresql://user:secret@host:5432`); a Unix socket is `?host=/dir`.

    `database_url(name)` gives the whole URL of one database. `variables` are given to every application service
    (settings, integration addresses); they and `queue_url` may hold secrets, and are left out where the record is
    printed. `home` is the folder `.lowcode` of the notebook's folder.
    """

    name: str
    home: Path
    server: Secret
    queue_url: str = field(default="", repr=False)
    lake_path: str = ""
    hosts: tuple[HostAddress, ...] = ()
    public_url: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    keep_releases: int = 3
    embedded: bool = False

    def database_url(self, database: str) -> Secret:
        """Return the URL of `database` on this environment's server."""
        base, _, query = self.server.reveal().partition("?")
        return Secret(f"{base.rstrip('/')}/{database}" + (f"?{query}" if query else ""))


def home_of(folder: Path) -> Path:
    """Return where the state of a notebook's folder is: `.lowcode` in it, or where LOWCODE_HOME says."""
    return folder / os.environ.get("LOWCODE_HOME", ".lowcode")


def environment_names(path: Path) -> tuple[str, ...]:
    """Return the names of the environments, `dev` and those of a farm.toml, which may be missing.

    Raises: LowcodeError with all that is wrong in the file.
    """
    from lowcode_kernel.farm.farm_file import read_farm_file

    return (DEV, *(read_farm_file(path) if path.exists() else ()))


def load_environment(path: Path, name: str, home: Path) -> Environment:
    """Return an environment of the farm.toml at `path`; `dev`, which needs no file, is started where it does not run.

    Raises: LowcodeError with all that is wrong in the file, or with the names that there are.
    """
    if name == DEV:
        from lowcode_kernel.farm.development import start_development

        return start_development(home)
    from lowcode_kernel.farm.farm_file import load_from_file

    return load_from_file(path, name, home)
