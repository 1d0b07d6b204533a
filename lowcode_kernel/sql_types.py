"""The types of SQL expressions: what PostgreSQL will return, in the types of the language.

Only what is certain is told; `UNKNOWN` makes the author say it with a CAST. Source: PostgreSQL 18 manual, chapters 9
(functions) and 10 (conversion).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.sql import exp
from lowcode_kernel.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DECIMAL,
    INTEGER,
    JSON,
    NONE,
    TEXT,
    TIME,
    UNKNOWN,
    UUID,
    Type,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_CASTS: dict[str, Type] = {
    "TEXT": TEXT,
    "VARCHAR": TEXT,
    "CHAR": TEXT,
    "INT": INTEGER,
    "BIGINT": INTEGER,
    "SMALLINT": INTEGER,
    "DECIMAL": DECIMAL,
    "BOOLEAN": BOOLEAN,
    "DATE": DATE,
    "TIME": TIME,
    "TIMESTAMPTZ": DATETIME,
    "TIMESTAMP": DATETIME,
    "UUID": UUID,
    "JSONB": JSON,
    "JSON": JSON,
}
_BOOLEAN = (exp.Predicate, exp.Connector, exp.Not, exp.Exists, exp.Between, exp.In, exp.LogicalOr, exp.LogicalAnd)
_TEXT = (
    exp.Concat,
    exp.DPipe,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Substring,
    exp.ToChar,
    exp.Replace,
    exp.Left,
    exp.Right,
    exp.GroupConcat,
    exp.Initcap,
)
_COUNTS = (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Length, exp.CountIf)
_SAME = (exp.Min, exp.Max, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_WHOLE_PARTS = frozenset(
    {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "WEEK", "QUARTER", "DOW", "DOY", "ISODOW", "ISOYEAR"}
)


class Inference:
    """Infers types within one query. `column` gives the type of a column where it stands, `parameter` that of a
    `:name`.
    """

    def __init__(
        self, column: Callable[[exp.Column], Type], parameter: Callable[[str], Type], query: Callable[[exp.Query], Type]
    ) -> None:
        self._column, self._parameter, self._query = column, parameter, query

    def of(self, node: exp.Expr) -> Type:
        """Return the type of an expression."""
        match node:
            case exp.Alias() | exp.Paren() | exp.Neg() | exp.Abs() | exp.Filter() | exp.Window() | exp.WithinGroup():
                return self.of(node.this)
            case exp.Column():
                return self._column(node)
            case exp.Placeholder():
                return self._parameter(node.name)
            case exp.Literal():
                return TEXT if node.is_string else INTEGER if node.this.isdecimal() else DECIMAL
            case exp.Null():
                return NONE
            case exp.Cast():
                return self._cast(node)
            case exp.Subquery():
                inner = node.unnest()
                return self._query(inner).maybe() if isinstance(inner, exp.Query) else UNKNOWN
        return self._function(node)

    def _function(self, node: exp.Expr) -> Type:
        if isinstance(node, (exp.Boolean, exp.Exists, exp.Is)):
            return BOOLEAN
        if isinstance(node, _BOOLEAN):
            return replace(BOOLEAN, optional=self._any_optional(node))
        if isinstance(node, _COUNTS):
            return INTEGER
        if isinstance(node, _TEXT):
            return replace(TEXT, optional=self._any_optional(node))
        if isinstance(node, _SAME):
            return self.of(node.this).maybe()
        return self._arithmetic(node)

    def _arithmetic(self, node: exp.Expr) -> Type:
        match node:
            case exp.Sum():
                return replace(self.of(node.this), optional=True, length=None)
            case exp.Avg():
                return replace(DECIMAL, optional=True)
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod():
                return self._binary(node)
            case exp.Round() | exp.Floor() | exp.Ceil():
                return replace(DECIMAL, optional=self.of(node.this).optional)
            case exp.Coalesce() | exp.Greatest() | exp.Least():
                return self._first_known([node.this, *node.expressions], every=True)
            case exp.If() | exp.Nullif():
                return self.of(node.args["true"] if isinstance(node, exp.If) else node.this).maybe()
            case exp.Case():
                return self._case(node)
        return self._temporal(node)

    def _temporal(self, node: exp.Expr) -> Type:
        match node:
            case exp.Extract():
                base = INTEGER if node.this.name.upper() in _WHOLE_PARTS else DECIMAL
                return replace(base, optional=self.of(node.expression).optional)
            case exp.TimestampTrunc() | exp.DateTrunc():
                return replace(DATETIME, optional=self.of(node.this).optional)
            case exp.CurrentTimestamp():
                return DATETIME
            case exp.CurrentDate():
                return DATE
        return UNKNOWN

    def _cast(self, node: exp.Cast) -> Type:
        known = _CASTS.get(node.to.this.name if hasattr(node.to.this, "name") else str(node.to.this), UNKNOWN)
        return replace(known, optional=self.of(node.this).optional) if known is not UNKNOWN else UNKNOWN

    def _any_optional(self, node: exp.Expr) -> bool:
        return any(self.of(column).optional for column in node.find_all(exp.Column, exp.Placeholder))

    def _binary(self, node: exp.Binary) -> Type:
        left, right = self.of(node.left), self.of(node.right)
        optional = left.optional or right.optional or isinstance(node, exp.Div)
        names = {left.name, right.name}
        if names <= {"Integer", "Decimal"}:
            return Type(
                name="Decimal" if "Decimal" in names else "Integer",
                optional=(optional and not isinstance(node, exp.Div)) or left.optional,
            )
        for temporal in ("DateTime", "Date"):
            if temporal in names:
                difference = isinstance(node, exp.Sub) and left.name == right.name
                return (
                    (UNKNOWN if temporal == "DateTime" else INTEGER)
                    if difference
                    else Type(name=temporal, optional=optional)
                )
        return UNKNOWN

    def _first_known(self, nodes: list[exp.Expr], *, every: bool) -> Type:
        types = [self.of(node) for node in nodes]
        known = next((type_ for type_ in types if type_.kind not in {"unknown", "none"}), UNKNOWN)
        check = all if every else any
        return replace(known, optional=check(type_.optional or type_.kind == "none" for type_ in types))

    def _case(self, node: exp.Case) -> Type:
        branches = [branch.args["true"] for branch in node.args.get("ifs", [])]
        default = node.args.get("default")
        found = self._first_known([*branches, *([default] if default else [])], every=False)
        return found if default else found.maybe()
