"""A read whose arguments a loop doesn't change is read once, before the loop.

    for order in rows:                           limits_rows = limits(day=day)
        check(order, limits(day=day))     ->     for order in rows:
                                                     check(order, limits_rows)

Only where the loop writes nothing that the read depends on, and where the read can't fail: a loop without a turn would
not have read at all.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.changed_values import changes, is_lasting, is_shareable
from lowcode_kernel.generators.passes.merge_equal_reads import Key, key_of_read, value_of, word_for
from lowcode_kernel.generators.passes.reading import (
    Changed,
    blocks,
    certain_parts,
    evaluated,
    heads,
    in_each_turn,
    loaded,
    rewrite_bodies,
    stored,
    walk,
)
from lowcode_kernel.generators.passes.rewriting import Rewriting, assignment, name, origin_place, text_of
from lowcode_kernel.generators.passes.safety import INPUTS, is_steady, why_not_free, writes

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.passes.reading import Body, Comprehension, Read


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """One repetition: the names that its turns change, what each turn evaluates for certain, the statement before which
    reads can be put, and the names that have a value there.
    """

    node: ast.For | ast.While | Comprehension
    anchor: ast.stmt
    changed: frozenset[str]
    certain: set[ast.expr]
    known: frozenset[str]


@dataclass(eq=False)
class _Hoisted:
    """A read that was put before a loop, under a name."""

    read: Read
    loop: _Loop
    held: str
    nodes: list[ast.expr] = field(default_factory=list)


def hoist_invariants(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Put reads that no turn of a loop changes before the loop."""
    return rewrite_bodies(app, lambda body: body.has_loops and bool(body.reads), _hoisted)


def _hoisted(body: Body) -> Changed:
    hoisting = _Hoisting(body)
    hoisting.block(body.analysis.tree.body, (), hoisting.inputs())
    return Changed(hoisting.change.element(), [*map(hoisting.finding, hoisting.done.values()), *hoisting.kept])


