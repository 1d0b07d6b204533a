"""Requests through the web server of `dev` while releases are switched beneath it: none may fail."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from lowcode_kernel.farm.connecting import connect_hosts
from lowcode_kernel.farm.deploying import deploy
from lowcode_kernel.farm.development import start_development, stop_development
from lowcode_kernel.farm.history import status
from lowcode_kernel.farm.rollback import rollback
from tests.tiny_application import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.plan import Progress

pytestmark = pytest.mark.services
CLIENTS = 3


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    yield start_development(tmp_path)
    stop_development(tmp_path)


class Load:
    """Clients that ask as fast as they are answered, half of them on connections that they keep."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []
        self.over = threading.Event()
        self.clients = [threading.Thread(target=self.ask, args=(number % 2 == 0,)) for number in range(CLIENTS)]

    def __enter__(self) -> Load:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for client in self.clients:
            client.join()

    def ask(self, kept: bool) -> None:
        while not self.over.is_set():
            with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
                self.once(connection)
                while kept and not self.over.is_set() and not self.failed:
                    self.once(connection)

    def once(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("GET", "/notes")
            answer = connection.getresponse()
            answer.read()
        except OSError as error:
            self.failed.append(repr(error))
            return
        if answer.status == 200:
            self.answered[answer.headers["x-release"]] += 1
        else:
            self.failed.append(f"status {answer.status}")


def nothing(_: Progress) -> None: ...


def test_no_request_fails_over_deployments_and_a_rollback(environment: Environment) -> None:
    hosts = connect_hosts(environment)
    versions = [deploy(environment, bundle(1), hosts, nothing).version]
    with Load(urlsplit(environment.public_url).netloc) as load:
        for number, note in ((1, "again"), (2, ""), (3, "")):
            versions.append(deploy(environment, bundle(number, note=note), hosts, nothing).version)
        assert rollback(environment, "tiny", hosts, nothing).version == versions[2]
        reached = threading.Event()
        while not reached.wait(0.05) and load.answered[versions[2]] == 0:
            pass
    assert load.failed == []
    assert set(load.answered) == set(versions)
    assert status(environment, "tiny", hosts).is_sound
