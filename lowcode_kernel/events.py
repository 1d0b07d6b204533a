"""One event of an application at run time: what the queue carries and the log service stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

EventKind = Literal["request", "query", "audit", "error", "job", "deployment"]
Outcome = Literal["ok", "refused", "error"]
KINDS: tuple[EventKind, ...] = ("request", "query", "audit", "error", "job", "deployment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event. `time` is aware UTC, `trace` 32 hex digits (W3C trace id), `element` an element's id
    ("screen:departures"), `duration_ms` milliseconds.

    `attributes` has OpenTelemetry's names (`http.response.status_code`, `db.query.summary`, `exception.type`); values
    are JSON scalars.
    """

    id: str
    time: datetime
    kind: EventKind
    application: str
    version: str
    host: str
    trace: str = ""
    element: str = ""
    outcome: Outcome = "ok"
    duration_ms: float = 0.0
    user: str | None = None
    attributes: dict[str, object] = field(default_factory=dict)


def subject(application: str, kind: EventKind) -> str:
    """Return the queue's subject for an application's events of one kind."""
    return f"events.{application}.{kind}"
