"""The types that a body itself writes down: of a local function's parameters, and of names (`totals: dict[Text,
Decimal] = {}`).
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.language.types import type_of
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.types import DURATION, NONE, SCALARS, Type, dict_type, list_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.places import Place


def annotated(node: ast.expr, app: Application, place: Place) -> Type:
    """Return the type that an annotation means in a body, where an entity is its loaded row; raises LowcodeError.

    list[Order], set[Text], dict[Text, Decimal], Duration and the names of queries (a row) are types here too.
    """
    match node:
        case ast.Constant(value=None):
            return NONE
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return annotated(left, app, place).maybe()
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return dict_type(annotated(key, app, place), annotated(value, app, place))
        case ast.Subscript(value=ast.Name(id="list" | "set" | "many"), slice=inner):
            return list_of(annotated(inner, app, place))
        case ast.Call(func=ast.Name(id="many" | "list"), args=[inner], keywords=[]):
            return list_of(annotated(inner, app, place))
        case ast.Name(id="Duration"):
            return DURATION
        case ast.Name(id=name) if name in app.queries:
            return Type(name=name, kind="query")
    return _linked(type_of(node, place), app, place)


def _linked(type_: Type, app: Application, place: Place) -> Type:
    if type_.kind != "entity":
        return type_
    if type_.name in app.entities or type_.name == "User":
        return replace(type_, loaded=True)
    if type_.name in app.structs:
        return replace(type_, kind="struct")
    known = [*app.entities, *app.structs, *SCALARS, "Duration"]
    fact = f'there is no type "{type_.name}"'
    raise LowcodeError.of(fact, did_you_mean(type_.name, known), code="LK101", place=place)
