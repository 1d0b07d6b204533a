"""Names and types: everything that a cell names exists, and fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.facts import typed_parts
from lowcode_kernel.elements import Entity
from lowcode_kernel.problems import Problem, did_you_mean
from lowcode_kernel.types import SCALARS, accepts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Action
    from lowcode_kernel.types import Type


def check_types(facts: Facts) -> Iterator[Problem]:
    """Every type that a definition names is there."""
    app = facts.app
    known = {*app.entities, *app.structs, *app.queries, "User"}
    for element in app.elements:
        for what, type_, place in typed_parts(element):
            if type_.kind in {"entity", "struct", "query"} and type_.name not in known:
                hint = did_you_mean(type_.name, [*known, *SCALARS])
                yield Problem(
                    code="LK101",
                    fact=f'{what}: there is no type "{type_.name}"',
                    hint=hint,
                    place=place,
                    element=element.id,
                )
            elif isinstance(element, Entity) and type_.kind in {"struct", "query"}:
                fact, hint = (
                    f"{what} holds {type_.kind} {type_.name}",
                    "an entity keeps values and references; use Json, or an entity",
                )
                yield Problem(code="LK106", fact=fact, hint=hint, place=place, element=element.id)


def check_queries(facts: Facts) -> Iterator[Problem]:
    """Every query's SQL is right."""
    for analysis in facts.analysis.queries.values():
        yield from analysis.problems


def check_bodies(facts: Facts) -> Iterator[Problem]:
    """Every body's names, types and calls are right, and an action returns what it promises."""
    analysis = facts.analysis
    for body in [*analysis.bodies.values(), *analysis.tests.values()]:
        yield from body.problems
    for name, body in analysis.actions.items():
        yield from _returns(facts.app.actions[name], body.returns, ends=body.ends)


def _returns(action: Action, returned: tuple[Type, ...], *, ends: bool) -> Iterator[Problem]:
    promised = action.returns
    for type_ in returned:
        if promised is None and type_.kind not in {"none", "unknown"}:
            hint = f"write %%action {action.name}(...) -> {type_}"
            yield Problem(
                code="LK311",
                fact=f"action {action.name} returns {type_} and promises nothing",
                hint=hint,
                place=action.place,
                element=action.id,
            )
        elif promised is not None and not accepts(promised, type_):
            fact = f"action {action.name} returns {type_} and promises {promised}"
            yield Problem(code="LK311", fact=fact, hint="change one of them", place=action.place, element=action.id)
    if promised is not None and not promised.optional and ends:
        way = "its end can be reached without return" if returned else "returns nothing"
        code, fact = "LK333" if returned else "LK311", f"action {action.name} promises {promised} and {way}"
        yield Problem(code=code, fact=fact, hint="add return ...", place=action.place, element=action.id)
