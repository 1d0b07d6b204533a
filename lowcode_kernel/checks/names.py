"""Names and types: everything that a cell names exists, and fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.elements import Action, Entity, Integration, Query, Screen, Setting, Struct
from lowcode_kernel.problems import Problem, did_you_mean
from lowcode_kernel.types import SCALARS, accepts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Element
    from lowcode_kernel.places import Place
    from lowcode_kernel.types import Type


def check_types(app: Application) -> Iterator[Problem]:
    """Every type that a definition names is there."""
    known = {*app.entities, *app.structs, *app.queries, "User"}
    for element in app.elements:
        for what, type_, place in _typed(element):
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


def _typed(element: Element) -> Iterator[tuple[str, Type, Place]]:
    """Give every type that a definition names, with where it stands."""
    subject = f"{element.kind} {element.name}"
    match element:
        case Entity() | Struct():
            yield from ((f"{subject}.{item.name}", item.type, item.place) for item in element.attributes)
        case Query() | Screen() | Action():
            yield from ((f"{subject}({item.name})", item.type, item.place) for item in element.parameters)
        case Setting():
            yield subject, element.type, element.place
    if isinstance(element, Action) and element.returns:
        yield subject, element.returns, element.place
    if isinstance(element, Integration):
        returned = [(f"operation {element.name}.{item.name}", item.returns, item.place) for item in element.operations]
        yield from ((what, type_, place) for what, type_, place in returned if type_)


def check_queries(app: Application) -> Iterator[Problem]:
    """Every query's SQL is right."""
    for analysis in analyze(app).queries.values():
        yield from analysis.problems


def check_bodies(app: Application) -> Iterator[Problem]:
    """Every body's names, types and calls are right, and an action returns what it promises."""
    analysis = analyze(app)
    for body in [*analysis.bodies.values(), *analysis.tests.values()]:
        yield from body.problems
    for name, body in analysis.actions.items():
        yield from _returns(app.actions[name], body.returns)


def _returns(action: Action, returned: tuple[Type, ...]) -> Iterator[Problem]:
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
    if promised is not None and not promised.optional and not returned:
        fact = f"action {action.name} promises {promised} and returns nothing"
        yield Problem(code="LK311", fact=fact, hint="add return ...", place=action.place, element=action.id)
