"""Rows that are only counted stay in the database.

    rows = open_orders(customer=c)                  rows = open_orders.count(customer=c)
    metric("Open", len(rows))                  ->   metric("Open", rows)

    if Order.count(customer=c) > 0:            ->   if Order.exists(customer=c):

`len(rows)` and `sum(1 for _ in rows)` become the number itself; a number that is only compared with nothing becomes the
question whether there is anything.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.fetch_needed_rows import ask_for_some, counted_operand, form_of
from lowcode_kernel.generators.passes.flow_changes import change_bodies
from lowcode_kernel.generators.passes.rewriting import origin_place, text_of
from lowcode_kernel.generators.passes.row_uses import Demand, counting_sums, demand_of, why_not_cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.flow import Read as FlowRead
    from lowcode_kernel.flow import Use
    from lowcode_kernel.generators.passes.reading import Body, Read
    from lowcode_kernel.generators.passes.rewriting import Rewriting

RULE = "count_without_fetching"


def count_without_fetching(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Ask for the number of rows where only that is used, and whether there are any where only that is."""
    return change_bodies(app, lambda body, reads, change: list(_findings(body, reads, change)))


def _findings(body: Body, reads: tuple[FlowRead, ...], change: Rewriting) -> Iterator[Finding]:
    for each in reads:
        read = body.reads.get(each.node)
        if read is None or each.crosses or not each.alone:
            continue
        if read.is_list and read.method not in {"top", "page"}:
            demand = demand_of(body, each)
            if demand.only_count:
                yield _count(body, change, read, demand)
        elif read.method == "count":
            demand = demand_of(body, each, level=0)
            if demand.only_some:
                yield _exists(body, change, read, demand)


def _count(body: Body, change: Rewriting, read: Read, demand: Demand) -> Finding:
    if why := why_not_cut(body, read) or _why_another(body, read, demand):
        return _finding(body, read, f"{read.words} could be counted by the database", why, acted=False)
    question = form_of(read, "count")
    before = _text(read, [*demand.counted, *demand.some])
    change.replace(read.node, question)
    for use in (*demand.counted, *demand.some):
        call = _counting_call(body, use)
        if call is not None:
            change.replace(call, _summed(call) if _is_sum(call) else counted_operand(call))
    what = f"{read.words} is counted by the database"
    return _finding(body, read, what, "only the number of rows is used", before=before, after=text_of(question))


def _why_another(body: Body, read: Read, demand: Demand) -> str:
    """What is counted has to be these rows alone: of another list, the number would still have to be asked."""
    for use in demand.counted:
        call = _counting_call(body, use)
        rows = None if call is None else _summed(call) if _is_sum(call) else counted_operand(call)
        if rows is None or not _is_only(body, rows, read):
            return f"`{ast.unparse(rows or use.node)}` may be another list"
    return ""


def _is_only(body: Body, node: ast.expr, read: Read) -> bool:
    """Say whether an expression gives what a read gives, whichever way was taken to it."""
    if isinstance(node, ast.Name) and node.id not in body.parameters:
        given = body.assigned.get(node.id, [])
        return bool(given) and all(value is read.node for value in given)
    return node is read.node


def _exists(body: Body, change: Rewriting, read: Read, demand: Demand) -> Finding:
    if why := why_not_cut(body, read):
        return _finding(body, read, f"{read.words} could be asked whether there are rows", why, acted=False)
    question = form_of(read, "exists")
    before = _text(read, list(demand.some))
    change.replace(read.node, question)
    for use in demand.some:
        ask_for_some(change, use)
    what = f"{read.words} is asked whether there are rows"
    return _finding(body, read, what, "the number itself is not used", before=before, after=text_of(question))


def _counting_call(body: Body, use: Use) -> ast.Call | None:
    """Return the `len(rows)` or `sum(1 for _ in rows)` of a use; a plain condition holds for the number as well."""
    if use.node in counting_sums(body):
        return counting_sums(body)[use.node]
    if use.kind != "length":
        return None
    if isinstance(use.node, ast.Call):
        return use.node
    sides = [use.node.left, *use.node.comparators] if isinstance(use.node, ast.Compare) else []
    return next((side for side in sides if isinstance(side, ast.Call)), None)


def _is_sum(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "sum"


def _summed(node: ast.Call) -> ast.expr:
    generator = node.args[0]
    assert isinstance(generator, ast.GeneratorExp)  # noqa: S101 - `counting_sums` has no others
    return generator.generators[0].iter


def _text(read: Read, uses: list[Use]) -> str:
    nodes = [read.node, *(use.node for use in uses if isinstance(use.node, ast.expr))]
    return text_of(*dict.fromkeys(nodes))


def _finding(
    body: Body, read: Read, what: str, why: str, *, before: str = "", after: str = "", acted: bool = True
) -> Finding:
    saved = "all rows" if acted and read.method != "count" else "counting" if acted else ""
    return Finding(
        rule=RULE,
        element=body.element.id,
        place=origin_place(body.element, read.node),
        what=what,
        why=why,
        before=before,
        after=after,
        saved=saved,
        acted=acted,
    )
