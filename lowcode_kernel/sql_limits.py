"""What is refused before the SQL parser sees it, or before anything walks its tree: no text of a cell may keep anybody
waiting or exhaust the stack.

The parser tries both ways at a JOIN that has no ON yet, at `[` and at STRUCT(, so that a few of them inside of each
other double its time each (2026-11: 16 of them take seconds). All else is linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.places import Place
    from lowcode_kernel.sql import exp

MOST_CHARACTERS = 20_000
MOST_BRACKETS = 40
MOST_DOUBLING = 5
MOST_LEVELS = 80
_TOKEN = re.compile(
    r"""'(?:[^']|'')*(?:'|\Z)|"[^"]*(?:"|\Z)|--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z)|[()\[\]]"""
    r"""|\b(?:(?:CROSS|NATURAL)\s+JOIN|JOIN|ON|USING|STRUCT)\b""",
    re.IGNORECASE,
)


def check_text(sql: str, place: Place) -> None:
    """Raise LowcodeError where a text is longer or deeper than any query that a person writes."""
    if len(sql) > MOST_CHARACTERS:
        fact = f"the SQL has {len(sql):,} characters, more than {MOST_CHARACTERS:,}"
        raise LowcodeError.of(fact, "make several queries of it; data belong into %%data", code="LK227", place=place)
    brackets = squares = joins = structs = 0
    for match in _TOKEN.finditer(sql):
        word = match[0].upper()
        brackets += (word in {"(", "["}) - (word in {")", "]"})
        squares += (word == "[") - (word == "]")
        joins = max(joins + (word == "JOIN") - (word in {"ON", "USING"}), 0)
        structs += word == "STRUCT"
        if brackets > MOST_BRACKETS or max(squares, joins, structs) > MOST_DOUBLING:
            what = "JOINs without ON" if joins > MOST_DOUBLING else "brackets"
            at = sql.count("\n", 0, match.start()), match.start() - sql.rfind("\n", 0, match.start())
            fact = f"there are too many {what} inside of each other"
            raise LowcodeError.of(fact, "put parts of the query into WITH", code="LK227", place=place.shifted(*at))


def check_tree(tree: exp.Expr, place: Place) -> None:
    """Raise LowcodeError where a tree is so deep that walking it would end at the stack's limit."""
    from lowcode_kernel.sql import exp

    chains = exp.And, exp.Or  # what walks them doesn't go down into each
    waiting = [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        if level > MOST_LEVELS:
            fact = f"the SQL is nested more than {MOST_LEVELS} levels deep"
            raise LowcodeError.of(fact, "put parts of the query into WITH", code="LK227", place=place)
        chain = type(node) if isinstance(node, chains) else None
        for value in node.args.values():
            items = value if isinstance(value, list) else (value,)
            inner = [item for item in items if isinstance(item, exp.Expr)]
            waiting += [(item, level if type(item) is chain else level + 1) for item in inner]
