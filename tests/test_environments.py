"""farm.toml: what it gives, and all that can be wrong in it."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lowcode_kernel.farm.environments import HostAddress, Secret, environment_names, home_of, load_environment
from lowcode_kernel.farm.farm_file import ENVIRONMENT_KEYS, EXAMPLE, HOST_KEYS, read_farm_file
from lowcode_kernel.problems import LowcodeError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
GOOD = f"""
[environments.test]
database = "postgresql://lowcode@db:5432"
[[environments.test.hosts]]
name = "fe1"
address = "10.0.0.11"
user = "deploy"
known_host_key = "{KEY}"
root = "/srv/lowcode"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "farm.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(LowcodeError) as error:
        read_farm_file(write(folder, text))
    return str(error.value).splitlines()


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


# --- the example is manual and schema


def test_the_example_is_right():
    assert list(read_farm_file(EXAMPLE)) == ["prod"]


def test_the_example_shows_every_key_and_nothing_else():
    prod = tomllib.loads(EXAMPLE.read_text())["environments"]["prod"]
    assert set(prod) == set(ENVIRONMENT_KEYS)
    assert set(prod["hosts"][0]) == set(HOST_KEYS)


def test_the_example_says_something_of_every_key():
    lines = EXAMPLE.read_text().splitlines()
    blocks = "\n".join(lines).split("\n\n")
    bare = [block for block in blocks if " = " in block and "#" not in block and "fe2" not in block]
    assert bare == []


def test_the_example_becomes_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "token").write_text("t0ken\n")
    path = write(tmp_path, EXAMPLE.read_text().replace("/run/secrets/queue-token", "token"))
    monkeypatch.setenv("PROD_DATABASE_PASSWORD", "p/@:w")
    monkeypatch.setenv("PROD_WEATHER_KEY", "sesame")
    prod = load_environment(path, "prod", tmp_path)
    assert prod.database_url("shop").reveal() == "postgresql://lowcode:p%2F%40%3Aw@db.internal:5432/shop"
    assert prod.queue_url == "nats://t0ken@127.0.0.1:4222"
    assert prod.variables["SETTING_LATE_AFTER"] == "20"
    assert prod.variables["INTEGRATION_WEATHER_KEY"] == "sesame"
    assert (prod.lake_path, prod.keep_releases, prod.public_url) == (
        "s3://company-logs/lowcode",
        3,
        "https://apps.example.com",
    )
    assert [host.name for host in prod.hosts] == ["fe1", "fe2"]
    assert prod.hosts[0].key_file == Path("~/.ssh/lowcode_ed25519").expanduser()


def test_no_secret_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PASSWORD", "hunter2")
    text = changed('5432"', '5432"\ndatabase_password = { environment = "PASSWORD" }')
    text = text.replace("[[", '[environments.test.variables]\nKEY = { environment = "PASSWORD" }\n[[', 1)
    test = load_environment(write(tmp_path, text), "test", tmp_path)
    assert test.variables == {"KEY": "hunter2"}
    assert "hunter2" not in f"{test} {test!r} {test.server} {Secret('hunter2')!r}"


def test_a_small_file_is_enough(tmp_path: Path):
    test = load_environment(write(tmp_path, GOOD), "test", tmp_path / ".lowcode")
    assert test.hosts == (
        HostAddress(
            name="fe1", address="10.0.0.11", user="deploy", known_host_key=KEY, root=PurePosixPath("/srv/lowcode")
        ),
    )
    assert test.database_url("shop").reveal() == "postgresql://lowcode@db:5432/shop"
    assert (test.queue_url, test.keep_releases, test.embedded) == ("", 3, False)


# --- what is wrong


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path):
    text = """
[environments.prod]
databse = "x"
queue = "http://q"
keep_releases = 0
[environments.prod.variables]
lower = 1
LIST = []
[[environments.prod.hosts]]
name = "fe1"
address = "10.0.0.11"
port = 70000
[[environments.prod.hosts]]
name = "fe1"
adress = "10.0.0.12"
user = "u"
root = "srv"
known_host_key = "ssh-ed25519 AAAA"
[environments.dev]
"""
    root_hint = 'is missing; for example "/srv/lowcode"'
    key_hint = "ssh-keyscan -t ed25519 ADDRESS, compared with /etc/ssh/ssh_host_ed25519_key.pub on the host"
    assert problems(tmp_path, text) == [
        'environments.dev.database: is missing; for example "postgresql://lowcode@db.internal:5432"',
        "environments.dev.hosts: is missing; [[environments.NAME.hosts]]",
        "environments.dev: dev is built in; name it otherwise",
        'environments.prod.database: is missing; for example "postgresql://lowcode@db.internal:5432"',
        'environments.prod.databse: is not known; did you mean "database"?',
        f"environments.prod.hosts.0.known_host_key: is missing; {key_hint}",
        "environments.prod.hosts.0.port: is not a whole number from 1 to 65535",
        f"environments.prod.hosts.0.root: {root_hint}",
        "environments.prod.hosts.0.user: is missing; who owns the releases there",
        'environments.prod.hosts.1.address: is missing; a name or an IP address: "10.0.0.11"',
        'environments.prod.hosts.1.adress: is not known; did you mean "address"?',
        (
            "environments.prod.hosts.1.known_host_key: says ssh-ed25519, and the key is another kind or cut short; "
            "copy the whole line"
        ),
        'environments.prod.hosts.1.name: "fe1" is the name of hosts.0',
        "environments.prod.hosts.1.root: 'srv' is not an absolute path; for example \"/srv/lowcode\"",
        "environments.prod.keep_releases: is not a whole number from 1 to 100",
        'environments.prod.queue: does not begin with nats:// or tls://; for example "nats://127.0.0.1:4222"',
        "environments.prod.variables.LIST: is neither a text, a number, true, false, nor where a secret is",
        "environments.prod.variables.lower: is not a name of capitals, digits and '_'; for example SETTING_TAX_RATE",
    ]


