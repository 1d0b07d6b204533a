"""What a change of an attribute does to everything else: found out by making the change, in a copy of the model.

| verdict | what it means for an element |
|---|---|
| breaks | the changed application has an error at it |
| may break | it rests on what breaks, or somebody outside relies on it: a client, rows that are there |
| regenerate | it stays right, and its generated code is another |
| no effect | it touches the attribute, and stays as it is |

Nothing is guessed of errors and of code: the checks are run on the changed model, and what is generated of both is
compared. The graph of parts says why an element is touched at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lowcode_kernel.changing import AttributeChange, changed_model
from lowcode_kernel.columns import columns_of
from lowcode_kernel.graph import build_graph, downstream
from lowcode_kernel.impact_effects import VERDICTS, Comparison, Effect
from lowcode_kernel.impact_outside import outside_effects
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.types import Type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.impact_effects import Texts, Verdict
    from lowcode_kernel.places import Place

NEW_NAME = "renamed_attribute"
_OTHER_TYPES = tuple(Type(name=name) for name in ("Text", "Integer", "Boolean", "Date", "Json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An element that uses another, directly or not, and how."""

    element: str
    how: str
    place: Place


def uses_of(app: Application, element: str) -> tuple[Use, ...]:
    """Return what a change of an element as a whole can touch."""
    graph = build_graph(app)
    direct = set(graph.predecessors(element))
    return tuple(
        Use(
            element=user,
            how=graph.why(user, element) if user in direct else "uses what uses it",
            place=app.by_id[user].place,
        )
        for user in downstream(graph, element)
    )


def impact(model: Model, entity: str, attribute: str, change: AttributeChange, texts: Texts) -> tuple[Effect, ...]:
    """Return what a change of an attribute does, the worst first. `texts` gives what is generated of an application, by
    element id.

    Raises:
        LowcodeError: there is no such attribute, or it can't be changed.

    """
    found = attribute_of(model.application, entity, attribute)
    if change.kind == "rename" and change.name in (columns_of(entity, model.application) or {}):
        fact = f'{entity} has an attribute "{change.name}" already'
        raise LowcodeError.of(fact, "choose another name", code="LK131")
    changed = changed_model(model, found, attribute, change)
    comparison = Comparison(model, changed, found, attribute, str(change), texts)
    return _ordered([*comparison.effects(), *outside_effects(comparison, change)])


def impact_of_all(model: Model, entity: str, attribute: str, texts: Texts) -> tuple[Effect, ...]:
    """Return what a rename, a retype and a removal of an attribute do. A retype to each of several types is tried:
    what breaks with some of them may break.
    """
    kept = attribute_of(model.application, entity, attribute).attribute(attribute)
    own = kept.type if kept else Type(name="Text")
    renamed = impact(model, entity, attribute, AttributeChange(kind="rename", name=NEW_NAME), texts)
    removed = impact(model, entity, attribute, AttributeChange(kind="remove"), texts)
    others = [replace(other, optional=own.optional) for other in _OTHER_TYPES if other.name != own.name]
    tried = [impact(model, entity, attribute, AttributeChange(kind="retype", type=other), texts) for other in others]
    retyped = _ordered(_joined(tried))
    return tuple(
        replace(effect, change=change)
        for change, effects in (("rename", renamed), ("retype", retyped), ("remove", removed))
        for effect in effects
    )


def _joined(tried: list[tuple[Effect, ...]]) -> list[Effect]:
    """Return one effect for each element: what all tries agree on, or that it may break."""
    by_element: dict[str, list[Effect]] = {}
    for effects in tried:
        for effect in effects:
            by_element.setdefault(effect.element, []).append(effect)
    return [_worst(found, tries=len(tried)) for found in by_element.values()]


def _worst(found: list[Effect], *, tries: int) -> Effect:
    worst = max(found, key=lambda effect: VERDICTS.index(effect.verdict))
    always = len(found) == tries and all(effect.verdict == "breaks" for effect in found)
    verdict: Verdict = "may break" if worst.verdict == "breaks" and not always else worst.verdict
    return replace(worst, verdict=verdict)


def attribute_of(app: Application, entity: str, attribute: str) -> Entity:
    """Return the entity of an attribute; raises LowcodeError where it has none of the name."""
    found = app.entities.get(entity)
    names = [item.name for item in found.attributes] if found else []
    if found is None or attribute not in names:
        hint = "the implied key is always there" if attribute == "id" and found else did_you_mean(attribute, names)
        raise LowcodeError.of(f'{entity} has no attribute "{attribute}"', hint, code="LK101")
    return found


def _ordered(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(effects, key=lambda effect: (-VERDICTS.index(effect.verdict), effect.element)))
