"""The expressions of a body: their names resolved, and the type of each recorded."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from lowcode_kernel.body_builtins import ATTRIBUTES, BUILTINS, VALUE_CLASSES, items_of, methods_of
from lowcode_kernel.body_imports import IMPORTED
from lowcode_kernel.body_operators import OperatorReader
from lowcode_kernel.body_presence import found_present, path_of
from lowcode_kernel.body_scope import EMPTY, NOTHING, Region, joined
from lowcode_kernel.columns import columns_of
from lowcode_kernel.language.bodies import UNSTORED, shown
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import (
    BOOLEAN,
    DECIMAL,
    INTEGER,
    NONE,
    TEXT,
    UNKNOWN,
    Type,
    dict_type,
    list_of,
    tuple_type,
)

if TYPE_CHECKING:
    from lowcode_kernel.bodies import Analyzer

USER = Type(name="User", kind="entity", loaded=True)
ROLE = Type(name="Role", kind="unknown")
_HINTS: dict[type[ast.expr], str] = {
    ast.NamedExpr: "assign it on a line of its own",
    ast.Await: "leave out await: what has to wait is known",
    ast.Yield: "return a list",
}
_CONSTANTS: tuple[tuple[type, Type], ...] = ((bool, BOOLEAN), (int, INTEGER), (float, DECIMAL), (str, TEXT))
_MAX_DEPTH = 100
_MAX_INTEGER = 10**100


class ExpressionReader:
    """Reads the expressions of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body, self.app = body, body.app
        self.operators = OperatorReader(body)
        self._depth = 0

    def read(self, node: ast.expr) -> Type:
        """Return the type of an expression and record it, and those of its parts."""
        self._depth += 1
        self.body.reading += 1
        try:
            if self._depth > _MAX_DEPTH:
                raise RecursionError
            type_ = self._expression(node)
        finally:
            self._depth -= 1
        if type_.optional and (path := path_of(node)) and self.body.scope.is_present(path):
            type_ = type_.required()
        self.body.types[node] = type_
        return type_

    def _expression(self, node: ast.expr) -> Type:
        match node:
            case ast.Constant(value=value):
                return self._constant(value, node)
            case ast.Name(id=name):
                return self._name(name, node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self.body.call_reader.read(node)
            case ast.JoinedStr(values=values):
                return self._text(values)
            case ast.FormattedValue(value=value, format_spec=spec):
                return self._text([value] if spec is None else [value, spec])
        return self._operation(node)

    def _text(self, parts: list[ast.expr]) -> Type:
        for part in parts:
            self.read(part)
        return TEXT

    def _operation(self, node: ast.expr) -> Type:
        match node:
            case ast.BoolOp():
                return self._bool(node)
            case ast.UnaryOp(op=op, operand=operand):
                inner = self.read(operand)
                if isinstance(op, ast.Not):
                    return BOOLEAN
                self.check_there(inner, operand, "used")
                return inner.required()
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.read(left), self.read(right), node)
            case ast.Compare():
                return self.operators.compare(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.read(test)
                holds, fails = found_present(test)
                return joined(self.read_where(holds, body), self.read_where(fails, orelse))
        return self._collection(node)

    def read_where(self, paths: frozenset[str], node: ast.expr) -> Type:
        """Read an expression where some paths are known to be there."""
        start = self.body.scope.mark()
        self.body.scope.note_present(paths)
        type_ = self.read(node)
        self.body.scope.take_back(start)
        return type_

    def _bool(self, node: ast.BoolOp) -> Type:
        """Behind `x is not None and`, and behind `x is None or`, x is there."""
        start, types = self.body.scope.mark(), []
        number = 0 if isinstance(node.op, ast.And) else 1
        for value in node.values:
            types.append(self.read(value))
            self.body.scope.note_present(found_present(value)[number])
        self.body.scope.take_back(start)
        result = types[-1]
        for type_ in reversed(types[:-1]):
            if number == 0 and type_.name == "Boolean" and not type_.optional and result.name != "Boolean":
                return result.maybe()
            result = joined(type_.required() if number else type_, result)
        return result

    def _collection(self, node: ast.expr) -> Type:
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._listed(node, elements)
            case ast.Dict(keys=keys, values=values):
                return self._dict(keys, values)
            case ast.Subscript(value=value, slice=index):
                return self._subscript(value, index)
            case ast.Starred(value=value):
                return items_of(self.read(value))
        return self._comprehended(node)

    def _listed(self, node: ast.expr, elements: list[ast.expr]) -> Type:
        types = [self.read(element) for element in elements]
        if not types:
            return EMPTY
        if isinstance(node, ast.Tuple) and any(type_ != types[0] for type_ in types):
            return tuple_type(*types)
        item = types[0]
        for type_ in types[1:]:
            item = joined(item, type_)
        return list_of(item)

    def _dict(self, keys: list[ast.expr | None], values: list[ast.expr]) -> Type:
        found = dict_type(NOTHING, NOTHING)
        for key, value in zip(keys, values, strict=True):
            if key is None:
                self.read(value)
                found = dict_type(UNKNOWN, UNKNOWN)
            else:
                found = joined(found, dict_type(self.read(key), self.read(value)))
        return found

    def _comprehended(self, node: ast.expr) -> Type:
        match node:
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return list_of(self._comprehension(node.generators, node.elt)[0])
            case ast.DictComp(key=key, value=value, generators=generators):
                return dict_type(*self._comprehension(generators, key, value))
            case ast.Slice():
                for part in filter(None, (node.lower, node.upper, node.step)):
                    self.read(part)
                return UNKNOWN
            case ast.Lambda():
                hint = "it is for key= of sorted, min and max; else write def name(...)"
                self.body.problem("LK348", "a lambda has no meaning here", hint, node)
                return UNKNOWN
        word = "`:=`" if isinstance(node, ast.NamedExpr) else f"`{shown(node)}`"
        hint = _HINTS.get(type(node), "")
        self.body.problem("LK304", f"{word} has no meaning here", hint, node)
        return UNKNOWN

    def _comprehension(self, generators: list[ast.comprehension], *elements: ast.expr) -> list[Type]:
        scope, start = self.body.scope, self.body.scope.mark()
        scope.regions.append(Region())
        for generator in generators:
            self.body.assign(generator.target, self.body.item_type(self.read(generator.iter), generator.iter))
            for condition in generator.ifs:
                self.read(condition)
                scope.note_present(found_present(condition)[0])
        types = [self.read(element) for element in elements]
        scope.regions.pop()
        scope.take_back(start)
        return types

    def read_key(self, node: ast.expr, item: Type) -> Type:
        """Read what stands behind `key=`: a function of one item."""
        match node:
            case ast.Lambda(
                args=ast.arguments(posonlyargs=[], args=[parameter], vararg=None, kwonlyargs=[], kwarg=None)
            ):
                scope, start = self.body.scope, self.body.scope.mark()
                self.body.check_name(parameter.arg, parameter)
                scope.regions.append(Region())
                scope.bind(parameter.arg, item)
                type_ = self.read(node.body)
                scope.regions.pop()
                scope.take_back(start)
                return type_
            case ast.Lambda():
                self.body.problem("LK348", "key= takes a function of one item", "write key=lambda row: row.name", node)
                return UNKNOWN
        return self.read(node)

    def _subscript(self, value: ast.expr, index: ast.expr) -> Type:
        owner = self.read(value)
        given = self.read(index)
        self.check_there(owner, value, "looked into")
        if isinstance(index, ast.Slice):
            return owner
        if owner.kind in {"entity", "query", "struct"} and not owner.many and not owner.keyed:
            self.body.problem("LK304", f"`{shown(value)}` is a row: it has no items", "write row.attribute", value)
            return UNKNOWN
        if owner.keyed:
            self.body.call_reader.entities.check_has_key(self.body.types[index], index)
            return replace(owner, keyed=False)
        if owner.kind == "dict" and not owner.many:
            return owner.parts[1] if owner.parts[1] is not NOTHING else UNKNOWN
        if owner.parts and not owner.many:
            return _part(owner, index)
        if owner.many and given.kind == "scalar" and given.name == "Text":
            fact = f"`{shown(value)}` is a list, which has no {shown(index)}"
            self.body.problem("LK306", fact, "take one of it: for row in ...", index)
        return item_type(owner)

    def binary(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        """Return the type of `left op right`, and report what can't be computed."""
        return self.operators.binary(op, left, right, node)

    def check_there(self, type_: Type, node: ast.AST, how: str) -> None:
        """Report a value that may be None where that has no meaning."""
        if type_.optional and type_.kind not in {"unknown", "none"}:
            text = shown(node)
            hint = f"test it before: if {text} is not None"
            self.body.problem("LK337", f"`{text}` may be None where it is {how}", hint, node, "warning")

    def _constant(self, value: object, node: ast.expr) -> Type:
        type_ = next((type_ for kind, type_ in _CONSTANTS if isinstance(value, kind)), UNKNOWN)
        if value is None:
            return NONE
        if isinstance(value, int) and abs(value) > _MAX_INTEGER:
            self.body.problem("LK346", "the number is longer than 100 digits", "", node)
        elif isinstance(value, str) and UNSTORED.search(value):
            fact = "the text has a character that can't be stored"
            self.body.problem("LK346", fact, "remove \\0, \\ud800 and the like", node)
        elif isinstance(value, complex | bytes):
            self.body.problem("LK304", f"`{shown(node)}` has no meaning here", "", node)
        return type_

    def _name(self, name: str, node: ast.expr) -> Type:
        if name in self.body.names:
            self.body.named(name, node)
            self.body.functions.check_value(name, node)
            return self.body.names[name]
        if name in self.app.settings:
            self.body.uses.add(f"setting:{name}")
            return self.app.settings[name].type
        if name == "user":
            return USER
        if name in self.app.roles:
            self.body.uses.add(f"role:{name}")
            return ROLE
        if name in VALUE_CLASSES or (name in BUILTINS and name not in {"now", "today"}):
            return UNKNOWN
        if not self.body.imports.check_name(name, node):
            self._unknown_name(name, node)
        return UNKNOWN

    def _unknown_name(self, name: str, node: ast.expr) -> None:
        known = [
            *islice(self.body.names, 300),
            *self.app.settings,
            *self.app.roles,
            "user",
            *self.app.queries,
            *self.app.actions,
            *self.app.entities,
            *BUILTINS,
        ]
        self.body.problem("LK101", f'there is no "{name}"', did_you_mean(name, known), node)

    def _attribute(self, node: ast.Attribute) -> Type:
        owner = self.read(node.value)
        if self.body.imports.check_attribute(node):
            return UNKNOWN
        if owner.kind in {"unknown", "none"}:
            return owner if owner is IMPORTED else UNKNOWN
        columns = self.columns(owner)
        if columns is None:
            return UNKNOWN
        if owner.many or owner.keyed:
            hint = "take one of it: for row in ..." if owner.many else "take one of it: rows[key]"
            self.body.problem("LK306", f"`{shown(node.value)}` is a list", hint, node)
            return UNKNOWN
        if node.attr not in columns and owner.only and node.attr in (self.columns(replace(owner, only=())) or {}):
            fact = f"`{shown(node.value)}` has {', '.join(owner.only)} alone, not {node.attr}"
            self.body.problem("LK115", fact, f"add {node.attr} to only=[...]", node)
            return UNKNOWN
        if node.attr not in columns:
            is_method = owner.kind == "scalar" and node.attr in methods_of(owner)
            hint = f"write {shown(node)}(...)" if is_method else did_you_mean(node.attr, columns)
            self.body.problem("LK101", f'{owner.name} has no attribute "{node.attr}"', hint, node)
            return UNKNOWN
        self.check_there(owner, node.value, f"asked for its {node.attr}")
        if owner.kind in {"entity", "query"}:
            self.body.reads.add((f"query:{owner.name}" if owner.kind == "query" else owner.name, node.attr))
        return columns[node.attr].maybe() if owner.optional else columns[node.attr]

    def columns(self, owner: Type) -> dict[str, Type] | None:
        """Return what a value of this type has by name, or None where it has nothing."""
        match owner.kind:
            case "entity":
                return self._attributes(owner)
            case "query" if query := self.app.queries.get(owner.name):
                from lowcode_kernel.queries import analyze_query  # the SQL parser, only where there are queries

                return analyze_query(query, self.app).row
            case "scalar" if not owner.many and owner.name in ATTRIBUTES:
                return ATTRIBUTES[owner.name]
            case "struct" if struct := self.app.structs.get(owner.name):
                return {attribute.name: attribute.type for attribute in struct.attributes}
        return None

    def _attributes(self, owner: Type) -> dict[str, Type] | None:
        """Return what a row of an entity has: its columns, and its lists of other rows' keys."""
        columns = columns_of(owner.name, self.app)
        if owner.name == "User":
            return {**(columns or {}), "roles": Type(name="Text", many=True)}
        entity = self.app.entities.get(owner.name)
        if columns is None or entity is None:
            return columns
        lists = {a.name: a.type for a in entity.attributes if a.type.many}
        return {n: t for n, t in {**columns, **lists}.items() if not owner.only or n in owner.only}


def item_type(type_: Type) -> Type:
    """Return the type of one item of a list."""
    return items_of(type_)


def _part(owner: Type, index: ast.expr) -> Type:
    """Return the type of one value of a tuple."""
    match index:
        case ast.Constant(value=int(number)) if number < len(owner.parts):
            return owner.parts[number]
    return UNKNOWN
