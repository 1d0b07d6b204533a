"""The calls of a body: what is called, which argument goes to which parameter, and whether it fits."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.body_builtins import BUILTINS, METHODS, VALUE_CLASSES, method_type
from lowcode_kernel.keys import key_of
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.queries import columns_of
from lowcode_kernel.types import BOOLEAN, INTEGER, JSON, NONE, UNKNOWN, Type, accepts, entity_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.elements import Parameter

CallKind = Literal["query", "action", "entity", "integration", "builtin", "method", "require", "log", "refused"]
ENTITY_METHODS = ("get", "find", "list", "count", "create", "update", "delete")
_FILTERS = frozenset({"find", "list", "count"})


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


class CallReader:
    """Reads the calls of one body; what it finds goes into the body's analyzer."""

    def __init__(self, body: Analyzer) -> None:
        self.body, self.app = body, body.app

    def read(self, node: ast.Call) -> Type:
        """Resolve a call, analyze its arguments, and return the type of what it gives."""
        match node.func:
            case ast.Name(id=name):
                return self._call_name(name, node)
            case ast.Attribute(value=ast.Name(id=owner), attr=method) if owner not in self.body.names:
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
            return (
                entity_type(returns.name, loaded=True, optional=returns.optional, many=returns.many)
                if returns.kind == "entity"
                else returns
            )
        special: dict[str, Callable[[ast.Call], Type]] = {
            "require": self._require,
            "log": self._log,
            "refused": self._refused,
        }
        if name in special:
            return special[name](node)
        if name in BUILTINS:
            types = [
                self.body.expression(argument)
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
            ]
            self.body.calls[node] = Call(kind="builtin", name=name, node=node)
            return BUILTINS[name](types)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.body.expression(argument)
        known = [*self.app.queries, *self.app.actions, *BUILTINS, *special]
        hint = f"write {name}.create(...)" if name in self.app.entities else did_you_mean(name, known)
        self.body.problem("LK101", f'there is no query, action or function "{name}"', hint, node)
        return UNKNOWN

    def _require(self, node: ast.Call) -> Type:
        self.body.calls[node] = Call(kind="require", name="require", node=node)
        if len(node.args) != 2 or node.keywords:
            self.body.problem(
                "LK307", "require takes a condition and a message", 'require(total > 0, "the total is zero")', node
            )
        for argument in node.args:
            self.body.expression(argument)
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

    def _bind(
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
            if keyword.arg not in by_name:
                self.body.problem(
                    "LK308",
                    f'{label} has no parameter "{keyword.arg}"',
                    did_you_mean(keyword.arg or "", by_name),
                    keyword.value,
                )
                self.body.expression(keyword.value)
            elif keyword.arg:
                arguments[keyword.arg] = keyword.value
        for key, value in arguments.items():
            self._check_argument(label, by_name[key].name, by_name[key].type, value)
        for parameter in parameters:
            if parameter.name not in arguments and parameter.default is None and not parameter.type.optional:
                self.body.problem(
                    "LK308", f"{label} needs {parameter.name}: {parameter.type}", f"write {parameter.name}=...", node
                )
        self.body.calls[node] = Call(kind=kind, name=name, node=node, method=method, arguments=arguments)
        self.body.uses.add(f"{kind}:{name}")

    def _check_argument(self, label: str, name: str, target: Type, value: ast.expr) -> None:
        given = self.body.expression(value)
        if not self._fits(target, given):
            self.body.problem("LK309", f"{label}: {name} is {target}, not {given}", "", value)
        if target.choices and isinstance(value, ast.Constant) and value.value not in target.choices:
            self.body.problem(
                "LK309",
                f"{label}: {name} has no choice {value.value!r}",
                did_you_mean(str(value.value), target.choices),
                value,
            )

    def _fits(self, target: Type, given: Type) -> bool:
        if target.kind == "entity" and given.kind == "scalar" and not target.many:
            return accepts(
                key_of(target.name, self.app).maybe() if target.optional else key_of(target.name, self.app), given
            )
        if target.kind == "scalar" and given.kind == "entity" and not given.loaded:
            return accepts(target, key_of(given.name, self.app))
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
        self._bind("integration", owner, operation.parameters, node, method)
        return operation.returns or JSON

    def _call_entity(self, owner: str, method: str, node: ast.Call) -> Type:
        columns = columns_of(owner, self.app) or {}
        self.body.uses.add(f"entity:{owner}")
        if method not in ENTITY_METHODS:
            self.body.problem(
                "LK101", f'entity {owner} has no method "{method}"', did_you_mean(method, ENTITY_METHODS), node
            )
            return UNKNOWN
        row = entity_type(owner, loaded=True)
        arguments = self._entity_arguments(owner, method, columns, node)
        self.body.calls[node] = Call(kind="entity", name=owner, node=node, method=method, arguments=arguments)
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

    def _entity_arguments(
        self, owner: str, method: str, columns: dict[str, Type], node: ast.Call
    ) -> dict[str, ast.expr]:
        arguments: dict[str, ast.expr] = {}
        for argument in node.args:
            self.body.expression(argument)
            arguments.setdefault("key", argument)
        if (len(node.args) != 1 and method in {"update", "delete"}) or (method in {"create", *_FILTERS} and node.args):
            self.body.problem(
                "LK308",
                f"{owner}.{method} is called with {len(node.args)} unnamed arguments",
                _shape(owner, method),
                node,
            )
        for keyword in node.keywords:
            name = keyword.arg or ""
            if method == "list" and name in {"order_by", "limit"}:
                arguments[name] = keyword.value
                if name == "limit":
                    self.body.expression(keyword.value)
                continue
            if name not in columns:
                self.body.problem(
                    "LK101", f'{owner} has no attribute "{name}"', did_you_mean(name, columns), keyword.value
                )
                self.body.expression(keyword.value)
                continue
            target = columns[name].maybe() if method in _FILTERS else columns[name]
            self._check_argument(f"{owner}.{method}", name, target, keyword.value)
            arguments[name] = keyword.value
            (self.body.writes if method in {"create", "update"} else self.body.reads).add((owner, name))
        if method == "create":
            self._check_required(owner, arguments, node)
        return arguments

    def _check_required(self, owner: str, arguments: dict[str, ast.expr], node: ast.Call) -> None:
        if (entity := self.app.entities.get(owner)) is None:
            self.body.problem("LK310", f"{owner} can't be created in an action", "users are added with %user", node)
            return
        for attribute in entity.attributes:
            if (
                attribute.name not in arguments
                and attribute.default is None
                and not attribute.type.optional
                and not attribute.type.many
            ):
                self.body.problem(
                    "LK308",
                    f"{owner}.create needs {attribute.name}: {attribute.type}",
                    f"write {attribute.name}=...",
                    node,
                )

    def _call_method(self, node: ast.Call) -> Type:
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            self.body.expression(argument)
        if not isinstance(node.func, ast.Attribute):
            self.body.problem("LK304", f"`{ast.unparse(node)}` has no meaning here", "", node)
            return UNKNOWN
        owner = self.body.expression(node.func.value)
        self.body.calls[node] = Call(kind="method", name=node.func.attr, node=node)
        unresolved = (
            isinstance(node.func.value, ast.Name)
            and owner is UNKNOWN
            and node.func.value.id not in {*self.body.names, *VALUE_CLASSES}
        )
        if node.func.attr not in METHODS and not unresolved:
            self.body.problem(
                "LK101", f'there is no method "{node.func.attr}"', did_you_mean(node.func.attr, METHODS), node
            )
        return method_type(owner, node.func.attr)


def _shape(owner: str, method: str) -> str:
    return (
        f"write {owner}.{method}(row, attribute=...)"
        if method in {"update", "delete"}
        else f"write {owner}.{method}(attribute=...)"
    )
