"""A filter that Python applies to the rows of a read is applied by the database.

    [o for o in orders(day=day) if o.status == "open"]      ->      orders_where_status(day=day)
    for o in Order.list():                                  ->      for o in Order.list(customer=customer):
        if o.customer == customer: ...                                  ...

Only where both mean exactly the same, None included, and where nothing else sees the rows that the filter skips.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.columns import columns_of
from lowcode_kernel.findings import Finding
from lowcode_kernel.flow import flow
from lowcode_kernel.generators.passes.changed_values import changes, is_lasting
from lowcode_kernel.generators.passes.derived_queries import Condition, Deriving
from lowcode_kernel.generators.passes.filter_conditions import (
    conjunction,
    conjuncts,
    constants_of,
    given_value,
    membership,
)
from lowcode_kernel.generators.passes.reading import is_sound, loaded, small_bodies, stored, walk
from lowcode_kernel.generators.passes.rewriting import Rewriting, origin_place, text_of
from lowcode_kernel.generators.passes.safety import fits, is_quiet, is_steady
from lowcode_kernel.keys import key_of
from lowcode_kernel.types import TEXTUAL, Type

if TYPE_CHECKING:
    from lowcode_kernel.elements import Element
    from lowcode_kernel.generators.passes.reading import Body, Comprehension, Read

_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERED = frozenset({"Integer", "Decimal", "Date", "DateTime"})
_OPTIONS = frozenset({"limit", "order_by", "only"})
_UNTYPED = "the rows of a narrower query are of another type, which what uses them does not take"
_FOLDS = frozenset({"len", "any", "all", "sum", "set"})
_COMPARED = _ORDERED | TEXTUAL - {"File"} | {"Boolean", "Uuid"}


def push_filters(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Put comparisons of rows with values that don't change into the statement that reads the rows."""
    after, findings, refused = _pushed(app, frozenset())
    if not refused:
        return after, findings
    after, findings, _ = _pushed(app, refused)
    return after, findings


def _pushed(app: Application, without: frozenset[str]) -> tuple[Application, tuple[Finding, ...], frozenset[str]]:
    """Push the filters of all bodies but some; return too which bodies could not be read any more."""
    deriving = Deriving(app)
    changed: dict[str, Element] = {}
    findings: list[Finding] = []
    for body in small_bodies(app):
        if not body.has_loops or "if " not in body.element.body:
            continue
        pushing = _Pushing(body, Deriving(app) if body.element.id in without else deriving)
        pushing.run()
        if body.element.id in without:
            findings += [
                replace(found, acted=False, why=_UNTYPED) if found.acted else found for found in pushing.findings
            ]
            continue
        findings += pushing.findings
        if pushing.change.changed:
            changed[body.element.id] = pushing.change.element()
    if not changed:
        return app, tuple(findings), frozenset()
    elements = [changed.get(element.id, element) for element in app.elements]
    after = Application.of(app.name, app.title, [*elements, *deriving.made.values()])
    found = analyze(after).bodies
    return after, tuple(findings), frozenset(element for element in changed if not is_sound(found[element]))


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """A filter over a read's rows: the name of the row, and the conditions in the order in which Python tries them."""

    read: Read
    row: str
    conditions: list[ast.expr]
    where: ast.For | Comprehension
    generator: ast.comprehension | None = None


