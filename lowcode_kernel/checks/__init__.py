"""The checks: what is wrong with an application as a whole, all of it at once, each with its place and a way out.

`ERROR_RULES` find what keeps an application from being generated, `advice.ADVICE_RULES` what may well be meant and is
not: warnings and notices. A rule is a function from the facts of a model to problems. Codes are stable: LK0xx the
language, LK1xx names, LK2xx SQL, LK3xx bodies and screens, LK4xx what is never used, LK5xx access and secrets, LK8xx
design, LK9xx speed. Each has a page (`lowcode_kernel.checks.catalog`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.access import check_access_roles, check_row_rules
from lowcode_kernel.checks.facts import Facts
from lowcode_kernel.checks.names import check_bodies, check_queries, check_types
from lowcode_kernel.checks.notebooks import check_exposed_types, check_private_names
from lowcode_kernel.checks.packages import check_package_hashes
from lowcode_kernel.checks.row_values import check_row_values, check_whole_keys
from lowcode_kernel.checks.screens import check_screens_behind_actions
from lowcode_kernel.checks.structure import check_data, check_keys, check_paths, check_system_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.schema import Schema

    Rule = Callable[[Facts], Iterable[Problem]]

ERROR_RULES: tuple[Rule, ...] = (
    check_types,
    check_system_names,
    check_keys,
    check_row_values,
    check_whole_keys,
    check_queries,
    check_bodies,
    check_paths,
    check_data,
    check_access_roles,
    check_row_rules,
    check_package_hashes,
    check_private_names,
    check_exposed_types,
    check_screens_behind_actions,
)
_ORDER = {"error": 0, "warning": 1, "notice": 2}


def check(model: Model, deployed: Schema | None = None) -> tuple[Problem, ...]:
    """Return all problems of a model, errors first, then by place; those that a cell allows are left out.

    `deployed` is the schema that a database has now: with it, what a deployment would take from it is told too.
    """
    from lowcode_kernel.checks.advice import ADVICE_RULES  # generation asks for errors alone, and doesn't wait for them
    from lowcode_kernel.checks.allowing import allow
    from lowcode_kernel.checks.certain import with_fixes

    facts = Facts(model, deployed)
    found = [*model.problems]
    for rule in (*ERROR_RULES, *ADVICE_RULES):
        found.extend(rule(facts))
    return _sorted(with_fixes(allow(filter(_is_told_here, found), facts), facts))


def find_errors(model: Model) -> tuple[Problem, ...]:
    """Return those problems alone that keep an application from being generated: what is fast to find."""
    facts = Facts(model)
    found = [*model.problems]
    for rule in ERROR_RULES:
        found.extend(rule(facts))
    return _sorted(errors(found))


def _is_told_here(problem: Problem) -> bool:
    """Say whether a problem is this notebook's: what is unused or worth knowing in one that it uses is told there."""
    elsewhere = problem.place is not None and problem.place.notebook is not None
    return not elsewhere or (problem.severity != "notice" and not problem.code.startswith("LK4"))


def _sorted(found: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(
        sorted(
            dict.fromkeys(found),
            key=lambda p: (_ORDER[p.severity], p.place.cell if p.place else 0, p.place.line if p.place else 0, p.code),
        )
    )


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return those problems that keep an application from being generated."""
    return tuple(problem for problem in problems if problem.severity == "error")
