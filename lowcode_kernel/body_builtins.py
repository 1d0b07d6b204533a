"""The functions and methods that bodies may call without naming an element, and the types of what they give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.body_scope import EMPTY, NOTHING, joined
from lowcode_kernel.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DECIMAL,
    DURATION,
    INTEGER,
    TEXT,
    TEXTUAL,
    TIME,
    UNKNOWN,
    Type,
    dict_type,
    item_of,
    list_of,
    tuple_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE_CLASSES = frozenset({"timedelta", "date", "datetime", "Decimal"})
WITH_KEY = frozenset({"sorted", "min", "max"})
"""Functions that take `key=`."""


def items_of(type_: Type) -> Type:
    """Return the type of what a loop over a value gives."""
    if type_.keyed:
        return Type(name=type_.name, kind="entity")  # what is walked over is the keys
    if type_.many:
        return item_of(type_)
    if type_.kind in {"dict", "tuple"} and type_.parts:
        first, *others = type_.parts[:1] if type_.kind == "dict" else type_.parts
        for other in others:
            first = joined(first, other)
        return first
    return TEXT if type_.name == "Text" else UNKNOWN


def _one(types: list[Type]) -> Type:
    """min(a, b) has the type of both; min(list) that of the list's items."""
    if not types:
        return UNKNOWN
    first = items_of(types[0]) if types[0].many or types[0].parts else types[0]
    for other in types[1:] if not types[0].many else ():
        first = joined(first, other)
    return _plain(first)


def _plain(type_: Type) -> Type:
    """Return a type without the limits of an attribute."""
    return replace(type_, length=None, precision=None, scale=None) if type_.kind == "scalar" else type_


def _same(types: list[Type]) -> Type:
    return _plain(types[0]) if types else UNKNOWN


def _whole(types: list[Type]) -> Type:
    return INTEGER if len(types) == 1 else DECIMAL


def _listed(types: list[Type]) -> Type:
    return list_of(items_of(types[0])) if types else EMPTY


def _mapped(types: list[Type]) -> Type:
    return types[0] if types and types[0].kind == "dict" else dict_type(NOTHING, NOTHING)


BUILTINS: dict[str, Callable[[list[Type]], Type]] = {
    "len": lambda _: INTEGER,
    "int": lambda _: INTEGER,
    "str": lambda _: TEXT,
    "bool": lambda _: BOOLEAN,
    "any": lambda _: BOOLEAN,
    "all": lambda _: BOOLEAN,
    "abs": _same,
    "sum": lambda types: _one(types[:1]),
    "min": _one,
    "max": _one,
    "round": _whole,
    "sorted": _listed,
    "reversed": _listed,
    "list": _listed,
    "tuple": _listed,
    "range": lambda _: Type(name="Integer", many=True),
    "enumerate": lambda types: tuple_type(INTEGER, *map(items_of, types[:1]), many=True),
    "zip": lambda types: tuple_type(*map(items_of, types), many=True),
    "now": lambda _: DATETIME,
    "today": lambda _: DATE,
    "date": lambda _: DATE,
    "datetime": lambda _: DATETIME,
    "timedelta": lambda _: DURATION,
    "Decimal": lambda _: DECIMAL,
    "dict": _mapped,
    "set": _listed,
}

_NUMBERS = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second", "microsecond")
ATTRIBUTES: dict[str, dict[str, Type]] = {
    **{name: {} for name in (*TEXTUAL, "Integer", "Decimal", "Boolean")},
    "Date": dict.fromkeys(_NUMBERS, INTEGER),
    "DateTime": {**dict.fromkeys((*_NUMBERS, *_CLOCK), INTEGER), "tzinfo": UNKNOWN},
    "Time": {**dict.fromkeys(_CLOCK, INTEGER), "tzinfo": UNKNOWN},
    "Duration": dict.fromkeys(("days", "seconds", "microseconds"), INTEGER),
}
"""What the values of a type have by name."""

