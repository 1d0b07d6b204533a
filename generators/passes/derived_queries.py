"""Queries made of queries: the rows of one with a further condition in its WHERE, exactly as Python would filter them.

    departures(origin)               ->   departures_where_status(origin, status)
    SELECT ... WHERE f.origin = ...       SELECT ... WHERE f.origin = ... AND f.status = :status

Python's None equals None, and SQL's NULL equals nothing: what may be None is compared by IS NOT DISTINCT FROM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.effects import is_total
from lowcode_kernel.elements import Parameter, Query
from lowcode_kernel.generators.passes.reading import bodies
from lowcode_kernel.generators.passes.row_order import is_fully_ordered
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.sql import exp, parse_select, unparse
from lowcode_kernel.types import TEXT, TEXTUAL, Type

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

    from lowcode_kernel.application import Application

_COMPARISONS = {"==": "EQ", "!=": "NEQ", "<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE"}
EQUALITIES = frozenset({"==", "!=", "null", "not null", "true", "false", "in", "not in"})
_CLAUSES = {
    "limit": "LIMIT takes its rows before the filter",
    "offset": "OFFSET takes its rows before the filter",
    "fetch": "FETCH takes its rows before the filter",
    "distinct": "DISTINCT takes its rows before the filter",
    "group": "GROUP BY makes its rows after WHERE",
    "having": "HAVING makes its rows after WHERE",
    "locks": "it locks its rows",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a row's column. `operator` is Python's, or null, not null, true, false, in, not in.

    `value` is the expression that is compared, None for the operators that need none; `optional` says whether it may
    be None; `constants` are the values of a literal or of `in`.
    """

    column: str
    operator: str
    value: ast.expr | None = None
    optional: bool = False
    constants: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A query with conditions added, and the values of its further parameters."""

    query: Query
    arguments: dict[str, ast.expr]


class Deriving:
    """Makes queries of an application's queries; equal ones are made once. `made` has the new ones by name."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.made: dict[str, Query] = {}
        self._names = {element.name for element in app.elements}
        self._words: set[str] | None = None
        self._trees: dict[str, exp.Query] = {}

    def tree(self, query: Query) -> exp.Query:
        """Return the tree of a query's text; it is not to be changed."""
        if query.name not in self._trees:
            self._trees[query.name] = parse_select(query.sql, query.sql_place)
        return self._trees[query.name]

    def why_not(self, query: Query, conditions: Sequence[Condition]) -> str:
        """Return why conditions over a query's rows can't be part of its WHERE, or ""."""
        tree = self.tree(query)
        if not isinstance(tree, exp.Select):
            return f"its rows are those of a {tree.key.upper()}"
        for clause, reason in _CLAUSES.items():
            if tree.args.get(clause):
                return reason
        if any(item.find(exp.AggFunc, exp.Window) for item in tree.selects):
            return "its rows are computed from several rows"
        if not is_total(query, self.app):
            return "its statement may fail at a row that the filter would drop"
        for condition in conditions:
            if _plain_column(tree, condition.column) is None:
                return f"{condition.column} is computed by the statement"
        return _why_order_changes(tree, conditions)

    def why_others_first(self, query: Query) -> str:
        """Return why rows that are equal in the order of a query could change places, or ""."""
        if self.tree(query).args.get("order") is None or is_fully_ordered(query, self.app):
            return ""
        return f"the order of {query.name} is not complete: rows that are equal in it may change places"

    def derive(self, query: Query, conditions: Sequence[Condition]) -> Derived:
        """Return the query with the conditions in its WHERE: the same order, and the same columns."""
        tree = self.tree(query).copy()
        types = analyze(self.app).queries[query.name].row
        parameters, arguments = list(query.parameters), {}
        for condition in conditions:
            column, type_ = _plain_column(tree, condition.column), types[condition.column]
            value: exp.Expr | None = None
            if condition.value is not None and not condition.constants:
                name = _fresh(condition.column, {parameter.name for parameter in parameters} | {"limit", "start"})
                if not _can_be_said(name, query):
                    name = _fresh(f"{name}_value", {each.name for each in parameters})
                taken = _parameter_type(type_, optional=condition.optional)
                parameters.append(Parameter(name=name, type=taken, place=query.place))
                arguments[name] = condition.value
                value = exp.Placeholder(this=name)
            _add(tree, _sql(column, condition, type_, value))
        found = replace(query, parameters=tuple(parameters), sql=unparse(tree))
        columns = "_and_".join(dict.fromkeys(condition.column for condition in conditions))
        return Derived(query=self._named(found, f"{query.name}_where_{columns}"), arguments=arguments)

    def _said(self) -> set[str]:
        """Return all words of the application's bodies: a name of theirs would hide a query's."""
        if self._words is None:
            texts = [body.element.body for body in bodies(self.app)]
            self._words = {word for text in texts for word in re.findall(r"\w+", text)}
        return self._words

    def _named(self, query: Query, wanted: str) -> Query:
        """Return the query under a name that is free, or the equal one that has the name already."""
        name, number = wanted, 2
        while name in self._names or name in self._said():
            known = self.made.get(name) or self.app.queries.get(name)
            if known is not None and (known.sql, known.parameters) == (query.sql, query.parameters):
                return known
            name, number = f"{wanted}_{number}", number + 1
        found = replace(query, name=name)
        self._names.add(name)
        self.made[name] = found
        return found


