"""Calls of other services: how they are reached, how long they are waited for, and what waits with them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lowcode_kernel.checks.facts import WRITING
from lowcode_kernel.checks.reporting import notice, warning
from lowcode_kernel.language.bodies import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Integration
    from lowcode_kernel.problems import Problem

_REQUEST_SECONDS = 30  # the generated service gives up on its database then, and people long before
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def check_integrations(facts: Facts) -> Iterator[Problem]:
    """Integrations are encrypted, answer within a request's time, and have no operation that nothing calls."""
    called = {
        (call.name, call.method)
        for body in facts.all_bodies.values()
        for call in body.calls.values()
        if call.kind == "integration"
    }
    waited = _waited_for(facts)
    for integration in facts.app.integrations.values():
        yield from _address(integration)
        seconds = integration.timeout.total_seconds()
        if seconds > _REQUEST_SECONDS and integration.id in waited:
            fact = f"integration {integration.name} may take {seconds:g} s, and a request {_REQUEST_SECONDS} s"
            hint = f"write --timeout {_REQUEST_SECONDS}s or less, or call it in a job"
            yield warning("LK809", integration, fact, hint)
        if integration.id in facts.needed:
            for operation in integration.operations:
                if (integration.name, operation.name) not in called:
                    fact = f"operation {integration.name}.{operation.name} is never used"
                    yield notice("LK409", integration, fact, "call it, or delete it", place=operation.place)


def _waited_for(facts: Facts) -> frozenset[str]:
    """Return what requests reach: all but what jobs alone do."""
    return facts.reached(element for element in facts.roots if not element.startswith("job:"))


def _address(integration: Integration) -> Iterator[Problem]:
    parts = urlsplit(integration.base_url)
    if parts.scheme == "http" and (parts.hostname or "") not in _HERE:
        fact = f"integration {integration.name} is called without encryption"
        yield warning("LK521", integration, fact, f"write --base-url https://{parts.netloc}{parts.path}")


def check_waiting(facts: Facts) -> Iterator[Problem]:
    """An action asks other services before it writes: what it wrote is locked while it waits for the answer."""
    for name, action in facts.app.actions.items():
        body = facts.analysis.actions[name]
        if not facts.doings[action.id].waits or not facts.doings[action.id].writes:
            continue
        wrote: Call | None = None
        for call in sorted(body.calls.values(), key=lambda call: (call.node.lineno, call.node.col_offset)):
            if _writes(call, facts):
                wrote = wrote or call
            elif wrote and _waits(call, facts):
                fact = f"action {name} waits for {ast.unparse(call.node.func)} with rows locked that it wrote before"
                hint = "call it before the first write"
                yield warning("LK905", action, fact, hint, place=place_of(call.node, action.body_place))
                break


def _writes(call: Call, facts: Facts) -> bool:
    if call.kind == "entity":
        return call.method in WRITING
    return call.kind == "action" and bool(facts.doings[f"action:{call.name}"].writes)


def _waits(call: Call, facts: Facts) -> bool:
    return call.kind == "integration" or (call.kind == "action" and facts.doings[f"action:{call.name}"].waits)
