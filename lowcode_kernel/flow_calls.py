"""What calls give, and what they do with their arguments."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.flow_values import NOTHING, BodyFlow, Function, Held, Source, Value

if TYPE_CHECKING:
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.flow_expressions import Values

_LEVELS: dict[str | None, int] = {"first": 0, "exists": 0, "count": 0, "batch": 2}
_ENTITY_LEVELS = {"list": 1, "get_many": 1}
_NAMES_ONLY = frozenset({"order_by", "only"})
_WRITING = frozenset({"create", "update", "delete"})
_COPIES = frozenset({"list", "tuple", "reversed", "sorted", "set", "frozenset", "filter", "iter"})
_PICKS = frozenset({"min", "max", "next"})
_FOLDS = frozenset({"sum", "any", "all"})
_ADDING = frozenset({"append", "add", "insert", "appendleft"})
_JOINING = frozenset({"extend", "update"})
_TAKING = frozenset({"pop", "get", "setdefault", "popitem", "popleft", "copy", "values"})
_MUTATING = _ADDING | _JOINING | frozenset({"pop", "remove", "sort", "reverse", "clear", "popitem", "setdefault"})
_DEEPEST = 12  # calls of local functions within each other that are followed
_MOST_RUNS = 2000  # of local functions in one body, each call counts


class CallFlow:
    """Evaluates the calls of one body."""

    def __init__(self, values: Values) -> None:
        self.values = values

    @property
    def flow(self) -> BodyFlow:
        """The flow that is found."""
        return self.values.flow

    def read(self, node: ast.Call) -> Value:
        """Return what a call may give."""
        call = self.values.analysis.calls.get(node)
        match call.kind if call is not None else None:
            case "query" | "entity" | "action" | "integration" if call is not None:
                return self._element(call)
            case "builtin" if call is not None:
                return self._builtin(node, call.name)
            case "method":
                return self._method(node)
            case "together":
                return self.flow.box(node, "items", {i: self.values.read(item) for i, item in enumerate(node.args)})
            case "require":
                return self._require(node)
        return self._unknown(node)

    def _require(self, node: ast.Call) -> Value:
        for condition in node.args[:1]:
            self.values.truth(condition)
        self._rest(node.args[1:], "message", node)
        return NOTHING

    def _unknown(self, node: ast.Call) -> Value:
        """A local function is run; whatever else is called may do anything with what it gets."""
        if isinstance(node.func, ast.Name) and (called := self.values.names.get(node.func.id, NOTHING)):
            return self._call_functions(called, node)
        given = self._rest(_arguments(node), "argument of a function", node)
        if isinstance(node.func, ast.Attribute):
            self.flow.escape(self.values.read(node.func.value), "method", node)
        return given

    def _rest(self, nodes: list[ast.expr], where: str, at: ast.AST) -> Value:
        """Evaluate arguments that go where they can't be followed, functions among them that may be called."""
        given = [self.values.read(node) for node in nodes]
        whole = self.flow.deep(NOTHING.union(*given))
        self._invoke(whole, whole)
        self.flow.escape(whole, where, at)
        return self.flow.box(at, "result", {"*": whole}) | whole if whole else NOTHING

    def is_builtin(self, node: ast.Call, name: str) -> bool:
        """Say whether a call is that of a function of the language, with one argument."""
        call = self.values.analysis.calls.get(node)
        return call is not None and call.kind == "builtin" and call.name == name and len(node.args) == 1

    def is_row(self, node: ast.expr) -> bool:
        """Say whether an expression is a row that stands for its key."""
        type_ = self.values.analysis.types.get(node)
        return type_ is not None and type_.kind == "entity" and type_.loaded and not type_.many and not type_.keyed

    def argument(self, node: ast.expr, value: Value, where: str) -> None:
        """Note a value that is given to an element: a row stands for its key there."""
        type_ = self.values.analysis.types.get(node)
        if type_ is not None and type_.kind == "entity" and type_.loaded and not type_.keyed and not type_.nested:
            deep = self.flow.deep(value)
            self.flow.use(
                frozenset(held for held in deep if isinstance(held, Held) and held.level), "iterate", where, node
            )
            self.flow.use(
                frozenset(Held(held.source, 0) for held in deep if isinstance(held, Held)), "key", where, node
            )
        else:
            self.flow.escape(value, f"argument of {where}", node)

    # elements

    def _element(self, call: Call) -> Value:
        where = f"{call.name}.{call.method}" if call.method else call.name
        for name, argument in call.arguments.items():
            if name in _NAMES_ONLY and call.kind == "entity":
                continue
            value = self.values.read(argument)
            if call.kind == "action":
                known = self.flow.passed.get((call.name, name), NOTHING)
                self.flow.passed[call.name, name] = known | value
            else:
                self.argument(argument, value, where)
        return self._given(call)

    def _given(self, call: Call) -> Value:
        """Return what the call of an element gives."""
        node, method = call.node, call.method
        if call.kind == "query":
            return self.flow.source(node, Source("read", node, _LEVELS.get(method, 1), call.name, call))
        if call.kind == "action":
            level = self._result_level(node)
            return self.flow.source(node, Source("result", node, level, call.name, call))
        if call.kind == "integration" or method == "delete":
            return NOTHING
        if method in _WRITING:
            return self.flow.source(node, Source("row", node, 0, call.name, call))
        level = _ENTITY_LEVELS.get(method or "", 0)
        return self.flow.source(node, Source("read", node, level, call.name, call, keyed=method == "get_many"))

    def _result_level(self, node: ast.Call) -> int:
        """Return how deep the rows in an action's result may be; Json may be a list of lists of them."""
        type_ = self.values.analysis.types.get(node)
        if type_ is None or type_.nested or type_.kind not in {"scalar", "entity", "struct"} or type_.name == "Json":
            return 2
        return int(type_.many)

    # functions of the language

    def _builtin(self, node: ast.Call, name: str) -> Value:
        arguments = [self.values.read(argument) for argument in node.args]
        words = {word.arg: self.values.read(word.value) for word in node.keywords}
        first = arguments[0] if arguments else NOTHING
        match name:
            case "len":
                self.flow.use(first, "length", "", node)
            case "bool":
                self.flow.use(first, "truth", "", node)
            case "zip":
                parts = [self.values.items(given, "zip", node) for given in arguments]
                return self._tuples(node, parts)
            case "enumerate":
                return self._tuples(node, [NOTHING, self.values.items(first, "enumerate", node)])
            case _ if name in _COPIES | _PICKS | _FOLDS:
                return self._iterated(node, name, arguments, words)
            case _:
                return self._rest(_arguments(node), name, node) if any(arguments) or any(words.values()) else NOTHING
        return NOTHING

    def _tuples(self, node: ast.Call, parts: list[Value]) -> Value:
        inner = self.flow.box(node, "tuple", dict(enumerate(parts)))
        return self.flow.box(node, "items", {"*": inner})

    def _iterated(self, node: ast.Call, name: str, arguments: list[Value], words: dict[str | None, Value]) -> Value:
        """`sorted(rows, key=f)`, `max(rows)`, `any(rows)`: each gives something of what it iterates over."""
        lists = arguments[1:] if name == "filter" else arguments
        several = name in _PICKS and len(arguments) > 1 and name != "next"
        items = NOTHING.union(*lists) if several else NOTHING
        if not several:
            for value in lists[:1]:
                items |= self.values.items(value, name, node)
            items = items.union(*lists[1:])
        functions = NOTHING.union(*words.values(), *(arguments[:1] if name == "filter" else []))
        self._invoke(functions, items)
        if name in {"any", "all"}:
            self.flow.use(items, "truth", "", node)
        elif name == "sum" or (name in {"sorted", "min", "max", "set"} and "key" not in words):
            self.flow.escape(items, name, node)
        if name in _FOLDS:
            return NOTHING
        found = items | words.get("default", NOTHING)
        return found if name in _PICKS else self.flow.box(node, "items", {"*": found})

    # methods

    def _method(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Attribute):
            return self._rest(_arguments(node), "a function", node)
        owner, name = self.values.read(node.func.value), node.func.attr
        if any(isinstance(held, Held) for held in owner):
            return self._method_of_rows(owner, name, node)
        if not owner:
            return self._rest(_arguments(node), name, node)
        return self._method_of_box(owner, name, node)

    def _method_of_rows(self, owner: Value, name: str, node: ast.Call) -> Value:
        """A list that a read gave: changing it puts other things among its rows."""
        items = frozenset(Held(held.source, max(held.level - 1, 0)) for held in owner if isinstance(held, Held))
        given = self._rest(_arguments(node), name, node)
        functions = frozenset(part for part in given if isinstance(part, Function))
        self._invoke(functions, items)
        if name == "sort" and not functions:
            self.flow.escape(items, "sort", node)
        if name in _MUTATING:
            self.flow.use(owner, "mutate", name, node)
            self.flow.note_mixed(owner | self.flow.deep(given))
        elif name in {"values", "items", "get", "copy"}:
            self.flow.use(owner, "iterate", name, node)
        else:
            self.flow.escape(owner, f"method {name}", node)
        inner = items | given | self.flow.contents(owner)
        if name in {"values", "copy"}:
            return self.flow.box(node, "items", {"*": inner})
        return self._tuples(node, [NOTHING, inner]) if name == "items" else inner

    def _method_of_box(self, owner: Value, name: str, node: ast.Call) -> Value:
        arguments = [self.values.read(argument) for argument in _arguments(node)]
        contents = self.flow.contents(owner)
        self._invoke(NOTHING.union(*arguments), contents)
        if name == "items":
            return self._tuples(node, [NOTHING, contents])
        if name in _TAKING:
            given = contents.union(*arguments)
            self.flow.add(owner, "*", given if name == "setdefault" else NOTHING)
            return self.flow.box(node, "items", {"*": given}) | given
        self._change_box(owner, name, arguments, node)
        return NOTHING

    def _change_box(self, owner: Value, name: str, arguments: list[Value], node: ast.Call) -> None:
        whole = NOTHING.union(*arguments)
        if name in _ADDING:
            self.flow.add(owner, "*", whole)
        elif name in _JOINING:
            self.flow.add(owner, "*", self.values.items(whole, name, node))
        elif name != "sort" or not any(isinstance(part, Function) for part in whole):
            self.flow.escape(whole | self.flow.contents(owner), name, node)

    def put(self, owner: Value, value: Value, node: ast.AST) -> None:
        """Put a value into what an assignment `owner[...] = value` changes."""
        self.flow.add(owner, "*", value)
        rows = frozenset(held for held in owner if isinstance(held, Held))
        if rows:
            self.flow.use(rows, "mutate", "[]", node)
            self.flow.escape(value, "put among rows", node)
            self.flow.note_mixed(rows | self.flow.deep(value))

    # local functions

    def _call_functions(self, called: Value, node: ast.Call) -> Value:
        positional = [self.values.read(argument) for argument in node.args]
        named = {word.arg or "": self.values.read(word.value) for word in node.keywords}
        found = NOTHING
        for part in called:
            if isinstance(part, Function):
                found |= self._run(part, positional, named)
        if not any(isinstance(part, Function) for part in called):
            self.flow.escape(NOTHING.union(called, *positional, *named.values()), "argument of a function", node)
        return found

    def _invoke(self, functions: Value, items: Value) -> None:
        """Run the functions among some values with anything of `items` as each argument."""
        for part in functions:
            if isinstance(part, Function):
                count = len(part.node.args.args)
                self._run(part, [items] * count, {})

    def _run(self, function: Function, positional: list[Value], named: dict[str, Value]) -> Value:
        from lowcode_kernel.flow_bodies import run_function

        names = [argument.arg for argument in function.node.args.args]
        given = {**dict.fromkeys([*names, *(a.arg for a in function.node.args.kwonlyargs)], NOTHING), **named}
        given.update(zip(names, positional, strict=False))
        values = self.values
        values.runs += 1
        if values.depth >= _DEEPEST or values.runs > _MOST_RUNS:
            raise RecursionError  # the body counts as too deeply nested to be followed
        for value in given.values() if isinstance(function.node, ast.FunctionDef) else ():
            self.flow.local |= {held.source for held in self.flow.deep(value) if isinstance(held, Held)}
        values.depth += 1
        outer = values.names
        values.names = {**outer, **given}
        try:
            if isinstance(function.node, ast.Lambda):
                return values.read(function.node.body)
            return run_function(values, function.node)
        finally:
            values.names = outer
            values.depth -= 1


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(word.value for word in node.keywords)]
