"""How much of a read's rows a body asks for: whether there are any, how many, or the first few."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.effects import is_total
from lowcode_kernel.generators.passes.reading import walk

if TYPE_CHECKING:
    from lowcode_kernel.flow import Read as FlowRead
    from lowcode_kernel.flow import Use
    from lowcode_kernel.generators.passes.reading import Body, Read

SOME = {"> 0": True, ">= 1": True, "!= 0": True, "== 0": False, "< 1": False, "<= 0": False}
"""Comparisons of a number of rows that ask whether there are any."""
THERE = {"is None": False, "is not None": True}
"""Comparisons of a row that ask whether there is one."""
SINGLE = frozenset({"find", "first"})
"""Reads that give a row or None."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a list of rows: uses of each kind. `first` is how many rows from the first are enough where only
    these are used, None where all are.
    """

    some: tuple[Use, ...]
    counted: tuple[Use, ...]
    first: int | None
    other: tuple[Use, ...]

    @property
    def only_some(self) -> bool:
        """Say whether all that is asked is whether there are rows."""
        return bool(self.some) and not self.counted and not self.other and self.first is None

    @property
    def only_count(self) -> bool:
        """Say whether all that is asked is how many rows there are."""
        return bool(self.counted) and not self.other and self.first is None

    @property
    def only_first(self) -> bool:
        """Say whether only some of the first rows are used."""
        return self.first is not None and not self.counted and not self.other


def demand_of(body: Body, read: FlowRead, level: int = 1) -> Demand:
    """Return what is asked of what a read gives: of its list, or (level 0) of its number."""
    some, counted, other, first = [], [], [], 0
    sums = counting_sums(body)
    single = read.call is not None and read.call.method in SINGLE
    for use in read.uses:
        if use.level != level:
            continue
        rows = rows_of(use)
        if _asks_for_some(use, single=single):
            some.append(use)
        elif rows is not None:
            first = max(first, rows)
        elif use.kind == "length" or use.node in sums:
            counted.append(use)
        else:
            other.append(use)
    return Demand(tuple(some), tuple(counted), first or None, tuple(other))


def _asks_for_some(use: Use, *, single: bool) -> bool:
    if use.kind == "truth":
        return not use.detail or (single and use.detail in THERE)
    return use.detail in SOME and (use.kind == "length" or (use.kind == "compare" and not use.level))


def counting_sums(body: Body) -> dict[ast.AST, ast.Call]:
    """Return the calls `sum(1 for _ in rows)` of a body, each by the part of its generator that iterates."""
    known: dict[ast.AST, ast.Call] | None = body.__dict__.get("_counting_sums")
    if known is None:
        known = {}
        for node in body.analysis.calls:
            match node:
                case ast.Call(
                    func=ast.Name(id="sum"),
                    args=[ast.GeneratorExp(elt=ast.Constant(value=1), generators=[each])],
                    keywords=[],
                ) if not each.ifs:
                    known[each] = node
        body.__dict__["_counting_sums"] = known
    return known


def rows_of(use: Use) -> int | None:
    """Return how many rows from the first a use needs, or None where that can't be told."""
    if use.kind == "index" and use.detail.isdecimal():
        return int(use.detail) + 1
    if use.kind == "slice" and use.detail.startswith(":") and use.detail[1:].isdecimal():
        return int(use.detail[1:]) or 1
    if use.kind == "iterate" and use.detail == "for" and isinstance(use.node, ast.For) and _always_leaves(use.node):
        return 1
    return None


def _always_leaves(loop: ast.For) -> bool:
    """Say whether the first turn of a loop is its last."""
    leaves = isinstance(loop.body[-1], ast.Return | ast.Raise | ast.Break)
    return leaves and not any(isinstance(part, ast.Continue) for part in walk(*loop.body))


def why_not_cut(body: Body, read: Read) -> str:
    """Return why a read can't be cut to fewer rows, or turned into a question about them, or ""."""
    if read.form == "query" and not is_total(body.app.queries[read.name], body.app):
        return f"the statement of {read.name} may fail at a row that would not be read"
    if read.form == "entity" and {"limit", "search"} & set(read.arguments):
        return "it asks for a part of the rows itself"
    return ""
