"""What a change of an attribute does outside of the application: to the database that is deployed, to the clients of
its REST addresses, to files of data, to notebooks that use the entity.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.evolution import evolve
from lowcode_kernel.impact_effects import Effect, Verdict
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.relational import schema_of, table_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.changing import AttributeChange
    from lowcode_kernel.elements import Action
    from lowcode_kernel.impact_effects import Comparison


def outside_effects(comparison: Comparison, change: AttributeChange) -> Iterator[Effect]:
    """Give the effects on what is not part of the application."""
    yield from _database(comparison)
    if change.kind != "required":
        yield from _clients(comparison, change)
    yield from _data(comparison, change)
    entity = comparison.entity
    if entity.public:
        how = f"{entity.name} is public: other notebooks may use it"
        yield _effect(comparison, f"notebooks:{entity.name}", "may break", how)


def _database(comparison: Comparison) -> Iterator[Effect]:
    """Give what an upgrade of a deployed database would do."""
    entity = comparison.entity
    table, said = f"database:{table_name(entity.name)}", "has a column for it"
    try:
        known = evolve(None, schema_of(comparison.before))[0]
        _, changes, problems = evolve(known, schema_of(comparison.after))
    except LowcodeError as error:
        yield _effect(comparison, table, "breaks", said, tuple(problem.fact for problem in error.problems))
        return
    errors = tuple(problem.fact for problem in problems if problem.severity == "error")
    risks = tuple(dict.fromkeys([*(p.fact for p in problems), *(item.risk for item in changes if item.risk)]))
    verdict: Verdict = "breaks" if errors else "may break" if risks else "regenerate"
    if errors or risks or changes:
        how = "; ".join(dict.fromkeys(item.summary for item in changes if item.kind != "views")) or _seen(comparison)
        yield _effect(comparison, table, verdict, how, errors or risks)


def _seen(comparison: Comparison) -> str:
    """Say what new views alone do: the column behind them stays as it is."""
    kept = comparison.after.entities[comparison.entity.name].attribute(comparison.attribute)
    return "its views show it otherwise" if kept else "its views show it no more; the column and its values stay"


def _effect(comparison: Comparison, element: str, verdict: Verdict, how: str, facts: tuple[str, ...] = ()) -> Effect:
    attribute = comparison.entity.attribute(comparison.attribute)
    place = attribute.place if attribute else comparison.entity.place
    return Effect(element=element, change=comparison.change, verdict=verdict, how=how, place=place, facts=facts)


def _clients(comparison: Comparison, change: AttributeChange) -> Iterator[Effect]:
    for action in comparison.before.actions.values():
        if action.rest and (how := _relied_on(action, comparison, change)):
            yield Effect(
                element=f"client:{' '.join(action.rest)}",
                change=comparison.change,
                verdict="may break",
                how=how,
                place=action.place,
            )


def _relied_on(action: Action, comparison: Comparison, change: AttributeChange) -> str:
    """Say what a client of an action's address has of the attribute, or nothing."""
    entity, attribute = comparison.entity, comparison.attribute
    if attribute in entity.key and change.kind in {"retype", "remove"}:
        for parameter in action.parameters:
            if parameter.type.kind == "entity" and parameter.type.name == entity.name:
                return f"action {action.name} takes the key of {entity.name} as {parameter.name}"
    returned = action.returns
    if returned is None:
        return ""
    if returned.kind == "entity" and returned.name == entity.name:
        return f"action {action.name} answers with rows of {entity.name}"
    if returned.kind == "query" and any(
        f"of query {returned.name}" in said or said.startswith("selects")
        for said in comparison.reasons.get(f"query:{returned.name}", ())
    ):
        return f"action {action.name} answers with rows of query {returned.name}"
    return ""


def _data(comparison: Comparison, change: AttributeChange) -> Iterator[Effect]:
    """Give the cells of data whose rows may no longer fit."""
    if change.kind == "optional":
        return
    name = re.compile(rf"\b{re.escape(comparison.attribute)}\b")
    for data in comparison.before.data.values():
        if data.entity == comparison.entity.name and (data.sql is None or name.search(data.sql)):
            how = "its SQL names it" if data.sql else f"the columns of {data.file} are taken by name"
            yield Effect(element=data.id, change=comparison.change, verdict="may break", how=how, place=data.place)
