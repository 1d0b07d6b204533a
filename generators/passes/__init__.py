"""The optimizer: passes over the whole application, one file each, in the order of `PASSES`.

A pass takes an application and gives one that means the same, with its findings; where it has nothing to do it gives
back the same object. Optimizing
twice is optimizing once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.generators.passes.batch_reads_in_loops import batch_reads_in_loops
from lowcode_kernel.generators.passes.count_without_fetching import count_without_fetching
from lowcode_kernel.generators.passes.drop_unreachable import drop_unreachable
from lowcode_kernel.generators.passes.fetch_needed_rows import fetch_needed_rows
from lowcode_kernel.generators.passes.hoist_invariants import hoist_invariants
from lowcode_kernel.generators.passes.interning import interned
from lowcode_kernel.generators.passes.merge_equal_reads import merge_equal_reads
from lowcode_kernel.generators.passes.propose_indexes import propose_indexes
from lowcode_kernel.generators.passes.prune_columns import prune_columns
from lowcode_kernel.generators.passes.push_filters import push_filters
from lowcode_kernel.generators.passes.read_together import read_together
from lowcode_kernel.generators.passes.remove_dead_reads import remove_dead_reads
from lowcode_kernel.generators.passes.remove_unused_queries import remove_unused_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.findings import Finding

PASSES: tuple[Callable[[Application], tuple[Application, tuple[Finding, ...]]], ...] = (
    remove_dead_reads,
    drop_unreachable,  # behind what removes calls that are never made
    push_filters,  # before what removes queries: nothing may use the wider one any more
    fetch_needed_rows,
    count_without_fetching,
    remove_unused_queries,
    merge_equal_reads,
    batch_reads_in_loops,
    hoist_invariants,
    prune_columns,
    read_together,
    propose_indexes,
)

_MAKING_ROOM = frozenset({"push_filters", "merge_equal_reads", "batch_reads_in_loops", "hoist_invariants"})
"""Passes that move reads: what was in the way of an earlier pass may be so no more."""
_MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimized:
    """An application after all passes, and what they found."""

    application: Application
    findings: tuple[Finding, ...]


def optimize(app: Application) -> Optimized:
    """Run every pass in order, and all again where one made room for those before it. What could not be done counts at
    the end.
    """
    before: list[Finding] = []
    found: list[Finding] = []
    for _ in range(_MOST_ROUNDS):
        before += [finding for finding in found if finding.acted]
        found = []
        for run in PASSES:
            after, told = run(app)
            app = interned(run.__name__, app, after)
            found.extend(told)
        if not any(finding.acted and finding.rule in _MAKING_ROOM for finding in found):
            break
    return Optimized(application=app, findings=(*before, *found))
