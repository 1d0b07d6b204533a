r"""Which statements can't fail at run time: a strict list of what is known never to, and everything else may.

| may stand in such a statement | because |
|---|---|
| FROM, JOIN, WHERE, GROUP, HAVING, ORDER, DISTINCT, UNION, WITH (not RECURSIVE), windows | they move rows |
| columns, literals, parameters, NULL, TRUE, FALSE | values that are there |
| comparisons, BETWEEN, IN, IS, AND, OR, NOT, EXISTS, CASE, COALESCE, NULLIF, GREATEST, LEAST | they choose |
| LIKE with a literal pattern that does not end with `\\` | PostgreSQL refuses a pattern that ends with its escape |
| + and - of columns, literals and parameters with a Decimal among them | an Integer may leave its 64 bits |
| COUNT, MIN, MAX, AVG, bool aggregates; ROW_NUMBER, RANK, LAG and the like | not SUM: it may leave Integer |
| LOWER, UPPER, TRIM, LENGTH, CONCAT, `||`, ROUND, FLOOR, CEIL, EXTRACT, the clock | total on their types |
| casts to text; of NULL; of a column or a parameter to the type that it has; of a literal that can be read | no other |
| a scalar subquery of one aggregate, or with LIMIT 1 | another may give two rows |
| LIMIT and OFFSET with a literal | a negative one is refused |

Not in the list, as examples: `/` and `%` (zero), `*` and `**` (overflow), CAST(text AS Integer), SUBSTRING (a negative
length), SQRT, LN, TO_DATE, date arithmetic (the calendar ends), a function that is not known.
Source: PostgreSQL 18 manual, chapter 9, and the errors of each function.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from lowcode_kernel.analysis import analyze
from lowcode_kernel.columns import columns_of
from lowcode_kernel.keys import column_type
from lowcode_kernel.memo import remembered
from lowcode_kernel.sql import exp
from lowcode_kernel.sql import parsed as read_select
from lowcode_kernel.types import NUMERIC, Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query

_WORDS = (
    "Select From Join Where Group Order Ordered Having CTE Subquery Union Except Intersect Table TableAlias"
    " Alias Identifier Column Star Distinct Window WindowSpec Paren Tuple Literal Null Boolean Placeholder Exists Var"
    " In Between EQ NEQ LT LTE GT GTE And Or Not Is NullSafeEQ NullSafeNEQ Case If Coalesce Nullif Greatest Least"
    " Count Min Max Avg LogicalOr LogicalAnd Filter RowNumber Rank DenseRank FirstValue LastValue PercentRank CumeDist"
    " Lower Upper Trim Length Concat DPipe Extract CurrentDate CurrentTimestamp"
)
_MAY_FAIL = re.compile(r"[-+*/%^(|]|::")  # what computes has one of these
_TEXTS = frozenset({"TEXT", "VARCHAR"})
_CAST_NAMES = {
    "bigint": frozenset({"BIGINT"}),
    "numeric": frozenset({"DECIMAL"}),
    "boolean": frozenset({"BOOLEAN"}),
    "date": frozenset({"DATE"}),
    "timestamptz": frozenset({"TIMESTAMPTZ"}),
    "uuid": frozenset({"UUID"}),
    "time": frozenset({"TIME"}),
    "jsonb": frozenset({"JSONB"}),
}


@cache
def _plain() -> tuple[type[Any], ...]:
    return tuple(getattr(exp, name) for name in _WORDS.split())


@cache
def _special() -> dict[type[Any], Callable[[_Totality, Any], bool]]:
    """What is total under a condition."""
    return {
        exp.With: lambda _, node: not node.args.get("recursive"),
        exp.Like: lambda _, node: _is_pattern(node.expression),
        exp.ILike: lambda _, node: _is_pattern(node.expression),
        exp.Add: _Totality.numeric,
        exp.Sub: _Totality.numeric,
        exp.Neg: _Totality.numeric,
        exp.Abs: _Totality.numeric,
        exp.Round: lambda _, node: node.args.get("decimals") is None or _is_number(node.args["decimals"]),
        exp.Floor: lambda _, node: node.args.get("decimals") is None,
        exp.Ceil: lambda _, node: node.args.get("decimals") is None,
        exp.Lag: lambda _, node: node.args.get("offset") is None or _is_number(node.args["offset"]),
        exp.Lead: lambda _, node: node.args.get("offset") is None or _is_number(node.args["offset"]),
        exp.Limit: lambda _, node: _is_number(node.expression),
        exp.Offset: lambda _, node: _is_number(node.expression),
        exp.TimestampTrunc: lambda _, node: node.args.get("zone") is None,
        exp.Cast: _Totality.cast,
    }


def parsed(query: Query, app: Application) -> exp.Query | None:
    """Return the tree of a query's text, the same each time: copy it to change it. None where it has errors."""
    if any(problem.severity == "error" for problem in analyze(app).queries[query.name].problems):
        return None
    return read_select(query.sql, query.sql_place)


