"""The texts of several reads as one text, its parameters numbered anew."""

from __future__ import annotations

import re
from itertools import combinations
from textwrap import indent
from typing import TYPE_CHECKING

from lowcode_kernel.query_variants import Variant
from lowcode_kernel.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.generators.layers.joined_parts import Part, Text

_ROWS = """ARRAY(
  SELECT ROW({columns})
  FROM (
{sql}
  ) AS q
)"""
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\d+)(::[a-z]+(?:\[\])?)?""")


def joined_texts(parts: Sequence[Part]) -> tuple[Variant, ...]:
    """Return the texts for each choice of optional parameters that are None, the one with most of them first."""
    optional = tuple(dict.fromkeys(name for part in parts for name in part.optional))
    choices = [absent for size in range(len(optional), -1, -1) for absent in combinations(optional, size)]
    return tuple(_joined(parts, absent) for absent in choices)


def _joined(parts: Sequence[Part], absent: tuple[str, ...]) -> Variant:
    numbers = _Numbers()
    items = []
    for part in parts:
        text = part.texts[frozenset(absent) & frozenset(part.optional)]
        items.append(indent(_item(part, numbers.renumbered(text)), "  "))
    return Variant(absent=absent, statement="SELECT\n" + ",\n".join(items), arguments=tuple(numbers.values))


def _item(part: Part, sql: str) -> str:
    """Return a read as one value: its rows as an array of records, or what it counts."""
    if not part.columns:
        return f"(\n{indent(sql, '  ')}\n)"
    columns = ", ".join(f"q.{identifier(name)}" for name in part.columns)
    return _ROWS.format(columns=columns, sql=indent(sql, "    "))


class _Numbers:
    """Gives each value its number; one value in one type has one."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._known: dict[tuple[str, str], int] = {}

    def renumbered(self, text: Text) -> str:
        """Return a text with the numbers that its parameters have in the whole."""
        own: dict[int, int] = {}

        def number(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            index, cast = int(match[1]), match[2] or ""
            if index not in own:
                own[index] = self._number(text.values[index - 1], cast)
            return f"${own[index]}{cast}"

        return _TOKEN.sub(number, text.sql)

    def _number(self, value: str, cast: str) -> int:
        # without a cast, what stands around a parameter says its type: it is shared with none
        if cast and (value, cast) in self._known:
            return self._known[value, cast]
        self.values.append(value)
        if cast:
            self._known[value, cast] = len(self.values)
        return len(self.values)
