"""Pages of the catalog as HTML: headings, paragraphs with `code`, and fenced blocks, which is all that they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.highlighting import highlighted
from lowcode_kernel.widgets.markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = "```"


def page_html(text: str) -> Markup:
    """Return a page in Markdown as HTML."""
    return joined(*_blocks(text.splitlines()))


def section(text: str, title: str) -> str:
    """Return the text below a heading of a page, "" where it has none."""
    match = re.search(rf"^## {re.escape(title)}\n+(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def _blocks(lines: list[str]) -> Iterator[Markup]:
    paragraph: list[str] = []
    fenced: list[str] | None = None
    for line in [*lines, ""]:
        if line.startswith(_FENCE):
            if fenced is not None:
                yield highlighted("\n".join(fenced), "text")
            fenced = None if fenced is not None else []
        elif fenced is not None:
            fenced.append(line)
        elif line.startswith("#") or not line.strip():
            if paragraph:
                yield tag("p", _inline(" ".join(paragraph)))
            paragraph = []
            if line.startswith("#"):
                yield tag("h4" if line.startswith("# ") else "h5", _inline(line.lstrip("# ")))
        else:
            paragraph.append(line)


def _inline(text: str) -> Markup:
    parts = text.split("`")
    return joined(*(tag("code", part) if number % 2 else part for number, part in enumerate(parts)))
