"""Warnings and notices that a cell allows, with the reason.

    # lowcode: allow LK402 because the report tool reads it           (in SQL: -- lowcode: allow ...)

At the end of a line the comment is about that line, on a line of its own about the whole cell; in a cell of line
definitions (`%role`) about the line below it. An error can't be allowed, and a comment without a reason allows nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.checks.catalog import page
from lowcode_kernel.fixes import Edit, Fix
from lowcode_kernel.places import Place
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lowcode_kernel.checks.facts import Facts

Where = tuple[str | None, int, str]  # a notebook, a cell in it, a code

_MOST = 1_000  # comments of one cell

_COMMENT = re.compile(r"(?P<mark>#|--)[ \t]*lowcode:[ \t]*allow\b[ \t]*(?P<rest>[^\n]*)")
_REST = re.compile(r"(?P<codes>LK\d{3}(?:[ \t]*,[ \t]*LK\d{3})*)(?:[ \t]+because[ \t]+(?P<reason>\S.*))?\Z")
_SQL_CELL = re.compile(r"\s*%%(query|data)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One comment. `line` is the line that it is about, None for the whole cell; `edit` takes the comment out."""

    codes: tuple[str, ...]
    reason: str
    place: Place
    line: int | None
    edit: Edit

    def covers(self, problem: Problem) -> bool:
        """Say whether a problem is among those that the comment is about."""
        where = problem.place
        if where is None or problem.code not in self.codes:
            return False
        same = (where.notebook, where.cell) == (self.place.notebook, self.place.cell)
        return same and self.line in (None, where.line)


def allow(problems: Iterable[Problem], facts: Facts) -> list[Problem]:
    """Return the problems without those that the model's cells allow, and with what is wrong with the comments."""
    found = list(problems)
    allowances = [item for key, text in facts.model.texts.items() if "lowcode:" in text for item in read(text, key)]
    if not allowances:
        return found
    sound, used = _sound(allowances), set[int]()
    kept = [problem for problem in found if problem.severity == "error" or not _is_allowed(problem, sound, used)]
    return [*kept, *(problem for item in allowances for problem in _faults(item, used))]


def allow_in(problems: Iterable[Problem], texts: Mapping[tuple[str | None, int], str]) -> list[Problem]:
    """Return the problems without those that comments in the cells of their places allow."""
    found = list(problems)
    cells = {(place.notebook, place.cell) for problem in found if (place := problem.place)}
    sound = _sound(item for key in cells for item in read(texts.get(key, ""), key))
    return [problem for problem in found if problem.severity == "error" or not _is_allowed(problem, sound, set())]


def _sound(allowances: Iterable[Allowance]) -> dict[Where, list[Allowance]]:
    """Return the comments that allow something, by cell and code: a cell may have thousands."""
    found: dict[Where, list[Allowance]] = {}
    for item in allowances:
        for code in item.codes if item.reason else ():
            found.setdefault((item.place.notebook, item.place.cell, code), []).append(item)
    return found


def _is_allowed(problem: Problem, allowances: Mapping[Where, list[Allowance]], used: set[int]) -> bool:
    where = problem.place
    near = allowances.get((where.notebook, where.cell, problem.code), ()) if where else ()
    covering = {id(item) for item in near if item.covers(problem)}
    used |= covering
    return bool(covering)


def read(text: str, key: tuple[str | None, int]) -> Iterator[Allowance]:
    """Give the comments of a cell that allow something, or mean to."""
    notebook, cell = key
    mark = "--" if _SQL_CELL.match(text) else "#"
    whole = text.lstrip().startswith("%%")
    lines = text.splitlines(keepends=True)
    count = 0
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line)
        if match is None or match["mark"] != mark:
            continue
        count += 1
        if count > _MOST:
            return  # what is not read allows nothing
        alone = not line[: match.start()].strip()
        about = number if not alone else None if whole else number + 1
        yield _allowance(
            match, Place(cell=cell, line=number, column=match.start() + 1, notebook=notebook), about, lines
        )


def _allowance(match: re.Match[str], place: Place, about: int | None, lines: list[str]) -> Allowance:
    line = lines[place.line - 1]
    if not line[: match.start()].strip():
        edit = Edit(start=place.shifted(0), end=place.shifted(1), text="")
    else:
        start, end = len(line[: match.start()].rstrip()) + 1, len(line.rstrip("\n")) + 1
        edit = Edit(start=place.shifted(0, start), end=place.shifted(0, end), text="")
    said = _REST.match(match["rest"].strip())
    codes = tuple(code.strip() for code in said["codes"].split(",")) if said else ()
    return Allowance(codes=codes, reason=(said["reason"] or "") if said else "", place=place, line=about, edit=edit)


def _faults(item: Allowance, used: set[int]) -> Iterator[Problem]:
    if not item.reason:
        hint = "write # lowcode: allow LK402 because the report tool reads it"
        fact = "a comment allows something without a code and a reason, so it allows nothing"
        yield Problem(code="LK030", fact=fact, hint=hint, place=item.place, severity="warning")
        return
    for code in item.codes:
        known = page(code)
        if known is None or known.severity == "error":
            fact = f"{code} is an error, which can't be allowed" if known else f"there is no check {code}"
            yield Problem(code="LK031", fact=fact, hint="remove it", place=item.place, severity="warning")
            return
    if id(item) not in used:
        fact = f"nothing here is told as {' or '.join(item.codes)}"
        fix = Fix(what="remove a comment that allows nothing", edits=(item.edit,))
        yield Problem(code="LK032", fact=fact, hint="remove the comment", place=item.place, severity="notice", fix=fix)
