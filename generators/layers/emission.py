"""The Python of a body to the Python of a service.

    known = DaySummary.find(origin=code, day=day)
    known = await entities.day_summary.find_by_origin_and_day(context, origin=code, day=day)

The tree stays what its author wrote; calls of elements become awaited calls of their modules, references are followed
by loading, and settings, roles and
the clock come from the context.
"""

from __future__ import annotations

import ast
from copy import copy
from typing import TYPE_CHECKING, cast

from lowcode_kernel.generators.layers.access import EntityFunction, Uses
from lowcode_kernel.identifiers import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.types import Type


class Emitter(ast.NodeTransformer):
    """Rewrites one body. `uses` collects what its module has to import and which access functions it needs."""

    def __init__(self, app: Application, body: BodyAnalysis, uses: Uses, *, access: str = "context") -> None:
        self.app, self.body, self.uses = app, body, uses
        self.access = access  # the name of the context that accesses of entities go through
        self.present: set[str] = set()  # names that a condition around has found to be not None

    def statements(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        """Return the rewritten statements; the tree given stays as it is."""
        return [cast("ast.stmt", found) for statement in statements for found in self._listed(self.visit(statement))]

    @staticmethod
    def _listed(node: ast.AST | list[ast.AST]) -> list[ast.AST]:
        return node if isinstance(node, list) else [node]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Return a node with its parts rewritten. Unlike ast's own it leaves the tree as it is: the analysis is keyed
        by its nodes and used again.
        """
        changed = copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(changed, name, [found for item in value for found in self._rewritten(item)])
            elif isinstance(value, ast.AST):
                setattr(changed, name, self.visit(value))
        return changed

    def _rewritten(self, item: object) -> list[object]:
        return list(self._listed(self.visit(item))) if isinstance(item, ast.AST) else [item]

    def expression(self, node: ast.expr) -> str:
        """Return the text of a rewritten expression."""
        return ast.unparse(self.value(node))

    def value(self, node: ast.expr) -> ast.expr:
        """Return a rewritten expression."""
        return cast("ast.expr", self.visit(node))

    def key(self, node: ast.expr, *, required: bool = False) -> ast.expr:
        """Return an expression for the key of what an expression gives: a loaded row's key, or the key that it is
        already.

        With `required` the row is taken to be there: an access by key has no meaning without one.
        """
        type_ = self.body.types.get(node)
        if type_ is None or type_.kind != "entity" or not type_.loaded or type_.many:
            return self.value(node)
        attribute = ast.Attribute(value=self.value(node), attr=self._key_name(type_.name), ctx=ast.Load())
        if required or not type_.optional:
            return attribute
        return ast.IfExp(test=_is_none(self.value(node)), body=ast.Constant(value=None), orelse=attribute)

    def _key_name(self, entity: str) -> str:
        found = self.app.entities.get(entity)
        return found.key[0] if found else "id"

    def loaded(self, node: ast.expr) -> ast.expr:
        """Return an expression for the row of what an expression gives, loading it where it is a key."""
        type_ = self.body.types.get(node)
        if type_ is None or type_.kind != "entity" or type_.loaded:
            return self.value(node)
        return self.load(type_, self.value(node))

    def load(self, type_: Type, key: ast.expr) -> ast.expr:
        """Return an expression that loads the row of a key; None stays None."""
        get = _await(self._function(EntityFunction(entity=type_.name, method="get")), [_name(self.access), key])
        if not type_.optional:
            return get
        return ast.IfExp(test=_is_none(key), body=ast.Constant(value=None), orelse=get)

    def _function(self, function: EntityFunction) -> ast.expr:
        self.uses.functions.add(function)
        self.uses.packages.add("entities")
        module = ast.Attribute(value=_name("entities"), attr=snake_case(function.entity), ctx=ast.Load())
        return ast.Attribute(value=module, attr=function.name, ctx=ast.Load())

    # names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Settings, the user and roles come from the context; a name that holds a value stays."""
        if isinstance(node.ctx, ast.Store):
            self.present.discard(node.id)
            return node
        if node.id == "user":
            return _attribute("context", "user")
        type_ = self.body.types.get(node)
        if node.id in self.app.settings and type_ == self.app.settings[node.id].type:
            return ast.Attribute(value=_attribute("context", "config"), attr=node.id, ctx=ast.Load())
        if node.id in self.app.roles:
            return ast.Constant(value=node.id)
        if node.id in {"date", "datetime", "timedelta", "Decimal"}:
            self.uses.names.add(node.id)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """A number with a point is a Decimal in the language, and one in Python."""
        if isinstance(node.value, float):
            self.uses.names.add("Decimal")
            return ast.Call(func=_name("Decimal"), args=[ast.Constant(value=repr(node.value))], keywords=[])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Follow a reference: `flight.carrier.name` loads the airline; its key is at hand without loading."""
        owner = self.body.types.get(node.value)
        if owner is None or owner.kind != "entity" or owner.loaded or owner.many or not isinstance(node.ctx, ast.Load):
            return cast("ast.expr", self.generic_visit(node))
        if node.attr == self._key_name(owner.name):
            return self.value(node.value)
        key = self.value(node.value)
        get = _await(self._function(EntityFunction(entity=owner.name, method="get")), [_name(self.access), key])
        found = ast.Attribute(value=get, attr=node.attr, ctx=ast.Load())
        if not owner.optional or (isinstance(node.value, ast.Name) and node.value.id in self.present):
            return found
        return ast.IfExp(test=_is_none(key), body=ast.Constant(value=None), orelse=found)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """A row and a key, or two rows, are compared by their keys."""
        parts = [node.left, *node.comparators]
        types = [self.body.types.get(part) for part in parts]
        if all(type_ is not None and type_.kind in {"entity", "scalar"} and not type_.many for type_ in types):
            left, *others = (self.key(part) for part in parts)
            return ast.Compare(left=left, ops=node.ops, comparators=others)
        return cast("ast.expr", self.generic_visit(node))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Behind `x is not None and`, x is there."""
        if isinstance(node.op, ast.Or):
            return cast("ast.expr", self.generic_visit(node))
        outer, values = set(self.present), []
        for value in node.values:
            values.append(self.value(value))
            self.present |= found_present(value)
        self.present = outer
        return ast.BoolOp(op=node.op, values=values)

    # statements

    def visit_If(self, node: ast.If) -> ast.AST:
        """Below `if x is not None:`, x is there."""
        test, outer = self.value(node.test), set(self.present)
        self.present |= found_present(node.test)
        body = self.statements(node.body)
        self.present = set(outer)
        orelse = self.statements(node.orelse)
        self.present = outer
        return ast.If(test=test, body=body, orelse=orelse)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """`require(condition, message)` is an `if` that refuses."""
        call = self.body.calls.get(node.value) if isinstance(node.value, ast.Call) else None
        if call is not None and call.kind == "require":
            return self._require(call.node)
        return self.generic_visit(node)

    def _require(self, node: ast.Call) -> ast.If:
        self.uses.names.add("Refused")
        condition = self.value(node.args[0])
        refuse = ast.Raise(
            exc=ast.Call(func=_name("Refused"), args=[self.value(node.args[1])], keywords=[]), cause=None
        )
        return ast.If(test=_negated(condition), body=[refuse], orelse=[])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """The name of a caught refusal holds its message."""
        self.uses.names.add("Refused")
        handler = cast("ast.ExceptHandler", self.generic_visit(node))
        if node.name:
            text = ast.Call(func=_name("str"), args=[_name("refusal")], keywords=[])
            handler.body.insert(0, ast.Assign(targets=[ast.Name(id=node.name, ctx=ast.Store())], value=text))
            handler.name = "refusal"
        return handler

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        """What awaits inside of a generator would make it an asynchronous one, which `sum` and `any` can't take: make
        it a list.
        """
        found = cast("ast.GeneratorExp", self.generic_visit(node))
        if any(isinstance(part, ast.Await) for part in ast.walk(found)):
            return ast.ListComp(elt=found.elt, generators=found.generators)
        return found

    # calls

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Calls of elements become awaited calls of their modules."""
        call = self.body.calls.get(node)
        match call.kind if call else None:
            case "query" | "action" | "integration":
                return self._call_element(cast("Call", call))
            case "entity":
                return self._call_entity(cast("Call", call))
            case "log":
                return ast.Call(
                    func=_attribute("context", "log"),
                    args=[self.value(item) for item in node.args],
                    keywords=self._keywords(node),
                )
            case "refused":
                return self._refused(node)
            case "builtin":
                return self._builtin(node)
        return cast("ast.expr", self.generic_visit(node))

    def _keywords(self, node: ast.Call) -> list[ast.keyword]:
        return [ast.keyword(arg=item.arg, value=self.value(item.value)) for item in node.keywords]

    def _builtin(self, node: ast.Call) -> ast.expr:
        name = cast("ast.Name", node.func).id
        if name == "now":
            return ast.Call(func=_attribute("context", "now"), args=[], keywords=[])
        if name == "today":
            now = ast.Call(func=_attribute("context", "now"), args=[], keywords=[])
            return ast.Call(func=ast.Attribute(value=now, attr="date", ctx=ast.Load()), args=[], keywords=[])
        if name in {"date", "datetime", "timedelta", "Decimal"}:
            self.uses.names.add(name)
        args = [self.value(item) for item in node.args]
        return ast.Call(func=node.func, args=args, keywords=self._keywords(node))

    def _refused(self, node: ast.Call) -> ast.expr:
        """`refused(action(...))` takes the call itself, not what it gives."""
        self.uses.names.add("refused")
        inner = self.value(node.args[0])
        return _await(_name("refused"), [inner.value if isinstance(inner, ast.Await) else inner])

    def _call_element(self, call: Call) -> ast.expr:
        package = {"query": "queries", "action": "actions", "integration": "integrations"}[call.kind]
        self.uses.packages.add(package)
        parameters = {parameter.name: parameter for parameter in self._parameters(call)}
        keywords = [
            ast.keyword(arg=name, value=self._argument(call.kind, parameters[name], value))
            for name, value in call.arguments.items()
        ]
        target: ast.expr = ast.Attribute(value=_name(package), attr=call.name, ctx=ast.Load())
        if call.method:
            target = ast.Attribute(value=target, attr=call.method, ctx=ast.Load())
        return _await(target, [_name("context")], keywords)

    def _parameters(self, call: Call) -> Iterable[Parameter]:
        if call.kind == "query":
            return self.app.queries[call.name].parameters
        if call.kind == "action":
            return self.app.actions[call.name].parameters
        operation = self.app.integrations[call.name].operation(call.method or "")
        return operation.parameters if operation else ()

    def _argument(self, kind: str, parameter: Parameter, value: ast.expr) -> ast.expr:
        if parameter.type.kind == "entity" and kind == "action":
            type_ = self.body.types.get(value)
            scalar_key = type_ is not None and type_.kind == "scalar"
            return self.load(parameter.type, self.value(value)) if scalar_key else self.loaded(value)
        return self.key(value)

    def _call_entity(self, call: Call) -> ast.expr:
        method, arguments = call.method or "", dict(call.arguments)
        positional: list[ast.expr] = [_name(self.access)]
        if "key" in arguments:
            positional.append(self.key(arguments.pop("key"), required=True))
        order_by = self._order_by(arguments.pop("order_by", None))
        limit = arguments.pop("limit", None)
        keywords = [ast.keyword(arg=name, value=self.key(value)) for name, value in arguments.items()]
        given = () if method in {"create", "get", "delete"} else tuple(arguments)
        function = EntityFunction(
            entity=call.name, method=method, attributes=given, order_by=order_by, limited=limit is not None
        )
        if limit is not None:
            keywords.append(ast.keyword(arg="limit", value=self.value(limit)))
        if method == "get" and keywords:
            positional.append(keywords.pop().value)
        return _await(self._function(function), positional, keywords)

    def _order_by(self, node: ast.expr | None) -> tuple[str, ...]:
        """Read `order_by=placed_at`, `order_by=-placed_at` and a list of these."""
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node is not None else []
        found = []
        for item in items:
            descending = isinstance(item, ast.UnaryOp)
            name = item.operand if isinstance(item, ast.UnaryOp) else item
            text = name.id if isinstance(name, ast.Name) else str(cast("ast.Constant", name).value)
            found.append(f"-{text}" if descending else text)
        return tuple(found)


def found_present(test: ast.expr) -> set[str]:
    """Return the names that are not None where a condition holds."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return {name}
        case ast.BoolOp(op=ast.And(), values=values):
            return {name for value in values for name in found_present(value)}
    return set()


def _name(text: str) -> ast.Name:
    return ast.Name(id=text, ctx=ast.Load())


def _attribute(owner: str, attribute: str) -> ast.Attribute:
    return ast.Attribute(value=_name(owner), attr=attribute, ctx=ast.Load())


def _await(function: ast.expr, positional: list[ast.expr], keywords: list[ast.keyword] | None = None) -> ast.Await:
    return ast.Await(value=ast.Call(func=function, args=positional, keywords=keywords or []))


def _is_none(node: ast.expr) -> ast.Compare:
    return ast.Compare(left=node, ops=[ast.Is()], comparators=[ast.Constant(value=None)])


_OPPOSITE: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Lt: ast.GtE(),
    ast.LtE: ast.Gt(),
    ast.Gt: ast.LtE(),
    ast.GtE: ast.Lt(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
}


def _negated(node: ast.expr) -> ast.expr:
    """Return `not node` as a person writes it: `note.resolved` for `not (not note.resolved)`, `a == b` for `not (a !=
    b)`.
    """
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Compare(left=left, ops=[op], comparators=comparators):
            return ast.Compare(left=left, ops=[_OPPOSITE[type(op)]], comparators=comparators)
    return ast.UnaryOp(op=ast.Not(), operand=node)
