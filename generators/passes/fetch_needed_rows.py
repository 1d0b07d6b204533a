"""Only the rows that are needed are fetched.

    rows = open_orders(customer=c)             rows = open_orders.exists(customer=c)
    if rows:                              ->   if rows:
        ...                                        ...

    best = orders_by_total()[:3]          ->   best = orders_by_total.top(3)[:3]
    table(orders_by_total(), page=25)     ->   table(orders_by_total.page(c1.start, c1.rows), page=25)

Whether there are rows is asked by `exists`, also where `Entity.find` or `query.first` is only compared with None. Where
only the first rows are used (by their index, a slice, or a loop that leaves in its first turn) `top` fetches these; a
paged table fetches its page. Rows are cut only where their order is complete (else the first rows of a cut result may
be others), and where computing the others can't fail.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.flow_changes import change_bodies
from lowcode_kernel.generators.passes.rewriting import attribute, call, name, origin_place, text_of
from lowcode_kernel.generators.passes.row_order import is_fully_ordered, is_one_row
from lowcode_kernel.generators.passes.row_uses import SINGLE, SOME, THERE, Demand, demand_of, why_not_cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.flow import Read as FlowRead
    from lowcode_kernel.flow import Use
    from lowcode_kernel.generators.passes.reading import Body, Read
    from lowcode_kernel.generators.passes.rewriting import Rewriting
    from lowcode_kernel.language.screen_model import Component

RULE = "fetch_needed_rows"
_OPTIONS = frozenset({"order_by", "only"})


def fetch_needed_rows(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Fetch no rows where only their being there is asked, and only the first ones where these are used."""
    return change_bodies(app, lambda body, reads, change: list(_findings(body, reads, change)))


def _findings(body: Body, reads: tuple[FlowRead, ...], change: Rewriting) -> Iterator[Finding]:
    pages = _pages(body)
    for each in reads:
        read = body.reads.get(each.node)
        if read is None or each.crosses or not each.alone:
            continue
        found = _Needed(body, change, read)
        if read.method in SINGLE and (demand := demand_of(body, each, level=0)).only_some:
            yield from found.exists(demand)
        elif read.is_list and not found.is_cut:
            yield from _of_list(found, each, pages.get(each.node))


def _of_list(found: _Needed, each: FlowRead, page: Component | None) -> Iterator[Finding]:
    if page is not None and all(use.node is page.node for use in each.uses):
        yield from found.page(page)
        return
    demand = demand_of(found.body, each)
    if demand.only_some:
        yield from found.exists(demand)
    elif demand.first is not None and not found.is_one_row:
        yield from found.first(demand)


def _pages(body: Body) -> dict[ast.AST, Component]:
    """Return the paged tables of a screen by the read that they show; entities' lists are paged by the generator."""
    from lowcode_kernel.analysis import analyze

    if not body.is_screen:
        return {}
    components = analyze(body.app).screens[body.element.name].components()
    return {item.value: item for item in components if item.page and item.value in body.reads}


