"""The forms of a query's call, and reads in one statement.

open_orders.exists(customer=c)      Boolean
open_orders.count(customer=c)       Integer
open_orders.first(customer=c)       a row or None
open_orders.top(5, customer=c)      at most five rows
open_orders.page(20, 10, customer=c)
open_orders.batch(customer=[...])   a list of rows for each customer
a, b = together(open_orders(customer=c), Order.count())
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.language.bodies import shown
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import BOOLEAN, INTEGER, UNKNOWN, Type, accepts, tuple_type

if TYPE_CHECKING:
    from lowcode_kernel.body_calls import CallReader
    from lowcode_kernel.elements import Parameter, Query

FORMS: dict[str, tuple[str, ...]] = {
    "exists": (),
    "count": (),
    "first": (),
    "top": ("limit",),
    "page": ("start", "limit"),
    "batch": (),
}
"""The forms, with the integers that stand before the query's own arguments."""


def read_form(reader: CallReader, query: Query, form: str, node: ast.Call) -> Type:
    """Resolve `query.form(...)`, and return the type of what it gives."""
    from lowcode_kernel.body_calls import Call

    body = reader.body
    if form not in FORMS:
        body.problem("LK101", f'query {query.name} has no form "{form}"', did_you_mean(form, FORMS), node)
        return UNKNOWN
    leading = _leading(reader, query, form, node)
    if form == "batch":
        arguments = _batch_arguments(reader, query, node)
    else:
        rest = _without(node, len(leading))
        reader.bind("query", query.name, query.parameters, rest, form)
        arguments = body.calls.pop(rest).arguments
    body.calls[node] = Call(kind="query", name=query.name, node=node, method=form, arguments={**leading, **arguments})
    body.uses.add(query.id)
    return form_type(query, form)


def form_type(query: Query, form: str | None) -> Type:
    """Return the type of what a form of a query gives."""
    row = Type(name=query.name, kind="query")
    match form:
        case "exists":
            return BOOLEAN
        case "count":
            return INTEGER
        case "first":
            return row.maybe()
        case "batch":
            return replace(row, many=True, nested=True)
    return replace(row, many=True)


def _without(node: ast.Call, leading: int) -> ast.Call:
    """Return the call without its leading integers; problems are still told at its place."""
    rest = ast.Call(func=node.func, args=node.args[leading:], keywords=node.keywords)
    return ast.copy_location(rest, node) if leading else node


def _leading(reader: CallReader, query: Query, form: str, node: ast.Call) -> dict[str, ast.expr]:
    """Read the integers of `top` and `page`."""
    names = FORMS[form]
    label = f"{query.name}.{form}"
    if taken := [parameter.name for parameter in query.parameters if parameter.name in names]:
        reader.body.problem("LK210", f'{label} has a number "{taken[0]}" of its own', "rename the parameter", node)
    if len(node.args) < len(names):
        shape = ", ".join(names)
        reader.body.problem("LK308", f"{label} takes {shape} first", f"write {label}({shape}, ...)", node)
    given = dict(zip(names, node.args, strict=False))
    for name, value in given.items():
        found = reader.body.expression(value)
        if not accepts(INTEGER, found):
            reader.body.problem("LK309", f"{label}: {name} is Integer, not {found}", "", value)
    return given


def _batch_arguments(reader: CallReader, query: Query, node: ast.Call) -> dict[str, ast.expr]:
    """Give each argument of a batch its parameter: a list of what the parameter takes varies, the rest is shared."""
    body, label = reader.body, f"{query.name}.batch"
    by_name = {parameter.name: parameter for parameter in query.parameters}
    if node.args:
        body.problem("LK308", f"{label} takes named arguments", f"write {label}(parameter=[...])", node)
    arguments: dict[str, ast.expr] = {}
    varying = False
    for keyword in node.keywords:
        given = body.expression(keyword.value)
        if (parameter := by_name.get(keyword.arg or "")) is None:
            hint = did_you_mean(keyword.arg or "", by_name)
            body.problem("LK308", f'{label} has no parameter "{keyword.arg}"', hint, keyword.value)
            continue
        arguments[parameter.name] = keyword.value
        varying |= varies(parameter, given)
        target = replace(parameter.type, many=True, optional=False) if varies(parameter, given) else parameter.type
        if not _batch_fits(reader, target, given):
            body.problem("LK309", f"{label}: {parameter.name} is {target}, not {given}", "", keyword.value)
    if not varying:
        body.problem("LK211", f"no argument of {label} is a list", f"write {query.name}(...)", node)
    reader.check_missing(label, query.parameters, arguments, node)
    return arguments


def _batch_fits(reader: CallReader, target: Type, given: Type) -> bool:
    if target.many and given.many and not given.nested:
        target, given = replace(target, many=False), replace(given, many=False)
    return reader.fits(target.maybe(), replace(given, loaded=False))


def varies(parameter: Parameter, given: Type) -> bool:
    """Say whether an argument of a batch is a list of values for a parameter, one for each result."""
    return given.many and not given.nested and not parameter.type.many


def read_together(reader: CallReader, node: ast.Call) -> Type:
    """Resolve `together(read, read, ...)`: the type is that of a tuple of the parts' values."""
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.joined_reads import joinable

    body = reader.body
    types = [body.expression(argument) for argument in node.args]
    if len(node.args) < 2 or node.keywords:
        body.problem("LK212", "together takes two reads or more", "a, b = together(read(...), other(...))", node)
    for argument in node.args:
        part = body.calls.get(argument) if isinstance(argument, ast.Call) else None
        if part is None:
            hint = "reads are query(...) and its forms but batch, and Entity.get, find, list, count, exists"
            body.problem("LK212", f"`{shown(argument)}` is no read that together can join", hint, argument)
        elif reason := joinable(part, reader.app):
            text = shown(argument)
            body.problem("LK212", f"together can't join `{text}`: {reason}", "read it alone", argument)
    body.calls[node] = Call(kind="together", name="together", node=node)
    return tuple_type(*types)
