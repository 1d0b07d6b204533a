"""Cells that mean harm together: circles, long rows, and what doubles with each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.texts import numbered

if TYPE_CHECKING:
    from collections.abc import Callable


def _deep_query(count: int) -> str:
    parameters = ", ".join(f"p{n}: Integer | None = None" for n in range(count))
    conditions = " AND ".join(f"(:p{n} IS NULL OR o.total > :p{n})" for n in range(count))
    return f"%%query things({parameters})\nSELECT o.id FROM Order o WHERE {conditions}"


def _wide_query(count: int) -> str:
    return _deep_query(count) + " AND o.id IN (" + numbered("#", 3_000, ", ") + ")"


def _row(cell: str, count: int) -> list[str]:
    """Return a cell so many times: `#` is its number, and `@` that of the next."""
    return [cell.replace("#", str(number)).replace("@", str(number + 1)) for number in range(count)]


def _calls(count: int) -> str:
    return "\n".join(f"act{n}(n=n)" for n in range(count))


SEVERAL: dict[str, Callable[[], tuple[str, ...]]] = {
    "4 optional parameters of much": lambda: (_wide_query(4),),
    "queries of much": lambda: tuple(_wide_query(4).replace("things", f"things{n}") for n in range(5)),
    "60 optional parameters": lambda: (_deep_query(60),),
    "1,000 optional parameters": lambda: (_deep_query(1000),),
    "one action calls itself": lambda: ("%%action act(n: Integer) -> Integer --role Sales\nreturn act(n=n)",),
    "actions in a circle": lambda: (
        "%%action act(n: Integer) -> Integer --role Sales\nreturn other(n=n)",
        "%%action other(n: Integer) -> Integer --role Sales\nreturn act(n=n)",
    ),
    "200 actions in a circle": lambda: tuple(
        f"%%action act{n}(n: Integer) -> Integer --role Sales\nreturn act{(n + 1) % 200}(n=n)" for n in range(200)
    ),
    "actions without results in a circle": lambda: (
        "%%action act(n: Integer) --role Sales\nreturn other(n=n)",
        "%%action other(n: Integer) --role Sales\nreturn act(n=n)",
    ),
    "500 actions in a row": lambda: (
        *_row("%%action act#(n: Integer) -> Integer --role Sales\nreturn act@(n=n) + act@(n=n)", 500),
        "%%action act500(n: Integer) -> Integer --role Sales\nreturn n",
    ),
    "30 actions that all call all": lambda: tuple(
        f"%%action act{n}(n: Integer) --role Sales\n{_calls(30)}" for n in range(30)
    ),
    "rows handed on": lambda: (
        *_row("%%action act#(n: Integer) -> many(Order) --role Sales\nreturn act@(n=n)", 200),
        "%%action act200(n: Integer) -> many(Order) --role Sales\nreturn Order.list()",
    ),
    "structs in a circle": lambda: ("%%struct One\nother: Two", "%%struct Two\none: One"),
    "struct of itself": lambda: ("%%struct One\none: One\nmore: many(One)", "%%action act() -> One --role Sales\nreturn One()"),
    "300 structs in a row": lambda: (
        *_row("%%struct S#\na: S@\nb: S@", 300),
        "%%struct S300\na: Text",
        "%%action act(s: S0) -> S0 --role Sales --rest 'POST /api/act'\nreturn s",
    ),
    "entities in a circle": lambda: ("%%entity One\nother: Two", "%%entity Two\none: One"),
    "keys in a circle": lambda: ("%%entity One\nother: Two\nkey(other)", "%%entity Two\none: One\nkey(one)"),
    "key of itself": lambda: ("%%entity One\none: One\nkey(one)",),
    "300 keys in a row": lambda: (*_row("%%entity E#\na: E@\nkey(a)", 300), "%%entity E300\na: Text"),
    "1,500 keys in a row": lambda: (*_row("%%entity E#\na: E@\nkey(a)", 1_500), "%%entity E1500\na: Text"),
    "keys doubled": lambda: (*_row("%%entity E#\na: E@\nb: E@\nkey(a, b)", 40), "%%entity E40\na: Text"),
    "rules in a circle": lambda: (
        "%%entity One\nother: Two\naccess(read=Sales, rows=other.one.other.one == user.id)",
        "%%entity Two\none: One\naccess(read=Sales, rows=one.other == user.id)",
    ),
    "queries of queries": lambda: ("%%query one()\nSELECT id FROM two", "%%query two()\nSELECT id FROM one"),
    "scaffold of itself": lambda: ("%scaffold Order --role Sales",),
    "scaffold of 300 attributes": lambda: ("%%entity Wide\n" + numbered("a#: Text", 300), "%scaffold Wide --role Sales"),
    "scaffold of 1,500 attributes": lambda: ("%%entity Wide\n" + numbered("a#: Text", 1500), "%scaffold Wide --role Sales"),
    "scaffold of 20,000 attributes": lambda: ("%%entity Wide\n" + numbered("a#: Text", 20_000), "%scaffold Wide --role Sales"),
    "scaffold of strange names": lambda: ("%%entity Ordеr\nname: Text\nﬁ: Text", "%scaffold Ordеr --role Sales"),
    "screen of a wide entity": lambda: (
        "%%entity Wide\n" + numbered("a#: Text", 1500), '%%screen page "/page" --role Sales\ntable(Wide.list())',
    ),
    "screens that link": lambda: tuple(
        f'%%screen page{n} "/page{n}" --role Sales\nlink("a", page{(n + 1) % 200})\nlink("b", page{(n * 7) % 200})' for n in range(200)
    ),
    "200 equal actions": lambda: ("%%action act(n: Integer) --role Sales\nlog(n)",) * 200,
    "2,000 empty cells": lambda: ("\n",) * 2000,
    "replaced": lambda: ("%%action act(n: Integer) --role Sales --replace\nlog(n)",) * 300,
}  # fmt: skip
