"""Defaults of attributes as SQL: what the database can fill in by itself."""

from __future__ import annotations

import ast
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from lowcode_kernel.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Callable

_TODAY = "(now() AT TIME ZONE 'UTC')::date"
_CALLS: dict[str, str] = {"now": "now()", "today": _TODAY, "uuid4": "gen_random_uuid()", "uuid": "gen_random_uuid()"}
VOLATILE = frozenset({"gen_random_uuid()"})


def default_sql(text: str | None, type_sql: str) -> str | None:
    """Return the SQL expression of a default written in Python, or None where only the application can give it
    (`user`, a call of its own).

    >>> default_sql("date(2013, 1, 1)", "date")
    "'2013-01-01'::date"
    """
    if text is None:
        return None
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    return _json(node) if type_sql == "jsonb" else _expression(node, type_sql)


def _json(node: ast.expr) -> str | None:
    import json

    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return None if value is None else literal(json.dumps(value, ensure_ascii=False, sort_keys=True)) + "::jsonb"


def _expression(node: ast.expr, type_sql: str) -> str | None:
    if isinstance(node, ast.Call):
        return _call(node)
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"'{value}'::{type_sql}" if type_sql == "text" else repr(value)
    if isinstance(value, str):
        return literal(value) if type_sql == "text" else f"{literal(value)}::{type_sql}"
    return None


def _call(node: ast.Call) -> str | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in _CALLS and not node.args:
        return _CALLS[name]
    try:
        values = [ast.literal_eval(argument) for argument in node.args]
        return _MAKERS[name](*values) if name in _MAKERS else None
    except (ValueError, TypeError):
        return None


_MAKERS: dict[str, Callable[..., str]] = {
    "date": lambda *parts: f"'{date(*parts).isoformat()}'::date",
    "time": lambda *parts: f"'{time(*parts).isoformat()}'::time",
    "datetime": lambda *parts: f"'{datetime(*parts).isoformat()}Z'::timestamptz",  # noqa: DTZ001 - UTC is said by the Z
    "Decimal": lambda value: str(value),
}
