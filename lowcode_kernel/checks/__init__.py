"""The checks: what is wrong with an application as a whole, all of it at once, each with its place and a way out.

`RULES` is a list of functions from an application to problems. Codes are stable: LK0xx the language, LK1xx names,
LK2xx SQL, LK3xx bodies and screens,
LK4xx what is never used, LK5xx access, LK6xx design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.access import check_access_roles, check_open_actions, check_row_rules, check_screen_actions
from lowcode_kernel.checks.names import check_bodies, check_queries, check_types
from lowcode_kernel.checks.structure import check_data, check_keys, check_paths, check_system_names
from lowcode_kernel.checks.unused import check_unreachable, check_unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.problems import Problem

RULES: tuple[Callable[[Application], Iterable[Problem]], ...] = (
    check_types,
    check_system_names,
    check_keys,
    check_queries,
    check_bodies,
    check_paths,
    check_data,
    check_access_roles,
    check_row_rules,
    check_screen_actions,
    check_open_actions,
    check_unused,
    check_unreachable,
)
_ORDER = {"error": 0, "warning": 1, "notice": 2}


def check(model: Model) -> tuple[Problem, ...]:
    """Return all problems of a model, errors first, then by place."""
    found = [*model.problems]
    for rule in RULES:
        found.extend(rule(model.application))
    unique = list(dict.fromkeys(found))
    return tuple(
        sorted(
            unique,
            key=lambda p: (_ORDER[p.severity], p.place.cell if p.place else 0, p.place.line if p.place else 0, p.code),
        )
    )


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return those problems that keep an application from being generated."""
    return tuple(problem for problem in problems if problem.severity == "error")
