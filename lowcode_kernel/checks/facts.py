"""What the rules ask of an application as a whole, each thing worked out once and when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.checks.circles import components
from lowcode_kernel.elements import Action, Entity, Integration, Job, Query, Screen, Setting, Struct
from lowcode_kernel.rules import roles_of_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.analysis import Analysis
    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.elements import Element
    from lowcode_kernel.places import Place
    from lowcode_kernel.schema import Schema
    from lowcode_kernel.types import Type

WRITING = frozenset({"create", "update", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What a body does, itself or by the actions that it calls: names of entities and queries. `waits` says that it
    asks another service.
    """

    reads: frozenset[str] = frozenset()
    queries: frozenset[str] = frozenset()
    creates: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    waits: bool = False

    def joined(self, other: Doing) -> Doing:
        """Return what either does."""
        return Doing(
            reads=self.reads | other.reads,
            queries=self.queries | other.queries,
            creates=self.creates | other.creates,
            writes=self.writes | other.writes,
            waits=self.waits or other.waits,
        )


@dataclass(frozen=True)
class Facts:
    """A model, and what follows from it. `deployed` is the schema that an environment's database has, where that is
    known.
    """

    model: Model
    deployed: Schema | None = field(default=None)

    @property
    def app(self) -> Application:
        """The application."""
        return self.model.application

    @property
    def analysis(self) -> Analysis:
        """The analyses of its parts."""
        return analyze(self.app)

    def text(self, place: Place) -> str | None:
        """Return the text of the cell at a place, or None where nobody wrote it (`%scaffold`) or it is not known."""
        return None if place.fixed else self.model.texts.get((place.notebook, place.cell))

    @cached_property
    def all_bodies(self) -> dict[str, BodyAnalysis]:
        """The bodies of all elements that have one, those of tests too, by element id."""
        tests = {f"test:{name}": body for name, body in self.analysis.tests.items()}
        return {**self.analysis.bodies, **tests}

    @property
    def running(self) -> Iterator[Action | Job | Screen]:
        """The elements that have a body which runs in the deployed application."""
        yield from self.app.actions.values()
        yield from self.app.jobs.values()
        yield from self.app.screens.values()

    @cached_property
    def uses(self) -> dict[str, frozenset[str]]:
        """The ids of what each element names, by its id."""
        known = self.app.by_id
        return {name: frozenset(used for used in self._used(item) if used in known) for name, item in known.items()}

    def _used(self, element: Element) -> Iterator[str]:
        if isinstance(element, Query):
            yield from (f"entity:{name}" for name in self.analysis.queries[element.name].entities)
        if body := self.all_bodies.get(element.id):
            yield from body.uses
        yield from (f"{type_.kind}:{type_.name}" for _, type_, _ in typed_parts(element))
        yield from (f"role:{role}" for role in roles_of(element))
        if element.kind == "data":
            yield f"entity:{getattr(element, 'entity', '')}"

    @cached_property
    def users(self) -> dict[str, frozenset[str]]:
        """The ids of the elements that name each element, by its id."""
        found: dict[str, set[str]] = {element: set() for element in self.uses}
        for user, used in self.uses.items():
            for element in used:
                found[element].add(user)
        return {element: frozenset(users) for element, users in found.items()}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The ids of what the outside reaches: screens, jobs and actions with a REST address."""
        return tuple(
            element.id
            for element in self.app.elements
            if isinstance(element, Screen | Job) or (isinstance(element, Action) and element.rest)
        )

    @cached_property
    def needed(self) -> frozenset[str]:
        """The ids of all that the outside reaches."""
        return self.reached(self.roots)

    def reached(self, roots: Iterable[str]) -> frozenset[str]:
        """Return the ids of what these elements reach, themselves among them."""
        found = set(roots)
        left = list(found)
        while left:
            for used in self.uses.get(left.pop(), ()):
                if used not in found:
                    found.add(used)
                    left.append(used)
        return frozenset(found)

    @cached_property
    def offered(self) -> frozenset[str]:
        """The names of the actions that screens have buttons or forms for."""
        models = self.analysis.screens.values()
        return frozenset(item.action for model in models for item in model.components() if item.action)

    @cached_property
    def doings(self) -> dict[str, Doing]:
        """What each body does, by element id, with all that the actions it calls do."""
        calls = {
            element: [used for used in body.uses if used.startswith("action:") and not element.startswith("screen:")]
            for element, body in self.all_bodies.items()
        }
        found: dict[str, Doing] = {}
        for part in components(calls):
            doing = Doing()
            for element in part:
                doing = doing.joined(self._own_doing(self.all_bodies[element]))
                for called in calls[element]:
                    doing = doing.joined(found.get(called, Doing()))
            found.update(dict.fromkeys(part, doing))
        return found

    def _own_doing(self, body: BodyAnalysis) -> Doing:
        calls = list(body.calls.values())
        entity_calls = [(call.name, call.method) for call in calls if call.kind == "entity"]
        queries = frozenset(call.name for call in calls if call.kind == "query")
        read_by_queries = {entity for name in queries for entity in self.analysis.queries[name].entities}
        return Doing(
            reads=frozenset({name for name, method in entity_calls if method not in WRITING} | read_by_queries),
            queries=queries,
            creates=frozenset(name for name, method in entity_calls if method == "create"),
            writes=frozenset(name for name, method in entity_calls if method in WRITING),
            waits=any(call.kind == "integration" for call in calls),
        )


def typed_parts(element: Element) -> Iterator[tuple[str, Type, Place]]:
    """Give every type that a definition names: what it is the type of, and where that stands."""
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


def roles_of(element: Element) -> tuple[str, ...]:
    """Return the names of the roles that an element asks for."""
    if isinstance(element, Action | Screen):
        return element.roles
    if isinstance(element, Entity) and (access := element.access):
        return tuple(dict.fromkeys([*access.read, *access.write, *access.delete, *roles_of_rule(element)]))
    return ()
