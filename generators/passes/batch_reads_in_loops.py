"""A read that a loop makes for each of its rows is one read before the loop.

    for order in orders():                        rows = orders()
        total += sum_of(lines(order=order.id))    lines_by_order = lines.batch(order=[order.id for order in rows])
        log(order.customer.name)             ->   customers = Customer.get_many([order.customer for order in rows])
                                                  for order, found in zip(rows, lines_by_order):
                                                      total += sum_of(found)
                                                      log(customers[order.customer].name)

Only where the loop writes nothing that the read depends on, and where the read can't fail; `get_many` raises for a row
that is not there where it is looked up, as the loop did.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.changed_values import changed_names, changes, is_lasting, is_steady_list
from lowcode_kernel.generators.passes.reading import (
    Changed,
    Comprehension,
    all_blocks,
    certain_parts,
    evaluated,
    heads,
    in_each_turn,
    loaded,
    rewrite_bodies,
    stored,
    walk,
)
from lowcode_kernel.generators.passes.rewriting import (
    Rewriting,
    assignment,
    attribute,
    call,
    item,
    moved,
    name,
    origin_place,
    text_of,
)
from lowcode_kernel.generators.passes.safety import (
    fits,
    is_harmless,
    is_list,
    is_quiet,
    is_steady,
    why_not_free,
    writes,
)
from lowcode_kernel.identifiers import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.passes.reading import Body, Read


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """One loop over rows: `row` is the name of the row, `inside` is what runs for each, `anchor` the statement before
    which things can be put. A comprehension has a `generator`.
    """

    node: ast.For | Comprehension
    anchor: ast.stmt
    row: str
    target: ast.expr
    rows: ast.expr
    inside: tuple[ast.AST, ...]
    generator: ast.comprehension | None = None


@dataclass(eq=False)
class _Group:
    """Reads of a loop that are one: the same query or entity with the same arguments."""

    first: Read
    reads: list[Read] = field(default_factory=list)


def batch_reads_in_loops(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Read once for all rows of a loop what it reads for each."""
    return rewrite_bodies(app, lambda body: body.has_loops and bool(body.reads), _batched)


def _batched(body: Body) -> Changed:
    """Batch the reads of one loop; the others' turn is the next round."""
    told: list[Finding] = []
    for loop in _loops(body):
        batching = _Batching(body, loop)
        batching.run()
        if batching.change.changed:
            return Changed(batching.change.element(), batching.findings)
        told += batching.findings
    return Changed(body.element, told)


def _loops(body: Body) -> Iterator[_Loop]:
    for block in all_blocks(body.analysis.tree.body):
        for statement in block:
            match statement:
                case ast.For(target=ast.Name(id=row) as target, iter=rows, body=inside):
                    yield _Loop(statement, statement, row, target, rows, tuple(inside))
            if not isinstance(statement, ast.While):
                yield from _comprehensions(statement)


