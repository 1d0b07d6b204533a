"""Equal reads with nothing written between them are one read.

    table(orders(day=day))                    rows = orders(day=day)
    metric("Orders", len(orders(day=day)))    table(rows)
                                      ->      metric("Orders", len(rows))

A reference that is followed twice (`order.customer.name`, `order.customer.city`) gets its row once.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.effects import effects_of
from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.changed_values import changes, is_lasting, is_shareable
from lowcode_kernel.generators.passes.reading import Changed, blocks, evaluated, heads, loaded, rewrite_bodies, stored
from lowcode_kernel.generators.passes.rewriting import (
    Rewriting,
    assignment,
    attribute,
    call,
    moved,
    name,
    origin_place,
    text_of,
)
from lowcode_kernel.generators.passes.safety import (
    INPUTS,
    is_harmless,
    is_steady,
    writes,
)
from lowcode_kernel.identifiers import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.passes.reading import Body, Read

Key = tuple[object, ...]


@dataclass(eq=False)
class _Known:
    """What an earlier read gave. `held` is the name that holds it, "" as long as none does; `uses` are the names that
    its arguments depend on; `lasting` says that these hold no list, which could be changed.
    """

    read: Read
    statement: ast.stmt
    entities: frozenset[str]
    uses: frozenset[str]
    lasting: bool
    held: str = ""
    merged: list[ast.expr] = field(default_factory=list)


def merge_equal_reads(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Read once what is read twice."""
    return rewrite_bodies(app, _has_equal_reads, _merged)


def _has_equal_reads(body: Body) -> bool:
    if len(body.reads) < 2 or len({(read.name, read.method) for read in body.reads.values()}) == len(body.reads):
        return False
    return len({key_of_read(read) for read in body.reads.values()}) < len(body.reads)


def _merged(body: Body) -> Changed:
    merging = _Merging(body)
    merging.block(body.analysis.tree.body, {})
    return Changed(merging.change.element(), [merging.finding(known) for known in merging.found if known.merged])


def key_of_read(read: Read) -> Key:
    """Return what two equal reads have in common. A reference that is followed is a get."""
    arguments = tuple(sorted((name, ast.unparse(value)) for name, value in read.arguments.items()))
    form = "entity" if read.form == "follow" else read.form
    return (form, read.name, read.method, arguments)


