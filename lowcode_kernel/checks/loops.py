"""What runs once for each item: a query in a loop is a round trip in each round."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.checks.facts import WRITING
from lowcode_kernel.checks.reporting import notice, warning
from lowcode_kernel.language.bodies import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Action, Job, Screen
    from lowcode_kernel.problems import Problem

Loop = ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_MANY = "write {}.get_many(keys) before the loop, or a query that joins"
_GROUPED = "write a query that counts or lists for all of them, with GROUP BY or a join"
_FEW = 5  # a loop over so few written items is a way to say things, not a way to be slow


def check_loops(facts: Facts) -> Iterator[Problem]:
    """Tell what is asked for in each round of a loop that could be asked for once."""
    for element in facts.running:
        if "for " not in element.body and "while " not in element.body:
            continue  # most bodies have no loop, and walking trees is what costs
        body = facts.all_bodies[element.id]
        told: set[int] = set()
        for node, loop in in_loops(body):
            rounds = "" if node.lineno in told else _rounds(loop)
            if rounds and (found := _asked(node, body, rounds, element, facts)):
                told.add(node.lineno)
                yield found


def _asked(
    node: ast.Call | ast.Attribute, body: BodyAnalysis, rounds: str, element: Action | Job | Screen, facts: Facts
) -> Problem | None:
    place, subject = place_of(node, element.body_place), f"{element.kind} {element.name}"
    if isinstance(node, ast.Attribute):
        if target := _followed(node, body, facts):
            fact = f"{subject} loads a row of {target} by `{ast.unparse(node)}` in a loop: {rounds}"
            return notice("LK906", element, fact, "join it in the query that gives the rows", place=place)
        return None
    call = body.calls.get(node)
    if call is None:
        return None
    match call.kind:
        case "query":
            fact = f"{subject} runs query {call.name} in a loop: {rounds}"
            return warning("LK901", element, fact, _batch(call), place=place)
        case "entity" if call.method not in WRITING:
            fact = f"{subject} asks for rows of {call.name} in a loop: {rounds}"
            return warning(
                "LK902",
                element,
                fact,
                (_MANY if call.method in {"get", "find"} else _GROUPED).format(call.name),
                place=place,
            )
        case "integration":
            fact = f"{subject} calls {call.name}.{call.method} in a loop: {rounds} of another service"
            return warning("LK904", element, fact, "ask once for all, if the service can", place=place)
        case "action" if queries := facts.doings[f"action:{call.name}"].queries:
            fact = f"{subject} runs {call.name} in a loop, and with it query {', '.join(sorted(queries))}: {rounds}"
            return warning("LK901", element, fact, "let the action take a list, and query once", place=place)
    return None


def _batch(call: Call) -> str:
    given = next(iter(call.arguments), "")
    shape = f"{call.name}.batch({given}=[...])" if given else f"rows = {call.name}()"
    return f"write {shape} before the loop; the optimizer does so where nothing in the loop writes (%explain tells)"


def _followed(node: ast.Attribute, body: BodyAnalysis, facts: Facts) -> str:
    """Return the entity whose row an attribute of a reference loads, or ""."""
    owner = body.types.get(node.value)
    if owner is None or owner.kind != "entity" or owner.loaded or owner.many or owner.name == "User":
        return ""
    entity = facts.app.entities.get(owner.name)
    return owner.name if entity and node.attr not in entity.key else ""


def _rounds(loop: Loop) -> str:
    """Return how many round trips a loop makes, or "" where they are few and known."""
    iterated = loop.iter if isinstance(loop, ast.For) else None
    if isinstance(loop, _COMPREHENSIONS):
        iterated = loop.generators[0].iter
    match iterated:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return f"{len(items)} round trips" if len(items) > _FEW else ""
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(count))]):
            return f"{count} round trips" if count > _FEW else ""
        case None:
            return "a round trip in each round"
    return f"a round trip for each of `{ast.unparse(iterated)}`"


def in_loops(body: BodyAnalysis) -> Iterator[tuple[ast.Call | ast.Attribute, Loop]]:
    """Give each call and each reference's attribute that a loop evaluates in every round, with the innermost loop.

    Expressions are found by where they stand: all that have a meaning are in the analysis already, and walking the
    tree again is what costs.
    """
    loops = [*_statements(body.tree.body), *(node for node in body.types if isinstance(node, _COMPREHENSIONS))]
    regions = sorted((region for loop in loops for region in _regions(loop)), key=lambda region: region.size)
    if not regions:
        return
    references = [node for node in body.types if isinstance(node, ast.Attribute) and _is_reference(node, body)]
    asking: list[ast.Call | ast.Attribute] = [*body.calls, *references]
    for node in asking:
        at = (node.lineno, node.col_offset)
        if found := next((region for region in regions if region.start <= at < region.end), None):
            yield node, found.loop


def _is_reference(node: ast.Attribute, body: BodyAnalysis) -> bool:
    owner = body.types.get(node.value)
    return owner is not None and owner.kind == "entity" and not owner.loaded


def _statements(block: list[ast.stmt]) -> Iterator[ast.For | ast.While]:
    """Give the loops among statements, and among those inside of them."""
    for statement in block:
        if isinstance(statement, ast.For | ast.While):
            yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


_Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of a body that a loop evaluates in every round."""

    start: _Position
    end: _Position
    loop: Loop

    @property
    def size(self) -> _Position:
        """How far it goes: of two that hold a place the smaller one is inside of the other."""
        lines = self.end[0] - self.start[0]
        return lines, self.end[1] - self.start[1] if lines == 0 else 0


