"""The parts of a filter as conditions of a statement: what stands in its text, and what is given to it."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, cast

from lowcode_kernel.generators.passes.derived_queries import Condition
from lowcode_kernel.types import TEXTUAL

if TYPE_CHECKING:
    from lowcode_kernel.types import Type


def conjuncts(test: ast.expr) -> list[ast.expr]:
    """Return the parts of a condition that all have to hold; `a < b < c` is `a < b and b < c` where b is a name."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return [part for value in values for part in conjuncts(value)]
    return [test]


def conjunction(parts: list[ast.expr]) -> ast.expr:
    """Return the condition that all parts hold."""
    return parts[0] if len(parts) == 1 else ast.BoolOp(op=ast.And(), values=parts)


def membership(column: str, type_: Type, operator: str, value: ast.expr) -> Condition | str:
    """Return `column in [1, 2]` as a condition, or why it is none."""
    items = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else []
    constants = tuple(item.value for item in items if isinstance(item, ast.Constant))
    wanted = str if type_.name in TEXTUAL else int if type_.name == "Integer" else None
    plain = wanted is not None and bool(items) and len(constants) == len(items)
    if not plain or type_.kind != "scalar" or not all(_is_literal(item, wanted) for item in constants):
        return f"`{ast.unparse(value)}` is no list of plain values"
    if operator == "not in" and type_.optional:
        return f"{column} may be None, which SQL finds neither in a list nor outside of it"
    return Condition(column=column, operator=operator, value=value, constants=constants)


def _is_literal(value: object, wanted: type | None) -> bool:
    """Say whether a value can stand in the text of a statement as it is."""
    if wanted is None or not isinstance(value, wanted) or isinstance(value, bool):
        return False
    return abs(value) < 2**63 if isinstance(value, int) else not set("\0\\:%") & set(str(value))


def constants_of(value: ast.expr, type_: Type) -> tuple[object, ...]:
    """Return the value of a literal that can stand in the statement's text."""
    if not isinstance(value, ast.Constant):
        return ()
    found = value.value
    if isinstance(found, bool):
        return (found,)
    plain = (isinstance(found, float) and math.isfinite(found)) or _is_literal(
        found, str if isinstance(found, str) else int
    )
    return (found,) if plain and type_.kind == "scalar" else ()


def given_value(condition: Condition) -> ast.expr:
    """Return the value that `Entity.list` takes for a condition."""
    match condition.operator:
        case "null":
            return ast.Constant(value=None)
        case "true" | "false" as word:
            return ast.Constant(value=word == "true")
    return cast("ast.expr", condition.value)
