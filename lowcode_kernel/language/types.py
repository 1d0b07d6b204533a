"""Types as cells write them (`Text(80)`, `Choice("a", "b") | None`, `many(Tag)`) into `lowcode_kernel.types.Type`."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.language.bodies import shown
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.types import SCALARS, Type

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

DEFAULT_NODES = (ast.Constant, ast.UnaryOp, ast.Call, ast.List, ast.Tuple)
_MAX_PRECISION = 1000  # PostgreSQL's limit for numeric


def type_of(node: ast.expr, place: Place) -> Type:
    """Return the type that an annotation means. A name that is no scalar is taken for an entity until the whole
    application is known.
    """
    match node:
        case ast.Name(id=name):
            return _named(name, place)
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return replace(type_of(left, place), optional=True)
        case ast.Call(func=ast.Name(id="many" | "list"), args=[inner], keywords=[]):
            return replace(type_of(inner, place), many=True)
        case ast.Subscript(value=ast.Name(id="many" | "list"), slice=inner):
            return replace(type_of(inner, place), many=True)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _with_arguments(name, arguments, place)
    raise _unreadable(shown(node), place)


def _unreadable(text: str, place: Place) -> LowcodeError:
    return LowcodeError.of(
        f'"{text}" is not a type',
        'write Text(80), Integer | None, Choice("a", "b"), or an entity',
        code="LK020",
        place=place,
    )


def _named(name: str, place: Place) -> Type:
    if name in SCALARS:
        if name == "Choice":
            raise LowcodeError.of("Choice has no choices", 'write Choice("a", "b")', code="LK020", place=place)
        return Type(name=name)
    if not name[:1].isupper():
        raise LowcodeError.of(
            f'"{name}" is not a type', did_you_mean(name.capitalize(), SCALARS), code="LK020", place=place
        )
    return Type(name=name, kind="entity")


def _with_arguments(name: str, arguments: list[ast.expr], place: Place) -> Type:
    values = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
    if len(values) != len(arguments):
        raise _unreadable(f"{name}({', '.join(map(shown, arguments))})", place)
    match name, values:
        case "Text", [int(length)] if length > 0:
            return Type(name="Text", length=length)
        case "Decimal", [int(precision)] if 0 < precision <= _MAX_PRECISION:
            return Type(name="Decimal", precision=precision, scale=0)
        case "Decimal", [int(precision), int(scale)] if 0 < precision <= _MAX_PRECISION and 0 <= scale <= precision:
            return Type(name="Decimal", precision=precision, scale=scale)
        case "Choice", [str(), *_] if all(isinstance(value, str) for value in values):
            return Type(name="Choice", choices=tuple(map(str, values)))
    if name in SCALARS:
        raise _unreadable(f"{name}({', '.join(map(repr, values))})", place)
    raise LowcodeError.of(f'"{name}" is not a type', did_you_mean(name, SCALARS), code="LK020", place=place)
