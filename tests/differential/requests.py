"""What the twins are given: users, rows and requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SampleUser:
    """Somebody who is signed in: the token of the session is the name."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a user."""

    user: str
    method: str
    path: str
    parameters: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """A model's cells, the SQL that fills its tables, and requests in order."""

    cells: tuple[str, ...]
    rows: tuple[str, ...]
    requests: tuple[Request, ...]
    users: tuple[SampleUser, ...]

    def __str__(self) -> str:
        return "\n---\n".join([*self.cells, *self.rows, *map(str, self.requests)])
