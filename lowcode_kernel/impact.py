"""What a change can touch: who reads and who writes an attribute, and who uses an element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.graph import build_graph, downstream
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.queries import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One element that a change touches. `how` is "reads", "writes", or "uses" with the way there."""

    element: str
    how: str
    place: Place


def impact(app: Application, element: str, attribute: str = "") -> tuple[Effect, ...]:
    """Return what a change of an element, or of one attribute of an entity, can touch.

    Raises:
        LowcodeError: the entity has no such attribute.

    """
    if attribute:
        return tuple(_attribute_effects(app, element.partition(":")[2], attribute))
    graph = build_graph(app)
    direct = set(graph.predecessors(element))
    return tuple(
        Effect(
            element=user,
            how=graph.edges[user, element]["why"] if user in direct else "uses what uses it",
            place=app.by_id[user].place,
        )
        for user in downstream(graph, element)
    )


def _attribute_effects(app: Application, entity: str, attribute: str) -> Iterator[Effect]:
    known = columns_of(entity, app)
    if known is None or attribute not in known:
        raise LowcodeError.of(
            f'{entity} has no attribute "{attribute}"', did_you_mean(attribute, known or ()), code="LK101"
        )
    analysis = analyze(app)
    for name, query in analysis.queries.items():
        if (entity, attribute) in query.reads:
            yield Effect(element=f"query:{name}", how="reads", place=app.queries[name].place)
    for element, body in {**analysis.bodies, **{f"test:{name}": body for name, body in analysis.tests.items()}}.items():
        how = [word for word, pairs in (("reads", body.reads), ("writes", body.writes)) if (entity, attribute) in pairs]
        if how:
            yield Effect(element=element, how=" and ".join(how), place=app.by_id[element].place)
