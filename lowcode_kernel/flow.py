"""Data flow of the whole application: every read, and every use of what it gives, wherever that goes.

    rows = open_orders(customer=c)       Read(element="action:close", node=<the call>)
    if rows:                                 Use(kind="truth", level=1)
        note(rows[0])                        Use(kind="index", detail="0"), and what the action `note` does with it:
                                             Use(kind="attribute", detail="number", element="action:note", level=0)

Each body is interpreted once, on its own (`flow_bodies`): names are followed through assignments that replace what they
held, branches that join, loops, exceptions, comprehensions, tuples and local functions. What it finds is remembered
(`memo`). Then bodies are put together: what an action returns flows to all its callers, what they give it to its
parameters, and what REST, a button or a form gets escapes.

Refinements of the contract: `Use.level` says of what the use is: 1 of a list of rows, 0 of one row (or of the scalar of
`exists` and `count`). `Flow.by_node` is keyed by (element id, node): bodies with the same text share a tree.
`Read.crosses` is true where the value leaves its body by an action's argument or result, or enters a local function.
A followed reference has `call=None`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.elements import Screen
from lowcode_kernel.flow_bodies import body_flow, lost_flow, screen_flow
from lowcode_kernel.flow_values import BodyFlow, Held, Source, Use, UseKind
from lowcode_kernel.language.screen_model import ScreenModel
from lowcode_kernel.language.screens import screen_model
from lowcode_kernel.memo import remembered, unwritten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.elements import Action, Job, Test

__all__ = ["BodyFlow", "Flow", "Read", "Use", "UseKind", "flow"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """One read with every use of its value. `alone`: no name that it reaches may hold a value of another source."""

    element: str
    node: ast.expr
    call: Call | None
    uses: tuple[Use, ...]
    alone: bool
    crosses: bool = False

    def escapes(self) -> str:
        """Return where the value goes that it can't be followed, or ""."""
        return next((use.detail for use in self.uses if use.kind == "escape"), "")

    def attributes(self) -> frozenset[str]:
        """Return the attributes that are asked of its rows."""
        return frozenset(use.detail for use in self.uses if use.kind == "attribute")


_SMALL = 1_500  # characters of a body that is followed whatever is in it
_MOST_WEIGHT = 1_000  # statements and calls of a body, each counted once more for every loop around it


@dataclass(frozen=True)
class Flow:
    """All reads of an application, tests' among them. `bodies` has what was found in each body by itself."""

    reads: tuple[Read, ...]
    by_node: dict[tuple[str, ast.AST], Read] = field(repr=False)
    bodies: dict[str, BodyFlow] = field(repr=False)

    def of_query(self, name: str) -> tuple[Read, ...]:
        """Return the reads of a query, in all its forms."""
        return self._by_query.get(name, ())

    @property
    def _by_query(self) -> dict[str, tuple[Read, ...]]:
        known: dict[str, tuple[Read, ...]] | None = self.__dict__.get("_queries")
        if known is None:
            found: dict[str, list[Read]] = {}
            for read in self.reads:
                if read.call is not None and read.call.kind == "query":
                    found.setdefault(read.call.name, []).append(read)
            known = self.__dict__["_queries"] = {name: tuple(reads) for name, reads in found.items()}
        return known


def flow(app: Application) -> Flow:
    """Return the application's data flow; the same object each time."""
    cached = app.__dict__.get("_flow")
    if cached is None:
        with unwritten():
            cached = app.__dict__.setdefault("_flow", _Linked(app).flow())
    found: Flow = cached
    return found


def flow_of(element: Action | Job | Test | Screen, analysis: BodyAnalysis, app: Application) -> BodyFlow:
    """Return what is found in one body by itself: its analysis is given, so that the element may be a changed one."""
    if isinstance(element, Screen):
        model = screen_model(element, app)
        return remembered("flow", element, app, lambda: _followed(element, model, app), also=(model,))
    return remembered("flow", element, app, lambda: _followed(element, analysis, app), also=(analysis,))


def _followed(element: Action | Job | Test | Screen, found: BodyAnalysis | ScreenModel, app: Application) -> BodyFlow:
    parameters = getattr(element, "parameters", ())
    body = found.body if isinstance(found, ScreenModel) else found
    if not is_followed(element.body, body.tree):
        return lost_flow(element.id, body)
    try:
        if isinstance(found, ScreenModel):
            return screen_flow(element.id, found, parameters, app)
        return body_flow(element.id, found, parameters, app)
    except RecursionError:
        return lost_flow(element.id, body)


def is_followed(body: str, tree: ast.Module) -> bool:
    """Say whether a body is small enough to be followed: what its rows are used for takes the square of its size, and
    more where loops stand in each other.
    """
    return len(body) <= _SMALL or _is_light(tree)


@lru_cache(maxsize=1024)
def _is_light(tree: ast.Module) -> bool:
    weight = 0
    waiting: list[tuple[ast.AST, int]] = [(node, 1) for node in tree.body]
    while waiting and weight <= _MOST_WEIGHT:
        node, turns = waiting.pop()
        if isinstance(node, ast.stmt | ast.Call | ast.comprehension):
            weight += turns
        inner = turns + isinstance(node, ast.For | ast.While)
        inner += len(getattr(node, "generators", ()))
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
    return weight <= _MOST_WEIGHT


