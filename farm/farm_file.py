"""Reading farm.toml: all that is wrong in it at once, each by its path, as `environments.prod.hosts.0.address: is
missing; ...`.

Every key is one row of a table below; `farm.example.toml` shows each of them, and a test holds that. A secret is
never in the file: it names where the secret is, and is looked up when its environment is used, so that a colleague
without the secrets of `prod` works with `test`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from lowcode_kernel.farm.environments import DEV, Environment, HostAddress, Secret
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EXAMPLE = Path(__file__).with_name("farm.example.toml")
NAME = re.compile(r"[a-z][a-z0-9-]*")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
CODE = "LK680"


class Wrong(Exception):  # noqa: N818 - becomes a problem at its path
    """A value that does not do: the fact and the hint."""

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a secret is: a variable of the environment, or a file (its last newline is not part of it)."""

    environment: str = ""
    file: str = ""

    def look_up(self, folder: Path) -> str:
        """Return the secret; raises Wrong where it isn't there."""
        if self.environment:
            if self.environment not in os.environ:
                raise Wrong(f"the variable {self.environment} is not set", f"export {self.environment}=...")
            return os.environ[self.environment]
        path = folder / Path(self.file).expanduser()
        try:
            return path.read_text().removesuffix("\n")
        except OSError as error:
            raise Wrong(
                f"{path}: {(error.strerror or str(error)).lower()}", "the file holds the secret and nothing else"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a table: how its value is read, and whether it must be there."""

    read: Callable[[Any], Any]
    required: bool = False
    hint: str = ""


# --- readers of values


def text(value: object) -> str:
    """Read a text that isn't empty."""
    if not isinstance(value, str) or not value.strip():
        raise Wrong("is not a text", 'write it in quotes: "..."')
    return value


def whole_number(value: object, lowest: int, highest: int) -> int:
    """Read a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise Wrong(f"is not a whole number from {lowest} to {highest}")
    return value


def port(value: object) -> int:
    """Read a TCP port."""
    return whole_number(value, 1, 65535)


def kept_releases(value: object) -> int:
    """Read how many releases stay on a host."""
    return whole_number(value, 1, 100)


def absolute_folder(value: object) -> PurePosixPath:
    """Read a path on a host."""
    path = PurePosixPath(text(value))
    if not path.is_absolute() or ".." in path.parts:
        raise Wrong(f"{value!r} is not an absolute path", 'for example "/srv/lowcode"')
    return path


def address_of(value: object, schemes: tuple[str, ...], example: str) -> str:
    """Read a URL without a password."""
    parts = urlsplit(text(value))
    if parts.scheme not in schemes:
        raise Wrong(
            f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}", f'for example "{example}"'
        )
    if parts.password:
        raise Wrong(
            "holds a password, and this file is for all to read",
            'say where it is: database_password = { environment = "..." }',
        )
    return str(value)


def database_address(value: object) -> str:
    """Read the address of a PostgreSQL server, no database named."""
    address = address_of(value, ("postgresql", "postgres"), "postgresql://lowcode@db.internal:5432")
    if urlsplit(address).path.strip("/"):
        raise Wrong("names a database", "end it after the port: each application has a database of its own name")
    return address


def queue_address(value: object) -> str:
    """Read the address of a NATS server."""
    return address_of(value, ("nats", "tls"), "nats://127.0.0.1:4222")


def public_address(value: object) -> str:
    """Read the address that users open."""
    return address_of(value, ("https", "http"), "https://apps.example.com")


def lake_place(value: object) -> str:
    """Read where the Parquet files of the logs are."""
    place = text(value)
    if not place.startswith(("s3://", "/")):
        raise Wrong(f"{place!r} is neither an absolute path nor s3://", 'for example "s3://logs/lowcode"')
    return place


def host_name(value: object) -> str:
    """Read the name of a host, which is also in names of services."""
    name = text(value)
    if not NAME.fullmatch(name):
        raise Wrong(f"{name!r} is not a name of small letters, digits and '-'", 'for example "fe1"')
    return name


def host_key(value: object) -> str:
    """Read the public key of a host: its kind and the key, as ssh-keyscan prints them."""
    words = text(value).split()
    try:
        kind, blob = words[0], base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise Wrong("is not a public key", 'its kind and the key: "ssh-ed25519 AAAA..."') from None
    if blob[4 : 4 + int.from_bytes(blob[:4])] != kind.encode():
        raise Wrong(f"says {kind}, and the key is another kind or cut short", "copy the whole line")
    return f"{kind} {words[1]}"


def key_file(value: object) -> Path:
    """Read where a private key of ours is."""
    return Path(text(value)).expanduser()


def secret(value: object) -> Source:
    """Read where a secret is."""
    if not isinstance(value, dict) or set(value) not in ({"environment"}, {"file"}):
        raise Wrong(
            "is a secret, which is not written here", 'say where it is: { environment = "NAME" } or { file = "path" }'
        )
    name, place = next(iter(value.items()))
    return Source(**{name: text(place)})


def variable(value: object) -> str | Source:
    """Read the value of a variable, or where it is."""
    if isinstance(value, dict):
        return secret(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise Wrong("is neither a text, a number, true, false, nor where a secret is")


def unread(value: object) -> object:
    """Leave a value to be read elsewhere."""
    return value


HOST_KEYS: Mapping[str, Key] = {
    "name": Key(read=host_name, required=True, hint='for example "fe1"'),
    "address": Key(read=text, required=True, hint='a name or an IP address: "10.0.0.11"'),
    "port": Key(read=port),
    "user": Key(read=text, required=True, hint="who owns the releases there"),
    "key_file": Key(read=key_file),
    "known_host_key": Key(
        read=host_key,
        required=True,
        hint="ssh-keyscan -t ed25519 ADDRESS, compared with /etc/ssh/ssh_host_ed25519_key.pub on the host",
    ),
    "root": Key(read=absolute_folder, required=True, hint='for example "/srv/lowcode"'),
}
ENVIRONMENT_KEYS: Mapping[str, Key] = {
    "database": Key(read=database_address, required=True, hint='for example "postgresql://lowcode@db.internal:5432"'),
    "database_password": Key(read=secret),
    "queue": Key(read=queue_address),
    "queue_token": Key(read=secret),
    "lake": Key(read=lake_place),
    "public_url": Key(read=public_address),
    "keep_releases": Key(read=kept_releases),
    "variables": Key(read=unread),
    "hosts": Key(read=unread, required=True, hint="[[environments.NAME.hosts]]"),
}


# --- the file


@dataclass(slots=True)
class _Findings:
    """What is wrong so far."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, path: str, fact: str, hint: str = "") -> None:
        self.problems.append(Problem(code=CODE, fact=f"{path}: {fact}", hint=hint))

    def table(self, value: object, path: str, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Return the values of a table that are as they should be; note the others, what is missing, and what isn't
        known.
        """
        if not isinstance(value, dict):
            self.add(path, "is not a table")
            return {}
        for name in value.keys() - keys.keys():
            self.add(f"{path}.{name}", "is not known", did_you_mean(name, keys))
        for name, key in keys.items():
            if key.required and name not in value:
                self.add(f"{path}.{name}", "is missing", key.hint)
        return self.read(((name, value[name], key.read) for name, key in keys.items() if name in value), path)

    def read(self, values: Iterable[tuple[str, object, Callable[[Any], Any]]], path: str) -> dict[str, Any]:
        good = {}
        for name, value, reader in values:
            try:
                good[name] = reader(value)
            except Wrong as wrong:
                self.add(f"{path}.{name}", wrong.fact, wrong.hint)
        return good

    def raise_all(self) -> None:
        if self.problems:
            raise LowcodeError(*sorted(self.problems, key=lambda problem: problem.fact))


def read_farm_file(path: Path) -> dict[str, dict[str, Any]]:
    """Return the environments of a file: name to its values, in the file's order. Raises LowcodeError with all that
    is wrong.
    """
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise LowcodeError.of(f"{path.name}: {error}", f"compare with {EXAMPLE.name}", code=CODE) from None
    except OSError as error:
        raise LowcodeError.of(f"{path}: {(error.strerror or str(error)).lower()}", code=CODE) from None
    findings = _Findings()
    for name in content.keys() - {"environments"}:
        findings.add(name, "is not known", "environments are tables: [environments.prod]")
    tables = content.get("environments", {})
    if not isinstance(tables, dict):
        findings.add("environments", "is not a table", "[environments.prod]")
        tables = {}
    environments = {name: _environment(name, table, findings) for name, table in tables.items()}
    findings.raise_all()
    return environments


def _environment(name: str, table: object, findings: _Findings) -> dict[str, Any]:
    path = f"environments.{name}"
    if name == DEV:
        findings.add(path, "dev is built in", "name it otherwise")
    elif not NAME.fullmatch(name):
        findings.add(path, "is not a name of small letters, digits and '-'")
    values = findings.table(table, path, ENVIRONMENT_KEYS)
    if "hosts" in values:
        values["hosts"] = _hosts(values["hosts"], f"{path}.hosts", findings)
    values["variables"] = _variables(values.get("variables", {}), f"{path}.variables", findings)
    return values


def _hosts(tables: object, path: str, findings: _Findings) -> list[dict[str, Any]]:
    if not isinstance(tables, list) or not tables:
        findings.add(path, "is not a list of hosts", f"[[{path}]]")
        return []
    hosts = [findings.table(table, f"{path}.{number}", HOST_KEYS) for number, table in enumerate(tables)]
    names = [host.get("name") for host in hosts]
    for number, name in enumerate(names):
        if name is not None and (first := names.index(name)) != number:
            findings.add(f"{path}.{number}.name", f'"{name}" is the name of hosts.{first}')
    return hosts


def _variables(table: object, path: str, findings: _Findings) -> dict[str, str | Source]:
    if not isinstance(table, dict):
        findings.add(path, "is not a table")
        return {}
    for name in table:
        if not VARIABLE.fullmatch(name):
            findings.add(f"{path}.{name}", "is not a name of capitals, digits and '_'", "for example SETTING_TAX_RATE")
    return findings.read(((name, value, variable) for name, value in table.items()), path)


# --- one environment, with its secrets


def load_from_file(path: Path, name: str, home: Path) -> Environment:
    """Return one environment of a file, its secrets looked up. Raises LowcodeError."""
    environments = read_farm_file(path) if path.exists() else {}
    if name not in environments:
        near = did_you_mean(name, (DEV, *environments))
        hint = near if path.exists() else f"{near}; others are described in {path} (copy {EXAMPLE})"
        raise LowcodeError.of(f"there is no environment {name}", hint, code="LK681")
    values = environments[name]
    secrets = _look_up(name, values, path.parent)
    given = {key: values[key] for key in ("public_url", "keep_releases") if key in values}
    return Environment(
        name=name,
        home=home,
        server=Secret(_with_credentials(values["database"], password=secrets.get("database_password", ""))),
        queue_url=_with_credentials(values.get("queue", ""), user=secrets.get("queue_token", "")),
        lake_path=values.get("lake", ""),
        hosts=tuple(_address(host, path.parent) for host in values["hosts"]),
        variables={key: secrets.get(f"variables.{key}", value) for key, value in values["variables"].items()},
        **given,
    )


def _look_up(name: str, values: Mapping[str, Any], folder: Path) -> dict[str, str]:
    sources = {key: value for key, value in values.items() if isinstance(value, Source)}
    sources |= {f"variables.{key}": value for key, value in values["variables"].items() if isinstance(value, Source)}
    findings = _Findings()
    found = findings.read(
        ((key, source, lambda source: source.look_up(folder)) for key, source in sources.items()),
        f"environments.{name}",
    )
    findings.raise_all()
    return found


def _with_credentials(address: str, *, user: str = "", password: str = "") -> str:
    """Put a user or a password into a URL."""
    if not address or not (user or password):
        return address
    parts = urlsplit(address)
    known, _, place = parts.netloc.rpartition("@")
    who = quote(user, safe="") if user else known
    credentials = f"{who}:{quote(password, safe='')}" if password else who
    return urlunsplit(parts._replace(netloc=f"{credentials}@{place}"))


def _address(values: Mapping[str, Any], folder: Path) -> HostAddress:
    key = values.get("key_file")
    return HostAddress(**{**values, "key_file": folder / key if key else None})