@dataclass(frozen=True)
class _Needed:
    body: Body
    change: Rewriting
    read: Read

    @property
    def is_cut(self) -> bool:
        """Say whether it asks for some of the rows already."""
        return self.read.method in {"top", "page"} or (self.read.form == "entity" and "limit" in self.read.arguments)

    @property
    def is_one_row(self) -> bool:
        """Say whether there is one row anyway."""
        return self.read.form == "query" and is_one_row(self.body.app.queries[self.read.name], self.body.app)

    def exists(self, demand: Demand) -> Iterator[Finding]:
        """Ask whether there are rows."""
        if why := why_not_cut(self.body, self.read):
            yield self._kept("only asks whether there are rows", why)
            return
        before = text_of(
            *dict.fromkeys([self.read.node, *(u.node for u in demand.some if isinstance(u.node, ast.expr))])
        )
        question = form_of(self.read, "exists")
        self.change.replace(self.read.node, question)
        for use in demand.some:
            ask_for_some(self.change, use)
        what = f"{self.read.words} is asked whether there are rows"
        saved = "all rows" if self.read.is_list else "the row"
        yield self._did(what, "nothing else is used", before, text_of(question), saved)

    def first(self, demand: Demand) -> Iterator[Finding]:
        """Fetch the first rows."""
        count = demand.first or 1
        what = f"fetches its first {count if count > 1 else ''}".rstrip() + (" rows" if count > 1 else " row")
        if not demand.only_first:
            use = (*demand.counted, *demand.other)[0]
            line = origin_place(self.body.element, use.node).line
            yield self._kept(f"could be cut to the first {count}", f"line {line} uses the others too")
            return
        if why := why_not_cut(self.body, self.read) or self._why_unordered():
            yield self._kept(f"could be cut to the first {count}", why)
            return
        new = top_of(self.read, ast.Constant(value=count))
        self.change.replace(self.read.node, new)
        saved = f"all rows but {'one' if count == 1 else count}"
        yield self._did(f"{self.read.words} {what}", "no other is used", text_of(self.read.node), text_of(new), saved)

    def page(self, component: Component) -> Iterator[Finding]:
        """Fetch the page of a table that is shown."""
        if self.read.form != "query":
            return
        if why := why_not_cut(self.body, self.read) or self._why_unordered():
            yield self._kept(f"could fetch the page of table {component.id} alone", why)
            return
        node = self.read.node
        assert isinstance(node, ast.Call)  # noqa: S101 - a query is called
        page = name(component.id)
        new = call(attribute(name(self.read.name), "page"), attribute(page, "start"), attribute(page, "rows"))
        new = ast.Call(func=new.func, args=[*new.args, *node.args], keywords=node.keywords)
        self.change.replace(node, new)
        what = f"{self.read.words} fetches the page that is shown"
        saved = f"all rows but {(component.page or 0) + 1}"
        yield self._did(what, "the table shows no other rows", text_of(node), text_of(new), saved)

    def _why_unordered(self) -> str:
        if self.read.form != "query" or is_fully_ordered(self.body.app.queries[self.read.name], self.body.app):
            return ""
        return f"the order of {self.read.name} is not complete: rows that are equal in it may change places"

    def _did(self, what: str, why: str, before: str, after: str, saved: str) -> Finding:
        return Finding(
            rule=RULE,
            element=self.body.element.id,
            place=origin_place(self.body.element, self.read.node),
            what=what,
            why=why,
            before=before,
            after=after,
            saved=saved,
        )

    def _kept(self, what: str, why: str) -> Finding:
        return Finding(
            rule=RULE,
            element=self.body.element.id,
            place=origin_place(self.body.element, self.read.node),
            what=f"{self.read.words} {what}",
            why=why,
            acted=False,
        )


def form_of(read: Read, form: str) -> ast.Call:
    """Return the call of another form of what a read asks: `q(a=1)` becomes `q.exists(a=1)`."""
    node = read.node
    assert isinstance(node, ast.Call)  # noqa: S101 - a read that gives a list or a number is a call
    keywords = [word for word in node.keywords if read.form == "query" or word.arg not in _OPTIONS]
    return ast.Call(func=attribute(name(read.name), form), args=node.args, keywords=keywords)


def top_of(read: Read, count: ast.expr) -> ast.Call:
    """Return the call that gives the first rows of what a read gives."""
    node = read.node
    assert isinstance(node, ast.Call)  # noqa: S101 - a read that gives a list is a call
    if read.form == "query":
        return ast.Call(func=attribute(name(read.name), "top"), args=[count, *node.args], keywords=node.keywords)
    return ast.Call(func=node.func, args=node.args, keywords=[*node.keywords, ast.keyword(arg="limit", value=count)])


def ask_for_some(change: Rewriting, use: Use) -> None:
    """Replace `len(rows) > 0` and `row is not None` by what they ask, and their opposites by `not` of it."""
    asks = {**SOME, **THERE}.get(use.detail)
    if asks is not None and isinstance(use.node, ast.expr):
        operand = counted_operand(use.node)
        change.replace(use.node, operand if asks else ast.UnaryOp(op=ast.Not(), operand=operand))


def counted_operand(node: ast.expr) -> ast.expr:
    """Return the rows of `len(rows) > 0`, the number of `count > 0`, and the rows of `len(rows)`."""
    if isinstance(node, ast.Compare):
        left, right = node.left, node.comparators[0]
        node = right if isinstance(left, ast.Constant) else left
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[rows]):
            return rows
    return node
