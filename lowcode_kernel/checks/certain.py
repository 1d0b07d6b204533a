"""Fixes for what the language tells: the message and its place say enough."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.checks.nulls import null_fix
from lowcode_kernel.checks.spelling import names_of, spelling_fix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.fixes import Fix
    from lowcode_kernel.problems import Problem

_MISSPELLED = frozenset({"LK101", "LK501"})
_COMPARED_WITH_NULL = "LK219"


def with_fixes(problems: Iterable[Problem], facts: Facts) -> list[Problem]:
    """Return the problems, with a fix for each that has one way out only."""
    fixes = _Fixes(facts)
    return [problem if problem.fix else replace(problem, fix=fixes.of(problem)) for problem in problems]


class _Fixes:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @cached_property
    def known(self) -> frozenset[str]:
        """Every name that a cell could mean."""
        return names_of(self.facts)

    def of(self, problem: Problem) -> Fix | None:
        """Return the fix of a problem, or None."""
        if problem.code in _MISSPELLED:
            return spelling_fix(problem, self.known, self.facts)
        return null_fix(problem, self.facts) if problem.code == _COMPARED_WITH_NULL else None
