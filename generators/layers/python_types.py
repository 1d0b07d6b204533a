"""The types of the language as Python annotations of the generated code."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.keys import key_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.types import Type

_SCALARS = {
    "Integer": "int",
    "Decimal": "Decimal",
    "Boolean": "bool",
    "Date": "date",
    "Time": "time",
    "DateTime": "datetime",
    "Duration": "timedelta",
    "Uuid": "UUID",
    "Json": "Any",
}


def class_name(name: str) -> str:
    """Return `write_note` as `WriteNote`; an entity's name stays as it is."""
    return name if name[:1].isupper() else "".join(part.capitalize() for part in name.split("_"))


def annotation(type_: Type, app: Application, *, stored: bool = True) -> str:
    """Return the annotation of a value. `stored` says that a reference is its key, as in a row; else it is the loaded
    row.
    """
    text = _bare(type_, app, stored=stored)
    for _ in range(type_.many + type_.nested):
        text = f"list[{text}]"
    return f"{text} | None" if type_.optional and text != "Any" else text


def _bare(type_: Type, app: Application, *, stored: bool) -> str:
    match type_.kind:
        case "entity":
            return annotation(key_of(type_.name, app), app) if stored else class_name(type_.name)
        case "struct":
            return type_.name
        case "query":
            return f"{class_name(type_.name)}Row"
        case "dict" | "tuple":
            return f"{type_.kind}[{', '.join(annotation(part, app, stored=stored) for part in type_.parts)}]"
        case "none":
            return "None"
        case "unknown":
            return "Any"
    return _SCALARS.get(type_.name, "str")


def decoded(type_: Type, app: Application) -> str:
    """Return the annotation of a value that comes from outside: with the limits that the language gives it."""
    limits = []
    if type_.length:
        limits.append(f"max_length={type_.length}")
    if type_.kind == "entity":
        return decoded(replace(key_of(type_.name, app), many=type_.many, optional=type_.optional), app)
    if type_.choices:
        text = "Literal[" + ", ".join(f'"{choice}"' for choice in type_.choices) + "]"
    elif limits:
        text = f"Annotated[{_bare(type_, app, stored=True)}, msgspec.Meta({', '.join(limits)})]"
    else:
        text = _bare(type_, app, stored=True)
    if type_.many:
        text = f"list[{text}]"
    return f"{text} | None" if type_.optional and text != "Any" else text


def names_in(text: str) -> set[str]:
    """Return the names that occur in annotations."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


_IMPORTS = {
    "Decimal": ("decimal", "Decimal"),
    "date": ("datetime", "date"),
    "time": ("datetime", "time"),
    "datetime": ("datetime", "datetime"),
    "timedelta": ("datetime", "timedelta"),
    "UTC": ("datetime", "UTC"),
    "UUID": ("uuid", "UUID"),
    "uuid4": ("uuid", "uuid4"),
    "Iterable": ("collections.abc", "Iterable"),
    "Any": ("typing", "Any"),
    "Literal": ("typing", "Literal"),
    "Annotated": ("typing", "Annotated"),
    "Final": ("typing", "Final"),
    "asyncio": ("", "asyncio"),
    "msgspec": ("", "msgspec"),
}


def standard_imports(names: set[str]) -> list[str]:
    """Return the import lines for the names of the standard library and msgspec that a module uses."""
    by_module: dict[str, set[str]] = {}
    for name in names & set(_IMPORTS):
        module, symbol = _IMPORTS[name]
        by_module.setdefault(module, set()).add(symbol)
    plain = [f"import {name}" for name in sorted(by_module.pop("", set()))]
    return plain + [
        f"from {module} import {', '.join(sorted(symbols))}" for module, symbols in sorted(by_module.items())
    ]