def _comprehensions(statement: ast.stmt) -> Iterator[_Loop]:
    for head in heads(statement):
        for part, sure in evaluated(head):
            if sure and isinstance(part, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                first, *others = part.generators
                if isinstance(first.target, ast.Name):
                    given = [part.key, part.value] if isinstance(part, ast.DictComp) else [part.elt]
                    inside = [*first.ifs, *others, *given]
                    yield _Loop(part, statement, first.target.id, first.target, first.iter, tuple(inside), first)


class _Batching:
    """Batches the reads of one loop."""

    def __init__(self, body: Body, loop: _Loop) -> None:
        self.body, self.loop = body, loop
        self.change = Rewriting(body.element, body.analysis.tree, body.app)
        self.findings: list[Finding] = []
        self.batched: list[tuple[str, str]] = []  # the names of what a batch gives, and of one row's part of it

    def run(self) -> None:
        """Batch what can be, and say why for the rest."""
        groups = self._groups()
        if not groups:
            return
        reason = self._why_not_loop()
        acting = []
        for group in groups:
            why = reason or self._why_not(group.first, group)
            if why:
                self._keep(group.first, why)
            else:
                acting.append(group)
        if acting:
            self._act(acting)

    def _groups(self) -> list[_Group]:
        """Return the reads that depend on the row, equal ones together."""
        found: dict[tuple[str, ...], _Group] = {}
        for node in walk(*self.loop.inside):
            read = self.body.reads.get(node)  # type: ignore[call-overload]
            if read is None or self.loop.row not in loaded(*read.values):
                continue
            values = [f"{key}={ast.unparse(value)}" for key, value in sorted(read.arguments.items())]
            key = (read.form.replace("follow", "entity"), read.name, read.method or "", *values)
            found.setdefault(key, _Group(read)).reads.append(read)
        return list(found.values())

    # what keeps from acting

    def _why_not_loop(self) -> str:
        loop = self.loop
        if loop.row in stored(*loop.inside):
            return f"the loop gives {loop.row} another value"
        type_ = self.body.type_of(loop.rows)
        if type_ is None or not type_.many or type_.nested or not is_list(self.body, loop.rows):
            return f"`{ast.unparse(loop.rows)}` may be read once only"
        if not is_steady_list(self.body):
            return f"{self.body.element.name} changes a list while it may be walked over"
        inside = stored(*loop.inside, loop.target) | changed_names(self.body, *loop.inside)
        if isinstance(loop.rows, ast.Name) and loop.rows.id in inside:
            return f"the loop changes {loop.rows.id}"
        return self._why_rows_stay()

    def _why_rows_stay(self) -> str:
        """The rows of a comprehension are read before the statement around it is."""
        around = heads(self.loop.anchor)
        if isinstance(self.loop.node, ast.For):
            return ""
        if written := writes(self.body, *around):
            return f"the statement writes {' and '.join(sorted(written))}"
        rows = {part for part, _ in evaluated(self.loop.rows)}
        if all(is_harmless(self.body, part) for part in rows):
            return ""
        for part in [part for head in around for part, _ in evaluated(head)]:
            if part is self.loop.rows:
                return ""
            if part not in rows and not is_harmless(self.body, part):
                return f"`{ast.unparse(part)}` has to come before the rows are read"
        return ""

    def _why_not(self, read: Read, group: _Group) -> str:
        if read.form == "query" and read.method is not None:
            return f"{read.name}.{read.method} has no form for many"
        if read.form != "query" and read.method != "get":
            return f"{read.words} has no form for many; a query has"
        if read.form != "query" and set(read.arguments) != {"key"}:
            return f"{read.name}.get_many takes whole rows by one key"
        if read.form == "query" and not any(map(self._is_certain, group.reads)):
            return "it is read for some of the rows only"
        return self._why_not_arguments(read) or self._why_not_free(read)

    def _is_certain(self, read: Read) -> bool:
        """Say whether a read is made in each turn, whatever its row."""
        node = self.loop.node
        if isinstance(node, ast.For):
            return read.node in certain_parts(node.body)
        return read.node in in_each_turn(*self.loop.inside)

    def _why_not_arguments(self, read: Read) -> str:
        changing = stored(*self.loop.inside)
        for key, value in read.arguments.items():
            if names := sorted(loaded(value) & changing):
                return f"it depends on {names[0]}, which each turn gives another value"
            if not is_quiet(self.body, value):
                return f"`{ast.unparse(value)}` may fail, or does more than compute"
            if not is_lasting(self.body, [value]) and changes(self.body, *self.loop.inside):
                return f"`{ast.unparse(value)}` may be another in each turn"
            type_ = self.body.type_of(value)
            if read.form != "query" and (type_ is None or type_.loaded or type_.many):
                return f"`{ast.unparse(value)}` is no key"
            if read.form == "query" and self.loop.row in loaded(value) and self._is_many(read, key):
                return f"{key} takes a list itself"
            if not fits(self.body, value):
                return f"`{ast.unparse(value)}` may hold what the database refuses"
        return ""

    def _is_many(self, read: Read, key: str) -> bool:
        return any(each.name == key and each.type.many for each in self.body.app.queries[read.name].parameters)

    def _why_not_free(self, read: Read) -> str:
        if not is_steady(read, self.body.app):
            return f"{read.words} gives other rows each time"
        if reason := why_not_free(self.body, read, ignoring=frozenset(read.arguments)):
            return reason
        written = writes(self.body, *self.loop.inside) & self.body.entities(read)
        return f"the loop writes {' and '.join(sorted(written))}" if written else ""

    # what changes

    def _act(self, groups: list[_Group]) -> None:
        before = text_of(self.loop.anchor)
        rows = self._rows_name(groups)
        for group in groups:
            if group.first.form == "query":
                self._batch(group, rows)
            else:
                self._get_many(group, rows)
        if self.batched:
            self._zip(rows)
        after = self._after()
        self.findings += [self._finding(group, before, after) for group in groups]

    def _rows_name(self, groups: list[_Group]) -> ast.expr:
        """Return an expression for the rows that may be evaluated again: a name."""
        rows, loop = self.loop.rows, self.loop
        conditions = self._conditions()
        if isinstance(rows, ast.Name) and not conditions:
            return name(rows.id)
        read = self.body.reads.get(rows)
        held = self.change.fresh(f"{snake_case(read.name)}_rows" if read else "rows")
        value = moved(rows)
        if conditions and loop.generator is not None:
            row = ast.Name(id=loop.row, ctx=ast.Store())
            chosen = ast.comprehension(target=row, iter=value, ifs=conditions, is_async=0)
            value = ast.ListComp(elt=name(loop.row), generators=[chosen])
            self.change.replace_conditions(loop.generator, [])
        self.change.insert_before(loop.anchor, assignment(held, value))
        if not any(group.first.form == "query" for group in groups):
            self.change.replace(rows, name(held))
        return name(held)

    def _conditions(self) -> list[ast.expr]:
        """Return the conditions of a comprehension that choose the rows before anything is read for them."""
        found = self.loop.generator.ifs if self.loop.generator else []
        return found if all(is_quiet(self.body, test) for test in found) else []

    def _each(self, value: ast.expr, rows: ast.expr) -> ast.expr:
        """Return the list of an expression's values for all rows."""
        if isinstance(value, ast.Name) and value.id == self.loop.row:
            return rows
        target = ast.Name(id=self.loop.row, ctx=ast.Store())
        return ast.ListComp(elt=value, generators=[ast.comprehension(target=target, iter=rows, ifs=[], is_async=0)])

    def _key(self, value: ast.expr) -> ast.expr:
        type_ = self.body.type_of(value)
        if type_ is not None and type_.kind == "entity" and type_.loaded:
            return attribute(value, self.body.keys(type_.name)[0])
        return value

    def _batch(self, group: _Group, rows: ast.expr) -> None:
        read = group.first
        arguments = {
            key: self._each(self._key(value), rows) if self.loop.row in loaded(value) else value
            for key, value in read.arguments.items()
        }
        held = self.change.fresh(f"{read.name}_by_{self.loop.row}")
        one = self.change.fresh(f"{read.name}_found")
        value = call(attribute(name(read.name), "batch"), **arguments)
        self.change.insert_before(self.loop.anchor, assignment(held, value))
        self.batched.append((held, one))
        for each in group.reads:
            self.change.replace(each.node, name(one))

    def _get_many(self, group: _Group, rows: ast.expr) -> None:
        read = group.first
        held = self.change.fresh(f"{snake_case(read.name)}_by_key")
        keys = self._each(read.arguments["key"], rows)
        value = call(attribute(name(read.name), "get_many"), keys)
        self.change.insert_before(self.loop.anchor, assignment(held, value))
        for each in group.reads:
            key = each.arguments["key"]
            found: ast.expr = item(name(held), key)
            if isinstance(each.node, ast.Attribute) and each.form == "follow":
                found = self._guarded(each, key, attribute(found, each.node.attr))
            self.change.replace(each.node, found)

    def _guarded(self, read: Read, key: ast.expr, found: ast.expr) -> ast.expr:
        """What a reference without a value leads to is None."""
        type_ = self.body.type_of(read.arguments["key"])
        if type_ is None or not type_.optional:
            return found
        empty = ast.Compare(left=key, ops=[ast.Is()], comparators=[ast.Constant(value=None)])
        return ast.IfExp(test=empty, body=ast.Constant(value=None), orelse=found)

    def _zip(self, rows: ast.expr) -> None:
        names = (self.loop.row, *(one for _, one in self.batched))
        target = ast.Tuple(elts=[ast.Name(id=text, ctx=ast.Store()) for text in names], ctx=ast.Store())
        self.change.replace(self.loop.target, target)
        parts = call(name("zip"), rows, *(name(held) for held, _ in self.batched))
        self.change.replace(self.loop.rows, parts)

    def _after(self) -> str:
        """Return the loop's statement as it is now, with what was put before it."""
        return text_of(*self.change.around(self.loop.anchor))

    def _finding(self, group: _Group, before: str, after: str) -> Finding:
        read = group.first
        what = read.words if read.form == "query" else f"{read.name} of each {self.loop.row}"
        return Finding(
            rule="batch_reads_in_loops",
            element=self.body.element.id,
            place=origin_place(self.body.element, read.node),
            what=f"{what} is read once for all turns of the loop",
            why=f"the loop writes nothing that it depends on, and it needs nothing but {self.loop.row}",
            before=before,
            after=after,
            saved="N-1 round trips for N rows",
        )

    def _keep(self, read: Read, why: str) -> None:
        self.findings.append(
            Finding(
                rule="batch_reads_in_loops",
                element=self.body.element.id,
                place=origin_place(self.body.element, read.node),
                what=f"{read.words} is read in each turn of a loop",
                why=why,
                acted=False,
            )
        )
