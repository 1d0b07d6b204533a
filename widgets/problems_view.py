"""What is wrong with a model, each finding with its place and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.problems import Problem

_ORDER = ("error", "warning", "notice")


def problems_view(problems: Sequence[Problem], *, sound: str = "No problems.") -> View:
    """Show findings, errors first; `sound` is said where there are none."""
    if not problems:
        return View(sound, page(tag("span", sound, class_="lowcode-good")))
    ordered = sorted(problems, key=lambda problem: _ORDER.index(problem.severity))
    return View(problems_text(ordered), page(tag("p", tag("b", problems_count(ordered))), problems_html(ordered)))


def problems_count(problems: Sequence[Problem]) -> str:
    """Return `2 errors, 1 warning`."""
    counts = [(severity, sum(problem.severity == severity for problem in problems)) for severity in _ORDER]
    return ", ".join(f"{count:,} {severity}{'' if count == 1 else 's'}" for severity, count in counts if count)


def problems_text(problems: Sequence[Problem]) -> str:
    """Return findings as lines of `LK102 error cell 4, line 3: fact; hint`."""
    return "\n".join(f"{problem.code} {problem.severity} {problem}" for problem in problems)


def problems_html(problems: Sequence[Problem]) -> Markup:
    """Return findings as blocks."""
    return joined(*(_problem(problem) for problem in problems))


def _problem(problem: Problem) -> Markup:
    where = [tag("b", str(problem.place)), " "] if problem.place else []
    code = tag("span", f"{problem.code} {problem.severity}", class_="lowcode-quiet lowcode-mono", style="float:right")
    hint = [tag("div", problem.hint)] if problem.hint else []
    return tag("div", code, *where, problem.fact, *hint, class_=f"lowcode-problem lowcode-{problem.severity}")
