"""What `%%logs` answers: rows of events, each linked back to the element and the cell it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.table_view import element_cell, table_count, table_html, table_text
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lowcode_kernel.widgets.records import TableView

_TONES = {
    "ok": "lowcode-good", "done": "lowcode-good", "deployed": "lowcode-good",
    "refused": "lowcode-warn", "cancelled": "lowcode-warn", "waiting": "", "running": "",
    "error": "lowcode-error", "failed": "lowcode-error",
}  # fmt: skip


def logs_view(table: TableView, places: Mapping[str, str] | None = None) -> View:
    """Show the result of a query on the logs.

    `places` tells the cell of an element by its id: {"screen:departures": "cell 14"}.
    """
    known = places or {}

    def element(value: object) -> Markup:
        return element_cell(value, known.get(str(value), ""))

    cells = {"element": element, "outcome": tone_tag, "state": tone_tag}
    body = table_html(table, cells) if table.rows else tag("p", "No event matches.", class_="lowcode-quiet")
    return View(
        table_text(table), page(body, tag("div", table_count(table), class_="lowcode-quiet", style="margin-top:6px"))
    )


def tone_tag(value: object) -> Markup:
    """Return an outcome or a state as a tag in the colour of how good it is; another value as it is."""
    if value not in _TONES:
        return joined("–" if value is None else value)
    return tag("span", value, class_=f"lowcode-tag {_TONES[str(value)]}".strip())
