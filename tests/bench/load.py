"""Load: wrk where it is installed, else a client on asyncio; both keep their connections and stop by the clock."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 16
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: how many answers, how many a second, and how long one took (milliseconds; half of them, and 99 of 100,
    were faster).
    """

    answers: int
    rate: float
    median: float
    worst: float


def measure(address: str, headers: Mapping[str, str], seconds: int) -> Measured:
    """Ask for one address as fast as it answers, on 16 connections."""
    if shutil.which("wrk"):
        return _wrk(address, headers, seconds)
    return asyncio.run(_clients(address, headers, seconds))


def client() -> str:
    """Return which client measures here."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def _wrk(address: str, headers: Mapping[str, str], seconds: int) -> Measured:
    given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *given, address]
    out = subprocess.run(words, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise OSError(f"{address} failed under load:\n{out}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    answers = re.search(r"(\d+) requests in", out)
    latencies = {
        name: float(value) * UNITS[unit] for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)\b", out)
    }
    if rate is None or answers is None or len(latencies) != 2:
        raise OSError(f"wrk said something else:\n{out}")
    return Measured(answers=int(answers[1]), rate=float(rate[1]), median=latencies["50"], worst=latencies["99"])


@dataclass(slots=True)
class _Tally:
    times: list[float] = field(default_factory=list)


async def _clients(address: str, headers: Mapping[str, str], seconds: int) -> Measured:
    tally, began = _Tally(), time.perf_counter()
    async with asyncio.timeout(seconds + 30), asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_client(address, headers, began + seconds, tally))
    passed = time.perf_counter() - began
    marks = quantiles(tally.times, n=100)
    count = len(tally.times)
    return Measured(answers=count, rate=count / passed, median=marks[49] * 1000, worst=marks[98] * 1000)


async def _client(address: str, headers: Mapping[str, str], until: float, tally: _Tally) -> None:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [
        f"GET {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if " 200 " not in head.splitlines()[0]:
            raise OSError(f"{address} failed under load:\n{head}")
        length = re.search(r"(?i)content-length: (\d+)", head)
        if length is None:
            raise OSError(f"{address} answers without a length")
        await reader.readexactly(int(length[1]))
        tally.times.append(time.perf_counter() - began)
    writer.close()
