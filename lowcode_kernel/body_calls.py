"""The calls of a body: what is called, which argument goes to which parameter, and whether it fits."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.body_builtins import (
    BUILTINS,
    VALUE_CLASSES,
    WITH_KEY,
    class_type,
    items_of,
    method_type,
    methods_of,
)
from lowcode_kernel.body_entity_calls import EntityCallReader
from lowcode_kernel.body_imports import IMPORTED
from lowcode_kernel.body_presence import found_present
from lowcode_kernel.body_query_calls import read_form, read_together
from lowcode_kernel.body_scope import joined
from lowcode_kernel.elements import Parameter
from lowcode_kernel.keys import key_of
from lowcode_kernel.language.bodies import shown
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import BOOLEAN, JSON, NONE, UNKNOWN, Type, accepts, list_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.elements import Struct

CallKind = Literal[
    "query",
    "action",
    "entity",
    "integration",
    "builtin",
    "method",
    "require",
    "log",
    "refused",
    "together",
    "function",
    "struct",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One resolved call. `name` is the element's (`Flight`, `departures`, `weather`) or the function's; `method` that
    of an entity or an operation.

    `arguments` maps parameter names to expressions; positional ones are already named where the callee is an element.
    """

    kind: CallKind
    name: str
    node: ast.Call
    method: str | None = None
    arguments: dict[str, ast.expr] = field(default_factory=dict)


_SPECIAL = ("require", "log", "refused", "together")


