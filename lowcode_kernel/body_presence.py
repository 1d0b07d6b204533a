"""What a condition tells about None: which values are there where it holds, and which where it doesn't.

if flight.plane is not None:        flight.plane is there below
if plane is None: return            plane is there behind
"""

from __future__ import annotations

import ast

Found = tuple[frozenset[str], frozenset[str]]
_NONE: frozenset[str] = frozenset()
_NEITHER: Found = (_NONE, _NONE)


def path_of(node: ast.expr) -> str | None:
    """Return `flight.plane` for a name with attributes; None for what may be another value each time."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def found_present(test: ast.expr) -> Found:
    """Return the paths that are not None where a condition holds, and those where it doesn't."""
    match test:
        case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return _only(left), _NONE
        case ast.Compare(left=left, ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return _NONE, _only(left)
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=value)]) if value is not None:
            return _only(left), _NONE
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            holds, fails = found_present(operand)
            return fails, holds
        case ast.BoolOp(op=op, values=values):
            parts = [found_present(value) for value in values]
            all_hold = _NONE.union(*(holds for holds, _ in parts))
            all_fail = _NONE.union(*(fails for _, fails in parts))
            return (all_hold, _NONE) if isinstance(op, ast.And) else (_NONE, all_fail)
        case ast.Name() | ast.Attribute():
            return _only(test), _NONE
    return _NEITHER


def _only(node: ast.expr) -> frozenset[str]:
    path = path_of(node)
    return frozenset({path}) if path else _NONE
