"""What the optimizer saves: the same application with and without it, on the same rows and requests, in one process.

Round trips and rows are counted by the application itself, bytes by a proxy before PostgreSQL, in a run of their own;
times are the median of rounds without the proxy, in turns. Both sides answer the same: else there is no figure.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg

from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.notebook import read_notebook
from tests import postgres
from tests.bench import many
from tests.bench.flightdesk import NOTEBOOK
from tests.cases import model_of
from tests.differential.golden import sample_of
from tests.differential.twins import Twin, difference, renamed
from tests.services import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lowcode_kernel.application import Application
    from tests.differential.requests import Sample
    from tests.differential.twins import Observed

ENTITIES, ASKED = 200, 20


@dataclass
class Traffic:
    """Bytes that went to the server and came back."""

    sent: int = 0
    received: int = 0


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[tuple[str, Traffic]]:
    """Stand before a server and count what goes through; gives the address to use."""
    server, traffic = urlsplit(url), Traffic()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: str) -> None:
        while part := await reader.read(65536):
            setattr(traffic, what, getattr(traffic, what) + len(part))
            writer.write(part)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(server.hostname, server.port)
        await asyncio.gather(pump(reader, up_writer, "sent"), pump(up_reader, writer, "received"))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield url.replace(f":{server.port}", f":{port}", 1), traffic
    finally:
        listening.close()


async def _side(
    app: Application, sample: Sample, url: str, folder: Path, rounds: int
) -> tuple[Observed, list[float], Traffic]:
    """Return what one side showed, the seconds of each round for all requests, and its traffic in a run of its own."""
    twin = Twin(app, folder, url)
    connection = await asyncpg.connect(url)
    try:
        await twin.prepare(connection, sample)
        seen = await twin.observe(sample.requests)
        reads = replace(
            sample, requests=tuple(one for one in sample.requests if one.method == "GET" or "review" in one.path)
        )
        async with counted(url) as (through, traffic):
            twin.url = through
            await twin.observe(reads.requests)
        twin.url = url
        times = [(await twin.observe(reads.requests * 3)).seconds for _ in range(rounds)]
    finally:
        await connection.close()
    return seen, times, traffic


def compare(app: Application, sample: Sample, name: str, rounds: int, url: str) -> dict[str, Any]:
    """Measure one application with and without the optimizer."""
    began = perf_counter()
    tuned = optimize(app).application
    seconds = perf_counter() - began
    with tempfile.TemporaryDirectory(prefix="lkbench") as folder:
        sides = [
            asyncio.run(_side(renamed(one, label), sample, url, Path(folder), rounds))
            for label, one in (("plain", app), ("tuned", tuned))
        ]
    (plain, slow, before), (seen, fast, after) = sides
    if found := difference(plain, seen, sample.requests):
        raise RuntimeError(f"the optimizer changed what {name} does: {found}")
    return {
        "name": name,
        "round_trips": (plain.cost.statements, seen.cost.statements),
        "rows": (plain.cost.rows, seen.cost.rows),
        "bytes": (before.received, after.received),
        "seconds": (round(median(slow), 3), round(median(fast), 3)),
        "optimize": round(seconds, 2),
    }


def bench_optimizing(rounds: int) -> list[dict[str, Any]]:
    """Measure the tour's flight desk and an application of 200 entities."""
    desk = read_notebook(NOTEBOOK).application
    large = many.sample(ENTITIES, ASKED)
    with tempfile.TemporaryDirectory(prefix="lkbench") as folder:
        if os.geteuid() == 0:
            os.chown(folder, postgres.NOBODY, postgres.NOBODY)
        with postgres.local_server(Path(folder) / "server", free_port()) as url:
            return [
                compare(desk, sample_of(desk, random.Random(1)), "flight desk", rounds, f"{url}/postgres"),
                compare(model_of(*large.cells).application, large, f"{ENTITIES} entities", rounds, f"{url}/postgres"),
            ]
