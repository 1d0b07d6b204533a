"""The effects of one change: two models side by side, and why each element is touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.application import Application
from lowcode_kernel.checks import find_errors
from lowcode_kernel.elements import Screen
from lowcode_kernel.graph import build_graph
from lowcode_kernel.graph_parts import build_detailed_graph
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.changing import Changed
    from lowcode_kernel.elements import Element, Entity
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Problem

    Texts = Callable[[Application], Mapping[str, object]]

Verdict = Literal["no effect", "regenerate", "may break", "breaks"]
VERDICTS: tuple[Verdict, ...] = ("no effect", "regenerate", "may break", "breaks")
_PASSING_ON = frozenset({"query", "action"})  # what breaks in them, breaks who uses them


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one change does to one element, or to somebody outside (`client:POST /api/orders`, `database:order`).

    `how` says why it is touched: "reads it", "shows column total of query open_orders (c2)"; `facts` are the problems
    that the change makes there.
    """

    element: str
    change: str
    verdict: Verdict
    how: str
    place: Place | None
    facts: tuple[str, ...] = ()


class Comparison:
    """An application before and after a change of an entity's attribute."""

    def __init__(
        self, model: Model, changed: Changed, entity: Entity, attribute: str, change: str, texts: Texts
    ) -> None:
        self.model, self.changed, self.entity, self.attribute = model, changed, entity, attribute
        self.change, self.texts = change, texts
        self.before, self.after = model.application, changed.model.application

    def effects(self) -> list[Effect]:
        """Return the effects on all elements that the change touches."""
        touched = {self.entity.id, *self.broken, *self.resting, *self.differing, *self.reasons}
        return [self._effect(name) for name in sorted(touched) if name in self.before.by_id]

    def _effect(self, name: str) -> Effect:
        facts = self.broken.get(name, ())
        verdict: Verdict = "breaks" if facts else "may break" if name in self.resting else "no effect"
        if verdict == "no effect" and name in self.differing:
            verdict = "regenerate"
        place = self.before.by_id[name].place
        return Effect(
            element=name, change=self.change, verdict=verdict, how=self._how(name), place=place, facts=tuple(facts)
        )

    def _how(self, name: str) -> str:
        if name == self.entity.id:
            return ", ".join(["has it", *self.reasons.get(name, ())])
        rested = self.resting.get(name)
        rests = f"rests on {rested.replace(':', ' ', 1)}, which breaks" if rested else ""
        if found := self.reasons.get(name):
            return "; ".join(filter(None, [", ".join(found), rests]))
        if rests:
            return rests
        key = self.attribute in self.entity.key
        return f"refers to {self.entity.name}, whose key it is" if key else f"has rows of {self.entity.name}"

    # what breaks

    @cached_property
    def broken(self) -> dict[str, tuple[str, ...]]:
        """The new errors of each element that has any."""
        known = {(problem.code, problem.fact, problem.element) for problem in self._known}
        found: dict[str, tuple[str, ...]] = {}
        for problem in (*self.changed.problems, *find_errors(self.changed.model)):
            if problem.severity == "error" and (problem.code, problem.fact, problem.element) not in known:
                name = self._element_of(problem)
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), problem.fact)))
        return found

    @cached_property
    def _known(self) -> tuple[Problem, ...]:
        """What was wrong before."""
        return find_errors(self.model)

    def _element_of(self, problem: Problem) -> str:
        name = problem.element
        return name if name is not None and name in self.before.by_id else self.entity.id

    @cached_property
    def resting(self) -> dict[str, str]:
        """What uses a query or an action that breaks, with that one."""
        graph = build_graph(self.before)
        found: dict[str, str] = {}
        left = [name for name in self.broken if name.partition(":")[0] in _PASSING_ON]
        while left:
            name = left.pop()
            for user in graph.predecessors(name):
                if user not in self.broken and user not in found:
                    found[user] = found.get(name, name)
                    left += [user] if user.partition(":")[0] in _PASSING_ON else []
        return found

    # what is generated

    @cached_property
    def differing(self) -> frozenset[str]:
        """The elements whose generated code is another after the change, among those that stay right."""
        wrong = {*self.broken, *self.resting} - {self.entity.id}
        if self.entity.id in self.broken:
            return frozenset()
        try:
            before, after = (self.texts(_without(app, wrong)) for app in (self.before, self.after))
        except LowcodeError:
            return frozenset({self.entity.id})  # its table can't be made: the database's effect tells
        names = {name for name in {*before, *after} - wrong if before.get(name) != after.get(name)}
        if wrong and not self._known and self.entity.id in self.texts(self.before):
            names.add(self.entity.id)  # what is used of it now may be used by what breaks alone
        return frozenset(names)

    # why

    @cached_property
    def reasons(self) -> dict[str, tuple[str, ...]]:
        """How each element names the attribute, itself or by what is computed of it."""
        graph = build_detailed_graph(self.before)
        start = f"attribute:{self.entity.name}.{self.attribute}"
        found: dict[str, list[str]] = {}
        seen, left = {start}, [start]
        while left:
            part = left.pop(0)
            for user, why in graph.used_by.get(part, {}).items():
                if words := [word for word in why.split(", ") if word != "contains"]:
                    said = _said(" and ".join(words), part, start, user)
                    found.setdefault(graph.nodes[user].element, []).append(said)
                    if user not in seen and user.startswith(("attribute:", "column:")):
                        left.append(user)
                    seen.add(user)
        return {element: _without_repeated(said) for element, said in found.items()}


def _without_repeated(said: list[str]) -> tuple[str, ...]:
    """Leave out that a screen reads what one of its components shows."""
    shown = {text.removeprefix("shows ").rpartition(" (")[0] for text in said if text.startswith("shows ")}
    return tuple(text for text in dict.fromkeys(said) if text.removeprefix("reads ") not in shown)


def _said(why: str, part: str, start: str, user: str) -> str:
    """Return `shows column total of query open_orders (c2)`, `filters by it`, `selects it as gross`."""
    if part == start:
        what = "it"
    else:
        kind, _, name = part.partition(":")
        owner, _, column = name.rpartition(".")
        what = f"column {column} of query {owner}" if kind == "column" else f"{name} (computed from it)"
    if user.startswith("column:"):
        return f"selects {what} as {user.rpartition('.')[2]}"
    if user.startswith("attribute:"):
        return f"computes {user.rpartition('.')[2]} from {what}"
    where = f" ({user.rpartition('.')[2]})" if user.startswith("component:") else ""
    return f"{why} {what}{where}"


def _without(app: Application, gone: Iterable[str]) -> Application:
    """Return an application without elements; a screen stays as an empty one, since others lead to it."""
    names = set(gone)
    if not names:
        return app
    kept: list[Element] = []
    for element in app.elements:
        if element.id not in names:
            kept.append(element)
        elif isinstance(element, Screen):
            kept.append(replace(element, body='title("")'))
    return Application.of(app.name, app.title, kept)