_TEXTS = list_of(TEXT)
_WORDS = "upper lower strip lstrip rstrip title capitalize casefold swapcase replace join format zfill center ljust rjust removeprefix removesuffix expandtabs translate"  # noqa: E501 - a list of names
_ASKS = "startswith endswith isdigit isalpha isalnum isdecimal isnumeric islower isupper isspace istitle isidentifier"
_TEXT_METHODS = {
    **dict.fromkeys(_WORDS.split(), TEXT),
    **dict.fromkeys(_ASKS.split(), BOOLEAN),
    **dict.fromkeys(("split", "rsplit", "splitlines"), _TEXTS),
    **dict.fromkeys(("partition", "rpartition"), tuple_type(TEXT, TEXT, TEXT)),
    **dict.fromkeys(("count", "find", "rfind", "index", "rindex"), INTEGER),
    "encode": UNKNOWN,
}
_DATE_METHODS = {
    **dict.fromkeys(("strftime", "isoformat"), TEXT),
    **dict.fromkeys(("weekday", "isoweekday", "toordinal"), INTEGER),
    **dict.fromkeys(("isocalendar", "timetuple"), UNKNOWN),
}
_NUMBER_METHODS = {
    **dict.fromkeys(("quantize", "to_integral_value", "normalize", "copy_abs"), DECIMAL),
    **dict.fromkeys(("is_finite", "is_nan", "is_signed"), BOOLEAN),
}
_METHODS: dict[str, dict[str, Type]] = {
    **dict.fromkeys(TEXTUAL, _TEXT_METHODS),
    "Date": {**_DATE_METHODS, "replace": DATE, "fromisoformat": DATE},
    "DateTime": {
        **_DATE_METHODS,
        **dict.fromkeys(("replace", "astimezone", "fromisoformat", "combine"), DATETIME),
        "date": DATE,
        "time": TIME,
        "timestamp": DECIMAL,
    },
    "Time": {"strftime": TEXT, "isoformat": TEXT, "replace": TIME},
    "Duration": {"total_seconds": DECIMAL},
    "Decimal": _NUMBER_METHODS,
    "Integer": {"bit_length": INTEGER},
}
_LIST_METHODS = frozenset(
    "append extend insert remove pop sort reverse index count copy clear add discard update union intersection"
    " difference symmetric_difference issubset issuperset isdisjoint".split()
)
_DICT_METHODS = frozenset("get items keys values setdefault pop update copy clear".split())
ALL_METHODS = frozenset().union(*_METHODS.values(), _LIST_METHODS, _DICT_METHODS)
_CLASSES = {"date": "Date", "datetime": "DateTime", "timedelta": "Duration", "Decimal": "Decimal"}


def methods_of(owner: Type) -> frozenset[str]:
    """Return the names of the methods that a value of a type has."""
    if owner.many:
        return _LIST_METHODS
    if owner.kind == "dict":
        return _DICT_METHODS
    if owner.kind == "scalar" and owner.name in _METHODS:
        return frozenset(_METHODS[owner.name])
    return ALL_METHODS


def class_type(name: str) -> Type:
    """Return the type of what a class's own methods give: `date.fromisoformat(text)`."""
    return Type(name=_CLASSES[name])


def method_type(owner: Type, method: str, arguments: list[Type]) -> Type:
    """Return the type that a method of a value gives, or UNKNOWN."""
    if owner.many:
        return _list_method(owner, method)
    if owner.kind == "dict":
        return _dict_method(owner, method, arguments)
    return _METHODS.get(owner.name, {}).get(method, UNKNOWN)


def _list_method(owner: Type, method: str) -> Type:
    match method:
        case "pop":
            return item_of(owner)
        case "index" | "count":
            return INTEGER
        case "copy" | "union" | "intersection" | "difference" | "symmetric_difference":
            return owner
        case "issubset" | "issuperset" | "isdisjoint":
            return BOOLEAN
    return UNKNOWN


def _dict_method(owner: Type, method: str, arguments: list[Type]) -> Type:
    key, value = owner.parts or (UNKNOWN, UNKNOWN)
    match method:
        case "get":
            known = value if value.kind != "unknown" else UNKNOWN
            return joined(known, arguments[1]) if len(arguments) > 1 else known.maybe()
        case "pop" | "setdefault":
            return value
        case "keys":
            return list_of(key)
        case "values":
            return list_of(value)
        case "items":
            return tuple_type(key, value, many=True)
        case "copy":
            return owner
    return UNKNOWN
