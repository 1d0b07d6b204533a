"""The rules that give advice: warnings and notices on what may well be meant and often is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.access import check_open_actions, check_screen_actions
from lowcode_kernel.checks.columns import check_result_columns
from lowcode_kernel.checks.deployed import check_deployed
from lowcode_kernel.checks.entities import check_attributes, check_entities
from lowcode_kernel.checks.exposure import check_open_entities, check_personal_attributes, check_rest_methods
from lowcode_kernel.checks.indexes import check_double_indexes, check_references_without_index
from lowcode_kernel.checks.integrations import check_integrations, check_waiting
from lowcode_kernel.checks.loops import check_endless_loops, check_loops
from lowcode_kernel.checks.notebooks import check_exposed_rows
from lowcode_kernel.checks.nulls import check_nulls
from lowcode_kernel.checks.packages import check_packages_here
from lowcode_kernel.checks.roles import check_disjoint_roles, check_idle_roles
from lowcode_kernel.checks.schedules import check_schedules, check_shared_ticks
from lowcode_kernel.checks.screens import check_crossing_paths, check_unused_in_screens
from lowcode_kernel.checks.secrets import check_secrets
from lowcode_kernel.checks.shape import check_call_circles, check_titles, check_width
from lowcode_kernel.checks.stars import check_stars
from lowcode_kernel.checks.unused import check_unreachable, check_unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.problems import Problem

    Rule = Callable[[Facts], Iterable[Problem]]

ADVICE_RULES: tuple[Rule, ...] = (
    check_screen_actions,
    check_open_actions,
    check_open_entities,
    check_disjoint_roles,
    check_idle_roles,
    check_rest_methods,
    check_personal_attributes,
    check_secrets,
    check_unused,
    check_unreachable,
    check_packages_here,
    check_result_columns,
    check_attributes,
    check_entities,
    check_stars,
    check_nulls,
    check_loops,
    check_endless_loops,
    check_references_without_index,
    check_double_indexes,
    check_integrations,
    check_waiting,
    check_schedules,
    check_shared_ticks,
    check_titles,
    check_width,
    check_call_circles,
    check_deployed,
    check_exposed_rows,
    check_crossing_paths,
    check_unused_in_screens,
)
