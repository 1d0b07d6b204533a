"""The functions and methods that bodies may call without naming an element, with the types that they return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.types import BOOLEAN, DATE, DATETIME, DECIMAL, INTEGER, TEXT, UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE_CLASSES = frozenset({"timedelta", "date", "datetime", "Decimal"})
_LIST_OF_UNKNOWN = Type(name="unknown", kind="unknown", many=True)


def _same(types: list[Type]) -> Type:
    """min(a, b) has the type of a; min(list) that of the list's items."""
    if not types:
        return UNKNOWN
    first = types[0]
    return Type(name=first.name, kind=first.kind, loaded=first.loaded) if first.many else first


def _whole(types: list[Type]) -> Type:
    return INTEGER if len(types) == 1 else DECIMAL


def _listed(types: list[Type]) -> Type:
    return types[0] if types and types[0].many else _LIST_OF_UNKNOWN


BUILTINS: dict[str, Callable[[list[Type]], Type]] = {
    "len": lambda _: INTEGER,
    "int": lambda _: INTEGER,
    "str": lambda _: TEXT,
    "bool": lambda _: BOOLEAN,
    "any": lambda _: BOOLEAN,
    "all": lambda _: BOOLEAN,
    "abs": _same,
    "sum": _same,
    "min": _same,
    "max": _same,
    "round": _whole,
    "sorted": _listed,
    "list": _listed,
    "range": lambda _: Type(name="Integer", many=True),
    "enumerate": lambda _: _LIST_OF_UNKNOWN,
    "zip": lambda _: _LIST_OF_UNKNOWN,
    "now": lambda _: DATETIME,
    "today": lambda _: DATE,
    "date": lambda _: DATE,
    "datetime": lambda _: DATETIME,
    "timedelta": lambda _: UNKNOWN,
    "Decimal": lambda _: DECIMAL,
    "dict": lambda _: UNKNOWN,
    "set": _listed,
}

_METHOD_TYPES: dict[str, Type] = {
    "upper": TEXT,
    "lower": TEXT,
    "strip": TEXT,
    "title": TEXT,
    "replace": TEXT,
    "join": TEXT,
    "format": TEXT,
    "strftime": TEXT,
    "isoformat": TEXT,
    "startswith": BOOLEAN,
    "endswith": BOOLEAN,
    "isdigit": BOOLEAN,
    "split": Type(name="Text", many=True),
    "count": INTEGER,
    "index": INTEGER,
    "weekday": INTEGER,
    "isoweekday": INTEGER,
    "date": DATE,
    "total_seconds": DECIMAL,
    "days": INTEGER,
    "fromisoformat": UNKNOWN,
}
METHODS = frozenset(_METHOD_TYPES) | {
    "append",
    "extend",
    "get",
    "items",
    "keys",
    "values",
    "add",
    "pop",
    "sort",
    "astimezone",
    "time",
    "quantize",
}


def method_type(owner: Type, method: str) -> Type:
    """Return the type that a method of a value gives, or UNKNOWN."""
    if method == "replace" and owner.name in {"Date", "DateTime"}:
        return owner
    return _METHOD_TYPES.get(method, UNKNOWN)
