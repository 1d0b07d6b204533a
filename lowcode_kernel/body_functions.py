"""Local functions of a body, and the functions without a name that `sorted`, `min` and `max` take as `key=`.

    def label(order: Order, prefix: Text = "no. ") -> Text:
        return prefix + order.number

Parameters have types. A function reads the names around it, is called behind its definition, and never calls itself:
what it does ends. Whether it waits for the database is found, not said.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.body_scope import Region, joined
from lowcode_kernel.elements import Parameter
from lowcode_kernel.keys import key_names
from lowcode_kernel.language.bodies import place_of, shown
from lowcode_kernel.types import NONE, UNKNOWN, Type, accepts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.bodies import Analyzer

_WAITING = frozenset({"query", "action", "entity", "integration", "together"})
_SHAPE = "def label(order: Order, n: Integer = 1) -> Text:"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFunction:
    """A function that a body defines. `waits` says that it asks the database or another service."""

    name: str
    node: ast.FunctionDef
    parameters: tuple[Parameter, ...]
    returns: Type | None
    waits: bool
    ends: bool


@dataclass(slots=True)
class _Frame:
    """A function that is being read."""

    name: str
    local: frozenset[str]
    first_region: int
    returns: list[tuple[Type, ast.Return]]


class FunctionReader:
    """Reads the local functions of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body = body
        self.known: dict[str, LocalFunction] = {}
        self._frames: list[_Frame] = []
        self._keys: set[ast.expr] = set()
        self.ahead: set[str] = set()  # names of functions that the blocks around define somewhere
        self.reads: dict[str, tuple[str, Type]] = {}  # names around that functions read: by which, and as what

    @property
    def first_region(self) -> int:
        """The number of the first region that is in the function at hand."""
        return self._frames[-1].first_region if self._frames else 0

    def returned(self, type_: Type, node: ast.Return) -> None:
        """Note what a `return` gives to the function, or to the body."""
        if self._frames:
            self._frames[-1].returns.append((type_, node))
        else:
            self.body.returns.append(type_)

    def captured(self, name: str) -> None:
        """Note that a function reads a name; one of those around it must not change its type from then on."""
        if self._frames and name not in self._frames[-1].local and name in self.body.names:
            self.reads[name] = (self._frames[-1].name, self.body.names[name])

    def check_captured(self, name: str, type_: Type, node: ast.AST) -> None:
        """Report a value of another type for a name that a function above reads."""
        if name in self.reads and not (self._frames and name in self._frames[-1].local):
            function, known = self.reads[name]
            if joined(known, type_) != known:
                fact = f"{name} is {known} where {function} reads it, and {type_} from here on"
                self.body.problem("LK330", fact, f"give {function} a parameter, or choose another name", node)

    def is_known(self, name: str) -> bool:
        """Say whether a name is a function's that can be called here."""
        return name in self.known and name in self.body.names

    def is_refused(self, name: str, node: ast.AST) -> bool:
        """Report a function that calls itself, and one that is called above its definition; say whether it is one."""
        if any(frame.name == name for frame in self._frames):
            self.body.problem("LK331", f"{name} calls itself: it might never end", "write a loop", node)
            return True
        if name in self.ahead and name not in self.known:
            fact = f"{name} is called above its definition"
            self.body.problem("LK332", fact, "define it before", node)
            return True
        return False

    def check_value(self, name: str, node: ast.expr) -> None:
        """Report a function that is used as a value, where it can't be: one that waits is called, or given as key=."""
        if (function := self.known.get(name)) and function.waits and node not in self._keys:
            fact = f"{name} asks the database: it can't be given to another function"
            self.body.problem("LK348", fact, f"call it: {name}(...)", node)

    def check_plain(self, node: ast.expr) -> None:
        """Report what can't stand behind `key=` of a list's own `sort`."""
        if any(waits(part, self.body) for part in parts_of(node)):
            hint = "write rows = sorted(rows, key=...)"
            self.body.problem("LK348", f"`{shown(node)}` asks the database: sort can't wait for it", hint, node)

    def allow_value(self, node: ast.expr) -> None:
        """Note that what stands here is called by the code that is written around it."""
        self._keys.add(node)

    # definitions

    def define(self, node: ast.FunctionDef) -> None:
        """Read a definition, and let its name stand for it from here on."""
        self._check_form(node)
        known = self.known.get(node.name)
        if known is None or known.node is not node:
            self.body.check_name(node.name, node)
        parameters = tuple(self._parameters(node))
        returns = self.body.annotated(node.returns) if node.returns is not None else None
        frame = _Frame(node.name, frozenset(_local_names(node)), len(self.body.scope.regions), [])
        waits, ends = self._read(node, frame, parameters)
        self._check_returns(node, frame, returns, ends=ends)
        self.known[node.name] = LocalFunction(
            name=node.name, node=node, parameters=parameters, returns=returns, waits=waits, ends=ends
        )
        self.body.note_assigned(node.name, node)
        self.body.bind(node.name, Type(name=node.name, kind="unknown"), node)

    def _check_form(self, node: ast.FunctionDef) -> None:
        arguments = node.args
        if node.decorator_list:
            self._problem("it has a decorator", node, node.decorator_list[0])
        if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
            self._problem("it has *, ** or / among its parameters", node, node)
        for part in _inside(node):
            if isinstance(part, ast.Yield | ast.YieldFrom):
                self._problem("it has a yield: return a list", node, part)

    def _problem(self, what: str, node: ast.FunctionDef, at: ast.AST) -> None:
        self.body.problem("LK330", f"{node.name} can't be such a function: {what}", f"write {_SHAPE}", at)

    def _parameters(self, node: ast.FunctionDef) -> Iterator[Parameter]:
        arguments = node.args
        plain = [*([None] * (len(arguments.args) - len(arguments.defaults))), *arguments.defaults]
        pairs = [*zip(arguments.args, plain, strict=True)]
        for argument, default in [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
            yield self._parameter(node, argument, default)

    def _parameter(self, node: ast.FunctionDef, argument: ast.arg, default: ast.expr | None) -> Parameter:
        type_ = UNKNOWN
        if argument.annotation is None:
            fact, hint = f"parameter {argument.arg} of {node.name} has no type", f"write {argument.arg}: Text"
            self.body.problem("LK330", fact, hint, argument)
        else:
            type_ = self.body.annotated(argument.annotation) or UNKNOWN
        if default is not None:
            if not isinstance(default, ast.Constant | ast.UnaryOp):
                self.body.problem("LK330", f"the default of {argument.arg} is not a constant", "", default)
            elif not accepts(type_, given := self.body.expression(default)):
                self.body.problem("LK309", f"{node.name}: {argument.arg} is {type_}, not {given}", "", default)
        place = place_of(argument, self.body.place)
        text = shown(default) if default is not None else None
        self.body.check_name(argument.arg, argument)
        return Parameter(name=argument.arg, type=type_, default=text, place=place)

    def _read(self, node: ast.FunctionDef, frame: _Frame, parameters: tuple[Parameter, ...]) -> tuple[bool, bool]:
        """Read the function's own statements; say whether it waits, and whether its end is reached."""
        scope = self.body.scope
        self._frames.append(frame)
        start = scope.mark()
        scope.regions.append(Region())
        scope.forget_present()  # what is there now may be gone when the function is called
        for name in frame.local:
            scope.unbind(name)
        for parameter in parameters:
            scope.bind(parameter.name, parameter.type)
        self.body.statements(node.body)
        scope.regions.pop()
        ends = scope.take_back(start).alive
        self._frames.pop()
        return any(waits(part, self.body) for part in _inside(node)), ends

    def _check_returns(self, node: ast.FunctionDef, frame: _Frame, promised: Type | None, *, ends: bool) -> None:
        for type_, at in frame.returns:
            if promised is None and node.returns is None and type_.kind not in {"none", "unknown"}:
                hint = f"write def {node.name}(...) -> {type_}:"
                self.body.problem("LK311", f"{node.name} returns {type_} and promises nothing", hint, at)
            elif promised is not None and not accepts(promised, type_):
                fact = f"{node.name} returns {type_} and promises {promised}"
                self.body.problem("LK311", fact, "change one of them", at)
        if promised is not None and ends and not promised.optional and promised is not NONE:
            fact = f"{node.name} promises {promised}, and its end can be reached without return"
            self.body.problem("LK333", fact, "add return ...", node)


def waits(node: ast.AST, body: Analyzer) -> bool:
    """Say whether one part of a body asks the database or another service when it is run."""
    if isinstance(node, ast.Call):
        call = body.calls.get(node)
        if call is None:
            return False
        return call.kind in _WAITING or (call.kind == "function" and body.functions.known[call.name].waits)
    owner = body.types.get(node.value) if isinstance(node, ast.Attribute) else None
    if owner is None or owner.kind != "entity" or owner.many or not isinstance(node, ast.Attribute):
        return False
    entity = body.app.entities.get(owner.name)
    attribute = entity.attribute(node.attr) if entity else None
    if attribute is not None and attribute.type.many:
        return True  # other rows' keys are in a table of their own
    return not owner.loaded and (node.attr,) != key_names(owner.name, body.app)


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Give the parts of a function that run when it is called: not those of functions that it defines."""
    left: list[ast.AST] = list(ast.iter_child_nodes(node))
    while left:
        part = left.pop()
        yield part
        if not isinstance(part, ast.FunctionDef):
            left.extend(ast.iter_child_nodes(part))


def parts_of(node: ast.AST) -> Iterator[ast.AST]:
    """Give a node and all its parts that run with it."""
    yield node
    yield from _inside(node)


def _local_names(node: ast.FunctionDef) -> Iterator[str]:
    """Give the names that are a function's own: its parameters, and what it assigns."""
    arguments = node.args
    yield from (argument.arg for argument in [*arguments.args, *arguments.kwonlyargs])
    for part in _inside(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.ExceptHandler | ast.FunctionDef) and part.name:
            yield part.name
        elif isinstance(part, ast.alias):
            yield part.asname or part.name.partition(".")[0]
