"""The statements of a body: which are reached, and what each name holds behind them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeVar

from lowcode_kernel.body_presence import found_present
from lowcode_kernel.body_scope import Region, joined
from lowcode_kernel.language.bodies import shown
from lowcode_kernel.types import NONE, TEXT, UNKNOWN, Type, accepts, dict_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.body_scope import Branch

CAUGHT = ("Refused", "NotFound", "Unavailable")
"""What `except` may name: a rule or the database says no; no row has the key; another service does not answer."""
R = TypeVar("R")
_REREAD = 5_000  # expressions that loops are read again for; what is beyond is told and not understood
_MAX_DEPTH = 100
_MAX_BREAKS = 50
_HINTS = {
    "match": "write if and elif",
    "with": "what an action writes is one transaction already",
    "async": "leave out async and await: what has to wait is known",
    "class": "write %%struct or %%entity",
    "global": "pass it as a parameter, and return it",
    "nonlocal": "pass it as a parameter, and return it",
    "del": "leave it; the name ends with the body",
}
_PLAIN = "bodies have assignments, if, for, while, try/except, raise Refused, local functions and return"


class StatementReader:
    """Reads the statements of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body, self.scope = body, body.scope
        self._depth = 0
        self._handling = 0
        self._reread = 0

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Read statements in order. What no way leads to is read too, and told once."""
        dead = False
        self.body.functions.ahead.update(one.name for one in statements if isinstance(one, ast.FunctionDef))
        for statement in statements:
            if not self.scope.alive:
                if not dead:
                    self.body.problem(
                        "LK334", "this is never reached", "remove it, or what leaves before it", statement, "warning"
                    )
                dead = self.scope.alive = True
            self._statement(statement)
        if dead:
            self.scope.alive = False

    def _statement(self, node: ast.stmt) -> None:
        self._depth += 1
        try:
            if self._depth > _MAX_DEPTH:
                raise RecursionError
            self._simple(node)
        finally:
            self._depth -= 1

    def _simple(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                self._assign(node)
            case ast.AnnAssign():
                self._annotated(node)
            case ast.AugAssign(target=target, op=op, value=value):
                left = self.body.expression(_as_load(target))
                right = self.body.expression(value)
                self.body.assign(target, self.body.expression_reader.binary(op, left, right, node))
            case ast.Expr(value=value):
                self.body.expression(value)
                self._required(value)
            case ast.Return(value=value):
                self.body.returned(self.body.expression(value) if value else NONE, node)
                self.scope.alive = False
            case ast.Raise():
                self._raise(node)
            case ast.Pass():
                pass
            case _:
                self._block(node)

    def _block(self, node: ast.stmt) -> None:
        match node:
            case ast.If():
                self.split(node, self.block)
            case ast.For() | ast.While():
                self._loop(node)
            case ast.Try():
                self._try(node)
            case ast.Break() | ast.Continue():
                self._leave_loop(node)
            case ast.FunctionDef():
                self.body.functions.define(node)
            case ast.Import() | ast.ImportFrom():
                self.body.imports.read(node)
            case _:
                self._other(node)

    def _other(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assert) and self.body.asserting:
            self.body.expression(node.test)
            self.scope.note_present(found_present(node.test)[0])
        elif isinstance(node, ast.Assert):
            self.body.problem("LK301", "assert belongs in a %%test", 'write require(condition, "message")', node)
        else:
            word = shown(node).split(None, 1)[0]
            self.body.problem("LK301", f"`{word}` has no meaning here", _HINTS.get(word, _PLAIN), node)

    # assignments

    def _assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if pairs := _pairs(target, node.value):
                self.body.expression(node.value)
                for one, value in pairs:
                    self.body.assign(one, self.body.types[value], value)
            else:
                type_ = self.body.expression(node.value)
                self._check_count(target, node.value)
                self.body.assign(target, type_, node.value)

    def _check_count(self, target: ast.expr, value: ast.expr) -> None:
        """Report `a, b = 1, 2, 3`; where the types tell the number, unpacking does."""
        sides = [side.elts for side in (target, value) if isinstance(side, ast.Tuple | ast.List)]
        many = len(sides) == 2 and not any(isinstance(item, ast.Starred) for side in sides for item in side)
        if many and self.body.types[value].many:
            fact = f"{len(sides[1])} values are given to {len(sides[0])} names"
            self.body.problem("LK309", fact, "", target)

    def _annotated(self, node: ast.AnnAssign) -> None:
        type_ = self.body.annotated(node.annotation)
        if not isinstance(node.target, ast.Name) or node.value is None:
            self.body.problem("LK301", f"`{shown(node)}` gives no value to a name", "write name: Type = value", node)
            return
        given = self.body.expression(node.value)
        if type_ is not None and not self._fits(type_, given):
            self._tell_other(node.target.id, type_, given, node.value)
        self.body.declared[node.target.id] = type_ or UNKNOWN
        self.body.assign(node.target, _declared(type_, given))

    def _fits(self, target: Type, given: Type) -> bool:
        if given.name == "nothing" or target.kind == "dict" == given.kind:
            return True
        if target.kind == "entity" and given.kind in {"entity", "scalar"} and not given.loaded:
            return False  # a key is not loaded by giving it a name
        return self.body.call_reader.fits(target, given)

    def check_declared(self, name: str, given: Type, node: ast.AST) -> None:
        """Report a value that is not of the type that the name was declared with."""
        declared = self.body.declared.get(name)
        if declared is not None and not self._fits(declared, given):
            self._tell_other(name, declared, given, node)

    def _tell_other(self, name: str, wanted: Type, given: Type, node: ast.AST) -> None:
        is_key = wanted.kind == "entity" and not given.loaded
        what, hint = (f"a key ({given})", f"write {wanted.name}.get(...)") if is_key else (str(given), "")
        self.body.problem("LK309", f"{name} is {wanted}, not {what}", hint, node)

    def store_item(self, owner: ast.expr, type_: Type, index: Type) -> None:
        """Learn from `totals[name] = value` what is in a dict that was empty; report what keeps its items."""
        if self.body.types[owner].kind == "scalar" and not self.body.types[owner].many:
            fact = f"`{shown(owner)}` is {self.body.types[owner]}, which can't be changed in part"
            self.body.problem("LK303", fact, "make a new one", owner)
        if isinstance(owner, ast.Name) and (known := self.scope.names.get(owner.id)) and known.kind == "dict":
            self.scope.bind(owner.id, joined(known, dict_type(index, type_)))

    def _required(self, node: ast.expr) -> None:
        """Behind `require(x is not None, ...)`, x is there."""
        if isinstance(node, ast.Call) and (call := self.body.calls.get(node)) and call.kind == "require" and node.args:
            self.scope.note_present(found_present(node.args[0])[0])

    # branches

    def split(self, node: ast.If, read: Callable[[list[ast.stmt]], R]) -> tuple[R, R]:
        """Read both branches of an `if`, each with what is known where it is taken, and go on behind them."""
        self.body.expression(node.test)
        branches, results = [], []
        for paths, statements in zip(found_present(node.test), (node.body, node.orelse), strict=True):
            start = self.scope.mark()
            self.scope.note_present(paths)
            results.append(read(statements))
            branches.append(self.scope.take_back(start))
        self._merge(branches, node)
        return results[0], results[1]

    def _merge(self, branches: list[Branch], node: ast.AST) -> None:
        self.scope.merge(branches)
        self._tell_mixed(node)

    def _tell_mixed(self, node: ast.AST) -> None:
        for name, first, second in self.scope.mixed:
            row, key = (first, second) if first.loaded else (second, first)
            fact = f"{name} is a row of {row.name} on one way to here, and a key of {key.name} on another"
            self.body.problem("LK349", fact, f"write {name} = {row.name}.get(...) for the key", node)
            self.scope.names[name] = UNKNOWN
        self.scope.mixed.clear()

    # loops

    def _loop(self, node: ast.For | ast.While) -> None:
        scope, told, reads = self.scope, len(self.body.problems), dict(self.body.functions.reads)
        item = self.body.item_type(self.body.expression(node.iter), node.iter) if isinstance(node, ast.For) else UNKNOWN
        region = self._round(node, item)
        while widened := self._widened(region):
            del self.body.problems[told:]
            if self._reread > _REREAD:
                self.body.problem("LK010", "the loops are too many to be understood", "split the body", node)
                break
            scope.forget(widened)
            self.body.functions.reads = dict(reads)
            if isinstance(node, ast.For):
                self.body.expression(node.iter)
            before = self.body.reading
            region = self._round(node, item)
            self._reread += self.body.reading - before
        self._leave(node, region)

    def _round(self, node: ast.For | ast.While, item: Type) -> Region:
        """Walk a loop's body once, and take it back."""
        start, region = self.scope.mark(), Region(loop=True)
        self.scope.regions.append(region)
        if isinstance(node, ast.While):
            self.body.expression(node.test)
            self.scope.note_present(found_present(node.test)[0])
        else:
            self.body.assign(node.target, item)
        self.block(node.body)
        self.scope.take_back(start)
        self._close(region)
        return region

    def _close(self, region: Region) -> None:
        """End a region: what is assigned in it is assigned in the one around."""
        self.scope.regions.pop()
        if self.scope.regions:
            outer = self.scope.regions[-1].assigned
            for name, type_ in region.assigned.items():
                outer[name] = joined(outer[name], type_) if name in outer else type_

    def _widened(self, region: Region) -> dict[str, Type]:
        """Return what the loop's next round finds in another state than its first."""
        names, present = self.scope.names, self.scope.present
        return {
            name: type_
            for name, type_ in region.assigned.items()
            if name in names and (name in present or joined(names[name], type_) != names[name])
        }

    def _leave(self, node: ast.For | ast.While, region: Region) -> None:
        """Go on behind a loop: by its end, where `else` follows, or by a `break`."""
        scope = self.scope
        scope.forget(region.assigned)
        endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
        start = scope.mark()
        if isinstance(node, ast.While):
            scope.note_present(found_present(node.test)[1])
        scope.alive = not endless
        self.block(node.orelse) if node.orelse else None
        end = scope.take_back(start)
        branches = [end]
        if region.breaks:
            scope.note_bound(frozenset.intersection(*region.breaks) if endless else ())
            branches.append(scope.take_back(scope.mark()))
        self._merge(branches, node)

    def _leave_loop(self, node: ast.Break | ast.Continue) -> None:
        word = "break" if isinstance(node, ast.Break) else "continue"
        inside = self.body.regions_of_function()
        number = next((index for index in reversed(range(len(inside))) if inside[index].loop), None)
        if number is None:
            self.body.problem("LK301", f"`{word}` stands outside of a loop", "", node)
        elif word == "break":
            loop = inside[number]
            bound = {name for region in inside[number:] for name in region.assigned if self._is_bound(name)}
            loop.breaks.append(frozenset(bound) if len(loop.breaks) < _MAX_BREAKS else frozenset())
        self.scope.alive = False

    def _is_bound(self, name: str) -> bool:
        return name in self.scope.names and not self.scope.maybe.get(name)

    # exceptions

    def _raise(self, node: ast.Raise) -> None:
        self.scope.alive = False
        match node:
            case ast.Raise(exc=None) if self._handling:
                return
            case ast.Raise(exc=ast.Call(func=ast.Name(id="Refused"), args=[message], keywords=[]), cause=None):
                given = self.body.expression(message)
                if not accepts(TEXT.maybe(), given):
                    self.body.problem("LK344", f"Refused takes a message, not {given}", 'write f"..."', message)
                return
        fact = f"`{shown(node)}` is not what can be raised"
        self.body.problem("LK344", fact, 'write raise Refused("message")', node)

    def _try(self, node: ast.Try) -> None:
        start, whole, region = self.scope.mark(), Region(), Region()
        self.scope.regions.append(whole)
        self.scope.regions.append(region)
        self.block(node.body)
        self._close(region)
        done = self.scope.take_back(start)
        branches = [self._handler(handler, region) for handler in node.handlers]
        branches.insert(0, self._branch(lambda: self.scope.apply(done), node.orelse))
        self._close(whole)
        last = self._finally(node.finalbody, whole)
        self._merge(branches, node)
        if last is not None:
            for name in last[0]:
                self.scope.bind(name, last[1].names.get(name) or UNKNOWN)
            self.scope.alive = self.scope.alive and last[1].alive

    def _branch(self, before: Callable[[], None], statements: list[ast.stmt]) -> Branch:
        start = self.scope.mark()
        before()
        self.block(statements) if statements else None
        return self.scope.take_back(start)

    def _handler(self, handler: ast.ExceptHandler, region: Region) -> Branch:
        for node in handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]:
            if not (isinstance(node, ast.Name) and node.id in CAUGHT):
                what = f"`except {shown(node)}`" if node is not None else "`except` without a name"
                hint = f"write except {', '.join(CAUGHT[:-1])} or {CAUGHT[-1]}"
                self.body.problem("LK345", f"{what} can't be told from a mistake", hint, handler)

        def before() -> None:
            self.scope.forget(region.assigned)
            if handler.name:
                self.body.assign(ast.copy_location(ast.Name(id=handler.name, ctx=ast.Store()), handler), TEXT)

        self._handling += 1
        branch = self._branch(before, handler.body)
        self._handling -= 1
        return branch

    def _finally(self, statements: list[ast.stmt], whole: Region) -> tuple[dict[str, Type], Branch] | None:
        if not statements:
            return None
        region = Region()
        self.scope.regions.append(region)
        branch = self._branch(lambda: self.scope.forget(whole.assigned), statements)
        self._close(region)
        return region.assigned, branch


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Return each name of `a, b = 1, 2` with its value; nothing where they can't be told apart."""
    if not (isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List)):
        return []
    starred = any(isinstance(item, ast.Starred) for item in [*target.elts, *value.elts])
    same = len(target.elts) == len(value.elts) and not starred
    return list(zip(target.elts, value.elts, strict=True)) if same else []


def _declared(type_: Type | None, given: Type) -> Type:
    """Return what a declared name holds: the value that it has, in the words of the declaration."""
    if type_ is None or given.kind == "unknown" or type_.kind == "dict":
        return type_ or UNKNOWN
    return type_ if given.kind == "none" or given.many else joined(type_.required(), given)


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(id=target.id, ctx=ast.Load()), target)
    return target
