"""Local functions, exceptions and imports of a body in the service's code.

    try:                                        try:
        Order.create(number=number)                 async with context.savepoint():
                                                        await entities.order.create(context, number=number)
    except Refused as problem:                  except Refused as refusal:
        log(problem)                                problem = str(refusal)
                                                    context.log(problem)

A function that waits becomes `async def`, and its calls are awaited. What a `try` writes before it fails is undone.
"""

from __future__ import annotations

import ast
from copy import copy
from typing import TYPE_CHECKING, cast

from lowcode_kernel.effects import effects_of
from lowcode_kernel.generators.layers.python_types import annotation, names_in

if TYPE_CHECKING:
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.generators.layers.emission import Emitter
    from lowcode_kernel.types import Type

_RAISED = ("Refused", "NotFound", "Unavailable")


class ControlEmission:
    """Writes the functions and exceptions of one emitter, whose `uses` it adds to."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.uses = emitter, emitter.uses
        self.waiting: set[str] = set()

    # functions

    def function(self, node: ast.FunctionDef) -> ast.stmt:
        """Return a local function; what waits inside of it makes it an asynchronous one."""
        known = self.emitter.body.functions[node.name]
        types = iter(parameter.type for parameter in known.parameters)
        arguments = copy(node.args)
        arguments.args = [self._parameter(argument, next(types)) for argument in node.args.args]
        arguments.kwonlyargs = [self._parameter(argument, next(types)) for argument in node.args.kwonlyargs]
        arguments.defaults = [self.emitter.value(default) for default in node.args.defaults]
        arguments.kw_defaults = [default and self.emitter.value(default) for default in node.args.kw_defaults]
        body = self.emitter.statements(node.body)
        if known.returns is not None and known.ends:
            body.append(ast.Return(value=_none()))
        is_waiting = any(isinstance(part, ast.Await | ast.AsyncWith) for item in body for part in _running(item))
        if is_waiting:
            self.waiting.add(node.name)
        kind = ast.AsyncFunctionDef if is_waiting else ast.FunctionDef
        returns = self.annotated(known.returns) if known.returns is not None else _none()
        return kind(name=node.name, args=arguments, body=body, decorator_list=[], returns=returns)

    def _parameter(self, argument: ast.arg, type_: Type) -> ast.arg:
        return ast.arg(arg=argument.arg, annotation=self.annotated(type_))

    def annotated(self, type_: Type) -> ast.expr:
        """Return the annotation of a value of a type; what it names is imported."""
        text = annotation(type_, self.emitter.app, stored=False)
        self.uses.names |= names_in(text)
        self.uses.types.append(type_)
        return ast.parse(text, mode="eval").body

    def call(self, call: Call) -> ast.expr:
        """Return the call of a local function, awaited where that waits."""
        types = {parameter.name: parameter.type for parameter in self.emitter.body.functions[call.name].parameters}
        names = {id(value): name for name, value in call.arguments.items()}
        found = ast.Call(
            func=call.node.func,
            args=[self.emitter.given(types[names[id(item)]], item) for item in call.node.args],
            keywords=[
                ast.keyword(arg=item.arg, value=self.emitter.given(types[item.arg or ""], item.value))
                for item in call.node.keywords
            ],
        )
        return ast.Await(value=found) if call.name in self.waiting else found

    def keyed(self, node: ast.Call, name: str) -> ast.expr | None:
        """Return `sorted`, `min` or `max` with a key that waits: keys are made first, as those functions can't wait for
        them; None where the key doesn't wait.
        """
        given = next((keyword.value for keyword in node.keywords if keyword.arg == "key"), None)
        parameter, key = self._key(given)
        if not any(isinstance(part, ast.Await) for part in ast.walk(key)):
            return None
        others = [item for item in node.keywords if item.arg not in {"key", "default"}]
        keywords = [ast.keyword(arg=item.arg, value=self.emitter.value(item.value)) for item in others]
        for item in node.keywords:
            if item.arg == "default":
                default = ast.Tuple(elts=[_none(), self.emitter.value(item.value)], ctx=ast.Load())
                keywords.append(ast.keyword(arg="default", value=default))
        args = [self.emitter.value(item) for item in node.args]
        items = args[0] if len(args) == 1 else ast.List(elts=args, ctx=ast.Load())
        pairs = _each(ast.Tuple(elts=[key, _name(parameter)], ctx=ast.Load()), parameter, items)
        first = ast.Lambda(args=_one_argument("pair"), body=_item("pair", 0))
        found = ast.Call(func=_name(name), args=[pairs], keywords=[ast.keyword(arg="key", value=first), *keywords])
        if name == "sorted":
            return _each(_item("pair", 1), "pair", found)
        return ast.Subscript(value=found, slice=ast.Constant(value=1), ctx=ast.Load())

    def _key(self, node: ast.expr | None) -> tuple[str, ast.expr]:
        if isinstance(node, ast.Lambda):
            return node.args.args[0].arg, self.emitter.value(node.body)
        if isinstance(node, ast.Name) and node.id in self.waiting:
            called = ast.Call(func=_name(node.id), args=[_name("item")], keywords=[])
            return "item", ast.Await(value=called)
        return "item", _none()

    # exceptions

    def attempt(self, node: ast.Try) -> ast.stmt:
        """Return a `try`. Where its body writes, it is a transaction within the transaction."""
        found = cast("ast.Try", self.emitter.generic_visit(node))
        if node.handlers and effects_of(node.body, self.emitter.body, self.emitter.app).writes:
            savepoint = ast.Attribute(value=_name("context"), attr="savepoint", ctx=ast.Load())
            item = ast.withitem(context_expr=ast.Call(func=savepoint, args=[], keywords=[]))
            found.body = [ast.AsyncWith(items=[item], body=found.body)]
        return found

    def handler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        """Return a handler; the name of what was caught holds its message."""
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        self.uses.names |= {item.id for item in caught if isinstance(item, ast.Name)}
        handler = cast("ast.ExceptHandler", self.emitter.generic_visit(node))
        if node.name:
            text = ast.Call(func=_name("str"), args=[_name("refusal")], keywords=[])
            handler.body.insert(0, ast.Assign(targets=[ast.Name(id=node.name, ctx=ast.Store())], value=text))
            handler.name = "refusal"
        return handler


def raised(names: set[str]) -> list[str]:
    """Return those names that stand for an exception of the service, for a module to import."""
    return sorted(names.intersection(_RAISED))


def _running(node: ast.AST) -> list[ast.AST]:
    """Return a statement's parts that run with it: not those of functions that it defines."""
    found, left = [], [node]
    while left:
        part = left.pop()
        found.append(part)
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            left.extend(ast.iter_child_nodes(part))
    return found


def _each(element: ast.expr, name: str, items: ast.expr) -> ast.ListComp:
    target = ast.Name(id=name, ctx=ast.Store())
    return ast.ListComp(elt=element, generators=[ast.comprehension(target=target, iter=items, ifs=[], is_async=0)])


def _one_argument(name: str) -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[ast.arg(arg=name)], kwonlyargs=[], kw_defaults=[], defaults=[])


def _item(name: str, number: int) -> ast.Subscript:
    return ast.Subscript(value=_name(name), slice=ast.Constant(value=number), ctx=ast.Load())


def _name(text: str) -> ast.Name:
    return ast.Name(id=text, ctx=ast.Load())


def _none() -> ast.Constant:
    return ast.Constant(value=None)
