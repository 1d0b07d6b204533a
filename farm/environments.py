"""Environments: where a release goes. `dev` is built in; the others are tables of `farm.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    """A host of an environment: local folders in `dev`, else a machine behind SSH. `known_host_key` is the line that pins its key (`ssh-ed25519 AAAA...`)."""

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
    """One environment. Database addresses are libpq URLs without a database name at their end (`postgresql://user:secret@host:5432`); a Unix socket is `?host=/dir`.

    `database_url(name)` gives the whole URL of one database. `variables` are given to every application service (settings, integration addresses).
    """

    name: str
    home: Path
    server: Secret
    queue_url: str = ""
    lake_path: str = ""
    hosts: tuple[HostAddress, ...] = ()
    public_url: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    keep_releases: int = 3
    embedded: bool = False

    def database_url(self, database: str) -> Secret:
        """Return the URL of `database` on this environment's server."""
        base, _, query = self.server.reveal().partition("?")
        return Secret(f"{base.rstrip('/')}/{database}" + (f"?{query}" if query else ""))
