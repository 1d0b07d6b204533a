"""What is wrong with a model, each finding with its place and the way out, and the page of its code behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.catalog import page as page_of
from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.page_view import page_html, section
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.checks.catalog import Page
    from lowcode_kernel.problems import Problem

_SHOP = "(shop)\n---\n"  # a first cell of examples, which stands for a small application
_SHOP_WORDS = "In a web shop with the entities Customer and Order and the role Sales."
_ORDER = ("error", "warning", "notice")


def problems_view(problems: Sequence[Problem], *, sound: str = "No problems.") -> View:
    """Show findings, errors first; `sound` is said where there are none."""
    if not problems:
        return View(sound, page(tag("span", sound, class_="lowcode-good")))
    ordered = sorted(problems, key=lambda problem: _ORDER.index(problem.severity))
    return View(problems_text(ordered), page(tag("p", tag("b", problems_count(ordered))), problems_html(ordered)))


def explanation_view(found: Page) -> View:
    """Show the page of a code."""
    text = found.text.rstrip()
    if _SHOP in text:  # the tests read this; who reads the page is told in words
        text = text.replace(_SHOP, "").replace("## Example\n", f"## Example\n\n{_SHOP_WORDS}\n", 1)
    return View(text, page(page_html(text)))


def fixes_view(made: Sequence[Problem], remaining: Sequence[Problem], difference: str, how: str) -> View:
    """Show what was put right: the difference of the cells, `how` it gets into the notebook, and what remains."""
    told = [f"{problem.code} {problem.fix.what if problem.fix else problem.fact}" for problem in made]
    have = "problem has" if len(made) == 1 else "problems have"
    count = f"{len(made):,} {have} a fix: {how}" if made else "Nothing here has a fix that is certain."
    change = _difference(difference) if difference else ""
    left = f"What remains: {problems_count(remaining)}" if remaining else "No problems remain."
    text = "\n".join(filter(None, [difference, count, *told, left, problems_text(remaining)]))
    listed = joined(*(tag("div", item) for item in told))
    heading = tag("p", tag("b", count))
    return View(text, page(change, heading, listed, tag("p", tag("b", left)), problems_html(remaining)))


def _difference(text: str) -> Markup:
    """Return a difference of cells with what goes in red and what comes in green."""
    marks = {"+": "lowcode-good", "-": "lowcode-gone"}
    lines = [
        tag("span", line, class_=None if line.startswith(("+++", "---")) else marks.get(line[:1]))
        for line in text.splitlines()
    ]
    return tag("pre", joined(*lines, by="\n"), class_="lowcode-code")


def problems_count(problems: Sequence[Problem]) -> str:
    """Return `2 errors, 1 warning`, and how many of them have a fix."""
    counts = [(severity, sum(problem.severity == severity for problem in problems)) for severity in _ORDER]
    told = ", ".join(f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in counts if count)
    fixable = sum(problem.fix is not None for problem in problems)
    return f"{told} ({fixable:,} with a fix: check --fix)" if fixable else told


def problems_text(problems: Sequence[Problem]) -> str:
    """Return findings as lines of `LK102 error cell 4, line 3: fact; hint`; `[fix]` ends those that have one."""
    return "\n".join(f"{item.code} {item.severity} {item}{' [fix]' if item.fix else ''}" for item in problems)


def problems_html(problems: Sequence[Problem]) -> Markup:
    """Return findings as blocks. The first of each code can be unfolded to its page's text."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.code, problem)
    return joined(*(_problem(problem, unfolds=first[problem.code] is problem) for problem in problems))


def _problem(problem: Problem, *, unfolds: bool) -> Markup:
    where = [tag("b", str(problem.place)), " "] if problem.place else []
    found = page_of(problem.code)
    title = found.title if found else None
    label = f"{problem.code} {problem.severity}"
    code = tag("span", label, class_="lowcode-quiet lowcode-mono", style="float:right", title=title)
    hint = [tag("div", problem.hint)] if problem.hint else []
    fix = [tag("div", "check --fix: ", problem.fix.what)] if problem.fix else []
    more = [_page(found)] if found and unfolds else []
    return tag(
        "div", code, *where, problem.fact, *hint, *fix, *more, class_=f"lowcode-problem lowcode-{problem.severity}"
    )


def _page(found: Page) -> Markup:
    """Return what a code means and why, folded."""
    told = "\n\n".join(text for title in ("What", "Why", "How to fix") if (text := section(found.text, title)))
    return tag("details", tag("summary", f"{found.code} {found.name}"), page_html(told))
