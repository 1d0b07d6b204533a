"""Changes to bodies by what data flow knows of them, each until there is nothing left to change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lowcode_kernel.application import Application
from lowcode_kernel.flow import flow_of, local_reads
from lowcode_kernel.generators.passes.each import of_each
from lowcode_kernel.generators.passes.reading import body_of, is_sound, small_bodies
from lowcode_kernel.generators.passes.rewriting import Rewriting
from lowcode_kernel.memo import noted

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.elements import Element
    from lowcode_kernel.findings import Finding
    from lowcode_kernel.flow import BodyFlow, Read
    from lowcode_kernel.generators.passes.reading import Body

_WRITING = frozenset({"create", "update", "delete"})


def change_bodies(
    app: Application, rule: Callable[[Body, tuple[Read, ...], Rewriting], list[Finding]], *, rounds: int = 1
) -> tuple[Application, tuple[Finding, ...]]:
    """Apply a rule to every body that reads anything, given its reads and what to tell changes to; up to so many times
    where a change may make way for another. A body that could not be read after its changes stays as it is.
    """
    changed: dict[str, Element] = {}
    findings: list[Finding] = []
    for body in small_bodies(app):
        if _reads(body):
            element, found = of_each(body, _reads, rule, partial(_changed, body, app, rule, rounds))
            findings += found
            if element is not body.element:
                changed[element.id] = element
    if not changed:
        return app, tuple(findings)
    elements = [changed.get(element.id, element) for element in app.elements]
    return Application.of(app.name, app.title, elements), tuple(findings)


def flow_in(body: Body) -> BodyFlow:
    """Return the data flow of a body by itself."""
    return noted(body.__dict__, "_flow", lambda: flow_of(body.element, body.analysis, body.app))


def _reads(body: Body) -> bool:
    calls = body.analysis.calls.values()
    return any(call.kind == "query" or (call.kind == "entity" and call.method not in _WRITING) for call in calls)


def _changed(
    body: Body, app: Application, rule: Callable[[Body, tuple[Read, ...], Rewriting], list[Finding]], rounds: int
) -> tuple[Element, list[Finding]]:
    """Return a body's element after all changes, and what there is to tell."""
    acted: list[Finding] = []
    for number in range(rounds):
        change = Rewriting(body.element, body.analysis.tree, app)
        found = rule(body, local_reads(flow_in(body)), change)
        kept = [finding for finding in found if not finding.acted]
        element = change.element() if change.changed else body.element
        after = body_of(element, app) if element != body.element else body
        if after is body or not is_sound(after.analysis):
            return body.element, [*acted, *kept]
        acted += [finding for finding in found if finding.acted]
        if number + 1 == rounds:
            return after.element, [*acted, *kept]
        body = after
    return body.element, acted
