"""What the Python of an action, a job, a test or a screen means: every name resolved, every expression typed, every
call known.

Nothing is executed. The generator turns the same tree into the service's code with the help of `types` and `calls`;
the graph and the optimizer read
`uses`, `reads` and `writes`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.body_calls import Call, CallReader
from lowcode_kernel.body_expressions import ExpressionReader, item_type
from lowcode_kernel.language.bodies import documentation, parse_body, place_of
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.types import (
    NONE,
    TEXT,
    UNKNOWN,
    Type,
    entity_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyAnalysis:
    """The meaning of one body. `types` and `calls` are keyed by the identity of the tree's nodes.

    `reads` has (entity, attribute) and (`query:name`, result column); `writes` has (entity, attribute). `uses` is the
    ids of all elements it names.
    """

    tree: ast.Module
    types: dict[ast.expr, Type]
    calls: dict[ast.Call, Call]
    uses: frozenset[str]
    reads: frozenset[tuple[str, str]]
    writes: frozenset[tuple[str, str]]
    returns: tuple[Type, ...] = ()
    problems: tuple[Problem, ...] = ()


def analyze_body(
    body: str,
    place: Place,
    app: Application,
    *,
    parameters: Iterable[Parameter] = (),
    element: str = "",
    asserting: bool = False,
) -> BodyAnalysis:
    """Analyze a body against the application. Parameters of an entity's type hold its loaded row. Never raises for
    what the author wrote.
    """
    analyzer = Analyzer(app, place, element, parameters, asserting=asserting)
    try:
        _, statements = documentation(parse_body(body, place))
    except LowcodeError as error:
        analyzer.problems.extend(error.problems)
        statements = []
    try:
        analyzer.statements(statements)
    except RecursionError:
        analyzer.problem("LK010", "the Python is nested too deeply", "split it into steps", None)
    return analyzer.result(ast.Module(body=statements, type_ignores=[]))


class Analyzer:
    """Walks statements in order with the types of the names that hold a value so far. Screens use its `expression` for
    each of their parts.
    """

    def __init__(
        self,
        app: Application,
        place: Place,
        element: str,
        parameters: Iterable[Parameter] = (),
        *,
        asserting: bool = False,
    ) -> None:
        self.app, self.place, self.element, self.asserting = app, place, element, asserting
        self.names: dict[str, Type] = {parameter.name: loaded(parameter.type) for parameter in parameters}
        self.types: dict[ast.expr, Type] = {}
        self.calls: dict[ast.Call, Call] = {}
        self.uses: set[str] = set()
        self.reads: set[tuple[str, str]] = set()
        self.writes: set[tuple[str, str]] = set()
        self.returns: list[Type] = []
        self.problems: list[Problem] = []
        self.call_reader = CallReader(self)
        self.expression_reader = ExpressionReader(self)

    def result(self, tree: ast.Module) -> BodyAnalysis:
        """Return what was found."""
        return BodyAnalysis(
            tree=tree,
            types=self.types,
            calls=self.calls,
            uses=frozenset(self.uses),
            reads=frozenset(self.reads),
            writes=frozenset(self.writes),
            returns=tuple(self.returns),
            problems=tuple(self.problems),
        )

    def problem(self, code: str, fact: str, hint: str, node: ast.AST | None) -> None:
        """Report a problem at a node."""
        where = place_of(node, self.place) if node is not None else self.place
        subject = f"{self.element.replace(':', ' ', 1)}: " if self.element else ""
        self.problems.append(
            Problem(code=code, fact=subject + fact, hint=hint, place=where, element=self.element or None)
        )

    def expression(self, node: ast.expr) -> Type:
        """Analyze an expression and return its type."""
        return self.expression_reader.read(node)

    def columns(self, owner: Type) -> dict[str, Type] | None:
        """Return what a value of this type has by name, or None where it has nothing."""
        return self.expression_reader.columns(owner)

    def statements(self, statements: Iterable[ast.stmt]) -> None:
        """Analyze statements in order."""
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                type_ = self.expression(value)
                for target in targets:
                    self.assign(target, type_)
            case ast.AugAssign(target=target, op=op, value=value):
                self.assign(
                    target,
                    self.expression_reader.binary(op, self.expression(_as_load(target)), self.expression(value), node),
                )
            case ast.Expr(value=value):
                self.expression(value)
            case ast.Return(value=value):
                self.returns.append(self.expression(value) if value else NONE)
            case ast.Assert(test=test) if self.asserting:
                self.expression(test)
            case ast.Pass() | ast.Break() | ast.Continue():
                pass
            case _:
                self._block(node)

    def _block(self, node: ast.stmt) -> None:
        match node:
            case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.statements([*body, *orelse])
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self.assign(target, item_type(self.expression(iterable)))
                self.statements([*body, *orelse])
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=[]) if all(
                _catches_refused(item) for item in handlers
            ):
                self.statements(body)
                for handler in handlers:
                    if handler.name:
                        self.names[handler.name] = TEXT
                    self.statements(handler.body)
                self.statements(orelse)
            case ast.Raise():
                self.problem("LK301", "raise has no meaning here", 'write require(condition, "message")', node)
            case ast.Assert():
                self.problem("LK301", "assert belongs in a %%test", 'write require(condition, "message")', node)
            case _:
                word = ast.unparse(node).split(None, 1)[0]
                self.problem(
                    "LK301",
                    f"`{word}` has no meaning here",
                    "bodies have assignments, if, for, while, try/except Refused and return",
                    node,
                )

    def assign(self, target: ast.expr, type_: Type) -> None:
        """Give a target's names a type, and report what can't be assigned."""
        match target:
            case ast.Name(id=name):
                if name in self.app.by_id or self._is_element(name):
                    self.problem(
                        "LK302", f'"{name}" names an element of the application', "choose another name", target
                    )
                self.names[name] = type_
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self.assign(element, UNKNOWN)
            case ast.Attribute():
                owner = self.expression(target.value)
                what = owner.name if owner.kind == "entity" else ast.unparse(target.value)
                self.problem(
                    "LK303",
                    f"{ast.unparse(target)} can't be assigned",
                    f"write {what}.update({ast.unparse(target.value)}, {target.attr}=...)",
                    target,
                )
            case _:
                self.expression(_as_load(target))

    def _is_element(self, name: str) -> bool:
        return any(
            name in kind
            for kind in (
                self.app.entities,
                self.app.queries,
                self.app.actions,
                self.app.integrations,
                self.app.settings,
            )
        )


def loaded(type_: Type) -> Type:
    """Return the type that a parameter has inside of a body: an entity is its loaded row."""
    if type_.kind == "entity":
        return entity_type(type_.name, loaded=True, optional=type_.optional, many=type_.many)
    return type_


def _as_load(target: ast.expr) -> ast.expr:
    return (
        ast.Name(id=target.id, ctx=ast.Load(), lineno=target.lineno, col_offset=target.col_offset)
        if isinstance(target, ast.Name)
        else target
    )


def _catches_refused(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.type, ast.Name) and handler.type.id == "Refused"