def is_total(query: Query, app: Application) -> bool:
    """Say whether the query's statement can't fail at run time, whatever is stored and whatever its parameters are, as
    long as they can be sent at all.
    """
    return remembered("total", query, app, lambda: not any(_Totality(query, app).faults()))


def fails_by_row(query: Query, app: Application) -> bool:
    """Say whether the statement may fail at single rows: then it matters at which rows it looks. A sum that grows too
    large does so whichever way its rows are found.
    """
    if not _MAY_FAIL.search(query.sql):
        return False

    def found() -> bool:
        return any(not isinstance(fault, exp.Sum) for fault in _Totality(query, app).faults())

    return remembered("fails by row", query, app, found)


def is_total_expression(node: exp.Expr, query: Query, app: Application) -> bool:
    """Say whether one expression of the query's statement can't fail."""
    return not any(_Totality(query, app).faults_of(node))


class _Totality:
    def __init__(self, query: Query, app: Application) -> None:
        self.query, self.app = query, app
        self.columns = [columns_of(entity, app) or {} for entity in analyze(app).queries[query.name].entities]
        self.parameters = {parameter.name: parameter.type for parameter in query.parameters}
        self.renamed: set[str] = set()

    def faults(self) -> list[exp.Expr]:
        """Return the parts of the statement that may fail."""
        tree = parsed(self.query, self.app)
        return [exp.Null()] if tree is None else self.faults_of(tree)

    def faults_of(self, tree: exp.Expr) -> list[exp.Expr]:
        top = tree.root()
        self.renamed = {
            alias.alias
            for alias in top.find_all(exp.Alias)
            if not (isinstance(alias.this, exp.Column) and alias.this.name == alias.alias)
        }
        self.renamed |= {column.name for alias in top.find_all(exp.TableAlias) for column in alias.columns}
        return [node for node in tree.walk() if not self._is_total(node)]

    def _is_total(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Subquery):
            return _is_table(node) or _gives_one_row(node.unnest())
        if type(node) in _plain() or isinstance(node, exp.DataType):
            return True
        check = _special().get(type(node))
        return check is not None and check(self, node)

    def numeric(self, node: exp.Expr) -> bool:
        """Say whether an operator works on numbers that are columns, literals and parameters, a Decimal among them, or
        moves a day.
        """
        parts = list(node.walk())
        return self._moves_day(node) or (
            all(self._is_number(part) for part in parts) and any(self._is_decimal(part) for part in parts)
        )

    def _is_decimal(self, node: exp.Expr) -> bool:
        """Say whether a number is one that PostgreSQL computes without a limit."""
        if isinstance(node, exp.Column):
            return self._is_typed(node, frozenset({"Decimal"}))
        if isinstance(node, exp.Placeholder):
            return node.name in self.parameters and self.parameters[node.name].name == "Decimal"
        return isinstance(node, exp.Literal) and "." in node.name

    def _moves_day(self, node: exp.Expr) -> bool:
        """Say whether it is a day, a few days later or earlier: PostgreSQL's calendar goes far beyond Python's."""
        if not isinstance(node, exp.Add | exp.Sub) or not _is_number(node.expression):
            return False
        if isinstance(node.this, exp.Placeholder):
            return node.this.name in self.parameters and self.parameters[node.this.name].name == "Date"
        return isinstance(node.this, exp.Column) and self._is_typed(node.this, frozenset({"Date"}))

    def _is_number(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Column):
            return self._is_typed(node, NUMERIC)
        if isinstance(node, exp.Literal):
            return not node.is_string
        if isinstance(node, exp.Placeholder):
            return self.parameters[node.name].name in NUMERIC if node.name in self.parameters else False
        return isinstance(node, exp.Add | exp.Sub | exp.Neg | exp.Abs | exp.Paren | exp.Identifier | exp.Null)

    def _is_typed(self, node: exp.Column, names: frozenset[str]) -> bool:
        """Say whether a column is an attribute of such a type, whichever of the query's entities it belongs to."""
        types = [columns[node.name] for columns in self.columns if node.name in columns]
        return bool(types) and node.name not in self.renamed and all(type_.name in names for type_ in types)

    def cast(self, node: exp.Cast) -> bool:
        """Say whether a cast can't fail."""
        inner, target = node.this, getattr(node.to.this, "name", str(node.to.this))
        if node.to.expressions:
            return False
        if target in _TEXTS or isinstance(inner, exp.Null):
            return True
        if isinstance(inner, exp.Literal):
            return _reads(inner, target)
        if isinstance(inner, exp.Placeholder):
            return inner.name in self.parameters and self._has(self.parameters[inner.name], target)
        if isinstance(inner, exp.Column) and inner.name not in self.renamed:
            types = [columns[inner.name] for columns in self.columns if inner.name in columns]
            return bool(types) and all(self._has(type_, target) for type_ in types)
        return False

    def _has(self, type_: Type, target: str) -> bool:
        own = column_type(type_, self.app)
        widened = (own, target) in {("bigint", "DECIMAL"), ("date", "TIMESTAMPTZ"), ("timestamptz", "DATE")}
        return widened or target in _CAST_NAMES.get(own, frozenset())


