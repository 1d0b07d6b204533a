"""The values of expressions, and what they do with those of their parts."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.effects import follows
from lowcode_kernel.flow_calls import CallFlow
from lowcode_kernel.flow_values import NOTHING, BodyFlow, Box, Function, Held, Source, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis

_OPERATORS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "=="),
    ast.NotEq: ("!=", "!="),
    ast.Lt: ("<", ">"),
    ast.LtE: ("<=", ">="),
    ast.Gt: (">", "<"),
    ast.GtE: (">=", "<="),
}


class Values:
    """Evaluates expressions. `names` has what each name may hold where evaluation stands."""

    def __init__(self, app: Application, analysis: BodyAnalysis, flow: BodyFlow) -> None:
        self.app, self.analysis, self.flow = app, analysis, flow
        self.names: dict[str, Value] = {}
        self.watching: list[dict[str, Value]] = []  # each is given whatever a name is bound to from now on
        self.loops: dict[object, object] = {}
        self.calls = CallFlow(self)
        self.depth = self.runs = 0

    def bind(self, name: str, value: Value) -> None:
        """Let a name hold a value."""
        self.names[name] = value
        for watch in self.watching:
            watch[name] = watch.get(name, NOTHING) | value

    def read(self, node: ast.expr | None) -> Value:
        """Return what an expression may give, and note what its parts are used for."""
        if node is None:
            return NOTHING
        method = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        value = method(node) if method is not None else self._other(node)
        if len(value) > 1:
            self.flow.note_mixed(value)
        found: Value = value
        return found

    def _other(self, node: ast.expr) -> Value:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.flow.escape(self.read(child), "expression", node)
        return NOTHING

    def truth(self, node: ast.expr | None) -> None:
        """Evaluate a condition."""
        match node:
            case ast.BoolOp(values=values):
                for value in values:
                    self.truth(value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.truth(operand)
            case ast.Call() if self.calls.is_builtin(node, "len"):
                self.flow.use(self.read(node.args[0]), "length", "!= 0", node)
            case ast.expr():
                self.flow.use(self.read(node), "truth", "", node)

    def items(self, value: Value, detail: str, node: ast.AST) -> Value:
        """Return what iterating over a value gives."""
        self.flow.use(value, "iterate", detail, node)
        found: set[Held | Box | Function] = set(self.flow.contents(value))
        for held in value:
            if isinstance(held, Held):
                if held.level and not held.source.keyed:
                    found.add(Held(held.source, held.level - 1))
                elif not held.level:
                    self.flow.escape(frozenset((held,)), "iterated", node)
        return frozenset(found)

    # leaves

    def _on_constant(self, node: ast.Constant) -> Value:
        del node
        return NOTHING

    def _on_name(self, node: ast.Name) -> Value:
        if node.id == "user" and node.id not in self.names:
            return self.flow.source("user", Source("row", node, 0, name="User"))
        return self.names.get(node.id, NOTHING)

    def _on_attribute(self, node: ast.Attribute) -> Value:
        value = self.read(node.value)
        self.flow.use(value, "attribute", node.attr, node)
        owner = self.analysis.types.get(node.value)
        if owner is not None and follows(node, owner, self.app):
            row = self.flow.source(node, Source("read", node, 0, name=owner.name))
            self.flow.use(row, "attribute", node.attr, node)
            return NOTHING
        return self.flow.contents(value)

    def _on_subscript(self, node: ast.Subscript) -> Value:
        value, index = self.read(node.value), node.slice
        if isinstance(index, ast.Slice):
            return self._sliced(node, value, index)
        position = _integer(index)
        given = self.read(index)
        self.calls.argument(index, given, "index")
        self.flow.use(value, "index", "?" if position is None else str(position), node)
        found: set[Held | Box | Function] = set(self.flow.contents(value, position))
        for held in value:
            if isinstance(held, Held):
                if held.level:
                    found.add(Held(held.source, held.level - 1))
                else:
                    self.flow.escape(frozenset((held,)), "subscript", node)
        return frozenset(found)

    def _sliced(self, node: ast.Subscript, value: Value, index: ast.Slice) -> Value:
        parts = [index.lower, index.upper, index.step]
        for part in parts:
            self.flow.escape(self.read(part), "slice", node)
        texts = ["" if part is None else "?" if (n := _integer(part)) is None else str(n) for part in parts]
        detail = ":".join(texts if index.step is not None else texts[:2])
        self.flow.use(value, "slice", detail, node)
        inner = frozenset(Held(held.source, held.level - 1) for held in value if isinstance(held, Held) and held.level)
        return self.flow.box(node, "slice", {"*": inner | self.flow.contents(value)})

    # collections

    def _on_list(self, node: ast.List | ast.Tuple) -> Value:
        contents: dict[int | str, Value] = {}
        starred = any(isinstance(item, ast.Starred) for item in node.elts)
        for number, item in enumerate(node.elts):
            place: int | str = "*" if starred else number
            contents[place] = contents.get(place, NOTHING) | self.read(item)
        return self.flow.box(node, "items", contents)

    _on_tuple = _on_list

    def _on_set(self, node: ast.Set) -> Value:
        values = [self.read(item) for item in node.elts]
        for value in values:
            self.flow.escape(value, "item of a set", node)
        return self.flow.box(node, "items", {"*": NOTHING.union(*values)})

    def _on_dict(self, node: ast.Dict) -> Value:
        found = NOTHING
        for key, item in zip(node.keys, node.values, strict=True):
            if key is None:
                found |= self.flow.contents(self.read(item))
            else:
                self.flow.escape(self.read(key), "key of a dict", node)
                found |= self.read(item)
        return self.flow.box(node, "items", {"*": found})

    def _on_listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        outer = dict(self.names)
        self._generators(node.generators)
        value = self.read(node.elt)
        if isinstance(node, ast.SetComp):
            self.flow.escape(value, "item of a set", node)
        self.names = outer
        return self.flow.box(node, "items", {"*": value})

    _on_generatorexp = _on_setcomp = _on_listcomp

    def _on_dictcomp(self, node: ast.DictComp) -> Value:
        outer = dict(self.names)
        self._generators(node.generators)
        self.flow.escape(self.read(node.key), "key of a dict", node)
        value = self.read(node.value)
        self.names = outer
        return self.flow.box(node, "items", {"*": value})

    def _generators(self, generators: Sequence[ast.comprehension]) -> None:
        for generator in generators:
            found = self.items(self.read(generator.iter), "comprehension", generator)
            self.assign(generator.target, found, generator)
            for condition in generator.ifs:
                self.truth(condition)

    # operators

    def _on_boolop(self, node: ast.BoolOp) -> Value:
        found = NOTHING
        for value in node.values[:-1]:
            given = self.read(value)
            self.flow.use(given, "truth", "", value)
            found |= given
        return found | self.read(node.values[-1])

    def _on_unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            self.truth(node.operand)
        else:
            self.flow.escape(self.read(node.operand), "operand", node)
        return NOTHING

    def _on_binop(self, node: ast.BinOp) -> Value:
        left, right = self.read(node.left), self.read(node.right)
        return self.combined(left | right, node)

    def combined(self, value: Value, node: ast.AST) -> Value:
        """Return what `+` makes of lists; whatever else is a number or a text."""
        if not value:
            return NOTHING
        inner: set[Held | Box | Function] = set(self.flow.contents(value))
        for held in value:
            if isinstance(held, Held) and held.level:
                self.flow.use(frozenset((held,)), "iterate", "+", node)
                inner.add(Held(held.source, held.level - 1))
            elif isinstance(held, Held):
                self.flow.escape(frozenset((held,)), "operand", node)
        return self.flow.box(node, "items", {"*": frozenset(inner)}) if inner else NOTHING

    def _on_ifexp(self, node: ast.IfExp) -> Value:
        self.truth(node.test)
        return self.read(node.body) | self.read(node.orelse)

    def _on_compare(self, node: ast.Compare) -> Value:
        if self._counted(node):
            return NOTHING
        parts = [node.left, *node.comparators]
        values = [self.read(part) for part in parts]
        for number, op in enumerate(node.ops):
            self._compared(node, op, (parts[number], parts[number + 1]), (values[number], values[number + 1]))
        return NOTHING

    def _compared(
        self, node: ast.Compare, op: ast.cmpop, parts: tuple[ast.expr, ast.expr], values: tuple[Value, Value]
    ) -> None:
        left, right = values
        if not (left or right):
            return
        if isinstance(op, ast.Is | ast.IsNot) and isinstance(parts[1], ast.Constant):
            self.flow.use(left, "truth", "is None" if isinstance(op, ast.Is) else "is not None", node)
            return
        word, flipped = _OPERATORS.get(type(op), ("in", "in"))
        for part, other, value, text in ((parts[0], parts[1], left, word), (parts[1], parts[0], right, flipped)):
            number = _integer(other) if len(node.ops) == 1 else None
            if self.calls.is_row(part):
                self.flow.use(value, "key", "", node)
            else:
                self.flow.use(self.flow.deep(value), "compare", text if number is None else f"{text} {number}", node)

    def _counted(self, node: ast.Compare) -> bool:
        """Note `len(rows) > 0` as one use."""
        if len(node.ops) != 1 or type(node.ops[0]) not in _OPERATORS:
            return False
        for call, other, turn in ((node.left, node.comparators[0], 0), (node.comparators[0], node.left, 1)):
            number = _integer(other)
            if number is not None and isinstance(call, ast.Call) and self.calls.is_builtin(call, "len"):
                word = _OPERATORS[type(node.ops[0])][turn]
                self.flow.use(self.read(call.args[0]), "length", f"{word} {number}", node)
                return True
        return False

    def _on_joinedstr(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            self.read(part)
        return NOTHING

    def _on_formattedvalue(self, node: ast.FormattedValue) -> Value:
        self.flow.escape(self.read(node.value), "text", node)
        if node.format_spec is not None:
            self.read(node.format_spec)
        return NOTHING

    def _on_namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.read(node.value)
        self.assign(node.target, value, node)
        return value

    def _on_starred(self, node: ast.Starred) -> Value:
        return self.items(self.read(node.value), "*", node)

    def _on_lambda(self, node: ast.Lambda) -> Value:
        return frozenset((Function(node),))

    def _on_call(self, node: ast.Call) -> Value:
        return self.calls.read(node)

    # assignments

    def assign(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        """Give a value to the names of a target."""
        match target:
            case ast.Name(id=name):
                self.bind(name, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, node)
            case ast.Starred(value=inner):
                self.assign(inner, value, node)
            case ast.Subscript(value=owner, slice=index):
                self.flow.escape(self.read(index), "index", node)
                self.calls.put(self.read(owner), value, node)
            case _:
                self.flow.escape(value, "assigned to an attribute", node)

    def _unpack(self, parts: list[ast.expr], value: Value, node: ast.AST) -> None:
        rows = frozenset(held for held in value if isinstance(held, Held))
        inner = self.items(rows, "unpack", node)
        starred = any(isinstance(part, ast.Starred) for part in parts)
        for number, part in enumerate(parts):
            given = inner | self.flow.contents(value, None if starred else number)
            if isinstance(part, ast.Starred):
                given = self.flow.box(part, "items", {"*": given})
            self.assign(part, given, node)


def _integer(node: ast.AST) -> int | None:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return None
