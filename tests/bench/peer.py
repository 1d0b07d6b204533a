"""The peer: what a careful engineer writes by hand for one read, with the same parts as a generated application.

Static SQL prepared by asyncpg, rows straight into msgspec's encoder, granian. No sessions, no events, no roles: what a
generated application costs beyond this is the price of its being an application.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

DEPARTURES = """
SELECT f.id, f.departs_at, f.number, a.name AS airline, d.name AS destination, f.departure_delay
FROM peer.flight f
JOIN peer.airline a ON a.code = f.carrier
JOIN peer.airport d ON d.code = f.destination
WHERE f.origin = $1 AND f.departs_at >= $2 AND f.departs_at < $2::date + 1
ORDER BY f.departs_at, f.number
LIMIT $3
"""

encode = msgspec.json.Encoder().encode


class Departure(msgspec.Struct, frozen=True):
    """One row, as the statement gives it."""

    id: int
    departs_at: datetime
    number: int
    airline: str
    destination: str
    departure_delay: int | None


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep a pool while the service runs."""
    size = int(os.environ.get("POOL_SIZE", "4"))
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size) as pool:
        app.state.pool = pool
        yield


async def departures(request: Request) -> Response:
    """Answer the flights of one origin and day."""
    query = request.query_params
    day, limit = date.fromisoformat(query["day"]), int(query.get("limit", "1000"))
    rows = await request.app.state.pool.fetch(DEPARTURES, query["origin"], day, limit)
    return Response(encode({"rows": [Departure(*row) for row in rows]}), media_type="application/json")


app = Starlette(routes=[Route("/departures", departures)], lifespan=lifespan)
