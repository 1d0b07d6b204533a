"""Only the columns that something uses are fetched.

    SELECT f.id, f.number, f.plane FROM Flight f       (only id and number are shown)
    SELECT f.id, f.number FROM Flight f

    order = Order.get(key)                             (only its number is used)
    order = Order.get(key, only=[id, number])

Rows are followed wherever they go: through names, lists, local functions, what actions return and are given, tables and
charts. What uses a query in any form decides together, the application's tests too. A result that goes where its
columns can't be followed (out by REST, into a text) keeps them all, as does a column whose computing may fail. The rows
of an entity are cut where one read alone gives what a name holds, and the row never leaves its body.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.columns import columns_of
from lowcode_kernel.effects import is_total_expression
from lowcode_kernel.findings import Finding
from lowcode_kernel.flow import flow
from lowcode_kernel.generators.passes.flow_changes import change_bodies
from lowcode_kernel.generators.passes.rewriting import name, origin_place, text_of
from lowcode_kernel.keys import key_names
from lowcode_kernel.sql import exp, unparse
from lowcode_kernel.totality import has_aggregate, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.elements import Query
    from lowcode_kernel.flow import Read as FlowRead
    from lowcode_kernel.generators.passes.reading import Body
    from lowcode_kernel.generators.passes.rewriting import Rewriting

RULE = "prune_columns"
_WHOLE = {"compare": "rows are compared whole", "mutate": "the list of rows is changed"}
_CUT = frozenset({"get", "find", "list"})


def prune_columns(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Take result columns out of queries that nothing reads, and attributes out of rows that are fetched."""
    app, of_queries = _prune_queries(app)
    app, of_rows = change_bodies(app, lambda body, reads, change: list(_rows(body, reads, change)))
    return app, (*of_queries, *of_rows)


# queries


