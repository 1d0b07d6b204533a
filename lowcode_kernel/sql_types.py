"""The types of SQL expressions: what PostgreSQL will return, in the types of the language.

Where PostgreSQL computes in a type that the language doesn't have (a sum of whole numbers is numeric, a square root
floats, a date and an interval are a time without a zone), `Typed.physical` says so, and a result is cast back. Only
what is certain is told; `UNKNOWN` makes the author say it with a CAST. Source: PostgreSQL 18 manual, chapters 9
(functions) and 10 (conversion).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.sql import exp, nodes_of
from lowcode_kernel.sql_common import INTERVAL, Physical, Typed, common, unlimited
from lowcode_kernel.sql_functions import aggregates_rows, function_name, functions
from lowcode_kernel.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DECIMAL,
    INTEGER,
    JSON,
    NONE,
    NUMERIC,
    TEXT,
    TIME,
    UNKNOWN,
    UUID,
    Type,
    item_of,
    list_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.sql_functions import Function

_CASTS: dict[str, Type] = {
    "TEXT": TEXT,
    "VARCHAR": TEXT,
    "CHAR": TEXT,
    "BPCHAR": TEXT,
    "NAME": TEXT,
    "INT": INTEGER,
    "BIGINT": INTEGER,
    "SMALLINT": INTEGER,
    "DECIMAL": DECIMAL,
    "DOUBLE": DECIMAL,
    "FLOAT": DECIMAL,
    "BOOLEAN": BOOLEAN,
    "DATE": DATE,
    "TIME": TIME,
    "TIMESTAMPTZ": DATETIME,
    "TIMESTAMP": DATETIME,
    "UUID": UUID,
    "JSONB": JSON,
    "JSON": JSON,
    "INTERVAL": INTERVAL,
}
_CAST_PHYSICAL: dict[str, Physical] = {"DOUBLE": "double", "FLOAT": "double", "TIMESTAMP": "timestamp", "JSON": "json"}
_GIVEN: dict[str, tuple[Type, Physical]] = {
    "text": (TEXT, ""),
    "integer": (INTEGER, ""),
    "whole": (INTEGER, "numeric"),
    "decimal": (DECIMAL, ""),
    "float": (DECIMAL, "double"),
    "boolean": (BOOLEAN, ""),
    "date": (DATE, ""),
    "time": (TIME, ""),
    "datetime": (DATETIME, ""),
    "timestamp": (DATETIME, "timestamp"),
    "interval": (INTERVAL, ""),
    "json": (JSON, ""),
    "oldjson": (JSON, "json"),
    "uuid": (UUID, ""),
    "texts": (list_of(TEXT), ""),
}
_WHOLE_PARTS = frozenset(
    "YEAR MONTH DAY HOUR MINUTE WEEK QUARTER DOW DOY ISODOW ISOYEAR DECADE CENTURY MILLENNIUM "
    "DAYOFWEEK DAYOFYEAR WEEKISO DAYOFWEEKISO".split()
)


class Inference:
    """Infers types within one query. `column` gives the type of a column where it stands, `parameter` that of a
    `:name`, `query` that of the one column of a query inside.
    """

    def __init__(
        self, column: Callable[[exp.Column], Type], parameter: Callable[[str], Type], query: Callable[[exp.Query], Type]
    ) -> None:
        self._column, self._parameter, self._query = column, parameter, query
        self._known: dict[int, Typed] = {}

    def of(self, node: exp.Expr) -> Type:
        """Return the type of an expression."""
        return self.typed(node).type

    def typed(self, node: exp.Expr) -> Typed:
        """Return the type of an expression, and what it is computed in."""
        found = self._known.get(id(node))
        if found is None:
            found = self._known[id(node)] = self._typed(node)
        return found

    def _typed(self, node: exp.Expr) -> Typed:
        if isinstance(node, exp.Alias | exp.Paren | exp.Neg | exp.Filter | exp.Window | exp.Ordered | exp.Order):
            return self.typed(node.this)
        match node:
            case exp.Distinct(expressions=[first, *_]):
                return self.typed(first)
            case exp.Column():
                return Typed(type=self._column(node))
            case exp.Placeholder():
                return Typed(type=self._parameter(node.name))
            case exp.Literal() | exp.Null():
                return Typed(type=_told(node))
            case exp.Cast():
                return self._cast(node)
            case exp.Query():
                inner = node.unnest()
                return Typed(type=self._query(inner).maybe() if isinstance(inner, exp.Query) else UNKNOWN)
        return self._truth(node) or self._operation(node)

    def _truth(self, node: exp.Expr) -> Typed | None:
        """Return the type of what is true or false; None where a node is something else."""
        if isinstance(node, exp.Boolean | exp.Exists | exp.Is | exp.NullSafeEQ | exp.NullSafeNEQ):
            return Typed(type=BOOLEAN)
        if isinstance(node, exp.Predicate | exp.Connector | exp.Not | exp.RegexpLike | exp.RegexpILike | exp.Overlaps):
            return Typed(type=replace(BOOLEAN, optional=self._any_optional(node)))
        return None

    def _operation(self, node: exp.Expr) -> Typed:
        match node:
            case exp.Mod() | exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
                return self._binary(node)
            case exp.Interval():
                return Typed(type=INTERVAL)
            case exp.AtTimeZone():
                return self._at_time_zone(node)
            case exp.Extract():
                whole = node.this.name.upper() in _WHOLE_PARTS
                base = Typed(type=INTEGER, physical="numeric") if whole else Typed(type=DECIMAL)
                return base.maybe() if self.of(node.expression).optional else base
            case exp.Case():
                return self._case(node)
        return self._composed(node)

    def _composed(self, node: exp.Expr) -> Typed:
        match node:
            case exp.DPipe():
                return self._concatenation(node)
            case exp.Array() | exp.List():
                return self._array(node)
            case exp.Bracket():
                return Typed(type=item_of(self.of(node.this)).maybe())
            case exp.JSONExtractScalar() | exp.JSONBExtractScalar():
                return Typed(type=TEXT.maybe())
            case exp.JSONExtract() | exp.JSONBExtract():
                return Typed(type=JSON.maybe())
            case exp.WithinGroup():
                return self._within_group(node)
            case exp.Collate():
                return self.typed(node.this)
        return self._function(node)

    # functions

    def _function(self, node: exp.Expr) -> Typed:
        function = functions().by_name.get(function_name(node))
        if function is None:
            return Typed(type=UNKNOWN)
        arguments = arguments_of(node)
        found = self._result(function, arguments)
        match function.nulls:
            case "!":
                return replace(found, type=found.type.required())
            case "?":
                is_there = aggregates_rows(node) and not self._any_none(arguments)
                return replace(found, type=found.type.required()) if is_there else found.maybe()
        if function.gives == "first":
            return found
        return found.maybe() if self._any_none(arguments) else replace(found, type=found.type.required())

    def _any_none(self, arguments: list[exp.Expr]) -> bool:
        return any(self.of(argument).optional or self.of(argument).kind == "none" for argument in arguments)

    def _result(self, function: Function, arguments: list[exp.Expr]) -> Typed:
        if function.gives in _GIVEN:
            type_, physical = _GIVEN[function.gives]
            return Typed(type=type_, physical=physical)
        types = [self.typed(argument) for argument in arguments]
        if not types:
            return Typed(type=UNKNOWN)
        return self._like_first(function, arguments, types) or self._numbers(function, types[0], types)

    def _like_first(self, function: Function, arguments: list[exp.Expr], types: list[Typed]) -> Typed | None:
        """Return a result that has to do with the type of the first argument; None where it is another."""
        first = types[0]
        match function.gives:
            case "same":
                return replace(first, type=unlimited(first.type) if function.name in {"abs", "mod"} else first.type)
            case "second":
                return types[-1]
            case "first":
                return self._first_known(arguments, every=True)
            case "item":
                return Typed(type=item_of(first.type))
            case "list":
                return Typed(type=list_of(first.type.required()))
            case "series":
                return self._series(first)
        return None

    def _numbers(self, function: Function, first: Typed, types: list[Typed]) -> Typed:
        if first.type.name == "Interval":
            return Typed(type=INTERVAL)
        match function.gives:
            case "sum":
                whole = first.type.name == "Integer"
                return Typed(type=unlimited(first.type), physical="numeric" if whole else first.physical)
            case "average":
                return Typed(type=DECIMAL, physical="double" if first.physical == "double" else "")
            case "math":
                places = len(types) > 1 and function.name in {"round", "trunc", "log"}
                exact = places or any(typed.type.name == "Decimal" or typed.physical == "numeric" for typed in types)
                return Typed(type=DECIMAL, physical="" if exact and not _floats(types) else "double")
            case "moment":
                return self._moment(types)
        return Typed(type=UNKNOWN)

    def _moment(self, types: list[Typed]) -> Typed:
        """date_trunc of a date is a moment with a zone; of one without a zone it has none."""
        found = next((typed for typed in types if typed.type.name in {"Date", "DateTime", "Interval"}), None)
        if found is None:
            return Typed(type=UNKNOWN)
        return Typed(type=INTERVAL) if found.type.name == "Interval" else Typed(type=DATETIME, physical=found.physical)

    @staticmethod
    def _series(first: Typed) -> Typed:
        """A series of dates is one of moments: PostgreSQL adds intervals."""
        return Typed(type=DATETIME) if first.type.name in {"Date", "DateTime"} else replace(first, type=first.type)

    def _within_group(self, node: exp.WithinGroup) -> Typed:
        function = functions().by_name.get(function_name(node.this))
        order = node.expression
        items = order.expressions if isinstance(order, exp.Order) else []
        if function is None or not items:
            return Typed(type=UNKNOWN)
        ordered = self.typed(items[0])
        if function.gives == "percentile" and ordered.type.name != "Interval":
            return Typed(type=DECIMAL.maybe(), physical="double")
        return ordered.maybe()

    # operators

    def _cast(self, node: exp.Cast) -> Typed:
        kind = node.to.this
        name = kind.name if hasattr(kind, "name") else str(kind)
        inner = self.of(node.this)
        if name == "ARRAY" and node.to.expressions:
            item = node.to.expressions[0].this
            known = _CASTS.get(item.name if hasattr(item, "name") else str(item))
            return Typed(type=replace(list_of(known), optional=inner.optional) if known else UNKNOWN)
        known = _CASTS.get(name)
        if known is None:
            return Typed(type=UNKNOWN)
        optional = inner.optional or inner.kind == "none"
        return Typed(type=replace(known, optional=optional), physical=_CAST_PHYSICAL.get(name, ""))

    def _any_optional(self, node: exp.Expr) -> bool:
        parts = [part for part in nodes_of(node) if isinstance(part, exp.Column | exp.Placeholder)]
        return any(self.of(part).optional for part in parts)

    def _binary(self, node: exp.Binary) -> Typed:
        left, right = self._sides(node.left, node.right)
        optional = left.type.optional or right.type.optional
        found = self._computed(node, left, right)
        return found.maybe() if optional else found

    def _sides(self, left: exp.Expr, right: exp.Expr) -> tuple[Typed, Typed]:
        """Return the types of two operands; a text that is written out is read as what it is computed with."""
        one, other = self.typed(left), self.typed(right)
        if _is_text(left) and other.type.name != "Interval":
            return replace(other, type=other.type.required()), other
        if _is_text(right) and one.type.name != "Interval":
            return one, replace(one, type=one.type.required())
        return one, other

    def _computed(self, node: exp.Binary, left: Typed, right: Typed) -> Typed:
        names = {left.type.name, right.type.name}
        if names <= NUMERIC:
            return self._number(node, left, right)
        if "Interval" in names:
            return self._with_interval(node, left, right)
        if names == {"Date", "Integer"}:
            return Typed(type=DATE)
        if names == {"Date", "Time"}:
            return Typed(type=DATETIME, physical="timestamp")
        if isinstance(node, exp.Sub) and names == {"Date"}:
            return Typed(type=INTEGER)
        if isinstance(node, exp.Sub) and names <= {"Date", "DateTime", "Time"}:
            return Typed(type=INTERVAL)
        if isinstance(node, exp.Sub) and left.type.name == "Json":
            return Typed(type=JSON)
        return Typed(type=UNKNOWN)

    def _number(self, node: exp.Binary, left: Typed, right: Typed) -> Typed:
        if "double" in (left.physical, right.physical):
            return Typed(type=DECIMAL, physical="double")
        whole = left.type.name == right.type.name == "Integer"
        numeric = "numeric" in (left.physical, right.physical)
        if whole and not (numeric and isinstance(node, exp.Div)):
            return Typed(type=INTEGER, physical="numeric" if numeric else "")
        return Typed(type=DECIMAL)

    @staticmethod
    def _with_interval(node: exp.Binary, left: Typed, right: Typed) -> Typed:
        moment = left if left.type.name != "Interval" else right
        match moment.type.name:
            case "Date":
                return Typed(type=DATETIME, physical="timestamp")
            case "DateTime":
                return Typed(type=DATETIME, physical=moment.physical)
            case "Time":
                return Typed(type=TIME)
            case "Text" if isinstance(node, exp.Add | exp.Sub):
                return Typed(type=UNKNOWN)
        return Typed(type=INTERVAL)

    def _at_time_zone(self, node: exp.AtTimeZone) -> Typed:
        """A moment with a zone becomes one without, and the other way round."""
        inner = self.typed(node.this)
        without = inner.physical == "timestamp" or inner.type.name == "Date"
        found = Typed(type=DATETIME, physical="" if without and inner.physical else "timestamp")
        return found.maybe() if inner.type.optional else found

    def _concatenation(self, node: exp.Binary) -> Typed:
        types = [self.of(node.left), self.of(node.right)]
        optional = any(type_.optional or type_.kind == "none" for type_ in types)
        base = next((type_ for type_ in types if type_.many or type_.name == "Json"), TEXT)
        return Typed(type=replace(base, optional=optional))

    def _array(self, node: exp.Expr) -> Typed:
        items = node.expressions
        if len(items) == 1 and isinstance(items[0], exp.Query):
            return Typed(type=list_of(self._query(items[0]).required()))
        first = self._first_known(items, every=False).type.required()
        return Typed(type=list_of(first) if items else UNKNOWN)

    def _first_known(self, nodes: list[exp.Expr], *, every: bool) -> Typed:
        """Return the common type of alternatives; with `every` it is optional only where all are."""
        types = [self.typed(node) for node in nodes]
        known = [typed for typed in types if typed.type.kind != "none"]
        if not known:
            return Typed(type=NONE if types else UNKNOWN)
        written = [t for t, node in zip(types, nodes, strict=True) if not _is_text(node) and t.type.kind != "none"]
        found = written[0] if written else known[0]
        for other in (written or known)[1:]:
            found = common(found, other)
        check = all if every else any
        optional = check(typed.type.optional or typed.type.kind == "none" for typed in types)
        return replace(found, type=replace(found.type, optional=optional))

    def _case(self, node: exp.Case) -> Typed:
        branches = [branch.args["true"] for branch in node.args.get("ifs", [])]
        default = node.args.get("default")
        found = self._first_known([*branches, *([default] if default else [])], every=False)
        return found if default else found.maybe()


def arguments_of(node: exp.Expr) -> list[exp.Expr]:
    """Return the arguments of a call, without what the parser adds."""
    if node.key == "anonymous":
        return list(node.expressions)
    found: list[exp.Expr] = []
    for name in node.arg_types:
        value = node.args.get(name)
        values = value if isinstance(value, list) else [value]
        found.extend(item for item in values if isinstance(item, exp.Expr) and not isinstance(item, exp.Var | exp.Star))
    return found


def _told(node: exp.Expr) -> Type:
    """Return the type of a value as it is written."""
    if isinstance(node, exp.Null):
        return NONE
    return TEXT if node.is_string else INTEGER if str(node.this).isdecimal() else DECIMAL


def _floats(types: Iterable[Typed]) -> bool:
    return any(typed.physical == "double" for typed in types)


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)
