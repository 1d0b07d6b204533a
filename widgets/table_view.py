"""A table of values, for whatever a verb answers."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.palette import KIND_COLOURS
from lowcode_kernel.widgets.panel import kind_chip
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lowcode_kernel.widgets.records import ColumnView, TableView

    Cell = Callable[[object], Markup]

_SHOWN = 200  # rows in the page; the text form shows a tenth
_WIDEST = 60  # characters of a cell in the text form


def table_view(table: TableView) -> View:
    """Show rows as a table."""
    return View(table_text(table), page(_title(table), table_html(table), _caption(table)))


def value_text(value: object) -> str:
    """Return a value as people write it: no value as a dash, dates as ISO 8601 without fractions of a second, other
    values as JSON or their text.
    """
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
        case dict() | list() | tuple():
            return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def is_number(value: object) -> bool:
    """Say whether a value stands at the right of its column."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def table_html(table: TableView, cells: Mapping[str, Cell] | None = None) -> Markup:
    """Return the table alone. `cells` makes the content of the columns it names."""
    numbers = [_is_numeric(column) for column in zip(*table.rows, strict=True)] or [False] * len(table.columns)
    head = tag("tr", *(_heading(column, number) for column, number in zip(table.columns, numbers, strict=True)))
    makers = [(cells or {}).get(column.name, _cell) for column in table.columns]
    body = (_row(row, makers, numbers) for row in table.rows[:_SHOWN])
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="lowcode-scroll")


def rows_html(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a small table of cells that may be Markup. A row of one cell goes over the whole width."""
    head = [tag("thead", tag("tr", *(tag("th", heading) for heading in headings)))] if any(headings) else []
    body = tag("tbody", *(tag("tr", *(tag("td", cell, colspan=_span(row)) for cell in row)) for row in rows))
    return tag("div", tag("table", *head, body), class_="lowcode-scroll")


def _span(row: Sequence[object]) -> str | None:
    return "100" if len(row) == 1 else None


def element_cell(value: object, place: str = "") -> Markup:
    """Return an element's id ("screen:departures") as its kind's chip, its name, and its place where one is known."""
    kind, colon, name = str(value).partition(":")
    if not colon or kind not in KIND_COLOURS:
        return joined(value_text(value))
    at = [" ", tag("span", place, class_="lowcode-quiet")] if place else []
    return joined(kind_chip(kind), " ", name, *at)


def _is_numeric(values: tuple[object, ...]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(map(is_number, present))


def _heading(column: ColumnView, number: bool) -> Markup:  # noqa: FBT001 - private
    kind = [tag("small", column.type)] if column.type else []
    return tag("th", column.name, *kind, class_="lowcode-number" if number else None)


def _row(row: Sequence[object], makers: Sequence[Cell], numbers: Sequence[bool]) -> Markup:
    classes = ("lowcode-number" if number else None for number in numbers)
    return tag(
        "tr", *(tag("td", make(value), class_=class_) for value, make, class_ in zip(row, makers, classes, strict=True))
    )


def _cell(value: object) -> Markup:
    return tag("span", value_text(value), class_="lowcode-quiet") if value is None else joined(value_text(value))


def _title(table: TableView) -> Markup:
    return tag("div", tag("b", table.title), style="margin-bottom:6px") if table.title else Markup()


def _caption(table: TableView) -> Markup:
    return tag("div", table_count(table), class_="lowcode-quiet", style="margin-top:6px")


def table_count(table: TableView, shown: int = _SHOWN) -> str:
    """Return `12 rows in 0.05 s`, or how many of all are shown."""
    total = len(table.rows) if table.total is None else table.total
    seen = min(len(table.rows), shown)
    rows = f"{total:,} {'row' if total == 1 else 'rows'}" if seen == total else f"the first {seen:,} of {total:,} rows"
    return f"{rows} in {table.seconds:.2f} s" if table.seconds is not None else rows


def table_text(table: TableView) -> str:
    """Return the table as aligned text: the first rows, and how many there are."""
    most = _SHOWN // 10
    texts = [
        [column.name for column in table.columns],
        *([_short(value) for value in row] for row in table.rows[:most]),
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    numbers = [_is_numeric(column) for column in zip(*table.rows, strict=True)] or [False] * len(widths)
    lines = ["  ".join(_aligned(*cell) for cell in zip(row, widths, numbers, strict=True)).rstrip() for row in texts]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([*([table.title] if table.title else []), lines[0], rule, *lines[1:], table_count(table, most)])


def _aligned(text: str, width: int, number: bool) -> str:  # noqa: FBT001 - private
    return text.rjust(width) if number else text.ljust(width)


def _short(value: object) -> str:
    text = " ".join(value_text(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
