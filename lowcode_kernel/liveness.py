"""What a body computes and never uses: statements that can go because no name that they give is read afterwards.

    rows = open_orders()         nobody reads `total`, so the loop is for nothing, and then so is the read
    total = 0
    for row in rows:
        total += row.amount

A name is live where its value may still be read by something that is kept. Statements are looked at from the last to
the first; what only computes a dead value keeps nothing alive (such names are called faint). Loops are looked at until
nothing changes. What may be removed at all is asked of `removable`: an expression that has no effect and can't fail.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Live = frozenset[str]
_NONE: Live = frozenset()


def dead_statements(
    statements: Sequence[ast.stmt],
    removable: Callable[[ast.expr], bool],
    *,
    functions: bool = True,
) -> tuple[ast.stmt, ...]:
    """Return the statements that can be removed together, outermost ones in the order of the text. Local functions that
    nothing names are among them unless `functions` is False.
    """
    found = _Liveness(removable, functions=functions, always=_captured(statements))
    found.block(statements, _NONE)
    return tuple(_outermost(statements, found.dead))


def names_read(*nodes: ast.AST) -> Live:
    """Return the names that nodes read."""
    return frozenset(
        part.id
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
    )


def _captured(statements: Sequence[ast.stmt]) -> Live:
    """Return what local functions read: they may be called anywhere."""
    inner = [
        part
        for statement in statements
        for part in ast.walk(statement)
        if isinstance(part, ast.FunctionDef | ast.Lambda)
    ]
    return names_read(*inner)


def _outermost(statements: Sequence[ast.stmt], dead: set[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in statements:
        if statement in dead:
            found.append(statement)
            continue
        for field_ in ("body", "orelse", "finalbody"):
            found += _outermost(getattr(statement, field_, []), dead)
        for handler in getattr(statement, "handlers", []):
            found += _outermost(handler.body, dead)
    return found


@dataclass
class _Liveness:
    removable: Callable[[ast.expr], bool]
    functions: bool
    always: Live
    dead: set[ast.stmt] = field(default_factory=set)
    elsewhere: list[Live] = field(default_factory=list)  # what handlers around read
    breaks: list[Live] = field(default_factory=list)
    continues: list[Live] = field(default_factory=list)

    def block(self, statements: Sequence[ast.stmt], live: Live) -> Live:
        """Return what is live before some statements, given what is live behind them."""
        for statement in reversed(statements):
            live = self._statement(statement, live)
        return live

    def _statement(self, node: ast.stmt, live: Live) -> Live:
        self.dead.discard(node)
        outside = live.union(self.always, *self.elsewhere)
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                return self._assign(node, name, value, live, outside)
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                if name not in outside and self.removable(ast.copy_location(_sum(node), node)):
                    self.dead.add(node)
                    return live
                return live | names_read(value) | {name}
            case ast.Expr(value=value):
                if self.removable(value):
                    self.dead.add(node)
                    return live
                return live | names_read(value)
        return self._compound(node, live)

    def _assign(self, node: ast.stmt, name: str, value: ast.expr, live: Live, outside: Live) -> Live:
        if name not in outside and self.removable(value):
            self.dead.add(node)
            return live
        return (live - {name}) | names_read(value)

    def _compound(self, node: ast.stmt, live: Live) -> Live:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                inner = self.block(body, live) | self.block(orelse, live)
                if self._all_dead([*body, *orelse]) and self.removable(test):
                    self.dead.add(node)
                    return live
                return inner | names_read(test)
            case ast.For():
                return self._for(node, live)
            case ast.While():
                return self._while(node, live)
            case ast.Try():
                return self._try(node, live)
        return self._leaving(node, live)

    def _leaving(self, node: ast.stmt, live: Live) -> Live:
        match node:
            case ast.Return() | ast.Raise():
                return names_read(node).union(*self.elsewhere)
            case ast.Break():
                return self.breaks[-1]
            case ast.Continue():
                return self.continues[-1]
            case ast.FunctionDef(name=name):
                if self.functions and name not in live | self.always:
                    self.dead.add(node)
                return live | names_read(*node.args.defaults)
            case ast.Pass():
                return live
        return live | names_read(node)

    def _all_dead(self, statements: Sequence[ast.stmt]) -> bool:
        return all(statement in self.dead or isinstance(statement, ast.Pass) for statement in statements)

    def _for(self, node: ast.For, live: Live) -> Live:
        after = self.block(node.orelse, live)
        head = self._rounds(node.body, after, live)
        given = {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
        kept = given & head.union(self.always, *self.elsewhere)
        idle = isinstance(node.target, ast.Name) and not node.orelse and self._all_dead(node.body)
        if idle and not kept & after and self.removable(node.iter):
            self.dead.add(node)
            return live
        return head | names_read(node.iter)

    def _while(self, node: ast.While, live: Live) -> Live:
        after = self.block(node.orelse, live)
        test = names_read(node.test)
        return self._rounds(node.body, after | test, live)

    def _rounds(self, body: Sequence[ast.stmt], head: Live, behind: Live) -> Live:
        """Look at a loop's body until what is live at its head is found."""
        self.breaks.append(behind)
        while True:
            self.continues.append(head)
            found = head | self.block(body, head)
            self.continues.pop()
            if found == head:
                break
            head = found
        self.breaks.pop()
        return head

    def _try(self, node: ast.Try, live: Live) -> Live:
        last = self.block(node.finalbody, live)
        self.elsewhere.append(last if node.finalbody else _NONE)
        handlers = [self.block(handler.body, last) for handler in node.handlers]
        after = self.block(node.orelse, last)
        self.elsewhere.append(_NONE.union(*handlers))
        found = self.block(node.body, after)
        self.elsewhere.pop()
        self.elsewhere.pop()
        return found.union(last, *handlers)


def _sum(node: ast.AugAssign) -> ast.BinOp:
    """Return what `total += amount` computes."""
    return ast.BinOp(left=node.target, op=node.op, right=node.value)
