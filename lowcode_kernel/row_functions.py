"""The functions, methods and attributes that an expression over one row may use, as SQL."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lowcode_kernel.types import BOOLEAN, DECIMAL, INTEGER, NUMERIC, TEXT, TEXTUAL, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DURATION = Type(name="duration")
"""The type of a difference between two dates or times. It is computed with, and no attribute holds it."""

_PLAIN = re.compile(r"""\{\w+\}|[\w.]+|'(?:[^']|'')*'|"(?:[^"]|"")*"|:\w+::\w+(?:\[\])?|\$\d+::\w+(?:\[\])?""")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]""")
_UNITS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1, "weeks": 604800}


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL with its type. `constant` is the text that it is, where it is one."""

    sql: str
    type: Type
    constant: str | None = None

    @property
    def atom(self) -> str:
        """The SQL as a part of something greater: in brackets where it needs them."""
        return self.sql if _PLAIN.fullmatch(self.sql) or _is_enclosed(self.sql) else f"({self.sql})"


def _is_enclosed(sql: str) -> bool:
    """Say whether one pair of brackets holds all, but for the name of a function: `(a + b)`, `lower(a)`."""
    if not re.match(r"\w*\(", sql) or not sql.endswith(")"):
        return False
    depth = 0
    for token in _TOKEN.finditer(sql):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0 and token[0] == ")":
            return token.end() == len(sql)
    return False


class Misfit(Exception):  # noqa: N818 - it becomes a problem where the expression is known
    """A part of an expression that has no meaning; whoever reads the expression says where."""

    def __init__(self, fact: str = "", hint: str = "") -> None:
        super().__init__(fact)
        self.fact, self.hint = fact, hint


def as_text(value: Compiled) -> Compiled:
    """Return a value as the text that an f-string makes of it."""
    type_ = replace(TEXT, optional=value.type.optional)
    if value.type.name in TEXTUAL:
        return replace(value, type=type_)
    if value.type.name not in {*NUMERIC, "Date", "Uuid"}:
        raise Misfit(f"{value.type} has no text of its own here", "use texts, numbers and dates")
    return Compiled(f"{value.atom}::text", type_)


def timedelta(units: dict[str, ast.expr]) -> Compiled:
    """Return a length of time: `timedelta(days=2, hours=1)`."""
    seconds = 0.0
    for unit, value in units.items():
        negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
        number = value.operand if isinstance(value, ast.UnaryOp) and negative else value
        if unit not in _UNITS or not isinstance(number, ast.Constant) or not isinstance(number.value, int | float):
            raise Misfit(f"timedelta({unit}=...) is no constant", f"known: {', '.join(_UNITS)}, with numbers")
        seconds += (-1 if negative else 1) * number.value * _UNITS[unit]
    return Compiled(f"interval '{seconds:g} seconds'", DURATION)


def _optional(type_: Type, values: Sequence[Compiled]) -> Type:
    return replace(type_, optional=any(value.type.optional or value.type.kind == "none" for value in values))


def _take(values: Sequence[Compiled], name: str, wanted: frozenset[str] | set[str], most: int = 1) -> None:
    if not 1 <= len(values) <= most:
        raise Misfit(f"{name} takes {most} value{'s' if most > 1 else ''}, {len(values)} are given")
    if values[0].type.name not in wanted:
        raise Misfit(
            f"{name} takes {' or '.join(sorted(wanted & {'Text', 'Integer', 'Decimal', 'Date'}))}, not {values[0].type}"
        )


def _on_text(name: str, sql: str, type_: Type = TEXT) -> Callable[[Sequence[Compiled]], Compiled]:
    def call(values: Sequence[Compiled]) -> Compiled:
        _take(values, name, TEXTUAL)
        return Compiled(sql.format(values[0].sql), _optional(type_, values))

    return call


def _beside(name: str, sql: str) -> Callable[[Sequence[Compiled]], Compiled]:
    def call(values: Sequence[Compiled]) -> Compiled:
        _take(values, name, TEXTUAL, 2)
        if len(values) != 2 or values[1].type.name not in TEXTUAL:
            raise Misfit(f"{name} takes a text")
        return Compiled(sql.format(values[0].sql, values[1].sql), _optional(BOOLEAN, values))

    return call


def _round(values: Sequence[Compiled]) -> Compiled:
    _take(values, "round", NUMERIC, 2)
    if len(values) == 1:
        return Compiled(f"round({values[0].sql})::bigint", _optional(INTEGER, values))
    if values[1].type != INTEGER:
        raise Misfit("round takes a whole number of places")
    places = values[1].sql if values[1].sql.isdigit() else f"{values[1].atom}::integer"
    return Compiled(f"round({values[0].atom}::numeric, {places})", _optional(DECIMAL, values))


def _abs(values: Sequence[Compiled]) -> Compiled:
    _take(values, "abs", NUMERIC)
    return Compiled(f"abs({values[0].sql})", values[0].type)


def _int(values: Sequence[Compiled]) -> Compiled:
    _take(values, "int", NUMERIC)
    return Compiled(f"trunc({values[0].sql})::bigint", _optional(INTEGER, values))


def _text(values: Sequence[Compiled]) -> Compiled:
    if len(values) != 1:
        raise Misfit(f"str takes 1 value, {len(values)} are given")
    return as_text(values[0])


def _one_type(name: str, values: Sequence[Compiled]) -> Type:
    known = [value.type for value in values if value.type.kind != "none"]
    names = {type_.name for type_ in known}
    if len(values) < 2 or not known:
        raise Misfit(f"{name} takes two values or more")
    if len(names) > 1 and not (names <= NUMERIC or names <= TEXTUAL):
        raise Misfit(f"{name} takes values of one type, not {' and '.join(sorted(names))}")
    return DECIMAL if names <= NUMERIC and len(names) > 1 else Type(name=known[0].name, kind=known[0].kind)


def _coalesce(values: Sequence[Compiled]) -> Compiled:
    type_ = _one_type("coalesce", values)
    optional = all(value.type.optional or value.type.kind == "none" for value in values)
    return Compiled(f"coalesce({', '.join(value.sql for value in values)})", replace(type_, optional=optional))


def _extreme(name: str, sql: str) -> Callable[[Sequence[Compiled]], Compiled]:
    def call(values: Sequence[Compiled]) -> Compiled:
        type_ = _one_type(name, values)
        return Compiled(f"{sql}({', '.join(value.sql for value in values)})", _optional(type_, values))

    return call


def _part(name: str) -> Callable[[Compiled], Compiled]:
    def attribute(value: Compiled) -> Compiled:
        if value.type.name not in {"Date", "DateTime"}:
            raise Misfit(f"{value.type} has no {name}")
        at = "" if value.type.name == "Date" else " AT TIME ZONE 'UTC'"
        return Compiled(f"extract({name} FROM {value.atom}{at})::bigint", _optional(INTEGER, [value]))

    return attribute


def _seconds(value: Compiled, name: str) -> str:
    if value.type.name != DURATION.name:
        raise Misfit(f"{value.type} has no {name}", "it belongs to the difference of two dates: (a - b).days")
    return f"extract(epoch FROM {value.sql})"


def _days(value: Compiled) -> Compiled:
    return Compiled(f"floor({_seconds(value, 'days')} / 86400)::bigint", _optional(INTEGER, [value]))


def _total_seconds(values: Sequence[Compiled]) -> Compiled:
    return Compiled(f"{_seconds(values[0], 'total_seconds')}::numeric", _optional(DECIMAL, values[:1]))


FUNCTIONS: dict[str, Callable[[Sequence[Compiled]], Compiled]] = {
    "abs": _abs,
    "coalesce": _coalesce,
    "int": _int,
    "len": _on_text("len", "char_length({0})::bigint", INTEGER),
    "lower": _on_text("lower", "lower({0})"),
    "max": _extreme("max", "greatest"),
    "min": _extreme("min", "least"),
    "round": _round,
    "str": _text,
    "upper": _on_text("upper", "upper({0})"),
}
METHODS: dict[str, Callable[[Sequence[Compiled]], Compiled]] = {
    "endswith": _beside("endswith", "right({0}, char_length({1})) = {1}"),
    "lower": _on_text("lower", "lower({0})"),
    "startswith": _beside("startswith", "starts_with({0}, {1})"),
    "strip": _on_text("strip", "btrim({0}, E' \\n\\t\\r')"),
    "total_seconds": _total_seconds,
    "upper": _on_text("upper", "upper({0})"),
}
ATTRIBUTES: dict[str, Callable[[Compiled], Compiled]] = {
    "day": _part("day"),
    "days": _days,
    "month": _part("month"),
    "year": _part("year"),
}
