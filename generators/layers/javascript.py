"""Values as JavaScript writes them: calls, objects and arrays on one line where they fit, else one item a line.

>>> written({"c1": Call("title"), "c2": Call("metric", "Flights", {"unit": "min"})})
'{ c1: title(), c2: metric("Flights", { unit: "min" }) }'
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

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
    flat = _flat(value)
    if len(flat) <= room or not isinstance(value, Call | dict | tuple | list) or not value:
        return flat
    if isinstance(value, Call):
        return _broken_call(value, indent, room)
    inner = indent + 2
    items = [" " * inner + item + ",\n" for item in _items(value, inner)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{''.join(items)}{' ' * indent}{closing}"


def _broken_call(call: Call, indent: int, room: int) -> str:
    """Break within the last argument, where it is an object or an array and the others fit before it."""
    *first, last = call.arguments
    before = call.function + "(" + "".join(_flat(argument) + ", " for argument in first)
    if isinstance(last, dict | tuple | list) and len(before) < room:
        return before + written(last, indent, 0) + ")"
    inner = indent + 2
    items = [" " * inner + written(item, inner, WIDTH - inner - 1) + ",\n" for item in call.arguments]
    return f"{call.function}(\n{''.join(items)}{' ' * indent})"


def _items(value: dict[str, object] | tuple[object, ...] | list[object], indent: int) -> list[str]:
    if not isinstance(value, dict):
        return [written(item, indent, WIDTH - indent - 1) for item in value]
    keys = {key: f"{_key(key)}: " for key in value}
    return [keys[key] + written(item, indent, WIDTH - indent - len(keys[key]) - 1) for key, item in value.items()]


def _flat(value: object) -> str:
    match value:
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(_flat, arguments))})"
        case dict():
            inside = ", ".join(f"{_key(key)}: {_flat(item)}" for key, item in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case tuple() | list():
            return f"[{', '.join(map(_flat, value))}]"
    return _literal(value)


def _key(name: str) -> str:
    return name if _NAME.match(name) else _literal(name)


def _literal(value: object) -> str:
    # both end a line of JavaScript in old engines
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