class CallReader:
    """Reads the calls of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body, self.app = body, body.app
        self.entities = EntityCallReader(self, body)

    def read(self, node: ast.Call) -> Type:
        """Resolve a call, analyze its arguments, and return the type of what it gives."""
        self._check_form(node)
        match node.func:
            case ast.Name(id=name):
                return self._call_name(name, node)
            case ast.Attribute(value=ast.Name(id=owner), attr=method) if owner not in self.body.names:
                if owner in self.app.entities or owner == "User":
                    return self.entities.read(owner, method, node)
                if owner in self.app.integrations:
                    return self._call_operation(owner, method, node)
                if owner in self.app.queries:
                    return read_form(self, self.app.queries[owner], method, node)
        return self._call_method(node)

    def _check_form(self, node: ast.Call) -> None:
        """Report arguments that come out of a list or a dict, and one that is given twice."""
        named = [keyword.arg for keyword in node.keywords]
        if any(isinstance(argument, ast.Starred) for argument in node.args) or None in named:
            self.body.problem("LK338", f"`{shown(node)}` has * or ** among its arguments", "name each argument", node)
        for name in sorted({name for name in named if name and named.count(name) > 1}):
            self.body.problem("LK338", f"`{shown(node)}` gives {name} twice", "keep one", node)

    def _call_name(self, name: str, node: ast.Call) -> Type:
        if query := self.app.queries.get(name):
            self.bind("query", query.name, query.parameters, node)
            return Type(name=name, kind="query", many=True)
        if action := self.app.actions.get(name):
            self.bind("action", action.name, action.parameters, node)
            returns = action.returns or NONE
            return replace(returns, loaded=True) if returns.kind == "entity" else returns
        if self.body.functions.is_known(name):
            return self._call_function(name, node)
        if struct := self.app.structs.get(name):
            return self._make_struct(struct, node)
        if name in self.body.names:
            return self._call_value(name, node)
        special: dict[str, Callable[[ast.Call], Type]] = {
            "require": self._require,
            "log": self._log,
            "refused": self._refused,
            "together": lambda call: read_together(self, call),
        }
        if name in special:
            return special[name](node)
        return self._call_builtin(name, node) if name in BUILTINS else self._call_nothing(name, node)

    def _call_nothing(self, name: str, node: ast.Call) -> Type:
        """Report a call of what is not there, not yet there, or not for bodies."""
        self._arguments(node)
        if self.body.functions.is_refused(name, node) or self.body.imports.check_name(name, node):
            return UNKNOWN
        known = [*self.app.queries, *self.app.actions, *self.app.structs, *self.body.functions.known]
        known += [*BUILTINS, *_SPECIAL]
        hint = f"write {name}.create(...)" if name in self.app.entities else did_you_mean(name, known)
        self.body.problem("LK101", f'there is no query, action or function "{name}"', hint, node)
        return UNKNOWN

    def _arguments(self, node: ast.Call) -> list[Type]:
        return [
            self.body.expression(argument) for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        ]

    def _call_builtin(self, name: str, node: ast.Call) -> Type:
        types = [self.body.expression(argument) for argument in node.args]
        result = BUILTINS[name](types)
        if name == "dict" and (node.keywords or types):
            result = types[0] if types and types[0].kind == "dict" else UNKNOWN
        for keyword in node.keywords:
            if keyword.arg == "key" and name in WITH_KEY:
                item = items_of(types[0]) if len(types) == 1 else result
                self.body.functions.allow_value(keyword.value)
                self.body.expression_reader.read_key(keyword.value, item)
                continue
            given = self.body.expression(keyword.value)
            if keyword.arg == "default":
                result = joined(result, given)
        self.body.calls[node] = Call(kind="builtin", name=name, node=node)
        return result

    def _make_struct(self, struct: Struct, node: ast.Call) -> Type:
        """`Bill(total=total)`: a value of a struct. A screen shows rows and has no use for it."""
        if self.body.element.startswith("screen:"):
            self.body.problem("LK304", f"`{shown(node)}` is made in a screen", "make it in an action", node)
        if node.args:
            self.body.problem("LK308", f"{struct.name} takes its attributes by name", "name each of them", node)
        parameters = tuple(
            Parameter(name=item.name, type=item.type, default=_constant(item.default), place=item.place)
            for item in struct.attributes
        )
        self.bind("struct", struct.name, parameters, node)
        return Type(name=struct.name, kind="struct")

    def _call_function(self, name: str, node: ast.Call) -> Type:
        """Resolve a call of a local function."""
        self.body.named(name, node)
        function = self.body.functions.known[name]
        self.bind("function", name, function.parameters, node)
        return function.returns or NONE

    def _call_value(self, name: str, node: ast.Call) -> Type:
        """Resolve the call of what a name holds: of a class or a function that was imported."""
        found = self.body.expression(node.func)
        self._arguments(node)
        if found.kind != "unknown" or found.many:
            self.body.problem("LK304", f"{name} is {found}: it can't be called", "", node)
        return IMPORTED if found is IMPORTED else UNKNOWN

    def _require(self, node: ast.Call) -> Type:
        self.body.calls[node] = Call(kind="require", name="require", node=node)
        if len(node.args) != 2 or node.keywords:
            self.body.problem(
                "LK307", "require takes a condition and a message", 'require(total > 0, "the total is zero")', node
            )
        if node.args:
            self.body.expression(node.args[0])
        for argument in node.args[1:]:  # the message is for where the condition doesn't hold
            self.body.expression_reader.read_where(found_present(node.args[0])[1], argument)
        return NONE

    def _log(self, node: ast.Call) -> Type:
        self.body.calls[node] = Call(kind="log", name="log", node=node)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.body.expression(argument)
        return NONE

    def _refused(self, node: ast.Call) -> Type:
        self.body.calls[node] = Call(kind="refused", name="refused", node=node)
        for argument in node.args:
            self.body.expression(argument)
        return BOOLEAN

    def bind(
        self, kind: CallKind, name: str, parameters: tuple[Parameter, ...], node: ast.Call, method: str | None = None
    ) -> None:
        """Give each argument its parameter, and check that all are there and fit."""
        by_name = {parameter.name: parameter for parameter in parameters}
        arguments = dict(zip(by_name, node.args, strict=False))
        label = f"{name}.{method}" if method else name
        if len(node.args) > len(parameters):
            self.body.problem(
                "LK308", f"{label} takes {len(parameters)} arguments, {len(node.args)} are given", "", node
            )
        for keyword in node.keywords:
            if keyword.arg in by_name and keyword.arg not in arguments:
                arguments[keyword.arg] = keyword.value
            else:
                self._unbound(label, keyword, by_name)
        for key, value in arguments.items():
            self.check_argument(label, by_name[key].name, by_name[key].type, value)
        self.check_missing(label, parameters, arguments, node)
        self.body.calls[node] = Call(kind=kind, name=name, node=node, method=method, arguments=arguments)
        if kind != "function":
            self.body.uses.add(f"{kind}:{name}")

    def _unbound(self, label: str, keyword: ast.keyword, known: dict[str, Parameter]) -> None:
        """Report an argument that has no parameter, or none any more."""
        self.body.expression(keyword.value)
        if keyword.arg in known:
            self.body.problem("LK338", f"{label} is given {keyword.arg} twice", "keep one", keyword.value)
        elif keyword.arg is not None:
            fact = f'{label} has no parameter "{keyword.arg}"'
            self.body.problem("LK308", fact, did_you_mean(keyword.arg, known), keyword.value)

    def check_missing(
        self, label: str, parameters: tuple[Parameter, ...], arguments: dict[str, ast.expr], node: ast.Call
    ) -> None:
        """Report parameters without a default that a call gives no argument."""
        for parameter in parameters:
            if parameter.name not in arguments and parameter.default is None and not parameter.type.optional:
                self.body.problem(
                    "LK308", f"{label} needs {parameter.name}: {parameter.type}", f"write {parameter.name}=...", node
                )

    def check_argument(self, label: str, name: str, target: Type, value: ast.expr) -> None:
        """Analyze an argument, and report it where its value doesn't fit."""
        given = self.body.expression(value)
        if given.kind == target.kind == "entity":
            self.entities.check_has_key(given, value)
        if not self.fits(target, given):
            self.body.problem("LK309", f"{label}: {name} is {target}, not {given}", "", value)
        if target.choices and isinstance(value, ast.Constant) and value.value not in target.choices:
            self.body.problem(
                "LK309",
                f"{label}: {name} has no choice {value.value!r}",
                did_you_mean(str(value.value), target.choices),
                value,
            )

    def fits(self, target: Type, given: Type) -> bool:
        """Say whether a value fits; where an entity is wanted, its row or its key does."""
        if target.kind == "entity" and given.kind == "scalar":
            key = replace(key_of(target.name, self.app), many=target.many, optional=target.optional)
            return accepts(key, given)
        if target.kind == "scalar" and given.kind == "entity" and not given.loaded:
            return accepts(target, key_of(given.name, self.app))
        if target.kind == "entity" and given.only:
            given = replace(given, only=())  # it is given by its key
        return accepts(target, given)

    def _call_operation(self, owner: str, method: str, node: ast.Call) -> Type:
        integration = self.app.integrations[owner]
        operation = integration.operation(method)
        if operation is None:
            self.body.problem(
                "LK101",
                f'integration {owner} has no operation "{method}"',
                did_you_mean(method, [o.name for o in integration.operations]),
                node,
            )
            return UNKNOWN
        self.bind("integration", owner, operation.parameters, node, method)
        return operation.returns or JSON

    def _call_method(self, node: ast.Call) -> Type:
        if not isinstance(node.func, ast.Attribute):
            self._arguments(node)
            self.body.problem("LK304", f"`{shown(node)}` has no meaning here", "", node)
            return UNKNOWN
        target, method = node.func.value, node.func.attr
        owner = self._method_owner(target)
        types = [self.body.expression(argument) for argument in node.args]
        for keyword in node.keywords:
            if keyword.arg == "key" and method == "sort":
                self.body.expression_reader.read_key(keyword.value, items_of(owner))
                self.body.functions.check_plain(keyword.value)
            else:
                types.append(self.body.expression(keyword.value))
        self.body.calls[node] = Call(kind="method", name=method, node=node)
        if self.body.imports.check_attribute(node.func) or self._is_unsafe(node.func):
            return UNKNOWN
        self.body.expression_reader.check_there(owner, target, f"asked for its {method}")
        if owner.kind in {"unknown", "none"} and not owner.many:
            return owner if owner is IMPORTED else UNKNOWN
        known = methods_of(owner)
        if method not in known:
            self.body.problem("LK101", f'there is no method "{method}"', did_you_mean(method, known), node)
            return UNKNOWN
        self._learn(target, owner, method, types)
        return method_type(owner, method, types)

    def _method_owner(self, target: ast.expr) -> Type:
        if isinstance(target, ast.Name) and target.id in VALUE_CLASSES and target.id not in self.body.names:
            self.body.expression(target)
            return class_type(target.id)
        return self.body.expression(target)

    def _is_unsafe(self, function: ast.Attribute) -> bool:
        """Report `text.format(...)`: a text that follows the attributes of a value leads anywhere."""
        if function.attr not in {"format", "format_map"}:
            return False
        value = function.value.value if isinstance(function.value, ast.Constant) else None
        if isinstance(value, str) and "__" not in value and function.attr == "format":
            return False
        self.body.problem("LK341", f"`{shown(function)}` is not for bodies to use", 'write f"{...}"', function)
        return True

    def _learn(self, target: ast.expr, owner: Type, method: str, types: list[Type]) -> None:
        """Learn from `rows.append(row)` what is in a list that was empty."""
        if not (isinstance(target, ast.Name) and owner.many and types and target.id in self.body.names):
            return
        given = {"append": types[0], "add": types[0], "insert": types[-1]}.get(method)
        if method in {"extend", "update"}:
            given = items_of(types[0])
        if given is not None and (found := joined(owner, list_of(given))) != owner:
            self.body.scope.bind(target.id, found)


def _constant(default: str | None) -> str | None:
    """Return a default that is the same whenever a value is made: what the clock gives has to be given."""
    return None if default and default.endswith("()") else default
