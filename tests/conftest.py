"""What every suite shares: fixed randomness, and skips that say what is missing on this machine.

A test that needs Chromium or root is marked `browser` or `farm`. Where that is missing it is skipped with the reason,
and the reasons are counted at the end of the run.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
# slow machines are not failures, and CI tries the same examples each time
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# the first test of the farm suite may have to build the hosts' file system
FARM_SECONDS = 600


def chromium() -> str | None:
    """Return the path of the browser, None where there is none."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's program; skipped where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("the browser suite needs chromium; see tests/provision.sh")
    return path


@pytest.fixture(scope="session")
def one_chromium(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for all suites: Playwright's synchronous driver can't be started twice in a process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_ARGUMENTS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the working tree."""
    return ROOT


def pytest_configure() -> None:
    """Let a run that is told to stop (a time limit of CI) end its fixtures' servers and hosts, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None, of: int = os.getpid()) -> None:
    if os.getpid() == of:
        raise KeyboardInterrupt
    # a fork of the tests' process has nothing to clean up, and should end by the signal
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def slowness(item: pytest.Item) -> int:
    """Return when a test has its turn: the suites that take minutes last, and of them the browser's after all others,
    for Playwright's driver keeps an event loop in this thread, in which no other can run.
    """
    return next((turn for turn, name in ((2, "browser"), (1, "farm")) if item.get_closest_marker(name)), 0)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make faults` run the whole campaigns."""
    parser.addoption("--campaign", action="store_true", help="run all cases of the long campaigns, not every third")


def _slice_campaigns(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep every third case of a campaign, the same ones each time; the others are counted as deselected."""
    cases = [item for item in items if item.get_closest_marker("campaign")]
    if config.getoption("--campaign") or any("::" in word for word in config.args):
        return
    left_out = {item for number, item in enumerate(cases) if number % 3}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine can't run, and put the slow suites last: a failure should show early."""
    _slice_campaigns(config, items)
    missing = chromium() is None
    for item in items:
        if missing and item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="the browser suite needs chromium; see tests/provision.sh"))
        if item.get_closest_marker("farm") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FARM_SECONDS))
    items.sort(key=slowness)