class _Hoisting:
    """Walks over a body with the loops around each statement."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.change = Rewriting(body.element, body.analysis.tree, body.app)
        self.done: dict[tuple[ast.AST, Key], _Hoisted] = {}
        self.kept: list[Finding] = []
        self._written: dict[ast.AST, frozenset[str]] = {}

    def inputs(self) -> frozenset[str]:
        """Return the names that have a value from the start."""
        found = set(self.body.parameters)
        for statement in self.body.analysis.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.Call(func=ast.Name(id=function))):
                    found |= {target} if self.body.is_screen and function in INPUTS else set()
        return frozenset(found)

    def block(self, statements: list[ast.stmt], loops: tuple[_Loop, ...], known: frozenset[str]) -> None:
        """Walk over statements in some loops."""
        for statement in statements:
            self._statement(statement, loops, known)
            if isinstance(statement, ast.Assign):
                known |= stored(*statement.targets)

    def _statement(self, statement: ast.stmt, loops: tuple[_Loop, ...], known: frozenset[str]) -> None:
        inner = loops
        if isinstance(statement, ast.While):
            inside = (statement.test, *statement.body)
            certain = {part for part, sure in evaluated(statement.test) if sure} | certain_parts(statement.body)
            inner = (*loops, _Loop(statement, statement, frozenset(stored(*inside)), certain, known))
            self._expression(statement.test, statement, inner, known)
        else:
            for head in heads(statement):
                self._expression(head, statement, loops, known)
        if isinstance(statement, ast.For):
            changed = frozenset(stored(statement.target, *statement.body))
            inner = (*loops, _Loop(statement, statement, changed, certain_parts(statement.body), known))
            known |= stored(statement.target)
        for number, block in enumerate(blocks(statement)):
            around = loops if number and isinstance(statement, ast.For | ast.While) else inner
            self.block(block, around, known)

    def _expression(self, head: ast.expr, statement: ast.stmt, loops: tuple[_Loop, ...], known: frozenset[str]) -> None:
        inside: dict[ast.AST, tuple[_Loop, ...]] = {}
        for part, sure in evaluated(head):
            if not isinstance(part, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                continue
            first, *others = part.generators
            given = [part.key, part.value] if isinstance(part, ast.DictComp) else [part.elt]
            turns = (*first.ifs, *others, *given)
            changed = frozenset(stored(*(generator.target for generator in part.generators)))
            usable = sure and not isinstance(statement, ast.While)
            loop = _Loop(part, statement, changed, in_each_turn(*turns), known if usable else frozenset({"?"}))
            for node in walk(*turns):
                inside[node] = (loop, *inside.get(node, ()))
        for node in walk(head):
            read = self.body.reads.get(node)  # type: ignore[call-overload]
            if read is not None and (around := (*loops, *inside.get(node, ()))):
                self._read(read, around)

    def _read(self, read: Read, loops: tuple[_Loop, ...]) -> None:
        """Put a read before the outermost of the loops around it that nothing speaks against, inner ones included."""
        outermost, reason = None, ""
        unit: ast.expr = read.node
        for loop in reversed(loops):
            if reason := self._why_not(read, loop, unit):
                break
            outermost = loop
            unit = loop.node if isinstance(loop.node, ast.expr) else unit
        if outermost is not None:
            self._hoist(read, outermost)
        elif reason != _DEPENDS:
            self._keep(read, reason)

    def _why_not(self, read: Read, loop: _Loop, unit: ast.expr) -> str:
        names = loaded(*read.values)
        unknown = any(name in self.body.assigned and name not in loop.known for name in names)
        changing = not is_lasting(self.body, read.values) and changes(self.body, *_whole(loop))
        if names & loop.changed or unknown or changing or "?" in loop.known:
            return _DEPENDS
        if unit not in loop.certain:
            return "not every turn reads it, and maybe none does"
        if read.method == "get":
            return "there may be no such row, and no turn that asks for it"
        return self._why_unsteady(read) or why_not_free(self.body, read) or self._why_written(read, loop)

    def _why_unsteady(self, read: Read) -> str:
        if not is_steady(read, self.body.app):
            return f"{read.words} gives other rows each time"
        if not is_shareable(self.body, read):
            return f"{self.body.element.name} changes a list, which may be this one"
        return ""

    def _why_written(self, read: Read, loop: _Loop) -> str:
        if loop.node not in self._written:
            self._written[loop.node] = writes(self.body, *_whole(loop))
        written = self._written[loop.node] & self.body.entities(read)
        return f"the loop writes {' and '.join(sorted(written))}" if written else ""

    def _hoist(self, read: Read, loop: _Loop) -> None:
        key = (loop.node, key_of_read(read))
        found = self.done.get(key)
        if found is None:
            held = self.change.fresh(word_for(read))
            self.change.insert_before(loop.anchor, assignment(held, value_of(read)))
            found = self.done[key] = _Hoisted(read, loop, held)
        found.nodes.append(read.node)
        self.change.replace(read.node, name(found.held))

    def finding(self, done: _Hoisted) -> Finding:
        """Tell of one read that was put before a loop."""
        return Finding(
            rule="hoist_invariants",
            element=self.body.element.id,
            place=origin_place(self.body.element, done.read.node),
            what=f"{done.read.words} is read once, before the loop",
            why="no turn changes its arguments or writes what it reads",
            before=text_of(done.loop.anchor),
            after=text_of(*self.change.around(done.loop.anchor)),
            saved="N-1 round trips for N turns",
        )

    def _keep(self, read: Read, why: str) -> None:
        self.kept.append(
            Finding(
                rule="hoist_invariants",
                element=self.body.element.id,
                place=origin_place(self.body.element, read.node),
                what=f"{read.words} is read in each turn of a loop",
                why=why,
                acted=False,
            )
        )


def _whole(loop: _Loop) -> list[ast.AST]:
    """Return all that is evaluated between the place before a loop and its end."""
    return [*heads(loop.anchor)] if isinstance(loop.node, ast.expr) else [loop.node]


_DEPENDS = "its arguments change"
