"""What the Python of an action, a job, a test or a screen means: every name resolved, every expression typed, every call known.

Nothing is executed. The generator turns the same tree into the service's code with the help of `types` and `calls`; the graph and the optimizer read
`uses`, `reads` and `writes`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.bodies_builtins import BUILTINS, METHODS, method_type
from lowcode_kernel.language.bodies import documentation, parse_body, place_of
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.queries import analyze_query, columns_of, key_of
from lowcode_kernel.types import (
    BOOLEAN, DECIMAL, INTEGER, JSON, NONE, NUMERIC, TEXT, UNKNOWN, Type, accepts, entity_type,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.places import Place

CallKind = Literal["query", "action", "entity", "integration", "builtin", "method", "require", "log", "refused"]
ENTITY_METHODS = ("get", "find", "list", "count", "create", "update", "delete")
_FILTERS = frozenset({"find", "list", "count"})
_CLASSES = frozenset({"timedelta", "date", "datetime", "Decimal"})
USER = Type(name="User", kind="entity", loaded=True)
ROLE = Type(name="Role", kind="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One resolved call. `name` is the element's (`Flight`, `departures`, `weather`) or the function's; `method` that of an entity or an operation.

    `arguments` maps parameter names to expressions; positional ones are already named where the callee is an element.
    """

    kind: CallKind
    name: str
    node: ast.Call
    method: str | None = None
    arguments: dict[str, ast.expr] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyAnalysis:
    """The meaning of one body. `types` and `calls` are keyed by the identity of the tree's nodes.

    `reads` has (entity, attribute) and (`query:name`, result column); `writes` has (entity, attribute). `uses` is the ids of all elements it names.
    """

    tree: ast.Module
    types: dict[ast.expr, Type]
    calls: dict[ast.Call, Call]
    uses: frozenset[str]
    reads: frozenset[tuple[str, str]]
    writes: frozenset[tuple[str, str]]
    returns: tuple[Type, ...] = ()
    problems: tuple[Problem, ...] = ()


def analyze_body(
    body: str, place: Place, app: Application, *, parameters: Iterable[Parameter] = (), element: str = "", asserting: bool = False
) -> BodyAnalysis:
    """Analyze a body against the application. Parameters of an entity's type hold its loaded row. Never raises for what the author wrote."""
    analyzer = Analyzer(app, place, element, parameters, asserting=asserting)
    try:
        _, statements = documentation(parse_body(body, place))
    except LowcodeError as error:
        analyzer.problems.extend(error.problems)
        statements = []
    try:
        analyzer.statements(statements)
    except RecursionError:
        analyzer.problem("LK010", "the Python is nested too deeply", "split it into steps", None)
    return analyzer.result(ast.Module(body=statements, type_ignores=[]))


