"""What is wrong with a query whose names are resolved, and what will surprise: types that don't fit, keys of one entity
compared with those of another, NULL, division of whole numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.keys import key_names, key_of
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.query_grouping import Grouping, Groups, needs_window
from lowcode_kernel.query_shape import check_shape
from lowcode_kernel.query_variants import conjuncts
from lowcode_kernel.sql import exp, written
from lowcode_kernel.sql_functions import function_name, functions
from lowcode_kernel.sql_types import arguments_of
from lowcode_kernel.types import INTEGER, NUMERIC, TEXTUAL, Type, item_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.query_scopes import Resolver
    from lowcode_kernel.sql_functions import Function

_MOMENTS = frozenset({"Date", "DateTime"})
_OTHER_ORDER = frozenset(
    {"date_trunc", "array_prepend", "json_extract_path", "json_extract_path_text", "to_timestamp", "regexp_replace"}
)
"""Functions whose arguments the parser keeps in another order, or in another form."""
_UNORDERED = frozenset({"Boolean", "Json"})
_SHOWN = 60


def check_query(nodes: Iterable[exp.Expr], resolver: Resolver) -> tuple[dict[int, Groups], dict[int, str]]:
    """Report what is wrong with the nodes of a query.

    Return for each SELECT by which columns it groups besides those that it names, and the arguments that have to be
    cast to be what a function takes.
    """
    expressions = _Expressions(resolver)
    for node in nodes:
        expressions.check(node)
    groups: dict[int, Groups] = {}
    for scope in resolver.scopes.values():
        if isinstance(scope.node, exp.Select) and all(source.known for source in scope.sources.values()):
            groups[id(scope.node)] = Grouping(scope.node, scope, resolver).check()
    check_shape(resolver)
    return groups, expressions.casts


class _Expressions:
    """Checks one expression at a time, whatever it is part of."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver, self.report, self.typed = resolver, resolver.report, resolver.inference.typed
        self.casts: dict[int, str] = {}
        self._checks: dict[type[exp.Expr], Callable[[exp.Expr], None]] = {
            **dict.fromkeys((exp.EQ, exp.NEQ), self._equality),
            **dict.fromkeys((exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), self._comparison),
            **dict.fromkeys((exp.Like, exp.ILike), self._like),
            **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Mod), self._arithmetic),
            **dict.fromkeys((exp.Where, exp.Having, exp.Join), self._condition),
            exp.Div: self._division,
            exp.In: self._in,
            exp.Not: self._not_in,
            exp.Between: self._between,
            exp.Cast: self._cast,
        }

    def check(self, node: exp.Expr) -> None:
        """Check one node."""
        check = self._checks.get(type(node))
        if check is not None:
            check(node)
        elif isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Predicate):
            self._function(node)

    # comparisons

    def _equality(self, node: exp.Expr) -> None:
        for one, other in ((node.left, node.right), (node.right, node.left)):  # type: ignore[attr-defined]
            if isinstance(other, exp.Null):
                word = "IS NULL" if isinstance(node, exp.EQ) else "IS NOT NULL"
                self.report("LK219", f"{_shown(node)} is never true", f"write {_shown(one)} {word}", node)
                return
        self._comparison(node)

    def _comparison(self, node: exp.Expr) -> None:
        self._compare(node.left, node.right, node)  # type: ignore[attr-defined]

    def _compare(self, left: exp.Expr, right: exp.Expr, node: exp.Expr) -> None:
        if isinstance(right, exp.Any | exp.All):
            self._compare_any(left, right, node)
            return
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for one, other in zip(left.expressions, right.expressions, strict=False):
                self._compare(one, other, node)
            return
        self._compare_types(left, self.typed(left).type, right, self.typed(right).type, node)

    def _compare_any(self, left: exp.Expr, right: exp.Expr, node: exp.Expr) -> None:
        inner = right.this.unnest()
        type_ = self.typed(inner).type
        of_items = type_ if isinstance(inner, exp.Query) else item_of(type_)
        self._compare_types(left, self.typed(left).type, inner, of_items, node)

    def _compare_types(self, left: exp.Expr, one: Type, right: exp.Expr, other: Type, node: exp.Expr) -> None:
        if {"unknown", "none"} & {one.kind, other.kind}:
            return
        for literal, type_ in ((left, other), (right, one)):
            if isinstance(literal, exp.Literal) and literal.is_string:
                self._literal(literal, type_, node)
                return
        mine, theirs = self._identity(left, one), self._identity(right, other)
        if mine and theirs and not mine & theirs:
            fact = f"{_shown(node)} compares a key of {_one(mine)} with one of {_one(theirs)}"
            self.report("LK215", fact, "compare keys of one entity", node)
        elif not self._comparable(one, other):
            self.report("LK214", f"{_shown(node)} compares {_bare(one)} with {_bare(other)}", "CAST one of them", node)

    def _literal(self, literal: exp.Expr, type_: Type, node: exp.Expr) -> None:
        """A text is read as what it is compared with."""
        plain = self._plain(type_)
        text = str(literal.this)
        if plain.choices and text not in plain.choices:
            fact = f"{_shown(node)} is never true: there is no choice '{text}'"
            self.report("LK229", fact, did_you_mean(text, plain.choices), literal, "warning")
        elif plain.name in NUMERIC and not _is_number(text):
            self.report("LK214", f"{_shown(node)} compares {plain.name} with '{text}'", "write a number", node)

    def _identity(self, node: exp.Expr, type_: Type) -> frozenset[str]:
        """Return the entities whose row a value identifies: the one that it refers to, and the one whose key it is."""
        names = {type_.name} if type_.kind == "entity" else set()
        found = self.resolver.columns.get(id(node))
        source = found[0].source if found else None
        if source and key_names(source[0], self.resolver.app) == (source[1],):
            names.add(source[0])
        return frozenset(names)

    def _plain(self, type_: Type) -> Type:
        """Return the type of the values: a reference holds its target's key."""
        return key_of(type_.name, self.resolver.app) if type_.kind == "entity" and not type_.many else type_

    def _comparable(self, one: Type, other: Type) -> bool:
        left, right = self._plain(one), self._plain(other)
        if left.many != right.many:
            return False
        names = {left.name, right.name}
        return len(names) == 1 or names <= NUMERIC or names <= TEXTUAL or names <= _MOMENTS

    def _in(self, node: exp.Expr) -> None:
        for item in node.expressions:
            self._compare(node.this, item, node)
        query = node.args.get("query")
        if query is not None:
            self._compare(node.this, query, node)

    def _not_in(self, node: exp.Expr) -> None:
        inner = node.this.unnest()
        query = inner.args.get("query") if isinstance(inner, exp.In) else None
        if query is None or not isinstance(select := query.unnest(), exp.Select):
            return
        columns = self.resolver.results.get(id(select), ())
        if len(columns) == 1 and columns[0].type.optional and not _asks_not_null(select):
            fact = f"NOT IN gives no row at all where {columns[0].name or 'a value'} is NULL"
            hint = f"write NOT EXISTS, or WHERE {columns[0].name} IS NOT NULL"
            self.report("LK220", fact, hint, node, "warning")

    def _between(self, node: exp.Expr) -> None:
        for bound in (node.args["low"], node.args["high"]):
            self._compare(node.this, bound, node)

    def _like(self, node: exp.Expr) -> None:
        for side in (node.left, node.right):  # type: ignore[attr-defined]
            type_ = self._plain(self.typed(side).type)
            if type_.kind == "scalar" and type_.name not in TEXTUAL:
                self.report("LK214", f"{_shown(node)} looks for a pattern in {_bare(type_)}", "CAST it to text", node)
        pattern = node.args["expression"]
        if isinstance(pattern, exp.Literal) and not {"%", "_"} & set(str(pattern.this)):
            word = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
            hint = "write = " if word == "LIKE" else "write LOWER(...) = "
            self.report("LK223", f"{word} '{pattern.this}' has no wildcard", f"{hint}'{pattern.this}'", node, "notice")

    # computing

    def _arithmetic(self, node: exp.Expr) -> None:
        left, right = (self._plain(self.typed(side).type) for side in (node.left, node.right))  # type: ignore[attr-defined]
        if any(type_.kind in {"unknown", "none"} for type_ in (left, right)):
            return
        if any(isinstance(s, exp.Literal) and s.is_string for s in (node.left, node.right)):  # type: ignore[attr-defined]
            return
        if self.typed(node).type.kind == "unknown" and self.typed(node).type.name != "Interval":
            hint = "write ||" if isinstance(node, exp.Add) and "Text" in {left.name, right.name} else "CAST one of them"
            self.report("LK214", f"{_shown(node)} computes with {_bare(left)} and {_bare(right)}", hint, node)

    def _division(self, node: exp.Expr) -> None:
        self._arithmetic(node)
        sides = [self.typed(side) for side in (node.left, node.right)]  # type: ignore[attr-defined]
        whole = all(side.type.name == "Integer" and not side.physical for side in sides)
        around = node.parent.parent if isinstance(node.parent, exp.Paren) else node.parent
        if whole and not isinstance(around, exp.Cast):
            fact = f"{_shown(node)} divides whole numbers and drops the rest"
            hint = "write ... / 2.0, or CAST(... AS bigint) where that is meant"
            self.report("LK218", fact, hint, node, "warning")

    def _condition(self, node: exp.Expr) -> None:
        condition = node.args.get("on") if isinstance(node, exp.Join) else node.this
        for part in conjuncts(condition) if condition is not None else ():
            type_ = self.typed(part.unnest()).type
            if type_.kind not in {"unknown", "none"} and type_.name != "Boolean":
                self.report("LK214", f"{_shown(part)} is {_bare(type_)}, and no condition", "compare it", part)

    def _cast(self, node: exp.Expr) -> None:
        type_ = self.typed(node).type
        if type_.kind == "unknown" and type_.name != "Interval":
            word = node.args["to"].sql(dialect="postgres").lower()
            known = ("text", "bigint", "numeric", "boolean", "date", "time", "timestamptz", "uuid", "jsonb", "interval")
            self.report("LK226", f'there is no type "{word}" here', did_you_mean(word, known), node)

    # functions

    def _function(self, node: exp.Expr) -> None:
        name = function_name(node)
        function = functions().by_name.get(name)
        if function is None:
            if isinstance(node, exp.Anonymous) or not _is_operator(node):
                hint = did_you_mean(name, functions().by_name) or "queries call functions that only compute"
                self.report("LK226", f'there is no function "{name}"', hint, node)
            return
        if needs_window(node):
            self.report("LK217", f"{name} needs a window", f"write {name.upper()}(...) OVER (ORDER BY ...)", node)
        if name not in _OTHER_ORDER:
            self._arguments(node, function)

    def _arguments(self, node: exp.Expr, function: Function) -> None:
        kinds = [kind.rstrip("?*") for kind in function.takes]
        for number, argument in enumerate(arguments_of(node)):
            inner = argument.expressions[0] if isinstance(argument, exp.Distinct) and argument.expressions else argument
            if isinstance(inner, exp.Order):
                inner = inner.this
            if number < len(kinds):
                self._argument(inner, kinds[number], function)

    def _argument(self, node: exp.Expr, kind: str, function: Function) -> None:
        if isinstance(node, exp.Literal) and node.is_string:
            return
        typed = self.typed(node)
        type_ = self._plain(typed.type)
        if kind == "integer" and type_.name == "Integer" and not isinstance(node, exp.Literal):
            self.casts[id(node)] = "int"
        if type_.kind == "none" or (type_.kind == "unknown" and type_.name != "Interval"):
            return
        if not _takes(kind, type_) or (function.name in {"min", "max"} and type_.name in _UNORDERED):
            fact = f"{function.name} takes {_KINDS.get(kind, kind)}, not {_bare(type_)}"
            self.report("LK214", fact, "CAST it", node)


