"""The data flow of one body: its statements in order, branches joined, loops until nothing changes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.flow_expressions import Values
from lowcode_kernel.flow_values import NOTHING, BodyFlow, Function, Held, Source, Value
from lowcode_kernel.language.screen_model import Component, Condition
from lowcode_kernel.language.screen_model import Value as ScreenValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.language.screen_model import Node, ScreenModel

Names = dict[str, Value]


@dataclass(slots=True)
class _Frame:
    """What leaves a loop, a try or a function: the names as they are where it is left."""

    breaks: list[list[Names]] = field(default_factory=list)
    continues: list[list[Names]] = field(default_factory=list)
    returned: Value = NOTHING


def body_flow(element: str, analysis: BodyAnalysis, parameters: Iterable[Parameter], app: Application) -> BodyFlow:
    """Return the flow of the body of an action, a job or a test."""
    flow = BodyFlow(element)
    names = _parameters(flow, parameters)
    while True:
        flow.grown = False
        values = Values(app, analysis, flow)
        values.names = dict(names)
        frame = _Frame()
        _Statements(values, frame).block(analysis.tree.body)
        flow.returned |= frame.returned
        if not flow.grown:
            return flow


def lost_flow(element: str, analysis: BodyAnalysis) -> BodyFlow:
    """Return the flow of a body that is too large or too deep to be followed: whatever it reads may go anywhere."""
    flow = BodyFlow(element)
    for node, call in analysis.calls.items():
        if call.kind in {"query", "entity"}:
            value = flow.source(node, Source("read", node, 1, call.name, call))
            flow.escape(value, "a body that is too large to be followed", node)
    return flow


def _parameters(flow: BodyFlow, parameters: Iterable[Parameter]) -> Names:
    return {
        item.name: flow.source(("parameter", item.name), Source("parameter", ast.Name(id=item.name), level, item.name))
        for item in parameters
        if (level := int(item.type.many)) or item.type.kind in {"entity", "query"}
    }


def run_function(values: Values, node: ast.FunctionDef) -> Value:
    """Run a local function's body with the names that `values` has, and return what it gives."""
    frame = _Frame()
    _Statements(values, frame).block(node.body)
    return frame.returned


def _joined(all_names: list[Names]) -> Names:
    first, *others = all_names
    found = dict(first)
    for names in others:
        for name, value in names.items():
            found[name] = found.get(name, NOTHING) | value
    return found


class _Statements:
    def __init__(self, values: Values, frame: _Frame) -> None:
        self.values, self.frame = values, frame
        self.flow = values.flow

    def block(self, statements: Iterable[ast.stmt]) -> bool:
        """Run statements; say whether their end is reached."""
        for statement in statements:
            self.flow.reached.add(statement)
            if not self._statement(statement):
                return False
        return True

    def _statement(self, node: ast.stmt) -> bool:
        method = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if method is None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.flow.escape(self.values.read(child), "statement", node)
            return True
        return method(node) is not False

    def _on_assign(self, node: ast.Assign) -> None:
        value = self.values.read(node.value)
        for target in node.targets:
            self.values.assign(target, value, node)

    def _on_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.values.assign(node.target, self.values.read(node.value), node)

    def _on_augassign(self, node: ast.AugAssign) -> None:
        value = self.values.read(node.value)
        if not isinstance(node.target, ast.Name):
            self.values.assign(node.target, value, node)
            return
        before = self.values.names.get(node.target.id, NOTHING)
        if any(isinstance(held, Held) and held.level for held in before):
            self.flow.use(before, "mutate", "+=", node)
            self.flow.note_mixed(before | self.flow.deep(value))
        self.flow.add(before, "*", self.values.items(value, "+=", node) if value else NOTHING)
        self.values.bind(node.target.id, before | self.values.combined(before | value, node))

    def _on_expr(self, node: ast.Expr) -> None:
        self.values.read(node.value)

    def _on_assert(self, node: ast.Assert) -> None:
        self.values.truth(node.test)

    def _on_pass(self, node: ast.Pass) -> None:
        del node

    def _on_return(self, node: ast.Return) -> bool:
        self.frame.returned |= self.values.read(node.value)
        return False

    def _on_raise(self, node: ast.Raise) -> bool:
        match node.exc:
            case ast.Call(args=arguments):
                for argument in arguments:
                    self.flow.escape(self.values.read(argument), "message", node)
        return False

    def _on_break(self, node: ast.Break) -> bool:
        del node
        self.frame.breaks[-1].append(dict(self.values.names))
        return False

    def _on_continue(self, node: ast.Continue) -> bool:
        del node
        self.frame.continues[-1].append(dict(self.values.names))
        return False

    def _on_functiondef(self, node: ast.FunctionDef) -> None:
        self.values.bind(node.name, frozenset((Function(node),)))

    def _on_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.values.bind(alias.asname or alias.name.partition(".")[0], NOTHING)

    _on_importfrom = _on_import

    # branches

    def _on_if(self, node: ast.If) -> bool:
        constant = _constant(node.test)
        self.values.truth(node.test)
        before, ends = self.values.names, []
        for block, dead in ((node.body, constant is False), (node.orelse, constant is True)):
            self.values.names = dict(before)
            if not dead and self.block(block):
                ends.append(self.values.names)
        return self._go_on(ends)

    def _go_on(self, ends: list[Names]) -> bool:
        """Go on with what the ends of the branches have that are reached."""
        if ends:
            self.values.names = _joined(ends)
        return bool(ends)

    # loops

    def _on_while(self, node: ast.While) -> bool:
        constant = _constant(node.test)
        ends = self._loop(node, lambda: self.values.truth(node.test), endless=constant is True, never=constant is False)
        return self._go_on(ends)

    def _on_for(self, node: ast.For) -> bool:
        rows = self.values.read(node.iter)
        detail = "for"

        def step() -> None:
            self.values.assign(node.target, self.values.items(rows, detail, node), node)

        return self._go_on(self._loop(node, step))

    def _loop(
        self, node: ast.For | ast.While, step: Callable[[], None], *, endless: bool = False, never: bool = False
    ) -> list[Names]:
        """Run a loop until its names hold nothing new; return the names where it is left. Where it was run with all
        that its names may hold now (in a turn of a loop around it), what came of it is known.
        """
        known = self.values.loops.get((node, id(self.frame)))
        if isinstance(known, _Known) and _within(self.values.names, known.head):
            for watch in self.values.watching:
                watch.update(_joined([watch, known.bound]))
            return [dict(names) for names in known.ends]
        bound: Names = {}
        self.values.watching.append(bound)
        head, ends = self._turns(node, step, never=never)
        self.values.names = dict(head)
        if isinstance(node, ast.While):
            step()
        if not endless and self.block(node.orelse):
            ends.append(self.values.names)
        self.values.watching.pop()
        self.values.loops[node, id(self.frame)] = _Known(head, [dict(names) for names in ends], bound, self.frame)
        return ends

    def _turns(self, node: ast.For | ast.While, step: Callable[[], None], *, never: bool) -> tuple[Names, list[Names]]:
        head, ends = dict(self.values.names), []
        while True:
            self.frame.breaks.append([])
            self.frame.continues.append([])
            self.values.names = dict(head)
            step()
            again = [self.values.names] if not never and self.block(node.body) else []
            again += self.frame.continues.pop()
            ends += self.frame.breaks.pop()
            joined = _joined([head, *again])
            if joined == head:
                return head, ends
            head = joined

    # exceptions

    def _on_try(self, node: ast.Try) -> bool:
        raised = dict(self.values.names)  # with all that is bound from here on: any statement may raise
        self.values.watching.append(raised)
        ends = []
        if self.block(node.body):
            ends = [self.values.names] if self.block(node.orelse) else []
        inside = dict(raised)
        for handler in node.handlers:
            self.values.names = dict(inside)
            if handler.name:
                self.values.bind(handler.name, NOTHING)
            if self.block(handler.body):
                ends.append(self.values.names)
        self.values.watching.pop()
        return self._finally(node, raised, ends)

    def _finally(self, node: ast.Try, raised: Names, ends: list[Names]) -> bool:
        """The last block runs however the others are left; behind it go on only those that came to their end."""
        if not node.finalbody:
            return self._go_on(ends)
        self.values.names = _joined([raised, *ends])
        reached = self.block(node.finalbody)
        return reached and bool(ends)


