"""Row rules: the condition `rows=` of an entity's access, compiled into SQL so that a row the user may not see never
leaves the database.

rows=written_by == user.id or Supervisor in user.roles      ->      $3 OR (written_by = $4 OR 'Supervisor' = ANY($5))
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.identifiers import quoted
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Entity

RuleParameter = Literal["unrestricted", "user_id", "user_roles"]
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_CASTS = {"unrestricted": "boolean", "user_id": "bigint", "user_roles": "text[]"}


def compile_rule(entity: Entity | None, app: Application, parameters: list[RuleParameter], first: int | None) -> str:
    """Return the SQL condition of an entity's row rule, or "". Parameters it needs are appended to `parameters`; the
    first is `$first+1`.

    Where `first` is None they are written by name, `:user_id`.

    Raises LowcodeError where the rule uses what a rule can't say.
    """
    if entity is None or entity.access is None or entity.access.rows is None:
        return ""
    rule = _Rule(entity, app, parameters, first)
    everything = rule.parameter("unrestricted")  # jobs act for nobody, and see all rows
    return f"{everything} OR {rule.sql(ast.parse(entity.access.rows, mode='eval').body)}"


class _Rule:
    def __init__(self, entity: Entity, app: Application, parameters: list[RuleParameter], first: int | None) -> None:
        self.entity, self.app, self.parameters, self.first = entity, app, parameters, first

    def sql(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(op=op, values=values):
                word = " AND " if isinstance(op, ast.And) else " OR "
                return "(" + word.join(self.sql(value) for value in values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"NOT ({self.sql(operand)})"
            case ast.Compare(left=ast.Name(id=role), ops=[ast.In() | ast.NotIn() as op], comparators=[roles]) if (
                self._is_roles(roles)
            ):
                text = f"{_literal(self._role(role))} = ANY({self.parameter('user_roles')})"
                return text if isinstance(op, ast.In) else f"NOT ({text})"
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]):
                return f"{self.sql(left)} IS {'NOT ' if isinstance(op, ast.IsNot) else ''}NULL"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return f"{self.sql(left)} {_COMPARE[type(op)]} {self.sql(right)}"
        return self._value(node)

    def _value(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name) if name in self._columns():
                return quoted(name)
            case ast.Name(id="user") | ast.Attribute(value=ast.Name(id="user"), attr="id"):
                return self.parameter("user_id")
            case ast.Constant(value=bool(value)):
                return "TRUE" if value else "FALSE"
            case ast.Constant(value=int(number)):
                return str(number)
            case ast.Constant(value=str(text)):
                return _literal(text)
        hint = (
            did_you_mean(node.id, self._columns())
            if isinstance(node, ast.Name)
            else "compare attributes with user.id, constants, or say Role in user.roles"
        )
        raise self._error(f"the row rule can't use `{ast.unparse(node)}`", hint)

    def _columns(self) -> Sequence[str]:
        names = [attribute.name for attribute in self.entity.attributes if not attribute.type.many]
        return [*names, "id"] if self.entity.key == ("id",) else names

    def _is_roles(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) == ("user", "roles")
        )

    def _role(self, name: str) -> str:
        if name not in self.app.roles:
            raise self._error(f'there is no role "{name}"', did_you_mean(name, self.app.roles))
        return name

    def parameter(self, name: RuleParameter) -> str:
        """Return the place of a parameter, cast to its type."""
        if name not in self.parameters:
            self.parameters.append(name)
        place = f":{name}" if self.first is None else f"${self.first + self.parameters.index(name) + 1}"
        return f"{place}::{_CASTS[name]}"

    def _error(self, fact: str, hint: str) -> LowcodeError:
        place = self.entity.access.place if self.entity.access else self.entity.place
        return LowcodeError.of(f"entity {self.entity.name}: {fact}", hint, code="LK105", place=place)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def roles_of_rule(entity: Entity) -> list[str]:
    """Return the names of roles that an entity's row rule asks for (`Supervisor in user.roles`)."""
    if entity.access is None or entity.access.rows is None:
        return []
    tree = ast.parse(entity.access.rows, mode="eval")
    compares = [
        node for node in ast.walk(tree) if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn)
    ]
    return sorted({node.left.id for node in compares if isinstance(node.left, ast.Name)})
