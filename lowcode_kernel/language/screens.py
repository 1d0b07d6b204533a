"""The language of screens: a body's statements as inputs, values and components.

    day = date_input("Day", default=date(2013, 1, 1))
    title(f"Departures of {origin.name}")
    table(departures(origin=origin, day=day), columns=[number, airline], row=link(flight, flight=row.id), empty="No
    departures")

Every expression is evaluated on the server, once per view of the screen; the browser gets the data of each component.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lowcode_kernel.bodies import Analyzer, TooMuchError
from lowcode_kernel.language.bodies import documentation, parse_again, shown
from lowcode_kernel.language.screen_model import (
    ColumnView,
    Component,
    ComponentKind,
    Condition,
    Input,
    InputKind,
    Node,
    ScreenModel,
    Value,
    label_of,
)
from lowcode_kernel.language.screen_targets import TargetReader
from lowcode_kernel.memo import remembered
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.types import BOOLEAN, DATE, DECIMAL, TEXT, UNKNOWN, Type, entity_type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Screen

_INPUTS: dict[str, tuple[InputKind, Type]] = {
    "text_input": ("text", TEXT),
    "date_input": ("date", DATE),
    "number_input": ("number", DECIMAL),
    "choice_input": ("choice", TEXT),
    "checkbox": ("checkbox", BOOLEAN),
    "entity_input": ("entity", UNKNOWN),
}
_KEYWORDS: dict[str, tuple[str, ...]] = {
    "title": (),
    "text": (),
    "section": (),
    "metric": ("unit",),
    "table": ("columns", "row", "empty", "label", "page"),
    "details": ("attributes", "label"),
    "chart": ("x", "y", "kind", "label"),
}
_LEADING = ("button", "link", "form")
_MOST_ROWS = 1000  # of a page


def screen_model(screen: Screen, app: Application) -> ScreenModel:
    """Read a screen against the application. Never raises for what the author wrote: it is in `body.problems`."""
    return remembered("screen", screen, app, lambda: _Reader(screen, app).read())


class _Reader:
    def __init__(self, screen: Screen, app: Application) -> None:
        self.screen, self.app = screen, app
        self.analyzer = Analyzer(app, screen.body_place, screen.id, screen.parameters)
        self.targets = TargetReader(self.analyzer)
        self.inputs: list[Input] = []
        self.count = 0

    def read(self) -> ScreenModel:
        statements: list[ast.stmt] = []
        try:
            _, statements = documentation(parse_again(self.screen.body, self.screen.body_place))
        except LowcodeError as error:
            self.analyzer.problems.extend(error.problems)
        try:
            nodes = self._nodes(statements)
        except (RecursionError, TooMuchError) as error:
            nodes = ()
            self.analyzer.give_up(error)
        for parameter in self.screen.parameters:
            if parameter.type.kind == "entity":
                self.analyzer.uses.add(f"entity:{parameter.type.name}")
        return ScreenModel(
            inputs=tuple(self.inputs),
            nodes=nodes,
            body=self.analyzer.result(ast.Module(body=statements, type_ignores=[])),
        )

    def _nodes(self, statements: list[ast.stmt]) -> tuple[Node, ...]:
        return tuple(node for statement in statements if (node := self._node(statement)) is not None)

    def _node(self, statement: ast.stmt) -> Node | None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=function)) as call) if (
                function in _INPUTS
            ):
                self._input(name, function, call)
                return None
            case ast.Assign(targets=[ast.Name() | ast.Tuple() as target], value=value):
                self.analyzer.statements([statement])
                return Value(target=target, value=value)
            case ast.If(test=test):
                body, orelse = self.analyzer.statement_reader.split(statement, self._nodes)
                return Condition(test=test, body=body, orelse=orelse)
            case ast.Expr(value=ast.Call(func=ast.Name(id=function)) as call):
                return self._component(function, call)
        text = shown(statement)
        self._problem(
            "LK320", f"`{text}` is not part of a screen", "a screen has inputs, values, components and if", statement
        )
        return None

    def _problem(self, code: str, fact: str, hint: str, node: ast.AST) -> None:
        self.analyzer.problem(code, fact, hint, node)

    # inputs

    def _input(self, name: str, function: str, call: ast.Call) -> None:
        kind, type_ = _INPUTS[function]
        if name in self.analyzer.names:
            self._problem("LK359", f'there is a "{name}" already', "give the input another name", call)
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        default = keywords.pop("default", None)
        label, rest = self._label(call, function)
        choices, entity = self._choices(kind, rest, call), self._input_entity(kind, rest, call)
        for unknown in keywords:
            self._problem("LK321", f'{function} has no "{unknown}"', did_you_mean(str(unknown), ("default",)), call)
        if entity:
            type_ = entity_type(entity)
            self.analyzer.uses.add(f"entity:{entity}")
        if default is not None:
            given = self.analyzer.expression(default)
            if (
                given.kind == "scalar" == type_.kind
                and given.name != type_.name
                and {given.name, type_.name} != {"Integer", "Decimal"}
            ):
                self._problem("LK309", f"{function}: the default is {given}, not {type_}", "", default)
        required = default is not None or kind == "checkbox"
        type_ = replace(type_, choices=choices) if choices else type_
        self.analyzer.names[name] = type_ if required else type_.maybe()
        self.inputs.append(
            Input(name=name, kind=kind, label=label, type=type_, choices=choices, entity=entity, default=default)
        )

    def _label(self, call: ast.Call, function: str) -> tuple[str, list[ast.expr]]:
        match call.args:
            case [ast.Constant(value=str(label)), *rest]:
                if not label.strip():
                    hint = "say what it is: readers of the screen hear it too"
                    self._problem("LK358", f"the label of {function} is empty", hint, call)
                return label, rest
        self._problem("LK321", f"{function} has no label", f'write {function}("Label")', call)
        return "", list(call.args[1:])

    def _choices(self, kind: InputKind, rest: list[ast.expr], call: ast.Call) -> tuple[str, ...]:
        if kind != "choice":
            return ()
        match rest:
            case [ast.List(elts=items) | ast.Tuple(elts=items)] if items and all(
                isinstance(item, ast.Constant) and isinstance(item.value, str) for item in items
            ):
                return tuple(cast("ast.Constant", item).value for item in items)  # type: ignore[misc]
        self._problem("LK321", "choice_input has no choices", 'write choice_input("Label", ["a", "b"])', call)
        return ()

    def _input_entity(self, kind: InputKind, rest: list[ast.expr], call: ast.Call) -> str | None:
        if kind != "entity":
            return None
        match rest:
            case [ast.Name(id=name)] if name in self.app.entities or name == "User":
                return name
        hint = (
            did_you_mean(rest[0].id, [*self.app.entities, "User"])
            if rest and isinstance(rest[0], ast.Name)
            else 'write entity_input("Label", Entity)'
        )
        named = bool(rest) and isinstance(rest[0], ast.Name)
        fact = f'there is no entity "{shown(rest[0])}"' if named else "entity_input names no entity"
        self._problem("LK101", fact, hint, call)
        return None

    # components

    def _component(self, function: str, call: ast.Call) -> Component | None:
        if function in _LEADING:
            return self._leading(function, call)
        if function not in _KEYWORDS:
            self._no_component(function, call)
            return None
        self.count += 1
        keywords = {keyword.arg or "": keyword.value for keyword in call.keywords}
        for unknown in [key for key in keywords if key not in _KEYWORDS[function]]:
            self._problem("LK321", f'{function} has no "{unknown}"', did_you_mean(unknown, _KEYWORDS[function]), call)
        label, kind = self._text(keywords.get("label")), cast("ComponentKind", function)
        return self._filled(Component(id=f"c{self.count}", kind=kind, node=call, label=label), call, keywords)

    def _leading(self, function: str, call: ast.Call) -> Component:
        self.count += 1
        label, rest = self._label(call, function)
        component = Component(id=f"c{self.count}", kind=cast("ComponentKind", function), node=call, label=label)
        read: Component = getattr(self.targets, function)(component, rest, call)
        return read

    def _no_component(self, function: str, call: ast.Call) -> None:
        if function in _INPUTS:
            self._problem("LK320", f"{function} has no name", f"write value = {function}(...)", call)
            return
        hint = did_you_mean(function, [*_KEYWORDS, *_LEADING, *_INPUTS])
        self._problem("LK320", f'there is no component "{function}"', hint, call)

    def _filled(self, component: Component, call: ast.Call, keywords: dict[str, ast.expr]) -> Component:
        match component.kind:
            case "table":
                return self._table(component, call, keywords)
            case "chart":
                return self._chart(component, call, keywords)
            case "details":
                return self._details(component, call, keywords)
            case "metric":
                label, rest = self._label(call, "metric")
                unit = self._text(keywords.get("unit"))
                return replace(component, label=label, unit=unit, value=self._value(rest, call))
        return replace(component, value=self._value(call.args, call))

    def _value(self, arguments: list[ast.expr], call: ast.Call) -> ast.expr | None:
        if len(arguments) != 1:
            self._problem("LK321", f"`{shown(call)}` needs one value", "", call)
            return None
        self.analyzer.expression(arguments[0])
        return arguments[0]

    def _text(self, node: ast.expr | None) -> str | None:
        if node is None:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        self._problem("LK321", f"`{shown(node)}` is not a text", "write it in quotation marks", node)
        return None

    def _table(self, component: Component, call: ast.Call, keywords: dict[str, ast.expr]) -> Component:
        page = self._page(keywords.get("page"), component)
        value = self._value(call.args, call)
        row = self._row_type(value)
        known = self.analyzer.columns(row) or {}
        columns = self._columns(keywords.get("columns"), row, known) or tuple(
            ColumnView(name=name, label=label_of(name), type=type_) for name, type_ in known.items() if not type_.many
        )
        self._read(row, [column.name for column in columns])
        return replace(
            component,
            value=value,
            columns=columns,
            row=self.targets.row_link(keywords.get("row"), row, known),
            empty=self._text(keywords.get("empty")),
            page=page,
        )

    def _row_type(self, value: ast.expr | None) -> Type:
        type_ = self.analyzer.types.get(value, UNKNOWN) if value is not None else UNKNOWN
        if value is not None and type_.kind != "unknown" and not type_.many:
            self._problem(
                "LK306", f"`{shown(value)}` is not a list", "a table and a chart show a query's result", value
            )
        return replace(type_, many=False)

    def _columns(self, node: ast.expr | None, row: Type, known: dict[str, Type]) -> tuple[ColumnView, ...]:
        if node is None:
            return ()
        if not isinstance(node, ast.List | ast.Tuple):
            self._problem("LK321", f"`{shown(node)}` is not a list of columns", "write [name, other]", node)
            return ()
        return tuple(column for item in node.elts if (column := self._column(item, row, known)))

    def _column(self, node: ast.expr, row: Type, known: dict[str, Type]) -> ColumnView | None:
        match node:
            case (
                ast.Name(id=name)
                | ast.Call(func=ast.Name(id="column"), args=[ast.Name(id=name), ast.Constant(value=str())], keywords=[])
            ):
                pass
            case _:
                self._problem("LK321", f"`{shown(node)}` is not a column", 'write name, or column(name, "Label")', node)
                return None
        label = cast("str", cast("ast.Constant", node.args[1]).value) if isinstance(node, ast.Call) else label_of(name)
        if known and name not in known:
            self._problem("LK101", f'{row.name} has no column "{name}"', did_you_mean(name, known), node)
            return None
        return ColumnView(name=name, label=label, type=known.get(name, UNKNOWN))

    def _read(self, row: Type, names: list[str]) -> None:
        owner = f"query:{row.name}" if row.kind == "query" else row.name
        self.analyzer.reads.update((owner, name) for name in names)

    def _chart(self, component: Component, call: ast.Call, keywords: dict[str, ast.expr]) -> Component:
        value = self._value(call.args, call)
        row = self._row_type(value)
        known = self.analyzer.columns(row) or {}
        axes = [self._column(keywords[axis], row, known) if axis in keywords else None for axis in ("x", "y")]
        if (None in axes and "x" not in keywords) or "y" not in keywords:
            self._problem("LK321", "a chart needs x and y", "write chart(query(...), x=column, y=column)", call)
        self._read(row, [axis.name for axis in axes if axis])
        kind = self._text(keywords.get("kind")) or "bar"
        if kind not in {"bar", "line"}:
            self._problem("LK321", f'there is no chart of kind "{kind}"', did_you_mean(kind, ("bar", "line")), call)
        return replace(component, value=value, x=axes[0], y=axes[1], chart="line" if kind == "line" else "bar")

    def _details(self, component: Component, call: ast.Call, keywords: dict[str, ast.expr]) -> Component:
        value = self._value(call.args, call)
        row = self.analyzer.types.get(value, UNKNOWN) if value is not None else UNKNOWN
        known = self.analyzer.columns(row) or {}
        columns = self._columns(keywords.get("attributes"), row, known) or tuple(
            ColumnView(name=name, label=label_of(name), type=type_) for name, type_ in known.items()
        )
        self._read(row, [column.name for column in columns])
        return replace(component, value=value, columns=columns)

    def _page(self, node: ast.expr | None, component: Component) -> int | None:
        """Read `page=25`. The table's place in its rows is `<id>.start`, also in its own expression."""
        if node is None:
            return None
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value <= _MOST_ROWS:
            self.analyzer.names[component.id] = UNKNOWN
            return node.value
        self._problem("LK353", f"page is `{shown(node)}`", f"write a number of rows from 1 to {_MOST_ROWS}", node)
        return None