def _prune_queries(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    changed: dict[str, Query] = {}
    findings: list[Finding] = []
    written = _written(app)
    for query in app.queries.values():
        reads = flow(app).of_query(query.name)
        used = written.get(query.id, set()).union(*(read.attributes() for read in reads))
        spare = [column.name for column in analyze(app).queries[query.name].columns if column.name not in used]
        if not spare or not reads:
            continue
        if whole := next(filter(None, map(_used_whole, reads)), ""):
            findings.append(_kept(query, spare, whole))
            continue
        pruned, reasons = _pruned(query, spare, app)
        if pruned is not query:
            changed[query.id] = pruned
            findings.append(_finding(query, pruned, [column for column in spare if column not in reasons]))
        findings.extend(_kept(query, [column], reason) for column, reason in reasons.items())
    if not changed:
        return app, tuple(findings)
    elements = [changed.get(element.id, element) for element in app.elements]
    return Application.of(app.name, app.title, elements), tuple(findings)


def _written(app: Application) -> dict[str, set[str]]:
    """Return the columns that bodies name, by query: those that only code which is never run names as well."""
    found: dict[str, set[str]] = {}
    analysis = analyze(app)
    for body in (*analysis.bodies.values(), *analysis.tests.values()):
        for owner, column in body.reads:
            if owner.startswith("query:"):
                found.setdefault(owner, set()).add(column)
    return found


def _used_whole(read: FlowRead) -> str:
    """Return what uses rows with all their columns, or "". The number of `exists` and `count` has none."""
    if read.call is not None and read.call.method in {"exists", "count"}:
        return ""
    for use in read.uses:
        if use.kind == "escape":
            return (
                f"whole rows are {use.detail}" if use.detail.startswith("returned") else f"{use.element}: {use.detail}"
            )
        if use.kind == "compare":
            return f"{use.element}: {_WHOLE['compare']}"
    return ""


def _pruned(query: Query, spare: list[str], app: Application) -> tuple[Query, dict[str, str]]:
    """Return the query without the spare columns that can go, and for the others the reason why they stay."""
    known = parsed(query, app)
    tree = known.copy() if known is not None else exp.Null()
    if not isinstance(tree, exp.Select):
        return query, dict.fromkeys(spare, f"the query is a {tree.key.upper()}, whose rows are compared whole")
    if tree.args.get("distinct"):
        return query, dict.fromkeys(spare, "DISTINCT compares whole rows")
    reasons: dict[str, str] = {}
    for column in spare:
        item = next((selection for selection in tree.selects if selection.alias_or_name == column), None)
        if item is None:
            reasons[column] = "it comes from a *"
        elif reason := _reason_to_stay(tree, item, column, query, app):
            reasons[column] = reason
        else:
            tree.set("expressions", [selection for selection in tree.selects if selection is not item])
    gone = len(spare) - len(reasons)
    return (replace(query, sql=unparse(tree)) if gone else query), reasons


def _reason_to_stay(tree: exp.Select, item: exp.Expr, column: str, query: Query, app: Application) -> str:
    if len(tree.selects) == 1:
        return "a query selects at least one column"
    for clause in ("order", "group", "having"):
        part = tree.args.get(clause)
        if part is not None and (reason := _named_in(part, clause, item, column)):
            return reason
    if item.find(exp.Anonymous):
        return "it calls a function that may do more than compute"
    if not is_total_expression(item, query, app):
        return "computing it may fail"
    others = [selection for selection in tree.selects if selection is not item]
    aggregates = has_aggregate(item, tree) and not tree.args.get("group")
    if aggregates and not any(has_aggregate(selection, tree) for selection in others):
        return "without it the query would no longer be one row"
    return ""


def _named_in(part: exp.Expr, clause: str, item: exp.Expr, column: str) -> str:
    named = any(not found.table and found.name == column for found in part.find_all(exp.Column))
    if named and isinstance(item, exp.Alias):
        return f"{clause.upper()} uses it by name"
    literals = [literal for literal in part.find_all(exp.Literal) if literal.is_int]
    if any(isinstance(literal.parent, exp.Ordered | exp.Group) for literal in literals):
        return f"{clause.upper()} counts the columns"
    return ""


def _finding(query: Query, pruned: Query, names: list[str]) -> Finding:
    what = f"query {query.name} no longer fetches {', '.join(names)}"
    return Finding(
        rule=RULE,
        element=query.id,
        place=query.place,
        what=what,
        why="no screen, action or job uses it",
        before=query.sql,
        after=pruned.sql,
        saved=f"{len(names)} column{'s' if len(names) > 1 else ''} of every row",
    )


def _kept(query: Query, names: list[str], reason: str) -> Finding:
    what = f"query {query.name} keeps {', '.join(names)}"
    return Finding(rule=RULE, element=query.id, place=query.place, what=what, why=reason, acted=False)


# rows of entities


def _rows(body: Body, reads: tuple[FlowRead, ...], change: Rewriting) -> Iterator[Finding]:
    for read in reads:
        call = read.call
        if call is None or call.kind != "entity" or call.method not in _CUT or call.name not in body.app.entities:
            continue
        if read.node not in body.reads or "only" in call.arguments or change.is_replaced(read.node):
            continue
        known = columns_of(call.name, body.app) or {}
        used = read.attributes() | set(key_names(call.name, body.app))
        wanted = [column for column in known if column in used]
        if len(wanted) < len(known) and not used - set(known):
            yield from _cut(body, read, change, wanted, len(known))


def _cut(body: Body, read: FlowRead, change: Rewriting, wanted: list[str], count: int) -> Iterator[Finding]:
    node = read.node
    assert isinstance(node, ast.Call)  # noqa: S101 - a read of an entity's rows is a call
    what = f"{read.call.name if read.call else ''}.{read.call.method if read.call else ''}"
    place = origin_place(body.element, node)
    spare = count - len(wanted)
    saved = f"{spare} of {count} columns of every row"
    if why := _why_whole(read):
        kept = f"{what} fetches {saved} that this body does not use"
        yield Finding(rule=RULE, element=body.element.id, place=place, what=kept, why=why, acted=False)
        return
    names = ast.List(elts=[name(column) for column in wanted], ctx=ast.Load())
    new = ast.Call(func=node.func, args=node.args, keywords=[*node.keywords, ast.keyword(arg="only", value=names)])
    change.replace(node, new)
    yield Finding(
        rule=RULE,
        element=body.element.id,
        place=place,
        what=f"{what} fetches {', '.join(wanted)} alone",
        why="no other attribute of its rows is used",
        before=ast.unparse(node),
        after=text_of(new),
        saved=saved,
    )


def _why_whole(read: FlowRead) -> str:
    """Return why rows have to be whole, or ""."""
    if whole := read.escapes():
        return _whole(whole)
    if read.crosses:
        return "its rows leave the body, or enter a local function, as whole rows"
    if not read.alone:
        return "the same name may hold another row"
    return next((_WHOLE[use.kind] for use in read.uses if use.kind in _WHOLE), "")


def _whole(where: str, element: str = "") -> str:
    """Say where whole rows go."""
    if where.startswith("returned"):
        return f"whole rows are {where}"
    return f"{element} uses whole rows ({where})" if element else f"whole rows are used ({where})"