def _regions(loop: Loop) -> Iterator[_Region]:
    match loop:
        case ast.For():
            parts: list[ast.AST] = [*loop.body]
        case ast.While():
            parts = [loop.test, *loop.body]
        case ast.DictComp():
            parts = [loop.key, loop.value, *_inner(loop.generators)]
        case _:
            parts = [loop.elt, *_inner(loop.generators)]
    for part in parts:
        start = getattr(part, "lineno", 0), getattr(part, "col_offset", 0)
        end = getattr(part, "end_lineno", 0), getattr(part, "end_col_offset", 0)
        yield _Region(start, end, loop)


def _inner(generators: list[ast.comprehension]) -> list[ast.expr]:
    """Return what a comprehension evaluates for each item: all but the first thing that it goes through."""
    conditions = [condition for generator in generators for condition in generator.ifs]
    return [*conditions, *(generator.iter for generator in generators[1:])]


def check_endless_loops(facts: Facts) -> Iterator[Problem]:
    """A `while True` has a way out."""
    for element in facts.running:
        if "while " not in element.body:
            continue
        for node in ast.walk(facts.all_bodies[element.id].tree):
            if isinstance(node, ast.While) and _is_always(node.test) and not _ends(node.body):
                fact = f"{element.kind} {element.name}: nothing ends `while {ast.unparse(node.test)}`"
                hint = "write a condition, break or return"
                yield warning("LK313", element, fact, hint, place=place_of(node, element.body_place))


def _is_always(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _ends(statements: list[ast.stmt]) -> bool:
    """Say whether a loop's body can leave it; a break of a loop inside is that loop's."""
    for statement in statements:
        match statement:
            case ast.Break() | ast.Return() | ast.Raise():
                return True
            case ast.For() | ast.While():
                ended = any(isinstance(node, ast.Return | ast.Raise) for node in ast.walk(statement))
            case _:
                blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
                blocks += [handler.body for handler in getattr(statement, "handlers", [])]
                ended = any(_ends(block) for block in blocks)
        if ended or _requires(statement):
            return True
    return False


def _requires(statement: ast.stmt) -> bool:
    """Say whether a statement is a `require(...)`, which leaves by refusing."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="require"))):
            return True
    return False
