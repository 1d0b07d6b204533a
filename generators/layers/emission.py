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

from lowcode_kernel.body_builtins import WITH_KEY
from lowcode_kernel.body_types import annotated
from lowcode_kernel.generators.layers.emission_control import ControlEmission
from lowcode_kernel.generators.layers.emission_entities import EntityEmission
from lowcode_kernel.generators.layers.emission_queries import QueryEmission
from lowcode_kernel.keys import key_names
from lowcode_kernel.places import Place
from lowcode_kernel.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.elements import Attribute, Parameter
    from lowcode_kernel.generators.layers.access import Uses


_WITH_ZONE = 8  # arguments of datetime, of which the last is the zone


class Emitter(ast.NodeTransformer):
    """Rewrites one body. `uses` collects what its module has to import and which access functions it needs."""

    def __init__(self, app: Application, body: BodyAnalysis, uses: Uses, *, access: str = "context") -> None:
        self.app, self.body, self.uses = app, body, uses
        self.access = access  # the name of the context that accesses of entities go through
        self.entities = EntityEmission(self)
        self.queries = QueryEmission(self)
        self.control = ControlEmission(self)

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
                items = [found for item in value for found in self._rewritten(item)]
                setattr(changed, name, items or ([ast.Pass()] if value and name == "body" else []))
            elif isinstance(value, ast.AST):
                setattr(changed, name, self.visit(value))
        return changed

    def _rewritten(self, item: object) -> list[object]:
        return list(self._listed(self.visit(item))) if isinstance(item, ast.AST) else [item]

    def whole(self, returns: Type | None) -> list[ast.stmt]:
        """Return the rewritten body of something that returns a type: its end gives None where that is promised."""
        found = self.statements(self.body.tree.body)
        if returns is not None and self.body.ends:
            found.append(ast.Return(value=ast.Constant(value=None)))
        return found

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
        return self.entities.key(node, required=required)

    def loaded(self, node: ast.expr) -> ast.expr:
        """Return an expression for the row of what an expression gives, loading it where it is a key."""
        type_ = self.body.types.get(node)
        if type_ is None or type_.kind != "entity" or type_.loaded:
            return self.value(node)
        return self.load(type_, self.value(node))

    def load(self, type_: Type, key: ast.expr) -> ast.expr:
        """Return an expression that loads the row of a key; None stays None."""
        return self.entities.load(type_, key)

    # names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Settings, the user and roles come from the context; a name that holds a value stays."""
        if isinstance(node.ctx, ast.Store):
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
        if owner is not None and owner.kind == "entity" and self._is_list(owner, node.attr):
            return self.entities.held(owner, node.value, node.attr)
        if owner is None or owner.kind != "entity" or owner.loaded or owner.many or not isinstance(node.ctx, ast.Load):
            return cast("ast.expr", self.generic_visit(node))
        if (node.attr,) == key_names(owner.name, self.app):
            return self.value(node.value)
        key = self.value(node.value)
        found = ast.Attribute(value=self.load(owner.required(), key), attr=node.attr, ctx=ast.Load())
        if not owner.optional:
            return found
        return ast.IfExp(test=_is_none(key), body=ast.Constant(value=None), orelse=found)

    def _is_list(self, owner: Type, name: str) -> bool:
        entity = self.app.entities.get(owner.name)
        attribute = entity.attribute(name) if entity else None
        return attribute is not None and attribute.type.many and not owner.many and not owner.keyed

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Rows by key are asked with a key, where the author has the row too."""
        owner = self.body.types.get(node.value)
        if owner is None or not owner.keyed:
            return cast("ast.expr", self.generic_visit(node))
        return ast.Subscript(value=self.value(node.value), slice=self.key(node.slice), ctx=node.ctx)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """A row and a key, or two rows, are compared by their keys."""
        parts = [node.left, *node.comparators]
        types = [self.body.types.get(part) for part in parts]
        if all(type_ is not None and type_.kind in {"entity", "scalar"} and not type_.many for type_ in types):
            left, *others = (self.key(part) for part in parts)
            return ast.Compare(left=left, ops=node.ops, comparators=others)
        return cast("ast.expr", self.generic_visit(node))

    # statements

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """`require(condition, message)` is an `if` that refuses."""
        call = self.body.calls.get(node.value) if isinstance(node.value, ast.Call) else None
        if call is not None and call.kind == "require":
            return self._require(call.node)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A local function stays where it is."""
        return self.control.function(node)

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """What fails inside is undone."""
        return self.control.attempt(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """`raise Refused(...)` stays; a raise alone raises again what was caught."""
        if node.exc is not None:
            self.uses.names.add("Refused")
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """The type of a name, in Python's words."""
        type_ = annotated(node.annotation, self.app, Place(cell=0))
        value = self.value(node.value) if node.value is not None else None
        return ast.AnnAssign(target=node.target, annotation=self.control.annotated(type_), value=value, simple=1)

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        """Imports stand at the top of the module."""
        del node
        self.uses.imports |= {found.line for found in self.body.imports}
        return []

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        """Imports stand at the top of the module."""
        del node
        self.uses.imports |= {found.line for found in self.body.imports}
        return []

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """A number divided by another is a Decimal: binary fractions would not add up."""
        found = cast("ast.BinOp", self.generic_visit(node))
        if isinstance(node.op, ast.Div) and self._is_whole(node.left) and self._is_whole(node.right):
            return ast.BinOp(left=self._as_decimal(found.left), op=node.op, right=found.right)
        return found

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """As for `/`."""
        found = cast("ast.AugAssign", self.generic_visit(node))
        if isinstance(node.op, ast.Div) and isinstance(node.target, ast.Name):
            read = ast.Name(id=node.target.id, ctx=ast.Load())
            return ast.Assign(
                targets=[node.target],
                value=ast.BinOp(left=self._as_decimal(read), op=node.op, right=found.value),
            )
        return found

    def _is_whole(self, node: ast.expr) -> bool:
        type_ = self.body.types.get(node)
        return type_ is not None and type_.name == "Integer" and not type_.many

    def _as_decimal(self, node: ast.expr) -> ast.expr:
        self.uses.names.add("Decimal")
        return ast.Call(func=_name("Decimal"), args=[node], keywords=[])

    def _require(self, node: ast.Call) -> ast.If:
        self.uses.names.add("Refused")
        condition = self.value(node.args[0])
        refuse = ast.Raise(
            exc=ast.Call(func=_name("Refused"), args=[self.value(node.args[1])], keywords=[]), cause=None
        )
        return ast.If(test=_negated(condition), body=[refuse], orelse=[])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """The name of a caught refusal holds its message."""
        return self.control.handler(node)

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
        written: dict[str, Callable[[Call], ast.expr]] = {
            "query": self.queries.call,
            "together": self.queries.together,
            "action": self._call_element,
            "integration": self._call_element,
            "entity": self.entities.call,
            "function": self.control.call,
            "struct": self._struct,
            "log": self._log,
            "refused": self._refused,
            "builtin": self._builtin,
        }
        if call is None or call.kind not in written:
            return cast("ast.expr", self.generic_visit(node))
        return written[call.kind](call)

    def _log(self, call: Call) -> ast.expr:
        args = [self.value(item) for item in call.node.args]
        return ast.Call(func=_attribute("context", "log"), args=args, keywords=self._keywords(call.node))

    def _keywords(self, node: ast.Call) -> list[ast.keyword]:
        return [ast.keyword(arg=item.arg, value=self.value(item.value)) for item in node.keywords]

    def _builtin(self, call: Call) -> ast.expr:
        node = call.node
        name = cast("ast.Name", node.func).id
        if name in WITH_KEY and (found := self.control.keyed(node, name)) is not None:
            return found
        if name == "now":
            return ast.Call(func=_attribute("context", "now"), args=[], keywords=[])
        if name == "today":
            now = ast.Call(func=_attribute("context", "now"), args=[], keywords=[])
            return ast.Call(func=ast.Attribute(value=now, attr="date", ctx=ast.Load()), args=[], keywords=[])
        if name in {"date", "datetime", "timedelta", "Decimal"}:
            self.uses.names.add(name)
        args, keywords = [self.value(item) for item in node.args], self._keywords(node)
        if name == "datetime" and len(args) < _WITH_ZONE and all(item.arg != "tzinfo" for item in keywords):
            self.uses.names.add("UTC")
            keywords.append(ast.keyword(arg="tzinfo", value=_name("UTC")))
        return ast.Call(func=node.func, args=args, keywords=keywords)

    def _struct(self, call: Call) -> ast.expr:
        """Every attribute is given: the classes of structs, which say what another service sends, have no defaults."""
        struct = self.app.structs[call.name]
        self.uses.types.append(Type(name=call.name, kind="struct"))
        given = [
            ast.keyword(arg=item.name, value=self.entities.given(item.type, call.arguments[item.name]))
            if item.name in call.arguments
            else ast.keyword(arg=item.name, value=self._default(item))
            for item in struct.attributes
        ]
        return ast.Call(func=_name(call.name), args=[], keywords=given)

    def _default(self, attribute: Attribute) -> ast.expr:
        value = self.value(ast.parse(attribute.default or "None", mode="eval").body)
        is_whole = isinstance(value, ast.Constant) and isinstance(value.value, int)
        return self._as_decimal(value) if attribute.type.name == "Decimal" and is_whole else value

    def _refused(self, call: Call) -> ast.expr:
        """`refused(action(...))` takes the call itself, not what it gives."""
        self.uses.names.add("refused")
        inner = self.value(call.node.args[0])
        return _await(_name("refused"), [inner.value if isinstance(inner, ast.Await) else inner])

    def _call_element(self, call: Call) -> ast.expr:
        package = {"action": "actions", "integration": "integrations"}[call.kind]
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
        if call.kind == "action":
            return self.app.actions[call.name].parameters
        operation = self.app.integrations[call.name].operation(call.method or "")
        return operation.parameters if operation else ()

    def _argument(self, kind: str, parameter: Parameter, value: ast.expr) -> ast.expr:
        return self.given(parameter.type, value) if kind == "action" else self.key(value)

    def given(self, target: Type, value: ast.expr) -> ast.expr:
        """Return an argument of an action or a local function: these take rows, where others take keys."""
        if target.kind != "entity":
            return self.key(value)
        type_ = self.body.types.get(value)
        is_key = type_ is not None and type_.kind == "scalar"
        return self.load(target, self.value(value)) if is_key else self.loaded(value)


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
