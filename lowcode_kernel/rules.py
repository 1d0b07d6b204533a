"""Row rules: the condition `rows=` of an entity's access, compiled into SQL so that a row the user may not see never
leaves the database.

rows=written_by == user.id or Supervisor in user.roles      ->      $3 OR (written_by = $4 OR 'Supervisor' = ANY($5))
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.identifiers import quoted
from lowcode_kernel.keys import key_of
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.row_expressions import compiled, row_of
from lowcode_kernel.row_functions import Compiled
from lowcode_kernel.types import BOOLEAN, INTEGER, entity_type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.problems import Problem

RuleParameter = Literal["unrestricted", "user_id", "user_roles"]
_HINT = "compare attributes with user.id, constants, or say Role in user.roles"
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
    """Reads what a row rule knows besides the attributes of the row: who asks."""

    def __init__(self, entity: Entity, app: Application, parameters: list[RuleParameter], first: int | None) -> None:
        self.entity, self.app, self.parameters, self.first = entity, app, parameters, first

    def sql(self, node: ast.expr) -> str:
        """Return the condition; raises LowcodeError."""
        row = row_of(self.entity, lambda name: key_of(name, self.app), clock=True)
        row = replace(row, column=quoted, text=_literal, special=self._special)
        try:
            found = compiled(node, row)
        except LowcodeError as error:
            problems = [self._problem(problem) for problem in error.problems]
            raise LowcodeError(*problems) from None
        if found.type.name not in {"Boolean", "unknown"}:
            raise self._error(f"`{ast.unparse(node)}` is {found.type}, not a condition", "compare it with something")
        return found.sql

    def _special(self, node: ast.expr) -> Compiled | None:
        match node:
            case ast.Compare(left=ast.Name(id=role), ops=[ast.In() | ast.NotIn() as op], comparators=[roles]) if (
                self._is_roles(roles)
            ):
                text = f"{_literal(self._role(role))} = ANY({self.parameter('user_roles')})"
                return Compiled(text if isinstance(op, ast.In) else f"NOT ({text})", BOOLEAN)
            case ast.Name(id="user"):
                return Compiled(self.parameter("user_id"), entity_type("User", loaded=True))
            case ast.Attribute(value=ast.Name(id="user"), attr="id"):
                return Compiled(self.parameter("user_id"), INTEGER)
            case ast.Attribute(value=ast.Name(id="user")):
                raise self._error(f"the row rule can't use `{ast.unparse(node)}`", _HINT)
        return None

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

    def _problem(self, problem: Problem) -> Problem:
        if problem.code == "LK105":
            return problem
        (told,) = self._error(f"the row rule can't be used: {problem.fact}", problem.hint or _HINT).problems
        return told

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
