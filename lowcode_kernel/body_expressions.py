"""The expressions of a body: their names resolved, and the type of each recorded."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.body_builtins import BUILTINS, VALUE_CLASSES
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.queries import analyze_query, columns_of
from lowcode_kernel.types import BOOLEAN, DECIMAL, INTEGER, JSON, NONE, NUMERIC, TEXT, UNKNOWN, Type, accepts

if TYPE_CHECKING:
    from lowcode_kernel.bodies import Analyzer

USER = Type(name="User", kind="entity", loaded=True)
ROLE = Type(name="Role", kind="unknown")


class ExpressionReader:
    """Reads the expressions of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body, self.app = body, body.app

    def read(self, node: ast.expr) -> Type:
        """Return the type of an expression and record it, and those of its parts."""
        type_ = self._expression(node)
        self.body.types[node] = type_
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
                return self.body.call_reader.read(node)
            case ast.JoinedStr(values=values):
                for value in values:
                    self.read(value)
                return TEXT
            case ast.FormattedValue(value=value):
                self.read(value)
                return TEXT
        return self._operation(node)

    def _operation(self, node: ast.expr) -> Type:
        match node:
            case ast.BoolOp(values=values):
                types = [self.read(value) for value in values]
                return types[-1].maybe() if isinstance(node.op, ast.And) else types[-1]
            case ast.UnaryOp(op=op, operand=operand):
                inner = self.read(operand)
                return BOOLEAN if isinstance(op, ast.Not) else inner
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.read(left), self.read(right), node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.read(test)
                first, second = self.read(body), self.read(orelse)
                known = first if first.kind not in {"none", "unknown"} else second
                return known.maybe() if "none" in (first.kind, second.kind) else known
        return self._collection(node)

    def _collection(self, node: ast.expr) -> Type:
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                types = [self.read(element) for element in elements]
                first = types[0] if types else UNKNOWN
                return Type(name=first.name, kind=first.kind, many=True)
            case ast.Dict(keys=keys, values=values):
                for item in [*keys, *values]:
                    if item is not None:
                        self.read(item)
                return JSON
            case ast.Subscript(value=value, slice=index):
                return self._subscript(value, index)
        return self._comprehended(node)

    def _comprehended(self, node: ast.expr) -> Type:
        match node:
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                item = self._comprehension(node.generators, node.elt)
                return Type(name=item.name, kind=item.kind, many=True, loaded=item.loaded)
            case ast.DictComp(key=key, value=value, generators=generators):
                self._comprehension(generators, key, value)
                return JSON
            case ast.Slice():
                for part in filter(None, (node.lower, node.upper, node.step)):
                    self.read(part)
                return UNKNOWN
        self.body.problem("LK304", f"`{ast.unparse(node)}` has no meaning here", "", node)
        return UNKNOWN

    def _comprehension(self, generators: list[ast.comprehension], *elements: ast.expr) -> Type:
        outer = dict(self.body.names)
        for generator in generators:
            self.body.assign(generator.target, item_type(self.read(generator.iter)))
            for condition in generator.ifs:
                self.read(condition)
        types = [self.read(element) for element in elements]
        self.body.names = outer
        return types[0]

    def _subscript(self, value: ast.expr, index: ast.expr) -> Type:
        owner = self.read(value)
        self.read(index)
        if isinstance(index, ast.Slice):
            return owner
        return item_type(owner) if owner.many else UNKNOWN

    def _compare(self, node: ast.Compare) -> Type:
        left = self.read(node.left)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.read(comparator)
            if isinstance(op, ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                self._check_comparable(left, right, node)
            left = right
        return BOOLEAN

    def _check_comparable(self, left: Type, right: Type, node: ast.expr) -> None:
        known = {"scalar", "entity"}
        if left.kind not in known or right.kind not in known or left.many or right.many:
            return
        if left.kind == "entity" and right.kind == "entity" and left.name != right.name:
            self.body.problem(
                "LK305",
                f"`{ast.unparse(node)}` compares {left.name} with {right.name}",
                "compare values of one entity",
                node,
            )
        elif left.kind == right.kind == "scalar" and not (
            accepts(left.required(), right.required()) or accepts(right.required(), left.required())
        ):
            self.body.problem(
                "LK305",
                f"`{ast.unparse(node)}` compares {left.required()} with {right.required()}",
                "convert one of them",
                node,
            )

    def binary(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        """Return the type of `left op right`, and report what can't be computed."""
        names = {left.name, right.name}
        if left.kind == right.kind == "scalar" and not left.many:
            if names <= NUMERIC:
                return DECIMAL if "Decimal" in names else INTEGER
            if isinstance(op, ast.Sub) and left.name == right.name and left.name in {"Date", "DateTime"}:
                return UNKNOWN
            if isinstance(op, ast.Add) and TEXT.name in names and names & NUMERIC:
                self.body.problem("LK305", f"`{ast.unparse(node)}` adds {left} and {right}", 'write f"{...}"', node)
        if left.name in {"Date", "DateTime"}:
            return Type(name=left.name)
        return left

    def _name(self, name: str, node: ast.expr) -> Type:
        if name in self.body.names:
            return self.body.names[name]
        if name in self.app.settings:
            self.body.uses.add(f"setting:{name}")
            return self.app.settings[name].type
        if name == "user":
            return USER
        if name in self.app.roles:
            self.body.uses.add(f"role:{name}")
            return ROLE
        if name in VALUE_CLASSES:
            return UNKNOWN
        known = [
            *self.body.names,
            *self.app.settings,
            *self.app.roles,
            "user",
            *self.app.queries,
            *self.app.actions,
            *self.app.entities,
            *BUILTINS,
        ]
        self.body.problem("LK101", f'there is no "{name}"', did_you_mean(name, known), node)
        return UNKNOWN

    def _attribute(self, node: ast.Attribute) -> Type:
        owner = self.read(node.value)
        if owner.kind in {"unknown", "none"}:
            return UNKNOWN
        columns = self.columns(owner)
        if columns is None:
            return UNKNOWN
        if owner.many:
            self.body.problem("LK306", f"`{ast.unparse(node.value)}` is a list", "take one of it: for row in ...", node)
            return UNKNOWN
        if node.attr not in columns:
            fact = f'{owner.name} has no attribute "{node.attr}"'
            self.body.problem("LK101", fact, did_you_mean(node.attr, columns), node)
            return UNKNOWN
        self.body.reads.add((f"query:{owner.name}" if owner.kind == "query" else owner.name, node.attr))
        return columns[node.attr].maybe() if owner.optional else columns[node.attr]

    def columns(self, owner: Type) -> dict[str, Type] | None:
        """Return what a value of this type has by name, or None where it has nothing."""
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


def item_type(type_: Type) -> Type:
    """Return the type of one item of a list."""
    if type_.many:
        return Type(name=type_.name, kind=type_.kind, length=type_.length, choices=type_.choices, loaded=type_.loaded)
    return TEXT if type_.name == "Text" else UNKNOWN


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