class _Merging:
    """Walks over a body in the order in which it runs, with the reads whose results still hold."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.change = Rewriting(body.element, body.analysis.tree, body.app)
        self.found: list[_Known] = []

    def block(self, statements: Iterable[ast.stmt], known: dict[Key, _Known]) -> None:
        """Walk over statements; `known` is what holds before the first, and then behind the last."""
        for statement in statements:
            if self._is_input(statement):
                continue
            if isinstance(statement, ast.While):
                self._forget(known, statement, names=stored(statement))  # its test is read again
            self._heads(statement, known)
            self._inner(statement, known)

    def _is_input(self, statement: ast.stmt) -> bool:
        """A screen's inputs are evaluated before everything else."""
        match statement:
            case ast.Assign(value=ast.Call(func=ast.Name(id=function))):
                return self.body.is_screen and function in INPUTS
        return False

    def _heads(self, statement: ast.stmt, known: dict[Key, _Known]) -> None:
        own = [statement] if not blocks(statement) else heads(statement)
        written, changing = writes(self.body, *own), changes(self.body, *own)
        first = not isinstance(statement, ast.While)  # nothing that could fail was evaluated in this statement
        for head in heads(statement):
            for part, sure in evaluated(head):
                read = self.body.reads.get(part)
                steady = read is not None and (not changing or is_lasting(self.body, read.values))
                if read is not None and steady and not self._entities(read) & written:
                    self._read(read, statement, known, introduce=sure and first)
                first = first and is_harmless(self.body, part)
        self._forget(known, *own, names=stored(*_own(statement)))
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if value in self.body.reads:
                self._hold(target, self.body.reads[value], statement, known)

    def _hold(self, target: str, read: Read, statement: ast.stmt, known: dict[Key, _Known]) -> None:
        key = key_of_read(read)
        before = known.get(key)
        if before is not None and before.statement is statement:
            before.held = before.held or target
        elif before is None and self._mergeable(read):
            found = self._known(read, statement)
            if target not in found.uses:
                known[key] = found
                found.held = target

    def _known(self, read: Read, statement: ast.stmt) -> _Known:
        uses, lasting = frozenset(loaded(*read.values)), is_lasting(self.body, read.values)
        return _Known(read, statement, self._entities(read), uses, lasting)

    def _entities(self, read: Read) -> frozenset[str]:
        """Return what a read depends on: what it reads, and what its arguments read."""
        return self.body.entities(read) | effects_of(read.values, self.body.analysis, self.body.app).reads

    def _mergeable(self, read: Read) -> bool:
        if not is_steady(read, self.body.app) or not is_shareable(self.body, read):
            return False
        if not all(self._is_computed(part) for value in read.values for part, _ in evaluated(value)):
            return False
        if read.form != "follow":
            return True
        owner = self.body.type_of(read.arguments["key"])
        return owner is not None and not owner.optional and len(self.body.keys(read.name)) == 1

    def _is_computed(self, part: ast.expr) -> bool:
        """Say whether a part of an argument does nothing but compute: what else a call does is done each time."""
        if not isinstance(part, ast.Call) or part in self.body.reads:
            return True
        call = self.body.analysis.calls.get(part)
        if call is None or call.kind != "method":
            return call is not None and call.kind == "builtin"
        return isinstance(part.func, ast.Attribute) and is_lasting(self.body, [part.func.value])

    def _read(self, read: Read, statement: ast.stmt, known: dict[Key, _Known], *, introduce: bool) -> None:
        if not self._mergeable(read) or self._is_bound(read, statement):
            return
        key = key_of_read(read)
        before = known.get(key)
        if before is not None and not self._is_shadowed(before, statement):
            self._merge(before, read)
        elif before is None and introduce:
            known[key] = self._known(read, statement)
            self.found.append(known[key])

    def _is_bound(self, read: Read, statement: ast.stmt) -> bool:
        """Say whether an argument depends on a name of a comprehension around."""
        bound = _comprehended(*heads(statement))
        return bool(bound & loaded(*read.values))

    def _is_shadowed(self, before: _Known, statement: ast.stmt) -> bool:
        return before.held in _comprehended(*heads(statement))

    def _merge(self, before: _Known, read: Read) -> None:
        if not before.held:
            before.held = self.change.fresh(word_for(before.read))
            self.change.insert_before(before.statement, assignment(before.held, value_of(before.read)))
            self._use(before.read, before.held)
        if before not in self.found:
            self.found.append(before)
        self._use(read, before.held)
        before.merged.append(read.node)

    def _use(self, read: Read, held: str) -> None:
        new: ast.expr = name(held)
        if isinstance(read.node, ast.Attribute) and read.form == "follow":
            new = attribute(new, read.node.attr)
        self.change.replace(read.node, new)

    def _inner(self, statement: ast.stmt, known: dict[Key, _Known]) -> None:
        inner = blocks(statement)
        if not inner and not isinstance(statement, ast.FunctionDef):
            return
        names = stored(statement)
        if isinstance(statement, ast.For | ast.While):
            self._forget(known, statement, names=names)  # the second turn comes behind the first
        for number, block in enumerate(inner):
            inside = dict(known)
            if number and isinstance(statement, ast.Try):
                self._forget(inside, statement, names=names)
            self.block(block, inside)
        self._forget(known, statement, names=names)

    def _forget(self, known: dict[Key, _Known], *nodes: ast.AST, names: set[str]) -> None:
        """Forget what some nodes write, or what depends on values that they change."""
        written = writes(self.body, *nodes) if known else frozenset()
        changing = bool(known) and changes(self.body, *nodes)
        for key, each in list(known.items()):
            if each.entities & written or (each.uses | {each.held}) & names or (changing and not each.lasting):
                del known[key]

    def finding(self, known: _Known) -> Finding:
        """Tell of one merged read."""
        times = len(known.merged)
        nodes = [known.read.node, *known.merged]
        new = assignment(known.held, value_of(known.read))
        follow = known.read.form == "follow"
        what = f"{ast.unparse(known.read.arguments['key'])} is followed" if follow else f"{known.read.words} is read"
        return Finding(
            rule="merge_equal_reads",
            element=self.body.element.id,
            place=origin_place(self.body.element, known.read.node),
            what=f"{what} once instead of {times + 1} times",
            why=f"nothing between writes {' or '.join(sorted(known.entities))}, and the arguments are the same",
            before=text_of(*nodes),
            after=text_of(new),
            saved=f"{times} round trip{'s' if times > 1 else ''} per run",
        )


def _own(statement: ast.stmt) -> list[ast.AST]:
    """Return what a statement assigns itself, before any block of its own."""
    match statement:
        case ast.For(target=target):
            return [target]
        case ast.Assign() | ast.AugAssign() | ast.Expr() | ast.FunctionDef():
            return [statement]
    return []


def _comprehended(*nodes: ast.expr) -> set[str]:
    targets = [part.target for node in nodes for part in ast.walk(node) if isinstance(part, ast.comprehension)]
    return stored(*targets)


def value_of(read: Read) -> ast.expr:
    """Return the call that a read is; a reference that is followed becomes the get that it stands for."""
    if read.form != "follow":
        return moved(read.node)
    return call(attribute(name(read.name), "get"), read.arguments["key"])


def word_for(read: Read) -> str:
    """Return a name for what a read gives: `customer` for `order.customer.name`."""
    if read.form == "follow" and isinstance(read.arguments["key"], ast.Attribute):
        return read.arguments["key"].attr
    if read.form == "query":
        return f"{read.name}_{read.method}" if read.method else f"{read.name}_rows"
    return snake_case(read.name) + {"list": "_rows", "count": "_count", "exists": "_exists"}.get(read.method or "", "")