def local_reads(body: BodyFlow) -> tuple[Read, ...]:
    """Return the reads of one body with the uses that it makes of them itself; those of which others may make some are
    marked as crossing.
    """
    values = [*body.passed.values(), body.returned]
    going = {held.source for value in values for held in body.deep(value) if isinstance(held, Held)}
    return tuple(
        _read_of(
            body,
            source,
            body.uses.get(source, {}).values(),
            alone=source not in body.mixed,
            crosses=source in going or source in body.local,
        )
        for source in body.sources.values()
        if source.kind == "read"
    )


def _read_of(body: BodyFlow, source: Source, uses: Iterable[Use], *, alone: bool, crosses: bool) -> Read:
    node = source.node
    assert isinstance(node, ast.expr)  # noqa: S101 - a read is an expression
    return Read(element=body.element, node=node, call=source.call, uses=tuple(uses), alone=alone, crosses=crosses)


def _body_flows(app: Application) -> dict[str, BodyFlow]:
    analysis, found = analyze(app), {}
    for elements, analyses in (
        (app.actions, analysis.actions),
        (app.jobs, analysis.jobs),
        (app.tests, analysis.tests),
    ):
        for name, element in elements.items():
            found[element.id] = flow_of(element, analyses[name], app)
    for name, screen in app.screens.items():
        found[screen.id] = flow_of(screen, analysis.screens[name].body, app)
    return found


class _Linked:
    """Puts the flows of bodies together."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.bodies = _body_flows(app)
        self.results: dict[str, list[tuple[BodyFlow, Source]]] = {}
        self.goes: dict[Source, list[tuple[int, BodyFlow, Source]]] = {}
        self.out: dict[Source, list[Use]] = {}
        self.mixed: set[Source] = set()
        self.returned: set[Source] = set()
        self._offered = {
            item.action for model in analyze(app).screens.values() for item in model.components() if item.action
        }

    def flow(self) -> Flow:
        for body in self.bodies.values():
            self.mixed |= body.mixed
            for source in body.sources.values():
                if source.kind == "result":
                    self.results.setdefault(source.name, []).append((body, source))
        for body in self.bodies.values():
            if body.passed:
                self._link_arguments(body)
            if body.returned and body.element.startswith("action:"):
                self._link_result(body)
        reads = tuple(
            self._read(body, source)
            for body in self.bodies.values()
            for source in body.sources.values()
            if source.kind == "read"
        )
        return Flow(reads, {(read.element, read.node): read for read in reads}, self.bodies)

    def _link_arguments(self, body: BodyFlow) -> None:
        """What is given to an action's parameter is used as the action uses that. A row is given as it is."""
        for (action, name), value in body.passed.items():
            target = self.bodies.get(f"action:{action}")
            source = target.sources.get(("parameter", name)) if target else None
            if target is None:
                continue
            if source is None:  # a parameter that holds no row
                self._leaves(body, value, f"argument of action:{action}")
                continue
            for held in body.deep(value):
                if isinstance(held, Held):
                    self.goes.setdefault(held.source, []).append((held.level, target, source))
            self.mixed.add(source)  # rows of other callers, or of a request, come the same way

    def _leaves(self, body: BodyFlow, value: frozenset[object], where: str) -> None:
        for held in body.deep(value):  # type: ignore[arg-type]
            if isinstance(held, Held):
                node = held.source.node
                use = Use(kind="escape", detail=where, node=node, element=body.element, level=held.level)
                self.out.setdefault(held.source, []).append(use)

    def _link_result(self, body: BodyFlow) -> None:
        """What an action returns is used as its callers use it; where the outside gets it, it escapes."""
        name = body.element.removeprefix("action:")
        action = self.app.actions[name]
        if action.rest:
            self._leaves(body, body.returned, f"returned by REST {body.element}")
        elif name in self._offered:
            self._leaves(body, body.returned, f"returned to the screen by {body.element}")
        sources = {held.source for held in body.deep(body.returned) if isinstance(held, Held)}
        self.returned |= sources
        if len(sources) > 1:
            self.mixed |= sources
        for caller, result in self.results.get(name, ()):
            for held in body.deep(body.returned):
                if isinstance(held, Held):
                    self.goes.setdefault(held.source, []).append((held.level, caller, result))
            if len(sources) > 1 or result in self.mixed:
                self.mixed |= {result, *sources}

    def _read(self, body: BodyFlow, source: Source) -> Read:
        uses: dict[Use, None] = {}
        alone, crosses = source not in self.mixed, source in self.goes or source in body.local
        crosses = crosses or source in self.out or source in self.returned
        seen, left = {source}, [(source, body)]
        while left:
            each, where = left.pop()
            uses.update(dict.fromkeys(where.uses.get(each, {}).values()))
            uses.update(dict.fromkeys(self.out.get(each, ())))
            for _, target, other in self.goes.get(each, ()):
                if other not in seen:
                    seen.add(other)
                    left.append((other, target))
                    alone = alone and other not in self.mixed
        return _read_of(body, source, uses, alone=alone, crosses=crosses)
