"""Independent reads that give few rows are one round trip.

    metric("Orders", orders.count())                 orders_count, late = together(orders.count(), late_orders.count())
    metric("Late", late_orders.count())     ->       metric("Orders", orders_count)
                                                     metric("Late", late)

Only reads of a bounded number of rows: in one statement, rows come back as records of an array, and from some hundred
rows on that is slower than a statement of their own (measured 2026-11-24: 300 rows take 1.9 times as long).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.merge_equal_reads import value_of, word_for
from lowcode_kernel.generators.passes.reading import (
    Changed,
    all_blocks,
    blocks,
    evaluated,
    heads,
    loaded,
    rewrite_bodies,
    stored,
    walk,
)
from lowcode_kernel.generators.passes.rewriting import Rewriting, call, name, origin_place, text_of
from lowcode_kernel.generators.passes.safety import (
    INPUTS,
    is_harmless,
    is_permitted,
    is_quiet,
    is_steady,
    why_not_free,
    writes,
)
from lowcode_kernel.joined_reads import BOUND, is_bounded, joinable
from lowcode_kernel.memo import noted

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.passes.reading import Body, Read

_SMALL = frozenset({"exists", "count", "first", "find"})
_MAY_BE_BOUNDED = re.compile(r"\blimit\b|\b(count|sum|min|max|avg|bool_\w+|\w+_agg)\s*\(", re.IGNORECASE)
_MOST = 8  # reads of one statement
_SHOWING = frozenset({"title", "text", "section", "metric", "chart"})
_LATER = "it depends on what comes before"


@dataclass(eq=False)
class _Group:
    """Reads that one statement can make, before the first one's statement.

    One of them may fail, as long as nothing else between the first and it can: `clean`, until there is one.
    """

    reads: list[tuple[Read, ast.stmt]] = field(default_factory=list)
    clean: bool = True
    assigned: set[str] = field(default_factory=set)
    written: frozenset[str] = frozenset()


def read_together(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Join reads that follow each other and don't depend on each other."""
    return rewrite_bodies(app, lambda body: len(body.reads) > 1, _joined)


def _is_small(query: str, app: Application) -> bool:
    """Say whether a query gives few rows. Its text says first whether it is worth while to ask."""
    return noted(app.__dict__, f"_small {query}", lambda: _find_small(query, app))


def _find_small(query: str, app: Application) -> bool:
    found = app.queries[query]
    entities = analyze(app).queries[query].entities
    unique = _unique_words(entities[0], app) if len(entities) == 1 else set()
    asked = set(re.findall(r"\w+", found.sql.lower().partition("where")[2]))
    likely = bool(_MAY_BE_BOUNDED.search(found.sql)) or bool(unique & asked)
    return likely and is_bounded(found, app)


def _unique_words(entity: str, app: Application) -> set[str]:
    found = app.entities.get(entity)
    if found is None:
        return {"id"}
    single = [attribute.name for attribute in found.attributes if attribute.unique]
    return {name.lower() for name in (*found.key, *single, *(name for names in found.uniques for name in names))}


def _joined(body: Body) -> Changed:
    joining = _Joining(body)
    for block in all_blocks(body.analysis.tree.body):
        joining.block(block)
    return Changed(joining.change.element(), joining.findings, joining.later < 2)


