"""The catalog of codes: a page for each, in `pages/`, that says what it is, why it matters and how to put it right.

A page begins so, and the tests hold it to what the checks do:

    # LK207 select-star: a query selects *

    Severity: warning. Fix: yes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from lowcode_kernel.problems import Severity

PAGES = Path(__file__).with_name("pages")
_TITLE = re.compile(r"# (?P<code>LK\d{3}) (?P<name>[a-z0-9-]+): (?P<title>.+)\n")
_SEVERITY = re.compile(r"Severity: (?P<severity>error|warning|notice)\. Fix: (?P<fix>yes|no)\.\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The documentation of one code. `text` is the whole page, in Markdown."""

    code: str
    name: str
    title: str
    severity: Severity
    fixable: bool
    text: str


@lru_cache(maxsize=512)
def page(code: str) -> Page | None:
    """Return the page of a code, or None where it has none."""
    path = PAGES / f"{code}.md"
    if not re.fullmatch(r"LK\d{3}", code) or not path.is_file():
        return None
    text = path.read_text("utf-8")
    title, severity = _TITLE.match(text), _SEVERITY.search(text)
    if title is None or severity is None:
        raise ValueError(f"{path.name} has no title or no severity")
    return Page(
        code=title["code"],
        name=title["name"],
        title=title["title"],
        severity=cast("Severity", severity["severity"]),
        fixable=severity["fix"] == "yes",
        text=text,
    )


def all_pages() -> tuple[Page, ...]:
    """Return every page, by code."""
    codes = sorted(path.stem for path in PAGES.glob("LK*.md"))
    return tuple(found for code in codes if (found := page(code)))


def explanation(code: str) -> Page:
    """Return the page of a code, or of the check of that name; raises LowcodeError where there is none."""
    wanted = code.strip()
    found = page(wanted.upper()) or next((item for item in all_pages() if item.name == wanted.lower()), None)
    if found is None:
        known = [word for item in all_pages() for word in (item.code, item.name)]
        raise LowcodeError.of(f'there is no check "{code}"', did_you_mean(wanted, known), code="LK003")
    return found


def index() -> str:
    """Return the list of all pages, as `pages/index.md` has it."""
    rows = [
        f"| [{item.code}]({item.code}.md) | {item.name} | {item.title} | {item.severity} | "
        f"{'yes' if item.fixable else ''} |"
        for item in all_pages()
    ]
    head = ["# Checks", "", "| code | name | what it tells | severity | fix |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])
