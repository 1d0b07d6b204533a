"""Values as JavaScript writes them: calls, objects and arrays on one line where they fit, else one item a line.

>>> written({"c1": Call("title"), "c2": Call("metric", "Flights", {"unit": "min"})})
'{ c1: title(), c2: metric("Flights", { unit: "min" }) }'
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

WIDTH = 120
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """A call of an imported function, or of an imported object's: `title()`, `column.text("airline", "Airline")`."""

    function: str
    arguments: tuple[object, ...]

    def __init__(self, function: str, *arguments: object) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "arguments", tuple(argument for argument in arguments if argument != {}))

    def names(self) -> set[str]:
        """Return the names to import, those of the arguments too."""
        return {self.function.split(".")[0]} | names_of(self.arguments)


def names_of(value: object) -> set[str]:
    """Return the names that a value needs imported."""
    match value:
        case Call():
            return value.names()
        case dict():
            return names_of(tuple(value.values()))
        case tuple() | list():
            return {name for item in value for name in names_of(item)}
    return set()


def written(value: object, indent: int = 0, room: int = WIDTH) -> str:
    """Return a value as an expression. `indent` is that of the line it begins on, `room` what is left of that line."""
    return _laid_out(_part(value), indent, room)


class _Part(NamedTuple):
    """A value with its text on one line, and its own parts: the arguments of a call, the items of an object by key."""

    flat: str
    opening: str = ""
    closing: str = ""
    keys: tuple[str, ...] = ()
    parts: tuple[_Part, ...] = ()


def _part(value: object) -> _Part:
    if isinstance(value, str):
        return _Part(_text(value))
    if isinstance(value, Call):
        parts = tuple(map(_part, value.arguments))
        opening = f"{value.function}("
        return _Part(f"{opening}{', '.join([part.flat for part in parts])})", opening, ")", (), parts)
    if isinstance(value, dict):
        keys, parts = tuple([f"{_key(key)}: " for key in value]), tuple(map(_part, value.values()))
        inside = ", ".join([key + part.flat for key, part in zip(keys, parts, strict=True)])
        return _Part(f"{{ {inside} }}" if inside else "{}", "{", "}", keys, parts)
    if isinstance(value, tuple | list):
        parts = tuple(map(_part, value))
        return _Part(f"[{', '.join([part.flat for part in parts])}]", "[", "]", (), parts)
    return _Part(json.dumps(value, ensure_ascii=False))


def _laid_out(part: _Part, indent: int, room: int) -> str:
    if len(part.flat) <= room or not part.opening or not (part.parts or part.closing == ")"):
        return part.flat
    if part.closing == ")":
        return _broken_call(part, indent, room)
    inner = indent + 2
    items = [" " * inner + item + ",\n" for item in _items(part, inner)]
    return f"{part.opening}\n{''.join(items)}{' ' * indent}{part.closing}"


def _broken_call(call: _Part, indent: int, room: int) -> str:
    """Break within the last argument, where it is an object or an array and the others fit before it."""
    *first, last = call.parts
    before = call.opening + "".join([part.flat + ", " for part in first])
    if last.closing in {"}", "]"} and len(before) < room:
        return before + _laid_out(last, indent, 0) + ")"
    items = [" " * (indent + 2) + item + ",\n" for item in _items(call, indent + 2)]
    return f"{call.opening}\n{''.join(items)}{' ' * indent})"


def _items(part: _Part, indent: int) -> list[str]:
    keys = part.keys or ("",) * len(part.parts)
    return [
        key + _laid_out(item, indent, WIDTH - indent - len(key) - 1) for key, item in zip(keys, part.parts, strict=True)
    ]


@lru_cache(maxsize=10_000)
def _key(name: str) -> str:
    return name if _NAME.match(name) else _text(name)


@lru_cache(maxsize=10_000)
def _text(value: str) -> str:
    # both end a line of JavaScript in old engines
    return encode_basestring(value).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