class _Joining:
    """Joins the reads of one body, block by block."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.change = Rewriting(body.element, body.analysis.tree, body.app)
        self.findings: list[Finding] = []
        self.later = 0  # reads that depend on others: two of them may be joined in their turn

    def block(self, statements: list[ast.stmt]) -> None:
        """Collect reads statement by statement, and join what was collected where something stands between."""
        group, alone = _Group(), list[tuple["Read", str]]()
        for statement in statements:
            if self._is_input(statement):
                continue
            if not isinstance(statement, ast.While):
                self._collect(statement, group, alone)
            group.assigned |= stored(statement)
            if self._stops(statement, group) or len(group.reads) >= _MOST:
                self._join(group)
                group = _Group()
        self._join(group)
        self._explain(alone)

    def _is_input(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Name(id=function))):
                return self.body.is_screen and function in INPUTS
        return False

    def _collect(self, statement: ast.stmt, group: _Group, alone: list[tuple[Read, str]]) -> None:
        group.clean |= not group.reads
        group.written |= writes(self.body, *heads(statement))
        for head in heads(statement):
            for part, sure in evaluated(head):
                read = self.body.reads.get(part)
                if read is not None and sure and read.form != "follow":
                    reason = self._why_large(read) or self._why_not(read, group)
                    if not reason:
                        group.reads.append((read, statement))
                    elif reason == _LATER:
                        self.later += 1
                    else:
                        alone.append((read, reason))
                group.clean &= self._is_clean(part)
        group.clean &= not blocks(statement)

    def _is_clean(self, part: ast.expr) -> bool:
        """Say whether evaluating a part can't fail; of a screen's components, those that only show a value."""
        if part in self.body.analysis.types or not isinstance(part, ast.Call):
            return is_harmless(self.body, part)
        return isinstance(part.func, ast.Name) and part.func.id in _SHOWING

    def _why_large(self, read: Read) -> str:
        """Return why a read is better made by itself, or ""."""
        found = self.body.analysis.calls[read.node]  # type: ignore[index]
        if read.method == "get":
            return "it fails where there is no such row"
        if reason := joinable(found, self.body.app):
            return reason
        if read.method in _SMALL or (
            read.form == "query" and read.method is None and _is_small(read.name, self.body.app)
        ):
            return ""
        limit = read.arguments.get("limit")
        if isinstance(limit, ast.Constant) and isinstance(limit.value, int) and limit.value <= BOUND:
            return ""
        return "it may give many rows, which come slower from one statement with others than from their own"

    def _why_not(self, read: Read, group: _Group) -> str:
        if loaded(*read.values) & group.assigned or self.body.entities(read) & group.written:
            return _LATER
        if any(inner in self.body.reads for value in read.values for inner in walk(value)):
            return _LATER
        if not is_steady(read, self.body.app):
            return "its rows are others each time"
        reason = why_not_free(self.body, read)
        quiet = all(is_quiet(self.body, value) for value in read.values)
        return "" if group.clean and quiet and is_permitted(self.body, read) else reason

    def _stops(self, statement: ast.stmt, group: _Group) -> bool:
        """Say whether what follows a statement may not run, or has to come behind it. A screen only reads."""
        group.written |= writes(self.body, statement)
        if self.body.is_screen or isinstance(statement, ast.FunctionDef | ast.Pass):
            return False
        if not isinstance(statement, ast.Assign | ast.Expr):
            return True
        if isinstance(statement, ast.Assign) and not all(isinstance(each, ast.Name) for each in statement.targets):
            return True  # `items[3] = 1` and `a, b = pair` may fail, and change what is read behind
        return not all(is_harmless(self.body, part) for head in heads(statement) for part, _ in evaluated(head))

    def _join(self, group: _Group) -> None:
        if len(group.reads) < 2:
            return
        names = [self._held(read, statement) for read, statement in group.reads]
        parts = [value_of(read) for read, _ in group.reads]
        targets = ast.Tuple(elts=[ast.Name(id=held, ctx=ast.Store()) for held in names], ctx=ast.Store())
        joined = ast.Assign(targets=[targets], value=call(name("together"), *parts))
        first = group.reads[0][1]
        before = text_of(*(read.node for read, _ in group.reads))
        self.change.insert_before(first, joined)
        self.findings.append(self._finding(group, before, text_of(joined)))

    def _held(self, read: Read, statement: ast.stmt) -> str:
        """Return the name that holds a read's value: the one that the statement gives it, where it gives no other."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if value is read.node:
                if len(self.body.assigned[target]) == 1 and target not in self.body.parameters:
                    self.change.replace_statement(statement)
                    return target
        held = self.change.fresh(word_for(read))
        self.change.replace(read.node, name(held))
        return held

    def _finding(self, group: _Group, before: str, after: str) -> Finding:
        words = [read.words for read, _ in group.reads]
        return Finding(
            rule="read_together",
            element=self.body.element.id,
            place=origin_place(self.body.element, group.reads[0][0].node),
            what=f"{', '.join(words[:-1])} and {words[-1]} are read in one round trip",
            why="they don't depend on each other, and each gives few rows",
            before=before,
            after=after,
            saved=f"{len(words) - 1} round trip{'s' if len(words) > 2 else ''} per run",
        )

    def _explain(self, alone: list[tuple[Read, str]]) -> None:
        """Tell of reads that would have had company."""
        joined = any(finding.acted for finding in self.findings)
        if not joined and (len(alone) < 2 or not self.body.is_screen):
            return
        for read, reason in alone:
            self.findings.append(
                Finding(
                    rule="read_together",
                    element=self.body.element.id,
                    place=origin_place(self.body.element, read.node),
                    what=f"{read.words} is read by itself",
                    why=reason,
                    acted=False,
                )
            )
