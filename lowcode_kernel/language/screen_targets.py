"""The parts of a screen that lead on: links to screens, buttons and forms for actions, and where each goes when done.

button("Delete", delete_customer, customer=customer, confirm="Sure?", then=link(customers))
form("Save", update_customer, customer=customer, values=customer, then=link(customer, customer=result.id))
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.language.bodies import shown
from lowcode_kernel.language.screen_model import Component, RowLink, Then
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import UNKNOWN, Type, accepts, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.elements import Action, Parameter

_OPTIONS = {"button": ("ask", "confirm", "then"), "form": ("values", "then")}


class TargetReader:
    """Reads what leads on from one screen; what it finds goes into the screen's analyzer."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.analyzer, self.app = analyzer, analyzer.app

    def _problem(self, code: str, fact: str, hint: str, node: ast.AST) -> None:
        self.analyzer.problem(code, fact, hint, node)

    # screens

    def check_screen(self, name: str, given: Iterable[str], node: ast.AST) -> None:
        """Report a screen that is not there, or is not given what it needs."""
        screen, names = self.app.screens.get(name), set(given)
        if screen is None:
            self._problem("LK101", f'there is no screen "{name}"', did_you_mean(name, self.app.screens), node)
            return
        self.analyzer.uses.add(screen.id)
        known = {parameter.name for parameter in screen.parameters}
        for extra in sorted(names - known):
            self._problem("LK308", f'screen {name} has no parameter "{extra}"', did_you_mean(extra, known), node)
        for missing in sorted(known - names):
            self._problem("LK308", f"screen {name} needs {missing}", f"write {missing}=...", node)

    def row_link(self, node: ast.expr | None, row: Type, known: dict[str, Type]) -> RowLink | None:
        """Read a table's `row=link(screen, parameter=row.column)`."""
        match node:
            case None:
                return None
            case ast.Call(func=ast.Name(id="link"), args=[ast.Name(id=screen)], keywords=keywords):
                arguments = [(keyword.arg or "", self._row_column(keyword.value, row, known)) for keyword in keywords]
                self.check_screen(screen, [name for name, _ in arguments], node)
                return RowLink(screen=screen, arguments=tuple((name, column) for name, column in arguments if column))
        self._problem("LK321", f"`{shown(node)}` is not a link", "write row=link(screen, parameter=row.column)", node)
        return None

    def _row_column(self, node: ast.expr, row: Type, known: dict[str, Type]) -> str:
        match node:
            case ast.Attribute(value=ast.Name(id="row"), attr=name):
                self._check_column(name, row, known, node)
                return name
        self._problem("LK321", f"`{shown(node)}` is not a column of the row", "write row.column", node)
        return ""

    def _check_column(self, name: str, row: Type, known: dict[str, Type], node: ast.AST) -> None:
        if known and name not in known:
            self._problem("LK101", f'{row.name} has no column "{name}"', did_you_mean(name, known), node)
        owner = f"query:{row.name}" if row.kind == "query" else row.name
        self.analyzer.reads.add((owner, name))

    def link(self, component: Component, rest: list[ast.expr], call: ast.Call) -> Component:
        """Read `link("Label", screen, argument=...)`."""
        target, keywords = _target(rest), _keywords(call)
        self.check_screen(target, keywords, call)
        return replace(component, screen=target, arguments=self._arguments(keywords))

    def _arguments(self, keywords: dict[str, ast.expr]) -> tuple[tuple[str, ast.expr], ...]:
        for value in keywords.values():
            self.analyzer.expression(value)
        return tuple(keywords.items())

    # actions

    def button(self, component: Component, rest: list[ast.expr], call: ast.Call) -> Component:
        """Read `button("Label", action, argument=..., ask=[parameter], confirm="...", then=link(...))`."""
        keywords, options = self._split("button", call)
        action = self._action(_target(rest), call)
        if action is None:
            return component
        confirm = self._text(options.get("confirm"))
        asked = self._asked(options.get("ask"), action)
        given = self._given(action, keywords)
        self._check_needed(action, {*given, *(item.name for item in asked)}, call)
        return replace(
            component,
            action=action.name,
            arguments=self._arguments(given),
            ask=asked,
            confirm=confirm,
            then=self._then(options.get("then"), action),
        )

    def form(self, component: Component, rest: list[ast.expr], call: ast.Call) -> Component:
        """Read `form("Label", action, argument=..., values=row, then=link(...))`: a field for each parameter that is
        not given.
        """
        keywords, options = self._split("form", call)
        action = self._action(_target(rest), call)
        if action is None:
            return component
        given = self._given(action, keywords)
        fields = tuple(item for item in action.parameters if item.name not in given)
        if not fields:
            hint = f'write button("{component.label}", {action.name}, ...)'
            self._problem("LK350", f"the form of {action.name} has no field: all is given", hint, call)
        values = options.get("values")
        return replace(
            component,
            action=action.name,
            arguments=self._arguments(given),
            ask=fields,
            values=values,
            filled=self._filled(values, fields),
            then=self._then(options.get("then"), action),
        )

    def _split(self, kind: str, call: ast.Call) -> tuple[dict[str, ast.expr], dict[str, ast.expr]]:
        """Split keywords into the action's arguments and the component's own options."""
        keywords = _keywords(call)
        return keywords, {name: keywords.pop(name) for name in _OPTIONS[kind] if name in keywords}

    def _action(self, name: str, call: ast.Call) -> Action | None:
        action = self.app.actions.get(name)
        if action is None:
            self._problem("LK101", f'there is no action "{name}"', did_you_mean(name, self.app.actions), call)
            return None
        self.analyzer.uses.add(action.id)
        return action

    def _given(self, action: Action, keywords: dict[str, ast.expr]) -> dict[str, ast.expr]:
        by_name = {parameter.name for parameter in action.parameters}
        for name in [key for key in keywords if key not in by_name]:
            hint = did_you_mean(name, by_name)
            self._problem("LK308", f'action {action.name} has no parameter "{name}"', hint, keywords[name])
        return {name: value for name, value in keywords.items() if name in by_name}

    def _check_needed(self, action: Action, given: set[str], call: ast.Call) -> None:
        for item in action.parameters:
            if item.name not in given and item.default is None and not item.type.optional:
                hint = f"write {item.name}=... or ask=[{item.name}]"
                self._problem("LK308", f"action {action.name} needs {item.name}", hint, call)

    def _asked(self, node: ast.expr | None, action: Action) -> tuple[Parameter, ...]:
        known = {parameter.name: parameter for parameter in action.parameters}
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        names = [item.id for item in items if isinstance(item, ast.Name)]
        if node is not None and (not items or len(names) != len(items)):
            self._problem("LK321", f"`{shown(node)}` does not name parameters", "write ask=[parameter, other]", node)
        for name in [name for name in names if name not in known]:
            self._problem(
                "LK308",
                f'action {action.name} has no parameter "{name}"',
                did_you_mean(name, known),
                node or ast.Pass(),
            )
        return tuple(known[name] for name in names if name in known)

    def _text(self, node: ast.expr | None) -> str | None:
        if node is None:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        self._problem("LK321", f"`{shown(node)}` is not a text", "write it in quotation marks", node)
        return None

    def _filled(self, node: ast.expr | None, fields: tuple[Parameter, ...]) -> tuple[str, ...]:
        """Return the fields that the row `values` fills: those that it has an attribute for."""
        if node is None:
            return ()
        row = self.analyzer.expression(node)
        known = self.analyzer.columns(row)
        if known is None or row.many:
            if row is not UNKNOWN:
                self._problem("LK351", f"`{shown(node)}` is not a row", "write values=row", node)
            return ()
        for field in fields:
            self._check_filled(field, row, known, node)
        owner = f"query:{row.name}" if row.kind == "query" else row.name
        found = tuple(field.name for field in fields if field.name in known)
        self.analyzer.reads.update((owner, name) for name in found)
        if not found and fields:
            hint = f"the form asks for {', '.join(field.name for field in fields)}"
            self._problem("LK351", f"no attribute of {row.name} fills a field of the form", hint, node)
        return found

    def _check_filled(self, field: Parameter, row: Type, known: dict[str, Type], node: ast.expr) -> None:
        found = known.get(field.name)
        if found and "entity" not in {found.kind, field.type.kind} and not accepts(field.type.maybe(), found):
            fact = f"{row.name}.{field.name} is {found}, and the form's {field.name} is {field.type}"
            self._problem("LK309", fact, "", node)

    # what comes after

    def _then(self, node: ast.expr | None, action: Action) -> Then | None:
        """Read `then=link(screen, parameter=result.attribute, other=...)`."""
        match node:
            case None:
                return None
            case ast.Call(func=ast.Name(id="link"), args=[ast.Name(id=screen)], keywords=keywords):
                self.check_screen(screen, [keyword.arg or "" for keyword in keywords], node)
                result, given = [], []
                for keyword in keywords:
                    column = self._result(keyword.value, action)
                    if column is None:
                        self.analyzer.expression(keyword.value)
                        given.append((keyword.arg or "", keyword.value))
                    else:
                        result.append((keyword.arg or "", column))
                return Then(screen=screen, result=tuple(result), given=tuple(given))
        hint = "write then=link(screen, parameter=result.attribute)"
        self._problem("LK352", f"`{shown(node)}` does not say where to go", hint, node)
        return None

    def _result(self, node: ast.expr, action: Action) -> str | None:
        """Return which part of the action's result an argument is: an attribute, or "" for all of it."""
        match node:
            case ast.Name(id="result"):
                name = ""
            case ast.Attribute(value=ast.Name(id="result"), attr=name):
                pass
            case _:
                return None
        returns = action.returns
        if returns is None:
            self._problem("LK352", f"action {action.name} returns nothing", "", node)
        elif name:
            row = entity_type(returns.name, loaded=True) if returns.kind == "entity" else returns
            known = self.analyzer.columns(row) or {}
            if name not in known:
                fact = f'what {action.name} returns, {returns}, has no attribute "{name}"'
                self._problem("LK101", fact, did_you_mean(name, known), node)
            else:
                self.analyzer.reads.add((f"query:{row.name}" if row.kind == "query" else row.name, name))
        return name


def _target(rest: list[ast.expr]) -> str:
    return rest[0].id if rest and isinstance(rest[0], ast.Name) else ""


def _keywords(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg or "": keyword.value for keyword in call.keywords}
