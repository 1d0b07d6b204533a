"""Chromium, the stub server, and a visitor who fails the test when the browser's console reports an error."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse"
STARTING = 30.0  # seconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here as `browser`, and leave it out where there is no Chromium."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@dataclass
class Visitor:
    """A user with a browser window. `allowed` are the HTTP statuses of failures that the test brings about."""

    page: Page
    base: str
    allowed: set[int] = field(default_factory=lambda: {401})
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Keep what the console says, but for failures of requests that are part of the test."""
        status = re.match(r"Failed to load resource: the server responded with a status of (\d+)", message.text)
        offline = "net::ERR_INTERNET_DISCONNECTED" in message.text and 0 in self.allowed
        if message.type in ("error", "warning") and not offline and not (status and int(status[1]) in self.allowed):
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        """Go to a path and wait until its screen, the sign-in or a problem is shown."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector("main:not([aria-busy]) :is(.screen, .problem), main.sign-in")
        return self.page

    def sign_in(self, path: str = "/departures/JFK") -> Page:
        """Sign in on the way to a path."""
        page = self.open(path)
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("main:not([aria-busy]) :is(.screen, .problem)")
        return page

    def stub(self, **wanted: Any) -> None:
        """Tell the server what to do to the next request."""
        post(f"{self.base}/stub", wanted)


def post(address: str, document: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(document).encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers anything."""
    end = time.monotonic() + STARTING
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.05)
    raise RuntimeError("the stub server did not start")


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Return the address of a stub server."""
    port = free_port()
    command = [sys.executable, str(HERE / "stub_server.py"), str(port)]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def browser(one_chromium: Browser) -> Browser:
    """Return one Chromium for all tests."""
    expect.set_options(timeout=10_000)
    return one_chromium


@pytest.fixture
def visitor(browser: Browser, base: str) -> Iterator[Visitor]:
    """Return a visitor who is not signed in; at the end the console must have been silent."""
    post(f"{base}/stub", {"reset": True})
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="America/New_York"
    )
    found = Visitor(page=context.new_page(), base=base)
    found.page.set_default_timeout(10_000)
    found.page.on("console", found.hear)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()
    assert not found.complaints
