"""HTML without a hole in it: text is escaped unless it was made here."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path


class Markup(str):
    """Text that is HTML already. Only this module and `highlighting` make it."""

    __slots__ = ()


def text_of(value: object) -> Markup:
    """Return a value as HTML: escaped, unless it is Markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, *children: object, **attributes: str | None) -> Markup:
    """Return an element. Attributes that are None are left out; `class_` stands for `class`, and `_` for `-`."""
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    opening = "".join(f' {key}="{escape(value)}"' for key, value in pairs)
    if name in {"img", "br", "meta"}:
        return Markup(f"<{name}{opening}>")
    return Markup(f"<{name}{opening}>{joined(*children)}</{name}>")


def joined(*children: object, by: str = "") -> Markup:
    """Return children side by side, each escaped unless it is Markup."""
    return Markup(by.join(text_of(child) for child in children))


@cache
def stylesheet() -> Markup:
    """Return the views' styles as a `<style>` element.

    Each output carries its own, so that a saved notebook needs nothing else.
    """
    lines = Path(__file__).with_name("views.css").read_text("utf-8").splitlines()
    return Markup(f"<style>{''.join(line.strip() for line in lines if not line.startswith('/*'))}</style>")


def page(*children: object, class_: str = "") -> Markup:
    """Return a whole view: the styles and one `<div class="lowcode">`."""
    return joined(stylesheet(), tag("div", *children, class_=f"lowcode {class_}".strip()))
