"""Columns that a query selects and nothing reads."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.query_compilation import ResultColumn

# what is given rows and uses no more of them than is recorded as read, or than how many there are
_FOLLOWED_CALLS = frozenset({"len", "bool", "any", "all", "table", "chart", "details", "together"})
_FOLLOWED = (
    ast.Attribute,
    ast.For,
    ast.comprehension,
    ast.Subscript,
    ast.Compare,
    ast.If,
    ast.While,
    ast.Expr,
    ast.UnaryOp,
    ast.Module,
)


def check_result_columns(facts: Facts) -> Iterator[Problem]:
    """Every column of a query that is used is read somewhere; rows that go out whole use them all."""
    spare = _unread(facts)
    if not spare:
        return
    whole = {action.returns.name for action in facts.app.actions.values() if action.returns}
    for body in facts.all_bodies.values():
        if any(used.removeprefix("query:") in spare for used in body.uses):
            whole |= _escaping(body)
    for name, columns in spare.items():
        if name not in whole:
            query = facts.app.queries[name]
            some = "is never used" if len(columns) == 1 else "are never used"
            fact = f"query {name}: {', '.join(columns)} {some}"
            yield notice("LK404", query, fact, "take it out of the SELECT")


def _unread(facts: Facts) -> dict[str, list[str]]:
    """Return the columns that no body reads, of the queries that are used and could be read."""
    read: dict[str, set[str]] = defaultdict(set)
    for body in facts.all_bodies.values():
        for owner, column in body.reads:
            read[owner].add(column)
    found = {}
    for name, analysis in facts.analysis.queries.items():
        query = facts.app.queries[name]
        if query.id not in facts.needed or query.public or analysis.problems:
            continue
        unread = [column for column in analysis.columns if column.name not in read[query.id]]
        # who selects a key names the row, whether it is shown or not
        if spare := [column.name for column in unread if not _is_key(column, facts)]:
            found[name] = spare
    return found


def _is_key(column: ResultColumn, facts: Facts) -> bool:
    entity = facts.app.entities.get(column.source[0]) if column.source else None
    return entity is not None and column.source is not None and column.source[1] in entity.key


def _escaping(body: BodyAnalysis) -> set[str]:
    """Return the queries whose rows a body gives to where they can't be followed."""
    found: set[str] = set()
    for parent in ast.walk(body.tree):
        for child in ast.iter_child_nodes(parent):
            type_ = body.types.get(child) if isinstance(child, ast.expr) else None
            if type_ is not None and type_.kind == "query" and not _is_followed(parent, child):
                found.add(type_.name)
    return found


def _is_followed(parent: ast.AST, child: ast.AST) -> bool:
    match parent:
        case ast.Call(func=func):
            return func is child or (isinstance(func, ast.Name) and func.id in _FOLLOWED_CALLS)
        case ast.Assign():
            return all(isinstance(target, ast.Name | ast.Tuple) for target in parent.targets)
    return isinstance(parent, _FOLLOWED)
