"""Passes that are wrong on purpose, each in a way that a real one could be: the harness has to catch every one."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.application import Application
from lowcode_kernel.elements import Action, Element, Query, Screen

if TYPE_CHECKING:
    from collections.abc import Callable


def _each(app: Application, change: Callable[[Element], Element]) -> Application:
    return Application.of(app.name, app.title, [change(element) for element in app.elements])


def forget_a_condition(app: Application) -> Application:
    """Drop the last condition of WHERE, as pushing a filter down could lose the one that is there."""

    def change(element: Element) -> Element:
        if not isinstance(element, Query):
            return element
        sql = re.sub(r" AND (?:t\.active|t\.score IS NOT NULL|t\.amount >= :least)", "", element.sql)
        return replace(element, sql=re.sub(r" WHERE (?:t\.active|t\.score IS NOT NULL)(?= |$)", "", sql))

    return _each(app, change)


def fetch_one_row(app: Application) -> Application:
    """Fetch the first row alone, also where more are used."""

    def change(element: Element) -> Element:
        plain = isinstance(element, Query) and "LIMIT" not in element.sql
        return replace(element, sql=f"{element.sql} LIMIT 1") if plain and isinstance(element, Query) else element

    return _each(app, change)


def lose_the_order(app: Application) -> Application:
    """Sort the other way round, as a subquery whose order is not kept might."""

    def change(element: Element) -> Element:
        if not isinstance(element, Query):
            return element
        return replace(element, sql=element.sql.replace("t.amount DESC, t.id", "t.amount, t.id DESC"))

    return _each(app, change)


def drop_a_write(app: Application) -> Application:
    """Remove writes whose result is not used."""
    return _each(app, lambda element: _without(element, {"create"}))


def drop_a_log(app: Application) -> Application:
    """Remove what only logs."""
    return _each(app, lambda element: _without(element, {"log"}))


def drop_a_lookup_that_raises(app: Application) -> Application:
    """Remove `Entity.get` whose row is not used, and with it the answer that there is no such row."""
    return _each(app, lambda element: _without(element, {"get"}))


def reuse_a_read_over_a_write(app: Application) -> Application:
    """Take the rows of an equal earlier call, though something was written between."""

    def change(element: Element) -> Element:
        if not isinstance(element, Action):
            return element
        tree, seen = ast.parse(element.body), dict[str, str]()
        for statement in tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=query)) as call) if (
                    query in app.queries
                ):
                    first = seen.setdefault(ast.unparse(call), name)
                    if first != name:
                        statement.value = ast.Name(id=first)
        return replace(element, body=ast.unparse(tree))

    return _each(app, change)


def count_the_wrong_way(app: Application) -> Application:
    """Take an emptiness test for its opposite."""

    def change(element: Element) -> Element:
        if not isinstance(element, Action | Screen):
            return element
        return replace(element, body=re.sub(r"if not (q\d)", r"if \1", element.body))

    return _each(app, change)


def open_an_action(app: Application) -> Application:
    """Forget who may run an action."""

    def change(element: Element) -> Element:
        return replace(element, roles=()) if isinstance(element, Action) else element

    return _each(app, change)


WRONG = (
    forget_a_condition,
    fetch_one_row,
    lose_the_order,
    drop_a_write,
    drop_a_log,
    drop_a_lookup_that_raises,
    reuse_a_read_over_a_write,
    count_the_wrong_way,
    open_an_action,
)


def _without(element: Element, calls: set[str]) -> Element:
    """Return an action without the statements that are nothing but such a call (or keep its result unused)."""
    if not isinstance(element, Action):
        return element

    class _Remover(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            return ast.Pass() if _called(node.value) in calls else node

        def visit_Assign(self, node: ast.Assign) -> ast.AST:
            name = node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""
            unused = len(re.findall(rf"\b{name}\b", element.body)) == 1
            return ast.Pass() if unused and _called(node.value) in calls else node

    return replace(element, body=ast.unparse(_Remover().visit(ast.parse(element.body))))


def _called(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""
