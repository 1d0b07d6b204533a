"""The optimizer: passes over the whole application, one file each, in the order of `PASSES`.

A pass takes an application and gives one that means the same, with its findings; where it has nothing to do it gives
back the same object. Optimizing
twice is optimizing once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.generators.passes.prune_columns import prune_columns
from lowcode_kernel.generators.passes.remove_unused_queries import remove_unused_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.findings import Finding

PASSES: tuple[Callable[[Application], tuple[Application, tuple[Finding, ...]]], ...] = (
    remove_unused_queries,
    prune_columns,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimized:
    """An application after all passes, and what they found."""

    application: Application
    findings: tuple[Finding, ...]


def optimize(app: Application) -> Optimized:
    """Run every pass once, in order."""
    findings: list[Finding] = []
    for run in PASSES:
        app, found = run(app)
        findings.extend(found)
    return Optimized(application=app, findings=tuple(findings))