_KINDS = {
    "any": "what can be ordered",
    "moment": "a Date or DateTime",
    "list": "a list",
    "number": "a number",
    "text": "Text",
    "integer": "Integer",
    "boolean": "Boolean",
    "json": "Json",
    "interval": "a span of time",
}


def _takes(kind: str, type_: Type) -> bool:
    if type_.many or kind == "list":
        return kind in {"any", "list"} and (type_.many or kind == "any")
    match kind:
        case "text":
            return type_.name in TEXTUAL
        case "integer":
            return type_.name == INTEGER.name
        case "number":
            return type_.name in {*NUMERIC, "Interval"}
        case "moment":
            return type_.name in {*_MOMENTS, "Interval", "Time"}
    return kind == "any" or type_.name.lower() == kind


def _is_operator(node: exp.Expr) -> bool:
    """Say whether a node that the parser calls a function is an operator or a part of the language."""
    return isinstance(
        node,
        exp.Cast
        | exp.Case
        | exp.If
        | exp.Extract
        | exp.Array
        | exp.Struct
        | exp.List
        | exp.JSONExtract
        | exp.JSONExtractScalar
        | exp.JSONBExtract
        | exp.JSONBExtractScalar
        | exp.RegexpLike
        | exp.RegexpILike
        | exp.AtTimeZone
        | exp.And
        | exp.Or
        | exp.Coalesce
        | exp.ArrayContainsAll
        | exp.ArrayOverlaps
        | exp.ArrayContains
        | exp.JSONBContains
        | exp.JSONBContainsAnyTopKeys
        | exp.JSONBContainsAllTopKeys,
    )


def _asks_not_null(select: exp.Select) -> bool:
    where = select.args.get("where")
    item = select.selects[0]
    column = item.this if isinstance(item, exp.Alias) else item
    return where is not None and any(
        isinstance(part, exp.Is)
        and bool(part.args.get("negate"))
        and isinstance(part.expression, exp.Null)
        and part.this == column
        for part in conjuncts(where.this)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _one(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))


def _bare(type_: Type) -> str:
    return str(type_.required())


def _shown(node: exp.Expr) -> str:
    """Return an expression as it is written, cut where it is long."""
    text = written(node)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