SOURCES = 'say where it is: { environment = "NAME" } or { file = "path" }'
CASES = [
    ("//lowcode@db:5432", "//lowcode:pw@db:5432", "database: holds a password, and this file is for all to read; "),
    (":5432", ":5432/shop", "database: names a database; end it after the port: "),
    ('5432"', '5432"\nqueue_token = "abc"', f"queue_token: is a secret, which is not written here; {SOURCES}"),
    ('5432"', '5432"\nlake = "logs"', "lake: 'logs' is neither an absolute path nor s3://; for example "),
    ('"fe1"', '"FE 1"', "hosts.0.name: 'FE 1' is not a name of small letters, digits and '-'; for example "),
    ('"10.0.0.11"', '""', 'hosts.0.address: is not a text; write it in quotes: "..."'),
    (KEY, "abc", "hosts.0.known_host_key: is not a public key; its kind and the key: "),
]


@pytest.mark.parametrize(("old", "new", "said"), CASES)
def test_each_value_has_its_words(tmp_path: Path, old: str, new: str, said: str):
    (problem,) = problems(tmp_path, changed(old, new))
    assert problem.startswith(f"environments.test.{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("environments = 3", "environments: is not a table"),
        ("[environments]\nprod = 3", "environments.prod: is not a table"),
        ("[prod]", "prod: is not known; environments are tables: [environments.prod]"),
        ("[a\n", "farm.toml: Expected ']' at the end of a table declaration (at line 1, column 3)"),
    ],
)
def test_a_file_of_another_shape_is_said_so(tmp_path: Path, text: str, said: str):
    assert problems(tmp_path, text)[0].startswith(said)


def test_secrets_that_are_not_there_are_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ABSENT", raising=False)
    secrets = 'database_password = { environment = "ABSENT" }\nqueue_token = { file = "absent" }'
    path = write(tmp_path, changed('5432"', f'5432"\n{secrets}'))
    with pytest.raises(LowcodeError) as error:
        load_environment(path, "test", tmp_path)
    assert str(error.value).splitlines() == [
        "environments.test.database_password: the variable ABSENT is not set; export ABSENT=...",
        (
            f"environments.test.queue_token: {tmp_path}/absent: no such file or directory; "
            "the file holds the secret and nothing else"
        ),
    ]


def test_an_unknown_environment_is_said_with_those_there_are(tmp_path: Path):
    path = write(tmp_path, GOOD)
    with pytest.raises(LowcodeError, match=r'there is no environment tset; did you mean "test"\?'):
        load_environment(path, "tset", tmp_path)
    with pytest.raises(LowcodeError, match=r"there is no environment prod; known: dev; others are described in .*copy"):
        load_environment(tmp_path / "absent.toml", "prod", tmp_path)


# --- names and places


def test_dev_is_always_there(tmp_path: Path):
    assert environment_names(tmp_path / "farm.toml") == ("dev",)
    assert environment_names(write(tmp_path, GOOD)) == ("dev", "test")


def test_the_state_is_beside_the_notebook_or_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LOWCODE_HOME", raising=False)
    assert home_of(tmp_path) == tmp_path / ".lowcode"
    monkeypatch.setenv("LOWCODE_HOME", "/var/lib/x")
    assert home_of(tmp_path) == Path("/var/lib/x")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("postgresql://u@h:5432", "postgresql://u@h:5432/shop"),
        ("postgresql://u@h:5432/", "postgresql://u@h:5432/shop"),
        ("postgresql://u@?host=/run/pg", "postgresql://u@/shop?host=/run/pg"),
    ],
)
def test_a_database_has_its_address(server: str, url: str, tmp_path: Path):
    from lowcode_kernel.farm.environments import Environment

    given: dict[str, Any] = {"name": "x", "home": tmp_path}
    assert Environment(server=Secret(server), **given).database_url("shop").reveal() == url
