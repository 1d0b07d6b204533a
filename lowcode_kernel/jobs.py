"""The record of a scheduled job, as the generator writes it into `jobs.json` and the scheduler reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Priority = Literal["low", "normal", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job of an application. `schedule` is five cron fields in UTC; `notebook` a path in the bundle; `timeout` in
    seconds.
    """

    name: str
    schedule: str
    notebook: str
    timeout: float = 600.0
    retries: int = 0
    priority: Priority = "normal"
