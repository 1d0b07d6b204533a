"""Fixtures of the farm suite: two hosts for the whole session, repaired between tests.

A module that speaks to the hosts says `pytestmark = [pytest.mark.farm, pytest.mark.usefixtures("controller")]`: its
tests, and every thread and process that they start, are then in the controller's network namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.farm import hosts, postgres, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

COUNT = 2


@pytest.fixture(scope="session")
def booted_farm() -> Iterator[hosts.Farm]:
    """Two hosts, up; skipped, with the reason, where there can't be any."""
    if reason := hosts.why_not():
        pytest.skip(reason)
    runs.sweep()
    farm = hosts.Farm(COUNT)
    try:
        farm.power_on()
        yield farm
    finally:
        farm.close()


@pytest.fixture
def farm(booted_farm: hosts.Farm) -> Iterator[hosts.Farm]:
    """The hosts; whatever a test did to power, cable and disk is undone after it."""
    yield booted_farm
    booted_farm.repair()


@pytest.fixture(scope="module")
def controller(booted_farm: hosts.Farm) -> Iterator[None]:
    """The controller's network namespace, around all tests of a module."""
    with booted_farm.net.entered():
        yield


@pytest.fixture(scope="session")
def farm_postgres(booted_farm: hosts.Farm) -> Iterator[Server]:
    """A PostgreSQL that the hosts reach at 10.77.0.1."""
    server = postgres.start(booted_farm.folder / "inner" / "postgres", booted_farm.net)
    try:
        yield server
    finally:
        server.stop()
