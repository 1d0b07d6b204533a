"""Indexes: references whose index the cell doesn't say, and indexes that are there twice.

PostgreSQL makes no index for a foreign key: without one a join from the other side, and every delete of a target's
row, reads the whole table. So the schema gives each reference one (`relational.schema_of`); what is told here is that
the cell does not say so, and that one index could be there for more than the reference.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import notice, warning
from lowcode_kernel.fixes import Edit, Fix
from lowcode_kernel.language.bodies import parse_again
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.problems import Problem

Columns = tuple[str, ...]


def check_references_without_index(facts: Facts) -> Iterator[Problem]:
    """A reference begins an index, the key or a uniqueness."""
    for entity in facts.app.entities.values():
        begun = {names[0] for names in (*entity.indexes, *_unique(entity)) if names}
        for attribute in entity.attributes:
            if attribute.type.kind == "entity" and not attribute.type.many and attribute.name not in begun:
                fact = f"entity {entity.name}: no index is written for the reference {attribute.name}"
                hint = f"write index({attribute.name}); the database gets one that the cell does not show"
                fix = _adding(entity, attribute.name, facts)
                yield notice("LK903", entity, fact, hint, place=attribute.place, fix=fix)


def _unique(entity: Entity) -> tuple[Columns, ...]:
    """Return what PostgreSQL keeps an index of already: the key, and what is unique."""
    single = tuple((attribute.name,) for attribute in entity.attributes if attribute.unique)
    return (entity.key, *entity.uniques, *single)


def check_double_indexes(facts: Facts) -> Iterator[Problem]:
    """No index is the beginning of another one."""
    for entity in facts.app.entities.values():
        for number, names in enumerate(entity.indexes):
            if other := _covering(entity, number):
                fact = f"entity {entity.name}: index({', '.join(names)}) is part of {other}"
                yield warning("LK820", entity, fact, "remove it", fix=_removing(entity, names, facts))


def _covering(entity: Entity, number: int) -> str:
    """Return the text of what does the work of the entity's index of that number too, or ""."""
    names = entity.indexes[number]
    for columns in _unique(entity):
        if columns[: len(names)] == names:
            return f"key({', '.join(columns)})" if columns == entity.key else f"unique({', '.join(columns)})"
    for other, columns in enumerate(entity.indexes):
        longer = columns[: len(names)] == names and (len(columns) > len(names) or other < number)
        if other != number and longer:
            return f"index({', '.join(columns)})"
    return ""


def _body(entity: Entity, facts: Facts) -> tuple[Place, list[ast.stmt]] | None:
    """Return the statements of the entity's cell and the place of its first line, or None where nobody wrote it."""
    text = facts.text(entity.place)
    if text is None:
        return None
    place = Place(cell=entity.place.cell, line=entity.place.line + 1, notebook=entity.place.notebook)
    try:
        return place, parse_again("".join(text.splitlines(keepends=True)[entity.place.line :]), place).body
    except LowcodeError:
        return None


def _adding(entity: Entity, attribute: str, facts: Facts) -> Fix | None:
    """Write the index below the last attribute or index."""
    found = _body(entity, facts)
    if found is None:
        return None
    place, statements = found
    before = [item for item in statements if isinstance(item, ast.AnnAssign) or _clause(item) == "index"]
    if not before:
        return None
    lines = (facts.text(place) or "").splitlines(keepends=True)
    line = place.line + (before[-1].end_lineno or 1) - 1
    ended = lines[line - 1].endswith("\n")
    at = place.shifted(line - place.line, 1 if ended else len(lines[line - 1]) + 1)
    at = place.shifted(line - place.line + 1) if ended else at
    text = f"index({attribute})\n" if ended else f"\nindex({attribute})"
    return Fix(what=f"add index({attribute}) to {entity.name}", edits=(Edit(start=at, end=at, text=text),))


def _removing(entity: Entity, names: Columns, facts: Facts) -> Fix | None:
    """Take the last clause with these names out, with its line where it stands alone there."""
    found = _body(entity, facts)
    if found is None:
        return None
    place, statements = found
    same = [item for item in statements if _clause(item) == "index" and _columns(item) == names]
    alone = [item for item in statements if same and item.lineno <= (same[-1].end_lineno or 0)]
    alone = [item for item in alone if (item.end_lineno or item.lineno) >= same[-1].lineno]
    lines = (facts.text(place) or "").splitlines()
    if len(alone) != 1 or "#" in lines[place.line + (same[-1].end_lineno or 1) - 2]:
        return None
    start = place.shifted(same[-1].lineno - 1)
    end = place.shifted(same[-1].end_lineno or same[-1].lineno)
    what = f"remove index({', '.join(names)}) from {entity.name}"
    return Fix(what=what, edits=(Edit(start=start, end=end, text=""),))


def _clause(statement: ast.stmt) -> str:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name
    return ""


def _columns(statement: ast.stmt) -> Columns:
    match statement:
        case ast.Expr(value=ast.Call(args=arguments)):
            return tuple(item.id for item in arguments if isinstance(item, ast.Name))
    return ()