def _is_table(node: exp.Subquery) -> bool:
    """Say whether a subquery stands where a table stands, and not where a value does."""
    parent = node.parent
    if isinstance(parent, exp.In):
        return parent.args.get("query") is node
    return parent is None or isinstance(parent, exp.From | exp.Join | exp.SetOperation | exp.Subquery | exp.CTE)


def _gives_one_row(query: exp.Expr) -> bool:
    if not isinstance(query, exp.Select):
        return False
    limit = query.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression.name in {"0", "1"}:
        return True
    aggregates = any(has_aggregate(item, query) for item in query.selects)
    return aggregates and not query.args.get("group")


def has_aggregate(node: exp.Expr, query: exp.Expr) -> bool:
    """Say whether a part of a SELECT sums up its rows: not those of a subquery in it, nor for a window."""
    return any(
        found.find_ancestor(exp.Select) is query and not _is_windowed(found) for found in node.find_all(exp.AggFunc)
    )


def _is_windowed(node: exp.Expr) -> bool:
    inner: exp.Expr = node
    around = node.parent
    while isinstance(around, exp.Filter | exp.IgnoreNulls | exp.WithinGroup):
        inner, around = around, around.parent
    return isinstance(around, exp.Window) and around.this is inner


def _is_pattern(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and not node.name.endswith("\\")


def _is_number(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal() and len(node.name) < 7


def _reads(literal: exp.Expr, target: str) -> bool:
    """Say whether a literal can be read as a type."""
    text = literal.name
    try:
        match target:
            case "DATE":
                date.fromisoformat(text)
            case "TIMESTAMP" | "TIMESTAMPTZ":
                datetime.fromisoformat(text)
            case "INT" | "BIGINT" | "DECIMAL":
                return text.removeprefix("-").isdecimal() and len(text) < 9
            case _:
                return False
    except ValueError:
        return False
    return True
