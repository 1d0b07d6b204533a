"""Fixes for names that are written with one letter wrong, where only one name can be meant.

Certain enough is: the message proposes a name, the word stands once on its line, one change of a letter leads from the
one to the other, and to no other name of the application.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.checks.facts import typed_parts
from lowcode_kernel.elements import Entity, Integration, Struct
from lowcode_kernel.fixes import Edit, Fix

if TYPE_CHECKING:
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Problem

_PROPOSED = re.compile(r'did you mean "([A-Za-z_]\w*)"\?')
# a name that stands alone may be a variable's: what it should be is less certain
_WRITTEN = re.compile(r'(?:attribute|entity|type|role|column|action|screen|operation) "([A-Za-z_]\w*)"')
_SHORTEST = 4  # one letter of fewer is most of the word


def spelling_fix(problem: Problem, known: frozenset[str], facts: Facts) -> Fix | None:
    """Return the fix of a name that is one slip away from one other name, of those that are `known`."""
    proposed, written = _PROPOSED.search(problem.hint), _WRITTEN.findall(problem.fact)
    if problem.place is None or proposed is None or not written:
        return None
    word, name = written[-1], proposed[1]
    near = {other for other in known if other != word and is_one_slip(word, other)}
    if len(word) < _SHORTEST or near != {name}:
        return None
    edit = _edit(word, name, problem.place, facts)
    return Fix(what=f'write "{name}" for "{word}"', edits=(edit,)) if edit else None


def names_of(facts: Facts) -> frozenset[str]:
    """Return every name that a cell could mean."""
    names = {"User", "user", "id"}
    for element in facts.app.elements:
        names.add(element.name)
        if isinstance(element, Entity | Struct):
            names.update(attribute.name for attribute in element.attributes)
        elif isinstance(element, Integration):
            names.update(operation.name for operation in element.operations)
        names.update(parameter.name for parameter in getattr(element, "parameters", ()))
        names.update(type_.name for _, type_, _ in typed_parts(element) if type_.kind == "scalar")
    for query in facts.analysis.queries.values():
        names.update(column.name for column in query.columns)
    return frozenset(names)


def _edit(word: str, name: str, place: Place, facts: Facts) -> Edit | None:
    """Replace the word where it stands once on the problem's line, or else once in the cell."""
    text = facts.text(place)
    if text is None:
        return None
    lines = text.splitlines()
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    here = (
        [(place.line, match) for match in pattern.finditer(lines[place.line - 1])] if place.line <= len(lines) else []
    )
    found = here or [(number, match) for number, line in enumerate(lines, 1) for match in pattern.finditer(line)]
    if len(found) != 1:
        return None
    line, match = found[0]
    below = line - place.line
    return Edit(start=place.shifted(below, match.start() + 1), end=place.shifted(below, match.end() + 1), text=name)


def is_one_slip(word: str, other: str) -> bool:
    """Say whether one letter more, less or changed, or two turned round, leads from one to the other."""
    if abs(len(word) - len(other)) > 1 or word == other:
        return False
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    left, right = word[start:], other[start:]
    turned = left[:2] == right[:2][::-1] and left[2:] == right[2:] and len(left) > 1
    return turned or left[1:] == right[1:] or left[1:] == right or left == right[1:]