@dataclass(frozen=True, slots=True)
class _Known:
    """What came of a loop: what its names may hold at its head, where it is left, and all that was bound in it. The
    frame is kept alive, so that no other has its identity.
    """

    head: Names
    ends: list[Names]
    bound: Names
    frame: _Frame


def _within(names: Names, others: Names) -> bool:
    return all(value <= others.get(name, NOTHING) for name, value in names.items() if value)


def _constant(test: ast.expr) -> bool | None:
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return not value
    return None


# screens


def screen_flow(element: str, model: ScreenModel, parameters: Iterable[Parameter], app: Application) -> BodyFlow:
    """Return the flow of a screen: its inputs, values and components in their order."""
    flow = BodyFlow(element)
    values = Values(app, model.body, flow)
    values.names = _parameters(flow, parameters)
    for item in model.inputs:
        if item.default is not None:
            flow.escape(values.read(item.default), "input", item.default)
        values.names[item.name] = NOTHING
    _nodes(values, model.nodes)
    return flow


def _nodes(values: Values, nodes: Iterable[Node]) -> None:
    for node in nodes:
        if isinstance(node, ScreenValue):
            values.assign(node.target, values.read(node.value), node.value)
        elif isinstance(node, Condition):
            values.truth(node.test)
            before = values.names
            values.names = dict(before)
            _nodes(values, node.body)
            first, values.names = values.names, dict(before)
            _nodes(values, node.orelse)
            values.names = _joined([first, values.names])
        else:
            _component(values, node)


def _component(values: Values, component: Component) -> None:
    """A component shows columns of rows, or one value."""
    flow, node = values.flow, component.node
    value = values.read(component.value)
    where = f"{component.kind} {component.id}"
    if component.kind in {"table", "chart"}:
        rows = values.items(value, where if component.page is None else f"{where} page {component.page}", node)
        _shown(values, rows, component)
    elif component.kind == "details":
        _shown(values, value, component)
    else:
        flow.escape(value, where, node)
    if component.values is not None:
        filled = values.read(component.values)
        for name in component.filled:
            flow.use(filled, "attribute", name, node)
    given = [*component.arguments, *(component.then.given if component.then else ())]
    for _, argument in given:
        values.calls.argument(argument, values.read(argument), where)


def _shown(values: Values, rows: Value, component: Component) -> None:
    links = [name for _, name in component.row.arguments] if component.row else []
    axes = [axis.name for axis in (component.x, component.y) if axis]
    for name in dict.fromkeys([*(column.name for column in component.columns), *axes, *links]):
        values.flow.use(rows, "attribute", name, component.node)
