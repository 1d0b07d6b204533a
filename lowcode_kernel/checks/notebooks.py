"""Notebooks: what one may name of another, and what a public element shows of those that are private."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.facts import typed_parts
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Element, Query
    from lowcode_kernel.types import Type

_TYPES = frozenset({"entity", "struct", "query"})


def check_private_names(facts: Facts) -> Iterator[Problem]:
    """An element names what is public, or stands in its own notebook."""
    known = facts.app.by_id
    if not any(element.place.notebook for element in known.values()):
        return
    for name, used in facts.uses.items():
        element = known[name]
        for other in (known[item] for item in sorted(used)):
            if not other.public and other.place.notebook != element.place.notebook:
                where = other.place.notebook or "the notebook that uses it"
                fact = f"{element.kind} {element.name}: {other.kind} {other.name} is private to {where}"
                hint = "write --public there"
                yield Problem(code="LK122", fact=fact, hint=hint, place=element.place, element=element.id)


def check_exposed_types(facts: Facts) -> Iterator[Problem]:
    """Who may name a public element can name the types of what it takes and gives."""
    for element in facts.app.elements:
        if not element.public:
            continue
        for what, type_, place in typed_parts(element):
            if private := _private(type_, facts):
                fact = f"{what} is public, and its type {private.kind} {private.name} is private"
                hint = f"write --public at {private.name} too"
                yield Problem(code="LK123", fact=fact, hint=hint, place=place, element=element.id)


def check_exposed_rows(facts: Facts) -> Iterator[Problem]:
    """A public query's column that refers to a private entity is a key that nobody outside can follow."""
    for query in facts.app.queries.values():
        if query.public:
            yield from _rows(query, facts)


def _rows(query: Query, facts: Facts) -> Iterator[Problem]:
    for column in facts.analysis.queries[query.name].columns:
        if private := _private(column.type, facts):
            fact = (
                f"query {query.name} is public, and its column {column.name} refers to {private.name}, which is private"
            )
            hint = f"write --public at {private.name} too, or leave the column out"
            yield Problem(code="LK124", fact=fact, hint=hint, place=query.place, element=query.id, severity="warning")


def _private(type_: Type, facts: Facts) -> Element | None:
    found = facts.app.by_id.get(f"{type_.kind}:{type_.name}") if type_.kind in _TYPES else None
    return found if found and not found.public else None
