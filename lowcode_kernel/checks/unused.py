"""What is defined and never used: it costs attention, and the optimizer takes it out of what is shipped."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.problems import Problem

_WAYS = {
    "query": "use it in a screen, an action or a job, or delete it",
    "integration": "call one of its operations, or delete it",
    "setting": "use it, or delete it",
    "struct": "use it, or delete it",
    "role": "give it to a screen, an action or an entity's access, or delete it",
}
_WAY_IN = 'put a button on a screen, call it, or give it --rest "POST /api/..."'


def check_unused(facts: Facts) -> Iterator[Problem]:
    """Queries, integrations, settings, structs and roles that nothing names."""
    needed = facts.needed | facts.reached(element.id for element in facts.app.elements if element.public)
    for element in facts.app.elements:
        if element.kind not in _WAYS or element.id in needed:
            continue
        # a role counts as used where any definition asks for it, and what other notebooks may name is for them
        if element.public or (element.kind == "role" and facts.users[element.id]):
            continue
        yield warning("LK402", element, f"{element.kind} {element.name} is never used", _WAYS[element.kind])


def check_unreachable(facts: Facts) -> Iterator[Problem]:
    """Actions that no screen, REST address or job reaches; parameters that a body never uses."""
    needed = facts.needed | facts.reached(action.id for action in facts.app.actions.values() if action.public)
    for action in facts.app.actions.values():
        if action.id not in needed:
            yield warning("LK403", action, f"action {action.name} can be reached by no one", _WAY_IN)
        unused = _unused([item.name for item in action.parameters], facts.analysis.actions[action.name])
        for name in unused:
            fact = f"action {action.name}: parameter {name} is never used"
            yield warning("LK401", action, fact, "use it, or remove it")


def _unused(parameters: list[str], body: BodyAnalysis) -> list[str]:
    """Return the parameters that the body doesn't name. Most are among the expressions that have a type; the tree is
    only walked for the others.
    """
    named = {node.id for node in body.types if isinstance(node, ast.Name)}
    left = [name for name in parameters if name not in named]
    if left:
        named = {node.id for node in ast.walk(body.tree) if isinstance(node, ast.Name)}
    return [name for name in left if name not in named]
