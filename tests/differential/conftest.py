"""The PostgreSQL that all twins share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.postgres import NOBODY, local_server
from tests.services import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def url_of_differential() -> Iterator[str]:
    """The address of an empty database."""
    with tempfile.TemporaryDirectory(prefix="lkdiff") as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        with local_server(Path(name) / "server", free_port()) as url:
            yield f"{url}/postgres"