class _Pushing:
    """Pushes the filters of one body."""

    def __init__(self, body: Body, deriving: Deriving) -> None:
        self.body, self.app, self.deriving = body, body.app, deriving
        self.change = Rewriting(body.element, body.analysis.tree, body.app)
        self.findings: list[Finding] = []

    def run(self) -> None:
        """Look at every loop and comprehension."""
        for node in walk(*self.body.analysis.tree.body):
            for found in self._filters(node):
                self._push(found)

    def _filters(self, node: ast.AST) -> list[_Filter]:
        match node:
            case ast.For(target=ast.Name(id=row), iter=iterable, body=[ast.If(test=test, orelse=[])], orelse=[]):
                read = self._rows(iterable)
                return [_Filter(read, row, conjuncts(test), node)] if read and not self._seen_later(row, node) else []
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                found = []
                for each in node.generators:
                    read = self._rows(each.iter)
                    if read and each.ifs and isinstance(each.target, ast.Name):
                        conditions = [part for test in each.ifs for part in conjuncts(test)]
                        found.append(_Filter(read, each.target.id, conditions, node, each))
                return found
        return []

    def _rows(self, node: ast.expr) -> Read | None:
        read = self.body.reads.get(node)
        if read is None or read.method not in {None, "list"} or "limit" in read.arguments:
            return None
        return read

    def _seen_later(self, row: str, loop: ast.For) -> bool:
        """A loop's name keeps the last row: behind the loop that would be another one."""
        binding = [
            part
            for node in walk(*self.body.analysis.tree.body)
            if isinstance(node, ast.For | ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp)
            and (node is loop or row in _bound(node))
            for part in _within(node)
        ]
        inside = {id(part) for node in binding for part in ast.walk(node)}
        return any(
            isinstance(node, ast.Name) and node.id == row and id(node) not in inside
            for node in ast.walk(self.body.analysis.tree)
        )

    def _push(self, found: _Filter) -> None:
        conditions: list[Condition] = []
        left: list[ast.expr] = []
        reason = ""
        for test in found.conditions:
            pushed = self._condition(found, test)
            if isinstance(pushed, Condition):
                conditions.append(pushed)
                continue
            reason = reason or pushed
            left.append(test)
            if not is_quiet(self.body, test):
                left += found.conditions[found.conditions.index(test) + 1 :]
                break
        reason = self._why_not(found, conditions) if conditions else reason
        if reason and (not conditions or reason):
            self._kept(found, reason)
            return
        if conditions:
            self._act(found, conditions, left)

    def _why_not(self, found: _Filter, conditions: list[Condition]) -> str:
        if not is_steady(found.read, self.app):
            return "its rows are others each time"
        if found.read.form == "query":
            query = self.app.queries[found.read.name]
            reason = self._why_whole(found.read) or self.deriving.why_not(query, conditions)
            return reason or ("" if self._is_folded(found) else self.deriving.why_others_first(query))
        for condition in conditions:
            if condition.operator not in {"==", "null", "true", "false"}:
                return "Entity.list takes equal values alone; a query takes any condition"
            if condition.operator == "false" and condition.optional:
                return f"{condition.column} may be None, which is false in Python and no equal value of Entity.list"
            if condition.column in found.read.arguments or condition.column in _OPTIONS:
                return f"{condition.column} is given already, or says something else"
        names = [condition.column for condition in conditions]
        return "one attribute is compared twice" if len(set(names)) < len(names) else ""

    def _is_folded(self, found: _Filter) -> bool:
        """Say whether all that is asked is the same in any order of the rows: `len([... for row in rows if ...])`."""
        if not isinstance(found.where, ast.ListComp | ast.GeneratorExp) or not is_quiet(self.body, found.where.elt):
            return False
        calls = self.body.analysis.calls.values()
        return any(
            call.kind == "builtin" and call.name in _FOLDS and call.node.args[:1] == [found.where] for call in calls
        )

    def _why_whole(self, read: Read) -> str:
        """A row of the narrower query is of a class of its own: it equals no row of the other, and its text is another;
        in JSON, it is the same.
        """
        returns = getattr(self.body.element, "returns", None)
        if returns is not None and returns.kind == "query":
            return f"{self.body.element.name} promises rows of {read.name}"
        for use in flow(self.app).by_node[self.body.element.id, read.node].uses:
            if use.kind == "compare":
                return "rows of queries are compared whole"
            if use.kind == "escape" and not use.detail.startswith("returned"):
                return f"whole rows are used ({use.detail}), and those of another query are others"
        return ""

    # conditions

    def _columns(self, read: Read) -> dict[str, Type]:
        if read.form == "query":
            return analyze(self.app).queries[read.name].row
        return columns_of(read.name, self.app) or {}

    def _condition(self, found: _Filter, test: ast.expr) -> Condition | str:
        """Return a test as a condition of the statement, or why it can't be one ("" where it is no comparison)."""
        columns = self._columns(found.read)
        match test:
            case ast.Attribute(value=ast.Name(id=name), attr=column) if name == found.row and column in columns:
                return self._flag(columns[column], column, wanted=True)
            case ast.UnaryOp(op=ast.Not(), operand=ast.Attribute(value=ast.Name(id=name), attr=column)) if (
                name == found.row and column in columns
            ):
                return self._flag(columns[column], column, wanted=False)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compare(found, columns, left, op, right)
        return f"`{ast.unparse(test)}` is more than a comparison" if found.row in loaded(test) else ""

    def _flag(self, type_: Type, column: str, *, wanted: bool) -> Condition | str:
        if type_.name != "Boolean" or type_.many:
            return f"Python's truth of {column} is not SQL's"
        return Condition(column=column, operator="true" if wanted else "false", optional=type_.optional)

    def _compare(
        self, found: _Filter, columns: dict[str, Type], left: ast.expr, op: ast.cmpop, right: ast.expr
    ) -> Condition | str:
        column, value, operator = _column_of(left, found.row), right, _OPERATORS.get(type(op), "")
        if column is None and (column := _column_of(right, found.row)) is not None:
            value, operator = left, _MIRRORED.get(operator, "")
        if column not in columns or column is None:
            return f"`{ast.unparse(left)}` is no column of the row" if found.row in loaded(left, right) else ""
        if isinstance(op, ast.Is | ast.IsNot) and isinstance(value, ast.Constant) and value.value is None:
            return Condition(column=column, operator="null" if isinstance(op, ast.Is) else "not null")
        if operator in {"in", "not in"}:
            return membership(column, columns[column], operator, value)
        if not operator:
            return "" if column is None else f"`{ast.unparse(op)}` is no comparison of SQL"
        return self._with_value(found, Condition(column=column, operator=operator, value=value), columns[column])

    def _with_value(self, found: _Filter, condition: Condition, type_: Type) -> Condition | str:
        value = cast("ast.expr", condition.value)
        if isinstance(value, ast.Constant) and value.value is None and condition.operator in {"==", "!="}:
            return Condition(column=condition.column, operator="null" if condition.operator == "==" else "not null")
        given = self.body.type_of(value)
        if given is None or not self._alike(type_, given):
            return f"`{ast.unparse(value)}` is of another type than {condition.column}"
        if condition.operator not in {"==", "!="}:
            if type_.name not in _ORDERED or type_.kind != "scalar":
                return f"the database may order {condition.column} in another way than Python"
            if type_.optional or given.optional:
                return f"Python can't order None, and {condition.column} or its bound may be None"
        if reason := self._why_unsteady(found, value):
            return reason
        constants = constants_of(value, given)
        return Condition(
            column=condition.column,
            operator=condition.operator,
            value=value,
            optional=given.optional,
            constants=constants,
        )

    def _alike(self, column: Type, value: Type) -> bool:
        if column.many or value.many or value.keyed:
            return False
        if column.kind == "entity":
            same = value.kind == "entity" and value.name == column.name
            return same or (value.kind == "scalar" and value.name == key_of(column.name, self.app).name)
        if column.kind != "scalar" or value.kind != "scalar" or column.name not in _COMPARED:
            return False
        both_text = column.name in TEXTUAL and value.name in TEXTUAL
        return both_text or column.name == value.name or (column.name, value.name) == ("Decimal", "Integer")

    def _why_unsteady(self, found: _Filter, value: ast.expr) -> str:
        names = loaded(value)
        given = stored(*found.where.body) if isinstance(found.where, ast.For) else set()
        if names & ({found.row} | given):
            return f"`{ast.unparse(value)}` changes from row to row"
        if not is_quiet(self.body, value):
            return f"`{ast.unparse(value)}` may fail, or does more than compute"
        if not is_lasting(self.body, [value]) and changes(self.body, found.where):
            return f"`{ast.unparse(value)}` may change from row to row"
        if not fits(self.body, value):
            return f"`{ast.unparse(value)}` may hold what the database refuses and Python compares"
        return ""

    # what changes

    def _act(self, found: _Filter, conditions: list[Condition], left: list[ast.expr]) -> None:
        node = cast("ast.Call", found.read.node)
        before, after = "", ""
        if found.read.form == "query":
            query = self.app.queries[found.read.name]
            derived = self.deriving.derive(query, conditions)
            function: ast.expr = ast.Name(id=derived.query.name, ctx=ast.Load())
            arguments, before, after = derived.arguments, query.sql, derived.query.sql
        else:
            function, arguments = node.func, {c.column: given_value(c) for c in conditions}
        keywords = [*node.keywords, *(ast.keyword(arg=name, value=value) for name, value in arguments.items())]
        narrowed = ast.Call(func=function, args=node.args, keywords=keywords)
        if not before:
            before, after = ast.unparse(node), text_of(narrowed)
        self._replace(found, narrowed, left)
        names = " and ".join(dict.fromkeys(condition.column for condition in conditions))
        self.findings.append(
            Finding(
                rule="push_filters",
                element=self.body.element.id,
                place=origin_place(self.body.element, node),
                what=f"{found.read.words} is filtered by {names} in its statement",
                why="nothing looks at the rows that the filter skips",
                before=before,
                after=after,
                saved="the rows that are filtered out",
            )
        )

    def _replace(self, found: _Filter, narrowed: ast.Call, left: list[ast.expr]) -> None:
        self.change.replace(found.read.node, narrowed)
        where = found.where
        if isinstance(where, ast.For):
            guarded = cast("ast.If", where.body[0])
            if left:
                self.change.replace(guarded.test, conjunction(left))
            else:
                self.change.replace_statement(guarded, *guarded.body)
            return
        plain = isinstance(where, ast.ListComp) and isinstance(where.elt, ast.Name) and where.elt.id == found.row
        if plain and not left and len(where.generators) == 1:
            self.change.replace(where, found.read.node)
        else:
            self.change.replace_conditions(cast("ast.comprehension", found.generator), left)

    def _kept(self, found: _Filter, reason: str) -> None:
        self.findings.append(
            Finding(
                rule="push_filters",
                element=self.body.element.id,
                place=origin_place(self.body.element, found.read.node),
                what=f"rows of {found.read.words} are filtered in Python",
                why=reason,
                acted=False,
            )
        )


def _within(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a loop or comprehension in which its own name stands for the row."""
    if isinstance(node, ast.For):
        return [node.target, *node.body]
    first = node.generators[0]  # type: ignore[attr-defined]
    return [part for part in ast.iter_child_nodes(node) if part is not first] + [first.target, *first.ifs]


def _bound(node: ast.AST) -> set[str]:
    generators = getattr(node, "generators", [node])
    return stored(*(generator.target for generator in generators))


def _column_of(node: ast.expr, row: str) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=column) if name == row:
            return column
    return None