class Analyzer:
    """Walks statements in order with the types of the names that hold a value so far. Screens use its `expression` for each of their parts."""

    def __init__(self, app: Application, place: Place, element: str, parameters: Iterable[Parameter] = (), *, asserting: bool = False) -> None:
        self.app, self.place, self.element, self.asserting = app, place, element, asserting
        self.names: dict[str, Type] = {parameter.name: loaded(parameter.type) for parameter in parameters}
        self.types: dict[ast.expr, Type] = {}
        self.calls: dict[ast.Call, Call] = {}
        self.uses: set[str] = set()
        self.reads: set[tuple[str, str]] = set()
        self.writes: set[tuple[str, str]] = set()
        self.returns: list[Type] = []
        self.problems: list[Problem] = []

    def result(self, tree: ast.Module) -> BodyAnalysis:
        """Return what was found."""
        return BodyAnalysis(
            tree=tree, types=self.types, calls=self.calls, uses=frozenset(self.uses), reads=frozenset(self.reads), writes=frozenset(self.writes),
            returns=tuple(self.returns), problems=tuple(self.problems),
        )  # fmt: skip

    def problem(self, code: str, fact: str, hint: str, node: ast.AST | None) -> None:
        """Report a problem at a node."""
        where = place_of(node, self.place) if node is not None else self.place
        subject = f"{self.element.replace(':', ' ', 1)}: " if self.element else ""
        self.problems.append(Problem(code=code, fact=subject + fact, hint=hint, place=where, element=self.element or None))

    # statements

    def statements(self, statements: Iterable[ast.stmt]) -> None:
        """Analyze statements in order."""
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                type_ = self.expression(value)
                for target in targets:
                    self._assign(target, type_)
            case ast.AugAssign(target=target, op=op, value=value):
                self._assign(target, self._binary(op, self.expression(_as_load(target)), self.expression(value), node))
            case ast.Expr(value=value):
                self.expression(value)
            case ast.Return(value=value):
                self.returns.append(self.expression(value) if value else NONE)
            case ast.Assert(test=test) if self.asserting:
                self.expression(test)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case _:
                self._block(node)

    def _block(self, node: ast.stmt) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.statements([*body, *orelse])
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self._assign(target, self._item(self.expression(iterable)))
                self.statements([*body, *orelse])
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=[]) if all(_catches_refused(item) for item in handlers):
                self.statements(body)
                for handler in handlers:
                    if handler.name:
                        self.names[handler.name] = TEXT
                    self.statements(handler.body)
                self.statements(orelse)
            case ast.Raise():
                self.problem("LK301", "raise has no meaning here", 'write require(condition, "message")', node)
            case ast.Assert():
                self.problem("LK301", "assert belongs in a %%test", 'write require(condition, "message")', node)
            case _:
                word = ast.unparse(node).split(None, 1)[0]
                self.problem("LK301", f"`{word}` has no meaning here", "bodies have assignments, if, for, while, try/except Refused and return", node)

    def _assign(self, target: ast.expr, type_: Type) -> None:
        match target:
            case ast.Name(id=name):
                if name in self.app.by_id or self._is_element(name):
                    self.problem("LK302", f'"{name}" names an element of the application', "choose another name", target)
                self.names[name] = type_
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self._assign(element, UNKNOWN)
            case ast.Attribute():
                owner = self.expression(target.value)
                what = owner.name if owner.kind == "entity" else ast.unparse(target.value)
                self.problem("LK303", f"{ast.unparse(target)} can't be assigned", f"write {what}.update({ast.unparse(target.value)}, {target.attr}=...)", target)
            case _:
                self.expression(_as_load(target))

    def _is_element(self, name: str) -> bool:
        return any(name in kind for kind in (self.app.entities, self.app.queries, self.app.actions, self.app.integrations, self.app.settings))

    @staticmethod
    def _item(type_: Type) -> Type:
        if type_.many:
            return Type(name=type_.name, kind=type_.kind, length=type_.length, choices=type_.choices, loaded=type_.loaded)
        return TEXT if type_.name == "Text" else UNKNOWN

    # expressions

    def expression(self, node: ast.expr) -> Type:
        """Return the type of an expression and record it, and those of its parts."""
        type_ = self._expression(node)
        self.types[node] = type_
        return type_

    def _expression(self, node: ast.expr) -> Type:
        match node:
            case ast.Constant(value=value):
                return _constant(value)
            case ast.Name(id=name):
                return self._name(name, node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.JoinedStr(values=values):
                for value in values:
                    self.expression(value)
                return TEXT
            case ast.FormattedValue(value=value):
                self.expression(value)
                return TEXT
        return self._operation(node)

    def _operation(self, node: ast.expr) -> Type:
        match node:
            case ast.BoolOp(values=values):
                types = [self.expression(value) for value in values]
                return types[-1].maybe() if isinstance(node.op, ast.And) else types[-1]
            case ast.UnaryOp(op=op, operand=operand):
                inner = self.expression(operand)
                return BOOLEAN if isinstance(op, ast.Not) else inner
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.expression(left), self.expression(right), node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.expression(test)
                first, second = self.expression(body), self.expression(orelse)
                known = first if first.kind not in {"none", "unknown"} else second
                return known.maybe() if "none" in (first.kind, second.kind) else known
        return self._collection(node)

    def _collection(self, node: ast.expr) -> Type:
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                types = [self.expression(element) for element in elements]
                return Type(name=types[0].name, kind=types[0].kind, many=True) if types else Type(name="unknown", kind="unknown", many=True)
            case ast.Dict(keys=keys, values=values):
                for item in [*keys, *values]:
                    if item is not None:
                        self.expression(item)
                return JSON
            case ast.ListComp(elt=element, generators=generators) | ast.GeneratorExp(elt=element, generators=generators) | ast.SetComp(
                elt=element, generators=generators
            ):
                item = self._comprehension(generators, element)
                return Type(name=item.name, kind=item.kind, many=True, loaded=item.loaded)
            case ast.DictComp(key=key, value=value, generators=generators):
                self._comprehension(generators, key, value)
                return JSON
            case ast.Subscript(value=value, slice=index):
                return self._subscript(value, index)
            case ast.Slice():
                for part in (node.lower, node.upper, node.step):
                    if part is not None:
                        self.expression(part)
                return UNKNOWN
        self.problem("LK304", f"`{ast.unparse(node)}` has no meaning here", "", node)
        return UNKNOWN

    def _comprehension(self, generators: list[ast.comprehension], *elements: ast.expr) -> Type:
        outer = dict(self.names)
        for generator in generators:
            self._assign(generator.target, self._item(self.expression(generator.iter)))
            for condition in generator.ifs:
                self.expression(condition)
        types = [self.expression(element) for element in elements]
        self.names = outer
        return types[0]

    def _subscript(self, value: ast.expr, index: ast.expr) -> Type:
        owner = self.expression(value)
        self.expression(index)
        if isinstance(index, ast.Slice):
            return owner
        return self._item(owner) if owner.many else UNKNOWN

    def _compare(self, node: ast.Compare) -> Type:
        left = self.expression(node.left)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.expression(comparator)
            if isinstance(op, ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                self._check_comparable(left, right, node)
            left = right
        return BOOLEAN

    def _check_comparable(self, left: Type, right: Type, node: ast.expr) -> None:
        known = {"scalar", "entity"}
        if left.kind not in known or right.kind not in known or left.many or right.many:
            return
        if left.kind == "entity" and right.kind == "entity" and left.name != right.name:
            self.problem("LK305", f"`{ast.unparse(node)}` compares {left.name} with {right.name}", "compare values of one entity", node)
        elif left.kind == right.kind == "scalar" and not (accepts(left.required(), right.required()) or accepts(right.required(), left.required())):
            self.problem("LK305", f"`{ast.unparse(node)}` compares {left.required()} with {right.required()}", "convert one of them", node)

    def _binary(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        names = {left.name, right.name}
        if left.kind == right.kind == "scalar" and not left.many:
            if names <= NUMERIC:
                return DECIMAL if "Decimal" in names else INTEGER
            if isinstance(op, ast.Sub) and left.name == right.name and left.name in {"Date", "DateTime"}:
                return UNKNOWN
            if isinstance(op, ast.Add) and TEXT.name in names and names & NUMERIC:
                self.problem("LK305", f"`{ast.unparse(node)}` adds {left} and {right}", 'write f"{...}"', node)
        if left.name in {"Date", "DateTime"}:
            return Type(name=left.name)
        return left

    # names and attributes

    def _name(self, name: str, node: ast.expr) -> Type:
        if name in self.names:
            return self.names[name]
        if name in self.app.settings:
            self.uses.add(f"setting:{name}")
            return self.app.settings[name].type
        if name == "user":
            return USER
        if name in self.app.roles:
            self.uses.add(f"role:{name}")
            return ROLE
        if name in _CLASSES:
            return UNKNOWN
        known = [*self.names, *self.app.settings, *self.app.roles, "user", *self.app.queries, *self.app.actions, *self.app.entities, *BUILTINS]
        self.problem("LK101", f'there is no "{name}"', did_you_mean(name, known), node)
        return UNKNOWN

    def _attribute(self, node: ast.Attribute) -> Type:
        owner = self.expression(node.value)
        if owner.kind in {"unknown", "none"}:
            return UNKNOWN
        columns = self._columns(owner)
        if columns is None:
            return UNKNOWN
        if owner.many:
            self.problem("LK306", f"`{ast.unparse(node.value)}` is a list", "take one of it: for row in ...", node)
            return UNKNOWN
        if node.attr not in columns:
            fact = f'{owner.name} has no attribute "{node.attr}"'
            self.problem("LK101", fact, did_you_mean(node.attr, columns), node)
            return UNKNOWN
        self.reads.add((f"query:{owner.name}" if owner.kind == "query" else owner.name, node.attr))
        return columns[node.attr].maybe() if owner.optional else columns[node.attr]

    def _columns(self, owner: Type) -> dict[str, Type] | None:
        match owner.kind:
            case "entity":
                columns = columns_of(owner.name, self.app)
                if owner.name == "User":
                    return {**(columns or {}), "roles": Type(name="Text", many=True)}
                return columns
            case "query" if query := self.app.queries.get(owner.name):
                return analyze_query(query, self.app).row
            case "struct" if struct := self.app.structs.get(owner.name):
                return {attribute.name: attribute.type for attribute in struct.attributes}
        return None

    # calls

    def _call(self, node: ast.Call) -> Type:
        match node.func:
            case ast.Name(id=name):
                return self._call_name(name, node)
            case ast.Attribute(value=ast.Name(id=owner), attr=method) if owner not in self.names:
                if owner in self.app.entities or owner == "User":
                    return self._call_entity(owner, method, node)
                if owner in self.app.integrations:
                    return self._call_operation(owner, method, node)
        return self._call_method(node)

    def _call_name(self, name: str, node: ast.Call) -> Type:
        if query := self.app.queries.get(name):
            self._bind("query", query.name, query.parameters, node)
            return Type(name=name, kind="query", many=True)
        if action := self.app.actions.get(name):
            self._bind("action", action.name, action.parameters, node)
            returns = action.returns or NONE
            return entity_type(returns.name, loaded=True, optional=returns.optional, many=returns.many) if returns.kind == "entity" else returns
        special: dict[str, Callable[[ast.Call], Type]] = {"require": self._require, "log": self._log, "refused": self._refused}
        if name in special:
            return special[name](node)
        if name in BUILTINS:
            types = [self.expression(argument) for argument in [*node.args, *(keyword.value for keyword in node.keywords)]]
            self.calls[node] = Call(kind="builtin", name=name, node=node)
            return BUILTINS[name](types)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.expression(argument)
        known = [*self.app.queries, *self.app.actions, *BUILTINS, *special]
        hint = f"write {name}.create(...)" if name in self.app.entities else did_you_mean(name, known)
        self.problem("LK101", f'there is no query, action or function "{name}"', hint, node)
        return UNKNOWN

    def _require(self, node: ast.Call) -> Type:
        self.calls[node] = Call(kind="require", name="require", node=node)
        if len(node.args) != 2 or node.keywords:  # noqa: PLR2004 - a condition and a message
            self.problem("LK307", "require takes a condition and a message", 'require(total > 0, "the total is zero")', node)
        for argument in node.args:
            self.expression(argument)
        return NONE

    def _log(self, node: ast.Call) -> Type:
        self.calls[node] = Call(kind="log", name="log", node=node)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.expression(argument)
        return NONE

    def _refused(self, node: ast.Call) -> Type:
        self.calls[node] = Call(kind="refused", name="refused", node=node)
        for argument in node.args:
            self.expression(argument)
        return BOOLEAN

    def _bind(self, kind: CallKind, name: str, parameters: tuple[Parameter, ...], node: ast.Call, method: str | None = None) -> None:
        """Give each argument its parameter, and check that all are there and fit."""
        by_name = {parameter.name: parameter for parameter in parameters}
        arguments = dict(zip(by_name, node.args, strict=False))
        label = f"{name}.{method}" if method else name
        if len(node.args) > len(parameters):
            self.problem("LK308", f"{label} takes {len(parameters)} arguments, {len(node.args)} are given", "", node)
        for keyword in node.keywords:
            if keyword.arg not in by_name:
                self.problem("LK308", f'{label} has no parameter "{keyword.arg}"', did_you_mean(keyword.arg or "", by_name), keyword.value)
                self.expression(keyword.value)
            elif keyword.arg:
                arguments[keyword.arg] = keyword.value
        for key, value in arguments.items():
            self._check_argument(label, by_name[key].name, by_name[key].type, value)
        for parameter in parameters:
            if parameter.name not in arguments and parameter.default is None and not parameter.type.optional:
                self.problem("LK308", f"{label} needs {parameter.name}: {parameter.type}", f"write {parameter.name}=...", node)
        self.calls[node] = Call(kind=kind, name=name, node=node, method=method, arguments=arguments)
        self.uses.add(f"{kind}:{name}")

    def _check_argument(self, label: str, name: str, target: Type, value: ast.expr) -> None:
        given = self.expression(value)
        if not self._fits(target, given):
            self.problem("LK309", f"{label}: {name} is {target}, not {given}", "", value)
        if target.choices and isinstance(value, ast.Constant) and value.value not in target.choices:
            self.problem("LK309", f"{label}: {name} has no choice {value.value!r}", did_you_mean(str(value.value), target.choices), value)

    def _fits(self, target: Type, given: Type) -> bool:
        if target.kind == "entity" and given.kind == "scalar" and not target.many:
            return accepts(key_of(target.name, self.app).maybe() if target.optional else key_of(target.name, self.app), given)
        if target.kind == "scalar" and given.kind == "entity" and not given.loaded:
            return accepts(target, key_of(given.name, self.app))
        return accepts(target, given)

    def _call_operation(self, owner: str, method: str, node: ast.Call) -> Type:
        integration = self.app.integrations[owner]
        operation = integration.operation(method)
        if operation is None:
            self.problem("LK101", f'integration {owner} has no operation "{method}"', did_you_mean(method, [o.name for o in integration.operations]), node)
            return UNKNOWN
        self._bind("integration", owner, operation.parameters, node, method)
        return operation.returns or JSON

    def _call_entity(self, owner: str, method: str, node: ast.Call) -> Type:
        columns = columns_of(owner, self.app) or {}
        self.uses.add(f"entity:{owner}")
        if method not in ENTITY_METHODS:
            self.problem("LK101", f'entity {owner} has no method "{method}"', did_you_mean(method, ENTITY_METHODS), node)
            return UNKNOWN
        row = entity_type(owner, loaded=True)
        arguments = self._entity_arguments(owner, method, columns, node)
        self.calls[node] = Call(kind="entity", name=owner, node=node, method=method, arguments=arguments)
        match method:
            case "list":
                return entity_type(owner, loaded=True, many=True)
            case "count":
                return INTEGER
            case "delete":
                return NONE
            case "find":
                return row.maybe()
        return row

    def _entity_arguments(self, owner: str, method: str, columns: dict[str, Type], node: ast.Call) -> dict[str, ast.expr]:
        arguments: dict[str, ast.expr] = {}
        for argument in node.args:
            self.expression(argument)
            arguments.setdefault("key", argument)
        if (len(node.args) != 1 and method in {"update", "delete"}) or (method in {"create", *_FILTERS} and node.args):
            self.problem("LK308", f"{owner}.{method} is called with {len(node.args)} unnamed arguments", _shape(owner, method), node)
        for keyword in node.keywords:
            name = keyword.arg or ""
            if method == "list" and name in {"order_by", "limit"}:
                arguments[name] = keyword.value
                if name == "limit":
                    self.expression(keyword.value)
                continue
            if name not in columns:
                self.problem("LK101", f'{owner} has no attribute "{name}"', did_you_mean(name, columns), keyword.value)
                self.expression(keyword.value)
                continue
            target = columns[name].maybe() if method in _FILTERS else columns[name]
            self._check_argument(f"{owner}.{method}", name, target, keyword.value)
            arguments[name] = keyword.value
            (self.writes if method in {"create", "update"} else self.reads).add((owner, name))
        if method == "create":
            self._check_required(owner, arguments, node)
        return arguments

    def _check_required(self, owner: str, arguments: dict[str, ast.expr], node: ast.Call) -> None:
        if (entity := self.app.entities.get(owner)) is None:
            self.problem("LK310", f"{owner} can't be created in an action", "users are added with %user", node)
            return
        for attribute in entity.attributes:
            if attribute.name not in arguments and attribute.default is None and not attribute.type.optional and not attribute.type.many:
                self.problem("LK308", f"{owner}.create needs {attribute.name}: {attribute.type}", f"write {attribute.name}=...", node)

    def _call_method(self, node: ast.Call) -> Type:
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.expression(argument)
        if not isinstance(node.func, ast.Attribute):
            self.problem("LK304", f"`{ast.unparse(node)}` has no meaning here", "", node)
            return UNKNOWN
        owner = self.expression(node.func.value)
        self.calls[node] = Call(kind="method", name=node.func.attr, node=node)
        unresolved = isinstance(node.func.value, ast.Name) and owner is UNKNOWN and node.func.value.id not in {*self.names, *_CLASSES}
        if node.func.attr not in METHODS and not unresolved:
            self.problem("LK101", f'there is no method "{node.func.attr}"', did_you_mean(node.func.attr, METHODS), node)
        return method_type(owner, node.func.attr)


def loaded(type_: Type) -> Type:
    """Return the type that a parameter has inside of a body: an entity is its loaded row."""
    if type_.kind == "entity":
        return entity_type(type_.name, loaded=True, optional=type_.optional, many=type_.many)
    return type_


def _shape(owner: str, method: str) -> str:
    return f"write {owner}.{method}(row, attribute=...)" if method in {"update", "delete"} else f"write {owner}.{method}(attribute=...)"


def _as_load(target: ast.expr) -> ast.expr:
    return ast.Name(id=target.id, ctx=ast.Load(), lineno=target.lineno, col_offset=target.col_offset) if isinstance(target, ast.Name) else target


def _catches_refused(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.type, ast.Name) and handler.type.id == "Refused"


def _constant(value: object) -> Type:
    match value:
        case None:
            return NONE
        case bool():
            return BOOLEAN
        case int():
            return INTEGER
        case float():
            return DECIMAL
        case str():
            return TEXT
    return UNKNOWN