def _can_be_said(name: str, query: Query) -> bool:
    """Say whether a parameter can have a name: some words of SQL can't stand behind a colon."""
    try:
        parse_select(f"SELECT 1 WHERE 1 = :{name}", query.sql_place)
    except LowcodeError:
        return False
    return True


def _add(tree: exp.Query, condition: exp.Expr) -> None:
    where = tree.args.get("where")
    if where is None:
        tree.set("where", exp.Where(this=condition))
        return
    before = exp.Paren(this=where.this) if isinstance(where.this, exp.Or) else where.this
    where.set("this", exp.And(this=before, expression=condition))


def _why_order_changes(tree: exp.Select, conditions: Sequence[Condition]) -> str:
    if tree.args.get("order"):
        return ""
    if tree.args.get("joins") or not isinstance(tree.args["from_"].this, exp.Table):
        return "it joins without ORDER BY: another plan could give the rows in another order"
    if any(condition.operator not in EQUALITIES for condition in conditions):
        return "it has no ORDER BY: an index over a range gives the rows in another order"
    return ""


def _plain_column(tree: exp.Query, name: str) -> exp.Column | None:
    for selection in tree.selects:
        if selection.alias_or_name == name:
            inner = selection.this if isinstance(selection, exp.Alias) else selection
            return inner if isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star) else None
    return None


def _fresh(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _parameter_type(type_: Type, *, optional: bool) -> Type:
    """A parameter takes whatever the column can be compared with."""
    bare = TEXT if type_.name in TEXTUAL else Type(name=type_.name, kind=type_.kind)
    return replace(bare, optional=optional)


def _sql(column: exp.Column | None, condition: Condition, type_: Type, value: exp.Expr | None) -> exp.Expr:
    left = column.copy() if column is not None else exp.Null()
    match condition.operator:
        case "null":
            return left.is_(exp.Null())
        case "not null":
            return exp.Not(this=left.is_(exp.Null()))
        case "true" | "false" as word:
            wanted = exp.Boolean(this=word == "true")
            if type_.optional:
                is_true = left.is_(exp.Boolean(this=True))
                return is_true if word == "true" else exp.Not(this=is_true)
            return exp.EQ(this=left, expression=wanted)
        case "in" | "not in" as word:
            found = exp.In(this=left, expressions=[_literal(constant) for constant in condition.constants])
            return found if word == "in" else exp.Not(this=found)
    right = value if value is not None else _literal(condition.constants[0])
    return _comparison(left, condition, type_, right)


def _comparison(left: exp.Expr, condition: Condition, type_: Type, right: exp.Expr) -> exp.Expr:
    if condition.operator == "==" and condition.optional and type_.optional:
        return exp.NullSafeEQ(this=left, expression=right)
    if condition.operator == "!=" and (condition.optional or type_.optional):
        return exp.NullSafeNEQ(this=left, expression=right)
    compare: type[exp.Binary] = getattr(exp, _COMPARISONS[condition.operator])
    return compare(this=left, expression=right)


def _literal(value: object) -> exp.Expr:
    match value:
        case bool():
            return exp.Boolean(this=value)
        case int() | float():
            number = exp.Literal.number(repr(abs(value)))
            return exp.Neg(this=number) if value < 0 else number
    return exp.Literal.string(str(value))
