"""How values and lists of names are written in SQL."""

from __future__ import annotations

import re

from lowcode_kernel.identifiers import quoted


def identifier(name: str) -> str:
    """Return `name` as SQL writes it: bare where that is safe, else in double quotes.

    >>> identifier("flight"), identifier("order")
    ('flight', '"order"')
    """
    return quoted(name)


def identifiers(names: tuple[str, ...]) -> str:
    """Return names with commas between them."""
    return ", ".join(map(identifier, names))


def literal(value: str) -> str:
    """Return a text as an SQL literal on one line, safe whatever `standard_conforming_strings` says."""
    text = value.replace("'", "''")
    if not re.search(r"[\\\n\r\t]", text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"E'{escaped}'"
