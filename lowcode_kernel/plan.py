"""What a deployment will do, decided from facts before anything runs: the same records are shown to the user,
journalled, and carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lowcode_kernel.schema import Change

StepName = Literal[
    "lock",
    "stage",
    "start",
    "check",
    "upgrade",
    "ready",
    "decide",
    "switch",
    "confirm",
    "schedule",
    "drain",
    "stop",
    "release",
]
StepState = Literal["waiting", "running", "done", "failed", "undone", "skipped"]
DeploymentState = Literal["running", "deployed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host is found to be: the versions it has staged, the one it serves, room on its disk in bytes, and why it
    can't be used ("" if it can).
    """

    host: str
    python: str = ""
    current: str | None = None
    staged: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    free_bytes: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What the application's database holds: the revision it is at (None: not there yet) and the estimated rows of
    each base table.
    """

    revision: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `host` is None where the controller itself acts. `before_decision` steps are undone by a cancel; those
    after it are only rolled forward.
    """

    number: int
    name: StepName
    host: str | None
    summary: str
    before_decision: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps from what runs to `version`. `problems` are reasons why it can't be carried out; then `steps` is
    empty.
    """

    environment: str
    application: str
    version: str
    previous: str | None
    hosts: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_noop(self) -> bool:
        """True where every host already serves this version."""
        return not self.steps and not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A step's change of state while a plan is carried out; `seconds` is how long it took, `detail` what is worth
    saying.
    """

    step: Step
    state: StepState
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version on an environment, as its history shows it."""

    environment: str
    application: str
    version: str
    state: DeploymentState
    started_at: datetime
    finished_at: datetime | None = None
    previous: str | None = None
    by: str = ""
    detail: str = ""
