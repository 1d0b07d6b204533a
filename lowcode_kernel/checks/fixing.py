"""Cells with problems to cells without those that have a fix.

The law: what a fix was for is gone afterwards, and nothing is told that was not told before. A fix that breaks it is
not made. Pure: who reads the cells and keeps them is told by the caller.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from lowcode_kernel.checks import check
from lowcode_kernel.fixes import edited, overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.fixes import Edit
    from lowcode_kernel.problems import Problem

    Cells = Mapping[int, str]

_ROUNDS = 20  # a fix can make another one possible; more than a few in a row can't be
_Key = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The cells afterwards, which problems were put right, and what remains."""

    cells: Cells
    made: tuple[Problem, ...]
    remaining: tuple[Problem, ...]


def fix(cells: Cells, read: Callable[[Cells], Model], choose: Callable[[Problem], bool] = lambda _: True) -> Fixed:
    """Make all fixes of problems that `choose` lets through, until there are none; `read` makes a model of cells."""
    made: list[Problem] = []
    refused: set[_Key] = set()
    problems = check(read(cells))
    for _ in range(_ROUNDS):
        chosen = _apart(item for item in problems if _can_be_fixed(item, cells, refused) and choose(item))
        if not chosen:
            break
        batches = [chosen] if _tried(cells, chosen, problems, read) else [[item] for item in chosen]
        for batch in batches:
            if after := _tried(cells, batch, problems, read):
                cells, problems = after
                made.extend(batch)
            else:
                refused.update(map(_key, batch))
            if len(batches) > 1 and after:
                break  # the others' places have moved
    return Fixed(cells=cells, made=tuple(made), remaining=problems)


def _key(problem: Problem) -> _Key:
    return problem.code, problem.element, problem.fact


def _can_be_fixed(problem: Problem, cells: Cells, refused: set[_Key]) -> bool:
    if problem.fix is None or _key(problem) in refused:
        return False
    return all(edit.start.notebook is None and edit.start.cell in cells for edit in problem.fix.edits)


def _apart(problems: Iterable[Problem]) -> list[Problem]:
    """Return those problems, first come first served, whose edits don't touch each other's."""
    chosen: list[Problem] = []
    edits: list[Edit] = []
    for problem in problems:
        wanted = problem.fix.edits if problem.fix else ()
        if not any(overlap(one, other) for one in wanted for other in edits):
            chosen.append(problem)
            edits.extend(wanted)
    return chosen


def _tried(
    cells: Cells, chosen: list[Problem], before: tuple[Problem, ...], read: Callable[[Cells], Model]
) -> tuple[Cells, tuple[Problem, ...]] | None:
    """Return the cells with these fixes and the problems that they then have, or None where that is no better."""
    by_cell: dict[int, list[Edit]] = {}
    for problem in chosen:
        for edit in problem.fix.edits if problem.fix else ():
            by_cell.setdefault(edit.start.cell, []).append(edit)
    fixed = {**cells, **{number: edited(cells[number], edits) for number, edits in by_cell.items()}}
    after = check(read(fixed))
    return (fixed, after) if _is_better(chosen, before, after) else None


def _is_better(chosen: list[Problem], before: tuple[Problem, ...], after: tuple[Problem, ...]) -> bool:
    """Say whether the chosen problems are gone, and no others came. An error hides what is behind it: where one was put
    right, warnings and notices may come to light.
    """
    counted = Counter(map(_key, before))
    remaining = Counter(map(_key, after))
    if any(remaining[_key(problem)] >= counted[_key(problem)] for problem in chosen):
        return False
    unveiled = any(problem.severity == "error" for problem in chosen)
    came = [problem for problem in after if remaining[_key(problem)] > counted[_key(problem)]]
    return all(unveiled and problem.severity != "error" for problem in came)


def difference(before: Cells, after: Cells) -> str:
    """Return what changed as a unified diff, cell by cell; "" where nothing did."""
    parts: list[str] = []
    for number, text in before.items():
        if text != after[number]:
            old, new = text.splitlines(), after[number].splitlines()
            parts += unified_diff(old, new, f"cell {number}", f"cell {number}, fixed", lineterm="", n=2)
    return "\n".join(parts)
