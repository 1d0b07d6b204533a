"""Names as SQL writes them: snake case, and in quotation marks where PostgreSQL keeps the word for itself."""

from __future__ import annotations

import re

# PostgreSQL 18, appendix C: words that can't name a table or a column without quotation marks, and those that can't be
# a type's or function's name.
RESERVED = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "binary",
        "both",
        "case",
        "cast",
        "check",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "group",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "intersect",
        "into",
        "is",
        "isnull",
        "join",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "natural",
        "not",
        "notnull",
        "null",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "outer",
        "overlaps",
        "placing",
        "primary",
        "references",
        "returning",
        "right",
        "select",
        "session_user",
        "similar",
        "some",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "to",
        "trailing",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
    ]
)
_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*\Z")
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """Return `FlightNote` as `flight_note`."""
    return _BOUNDARY.sub("_", name).lower()


def needs_quotes(name: str) -> bool:
    """Say whether a name has to stand in quotation marks."""
    return name in RESERVED or not _SIMPLE.match(name)


def quoted(name: str) -> str:
    """Return a name as SQL writes it, in quotation marks only where it needs them."""
    return '"' + name.replace('"', '""') + '"' if needs_quotes(name) else name


def label_of(name: str) -> str:
    """Return `departure_delay` as `Departure delay`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
