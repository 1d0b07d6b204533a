"""What the operators of a body give: arithmetic with numbers, texts, dates and durations, and comparison."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.body_scope import joined
from lowcode_kernel.language.bodies import shown
from lowcode_kernel.types import (
    BOOLEAN,
    DATE,
    DECIMAL,
    DURATION,
    INTEGER,
    NUMERIC,
    TEXT,
    TEXTUAL,
    UNKNOWN,
    Type,
    accepts,
)

if TYPE_CHECKING:
    from lowcode_kernel.bodies import Analyzer

_DATES = frozenset({"Date", "DateTime"})
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_SETS = (ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)


_DURATIONS: dict[tuple[type[ast.operator], str, str], Type] = {
    (ast.Add, "date", "Duration"): DATE,
    (ast.Add, "Duration", "date"): DATE,
    (ast.Sub, "date", "Duration"): DATE,
    (ast.Add, "Duration", "Duration"): DURATION,
    (ast.Sub, "Duration", "Duration"): DURATION,
    (ast.Mult, "Duration", "Integer"): DURATION,
    (ast.Mult, "Integer", "Duration"): DURATION,
    (ast.Div, "Duration", "Integer"): DURATION,
    (ast.FloorDiv, "Duration", "Integer"): DURATION,
    (ast.Mod, "Duration", "Duration"): DURATION,
    (ast.Div, "Duration", "Duration"): UNKNOWN,
    (ast.FloorDiv, "Duration", "Duration"): INTEGER,
}
"""What dates (DATE: whichever it is) and durations give."""


class OperatorReader:
    """Types the operators of one body, and reports what can't be computed."""

    def __init__(self, body: Analyzer) -> None:
        self.body = body

    def binary(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        """Return the type of `left op right`, and report what can't be computed."""
        for type_, part in zip((left, right), _operands(node), strict=False):
            self.body.expression_reader.check_there(type_, part, "used")
        if left.many or right.many:
            return self._listed(op, left, right)
        if left.kind == right.kind == "scalar":
            return self._scalars(op, left.required(), right.required(), node)
        return UNKNOWN if "unknown" in (left.kind, right.kind) else left

    def _listed(self, op: ast.operator, left: Type, right: Type) -> Type:
        if isinstance(op, ast.Add) and left.many and right.many:
            return joined(left, right)
        if isinstance(op, _SETS) or (isinstance(op, ast.Mult) and left.many):
            return left
        return right if isinstance(op, ast.Mult) else UNKNOWN

    def _scalars(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        names = {left.name, right.name}
        if names <= NUMERIC | {"Boolean"}:
            return DECIMAL if "Decimal" in names or isinstance(op, ast.Div) else INTEGER
        if names & {*_DATES, "Duration"}:
            return self._dates(op, left, right, node)
        if left.name in TEXTUAL and isinstance(op, ast.Mod):
            return TEXT
        if names & TEXTUAL and isinstance(op, ast.Add | ast.Sub | ast.Div):
            if names <= TEXTUAL and isinstance(op, ast.Add):
                return TEXT
            hint = 'write f"{...}"' if isinstance(op, ast.Add) else ""
            return self._refuse(op, left, right, node, hint)
        return TEXT if names & TEXTUAL and isinstance(op, ast.Mult) else left

    def _dates(self, op: ast.operator, left: Type, right: Type, node: ast.AST) -> Type:
        if isinstance(op, ast.Sub) and left.name == right.name and left.name in _DATES:
            return DURATION
        found = _DURATIONS.get((type(op), _word(left), _word(right)))
        if found is not None:
            return Type(name=_date(left, right)) if found == DATE else found
        is_days = {left.name, right.name} & _DATES and {left.name, right.name} & NUMERIC
        return self._refuse(op, left, right, node, "write timedelta(days=...)" if is_days else "")

    def _refuse(self, op: ast.operator, left: Type, right: Type, node: ast.AST, hint: str) -> Type:
        word = {ast.Add: "adds", ast.Sub: "subtracts"}.get(type(op), "computes with")
        pair = (right, left) if isinstance(op, ast.Sub) else (left, right)
        joint = "from" if isinstance(op, ast.Sub) else "and"
        self.body.problem("LK305", f"`{shown(node)}` {word} {pair[0]} {joint} {pair[1]}", hint, node)
        return UNKNOWN

    # comparison

    def compare(self, node: ast.Compare) -> Type:
        """Return the type of a comparison, and report what can't be compared or is always the same."""
        left_node, left = node.left, self.body.expression(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.body.expression(right_node)
            if isinstance(op, (ast.Eq, ast.NotEq, *_ORDERED)):
                self._check_comparable(left, right, node)
            if isinstance(op, _ORDERED):
                self.body.expression_reader.check_there(left, left_node, "compared")
                self.body.expression_reader.check_there(right, right_node, "compared")
            self._check_constant(op, (left_node, left), (right_node, right), node)
            left_node, left = right_node, right
        return BOOLEAN

    def _check_comparable(self, left: Type, right: Type, node: ast.expr) -> None:
        known = {"scalar", "entity"}
        if left.kind not in known or right.kind not in known or left.many or right.many:
            return
        if left.kind == "entity" and right.kind == "entity" and left.name != right.name:
            fact = f"`{shown(node)}` compares {left.name} with {right.name}"
            self.body.problem("LK305", fact, "compare values of one entity", node)
        elif left.kind == right.kind == "scalar" and not (
            accepts(left.required(), right.required()) or accepts(right.required(), left.required())
        ):
            fact = f"`{shown(node)}` compares {left.required()} with {right.required()}"
            self.body.problem("LK305", fact, "convert one of them", node)

    def _check_constant(
        self, op: ast.cmpop, left: tuple[ast.expr, Type], right: tuple[ast.expr, Type], node: ast.expr
    ) -> None:
        """Report what is always true or always false."""
        if isinstance(op, ast.Is | ast.IsNot) and right[1].kind == "none":
            if left[1].kind != "unknown" and left[1].kind != "none" and not left[1].optional:
                self._tell(op, f"{shown(left[0])} is {left[1]}, which is never None", node)
        elif isinstance(op, ast.Eq | ast.NotEq):
            for (_, type_), (value, _) in ((left, right), (right, left)):
                is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
                if type_.choices and is_text and value.value not in type_.choices:  # type: ignore[attr-defined]
                    self._tell(op, f"{type_.required()} has no choice {shown(value)}", node)

    def _tell(self, op: ast.cmpop, reason: str, node: ast.expr) -> None:
        always = "true" if isinstance(op, ast.IsNot | ast.NotEq) else "false"
        hint = "remove the test, or compare with something else"
        self.body.problem("LK336", f"`{shown(node)}` is always {always}: {reason}", hint, node, "warning")


def _word(type_: Type) -> str:
    return "date" if type_.name in _DATES else type_.name


def _date(left: Type, right: Type) -> str:
    return left.name if left.name in _DATES else right.name


def _operands(node: ast.AST) -> tuple[ast.expr, ...]:
    match node:
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            return (left, right)
    return ()
