"""Comparisons with nothing: `== None` says in Python what `is None` means, and `= NULL` is never true in SQL."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import warning
from lowcode_kernel.elements import Query
from lowcode_kernel.fixes import Edit, Fix, span
from lowcode_kernel.language.bodies import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Action, Job, Screen, Test
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Problem

_PYTHON = re.compile(r"[=!]=\s*None\b|\bNone\s*[=!]=")


def check_nulls(facts: Facts) -> Iterator[Problem]:
    """Nothing is compared with None by `==`."""
    bodies: list[Action | Job | Screen | Test] = [*facts.running, *facts.app.tests.values()]
    for element in bodies:
        if _PYTHON.search(element.body):
            yield from _in_python(element, facts)


def null_fix(problem: Problem, facts: Facts) -> Fix | None:
    """Return the fix of a comparison with NULL in a query, which the problem stands at or before."""
    from lowcode_kernel.sql import words  # the SQL parser, only where it has something to say

    query = facts.app.by_id.get(problem.element or "")
    if not isinstance(query, Query) or problem.place is None:
        return None
    found = words(query.sql)
    for operator, null in pairwise(found):
        start, end = span(query.sql_place, operator.start, null.end, query.sql)
        compares = null.kind == "NULL" and operator.kind in {"EQ", "NEQ"}
        if compares and (start.line, start.column) >= (problem.place.line, problem.place.column):
            wanted = "IS NULL" if operator.kind == "EQ" else "IS NOT NULL"
            return Fix(what=f"write {wanted}", edits=(Edit(start=start, end=end, text=wanted),))
    return None


def _in_python(element: Action | Job | Screen | Test, facts: Facts) -> Iterator[Problem]:
    lines = element.body.splitlines()
    for node in ast.walk(facts.all_bodies[element.id].tree):
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        if not any(isinstance(side, ast.Constant) and side.value is None for side in (node.left, node.comparators[0])):
            continue
        word = "is" if isinstance(node.ops[0], ast.Eq) else "is not"
        place, edit = _edit(node, element, word, lines)
        fact = f"{element.kind} {element.name}: `{ast.unparse(node)}` compares with None"
        fix = Fix(what=f"write `{word}`", edits=(edit,)) if edit else None
        hint = f"write {ast.unparse(node.left)} {word} {ast.unparse(node.comparators[0])}"
        yield warning("LK312", element, fact, hint, place=place, fix=fix)


def _edit(
    node: ast.Compare, element: Action | Job | Screen | Test, word: str, lines: list[str]
) -> tuple[Place, Edit | None]:
    """Return where the comparison stands, and the edit of its operator where both sides stand on one line."""
    place = place_of(node, element.body_place)
    line, right = (node.left.end_lineno or 1) - 1, node.comparators[0]
    if right.lineno - 1 != line:
        return place, None
    first, last = (len(lines[line].encode()[:at].decode()) for at in (node.left.end_col_offset or 0, right.col_offset))
    between = lines[line][first:last]
    at = re.search(r"[=!]=", between)
    if at is None:
        return place, None
    start, end = first + at.start() + 1, first + at.end() + 1
    before, after = between[: at.start()], between[at.end() :]
    text = f"{'' if before.endswith(' ') else ' '}{word}{'' if after.startswith(' ') else ' '}"
    return place, Edit(
        start=element.body_place.shifted(line, start), end=element.body_place.shifted(line, end), text=text
    )
