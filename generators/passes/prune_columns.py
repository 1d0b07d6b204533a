"""A query fetches only the columns that some screen, action or job uses.

    SELECT f.id, f.number, f.plane FROM Flight f       (only id and number are shown)
    SELECT f.id, f.number FROM Flight f

A result that goes where its columns can't be followed (returned whole, put into a dictionary) keeps them all.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.findings import Finding
from lowcode_kernel.sql import exp, parse_select, unparse

if TYPE_CHECKING:
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.elements import Query

_FOLLOWED_CALLS = frozenset({"len", "bool", "any", "all", "table", "chart", "details"})


def prune_columns(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Take result columns out of queries that nothing reads."""
    used, escaped = _uses(app)
    changed: dict[str, Query] = {}
    findings: list[Finding] = []
    for query in app.queries.values():
        spare = [
            column.name
            for column in analyze(app).queries[query.name].columns
            if column.name not in used.get(query.name, set())
        ]
        if not spare:
            continue
        if query.name in escaped:
            findings.append(_kept(query, spare, escaped[query.name]))
            continue
        pruned, reasons = _pruned(query, spare)
        if pruned is not query:
            changed[query.id] = pruned
            findings.append(_finding(query, pruned, [name for name in spare if name not in reasons]))
        findings.extend(_kept(query, [name], reason) for name, reason in reasons.items())
    if not changed:
        return app, tuple(findings)
    elements = [changed.get(element.id, element) for element in app.elements]
    return Application.of(app.name, app.title, elements), tuple(findings)


def _uses(app: Application) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return the columns read of each query, and the queries whose rows go where they can't be followed, with where
    that is.
    """
    used: dict[str, set[str]] = {}
    escaped: dict[str, str] = {}
    for element, body in analyze(app).bodies.items():
        for owner, column in body.reads:
            if owner.startswith("query:"):
                used.setdefault(owner.removeprefix("query:"), set()).add(column)
        for name in _escapes(body):
            escaped[name] = element
    for action in app.actions.values():
        if action.returns and action.returns.kind == "query":
            escaped[action.returns.name] = action.id
    return used, escaped


def _escapes(body: BodyAnalysis) -> set[str]:
    found: set[str] = set()
    for parent in ast.walk(body.tree):
        for child in ast.iter_child_nodes(parent):
            type_ = body.types.get(child) if isinstance(child, ast.expr) else None
            if type_ is not None and type_.kind == "query" and not _followed(parent, child):
                found.add(type_.name)
    return found


def _followed(parent: ast.AST, child: ast.AST) -> bool:
    match parent:
        case ast.Call(func=func):
            return func is child or (isinstance(func, ast.Name) and func.id in _FOLLOWED_CALLS)
        case ast.Assign(targets=[ast.Name()]):
            return True
    followed = (
        ast.Attribute
        | ast.For
        | ast.comprehension
        | ast.Subscript
        | ast.Compare
        | ast.If
        | ast.While
        | ast.Expr
        | ast.UnaryOp
        | ast.Module
    )
    return isinstance(parent, followed)


def _pruned(query: Query, spare: list[str]) -> tuple[Query, dict[str, str]]:
    """Return the query without the spare columns that can go, and for the others the reason why they stay."""
    tree = parse_select(query.sql, query.sql_place)
    if not isinstance(tree, exp.Select):
        return query, dict.fromkeys(spare, f"the query is a {tree.key.upper()}, whose rows are compared whole")
    if tree.args.get("distinct"):
        return query, dict.fromkeys(spare, "DISTINCT compares whole rows")
    reasons: dict[str, str] = {}
    for name in spare:
        item = next((selection for selection in tree.selects if selection.alias_or_name == name), None)
        if item is None:
            reasons[name] = "it comes from a *"
        elif reason := _reason_to_stay(tree, item, name):
            reasons[name] = reason
        else:
            tree.set("expressions", [selection for selection in tree.selects if selection is not item])
    gone = len(spare) - len(reasons)
    return (replace(query, sql=unparse(tree)) if gone else query), reasons


def _reason_to_stay(tree: exp.Select, item: exp.Expr, name: str) -> str:
    if len(tree.selects) == 1:
        return "a query selects at least one column"
    for clause in ("order", "group", "having"):
        part = tree.args.get(clause)
        if part is None:
            continue
        if any(not column.table and column.name == name for column in part.find_all(exp.Column)) and isinstance(
            item, exp.Alias
        ):
            return f"{clause.upper()} uses it by name"
        if any(
            literal.is_int
            for literal in part.find_all(exp.Literal)
            if isinstance(literal.parent, exp.Ordered | exp.Group)
        ):
            return f"{clause.upper()} counts the columns"
    if item.find(exp.Anonymous):
        return "it calls a function that may do more than compute"
    others = [selection for selection in tree.selects if selection is not item]
    if (
        not tree.args.get("group")
        and item.find(exp.AggFunc)
        and not any(selection.find(exp.AggFunc) for selection in others)
    ):
        return "without it the query would no longer be one row"
    return ""


def _finding(query: Query, pruned: Query, names: list[str]) -> Finding:
    what = f"query {query.name} no longer fetches {', '.join(names)}"
    return Finding(
        rule="prune_columns",
        element=query.id,
        place=query.place,
        what=what,
        why="no screen, action or job uses it",
        before=query.sql,
        after=pruned.sql,
        saved=f"{len(names)} column{'s' if len(names) > 1 else ''} of every row",
    )


def _kept(query: Query, names: list[str], reason: str) -> Finding:
    why = f"{reason} uses whole rows" if ":" in reason else reason
    what = f"query {query.name} keeps {', '.join(names)}"
    return Finding(rule="prune_columns", element=query.id, place=query.place, what=what, why=why, acted=False)
