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
from lowcode_kernel.body_functions import FunctionReader, LocalFunction
from lowcode_kernel.body_imports import Import, ImportReader
from lowcode_kernel.body_scope import Scope
from lowcode_kernel.body_statements import StatementReader
from lowcode_kernel.body_types import annotated
from lowcode_kernel.language.bodies import documentation, parse_again, place_of, shown
from lowcode_kernel.problems import LowcodeError, Problem, Severity
from lowcode_kernel.types import Type, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.body_scope import Region
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyAnalysis:
    """The meaning of one body. `types` and `calls` are keyed by the identity of the tree's nodes.

    `functions` are its local functions by name; `ends` says that its end is reached, where it returns None.
    `reads` has (entity, attribute) and (`query:name`, result column); `writes` has (entity, attribute). `uses` is the
    ids of all elements it names.
    """

    tree: ast.Module
    types: dict[ast.expr, Type]
    calls: dict[ast.Call, Call]
    uses: frozenset[str]
    reads: frozenset[tuple[str, str]]
    writes: frozenset[tuple[str, str]]
    functions: dict[str, LocalFunction]
    imports: tuple[Import, ...] = ()
    returns: tuple[Type, ...] = ()
    ends: bool = True
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
        _, statements = documentation(parse_again(body, place))
    except LowcodeError as error:
        analyzer.problems.extend(error.problems)
        statements = []
    analyzer.read(statements)
    return analyzer.result(ast.Module(body=statements, type_ignores=[]))


class TooMuchError(Exception):
    """A body has so many problems that more of them help nobody."""


_MOST_PROBLEMS = 100


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
        self.scope = Scope({parameter.name: loaded(parameter.type) for parameter in parameters})
        self.declared: dict[str, Type] = {}
        self.types: dict[ast.expr, Type] = {}
        self.calls: dict[ast.Call, Call] = {}
        self.uses: set[str] = set()
        self.reads: set[tuple[str, str]] = set()
        self.writes: set[tuple[str, str]] = set()
        self.returns: list[Type] = []
        self.problems: list[Problem] = []
        self.reading = 0  # expressions so far
        self._assigned: dict[str, ast.AST] = {}
        self._named: set[str] = set()
        self.call_reader = CallReader(self)
        self.expression_reader = ExpressionReader(self)
        self.functions = FunctionReader(self)
        self.imports = ImportReader(self)
        self.statement_reader = StatementReader(self)
        for name in sorted(_TAKEN.intersection(self.names)):
            self.check_name(name, None)

    @property
    def names(self) -> dict[str, Type]:
        """What each name holds at this point."""
        return self.scope.names

    def result(self, tree: ast.Module) -> BodyAnalysis:
        """Return what was found."""
        return BodyAnalysis(
            tree=tree,
            types=self.types,
            calls=self.calls,
            uses=frozenset(self.uses),
            reads=frozenset(self.reads),
            writes=frozenset(self.writes),
            functions=self.functions.known,
            imports=tuple(self.imports.found),
            returns=tuple(self.returns),
            ends=self.scope.alive,
            problems=tuple(self.problems),
        )

    def _tell_unread(self) -> None:
        for name, node in self._assigned.items():
            if name not in self._named and not name.startswith("_"):
                self.problem("LK335", f"{name} is never read", "remove it, or use it", node, "warning")

    def problem(self, code: str, fact: str, hint: str, node: ast.AST | None, severity: Severity = "error") -> None:
        """Report a problem at a node. After a hundred, the rest waits until these are put right."""
        where = place_of(node, self.place) if node is not None else self.place
        if len(self.problems) >= _MOST_PROBLEMS:
            raise TooMuchError
        subject = f"{self.element.replace(':', ' ', 1)}: " if self.element else ""
        self.problems.append(
            Problem(
                code=code,
                fact=subject + fact,
                hint=hint,
                place=where,
                element=self.element or None,
                severity=severity,
            )
        )

    def read(self, statements: list[ast.stmt]) -> None:
        """Analyze a whole body. What is nested too deeply is told, and not understood."""
        try:
            self.statements(statements)
            if not self.asserting:  # a test gives names to what it only sets up
                self._tell_unread()
        except (RecursionError, TooMuchError) as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Tell why the rest of a body is not understood."""
        fact, hint = "the Python is nested too deeply", "split it into steps"
        if isinstance(error, TooMuchError):
            fact, hint = f"there are more than {_MOST_PROBLEMS} problems", "put these right first"
        del self.problems[_MOST_PROBLEMS - 1 :]
        self.problem("LK010", fact, hint, None)

    def expression(self, node: ast.expr) -> Type:
        """Analyze an expression and return its type."""
        return self.expression_reader.read(node)

    def columns(self, owner: Type) -> dict[str, Type] | None:
        """Return what a value of this type has by name, or None where it has nothing."""
        return self.expression_reader.columns(owner)

    def item_type(self, type_: Type, node: ast.expr) -> Type:
        """Return the type of one item of what is walked over."""
        self.expression_reader.check_there(type_, node, "walked over")
        return item_type(type_)

    def annotated(self, node: ast.expr) -> Type | None:
        """Return the type that an annotation inside of the body means; None where it means none, which is told."""
        try:
            return annotated(node, self.app, place_of(node, self.place))
        except LowcodeError as error:
            for problem in error.problems:
                self.problem(problem.code, problem.fact, problem.hint, node)
        return None

    def statements(self, statements: list[ast.stmt]) -> None:
        """Analyze statements in order."""
        self.statement_reader.block(statements)

    def returned(self, type_: Type, node: ast.Return) -> None:
        """Note what the body, or the local function at hand, returns."""
        self.functions.returned(type_, node)

    def regions_of_function(self) -> list[Region]:
        """Return the regions around this point that are in the same function."""
        return self.scope.regions[self.functions.first_region :]

    # names

    def named(self, name: str, node: ast.AST) -> None:
        """Note that a name is read; report it where it may hold nothing yet."""
        self._named.add(name)
        self.functions.captured(name)
        if self.scope.maybe.get(name):
            hint = f"give {name} a value before, or on every way to here"
            self.problem("LK332", f"{name} may hold nothing here", hint, node)
            self.scope.note_bound([name])  # once is enough

    def assign(self, target: ast.expr, type_: Type, value: ast.expr | None = None) -> None:
        """Give a target's names a type, and report what can't be assigned."""
        match target:
            case ast.Name(id=name):
                self.check_name(name, target)
                self.statement_reader.check_declared(name, type_, value or target)
                if value is not None:
                    self.note_assigned(name, target)
                self.bind(name, type_, target)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                self._unpack(elements, type_)
            case ast.Starred(value=inner):
                self.assign(inner, Type(name="unknown", kind="unknown", many=True))
            case ast.Subscript(value=owner, slice=index):
                self.expression(target)
                self.statement_reader.store_item(owner, type_, self.types[index])
            case _:
                self._refuse_target(target)

    def note_assigned(self, name: str, node: ast.AST) -> None:
        """Note that a name is given something that ought to be read."""
        self._assigned.setdefault(name, node)

    def bind(self, name: str, type_: Type, node: ast.AST) -> None:
        """Let a name hold a value."""
        self.functions.check_captured(name, type_, node)
        self.scope.bind(name, type_)

    def _unpack(self, elements: list[ast.expr], type_: Type) -> None:
        starred = any(isinstance(element, ast.Starred) for element in elements)
        if type_.kind == "tuple" and not type_.many and not starred and len(type_.parts) != len(elements):
            fact = f"{len(type_.parts)} values are given to {len(elements)} names"
            self.problem("LK309", fact, "", elements[0])
        parts = type_.parts if len(type_.parts) == len(elements) and not type_.many and not starred else ()
        for element, part in zip(elements, parts or [item_type(type_)] * len(elements), strict=True):
            self.assign(element, part)

    def _refuse_target(self, target: ast.expr) -> None:
        if not isinstance(target, ast.Attribute):
            self.expression(target)
            return
        owner = self.expression(target.value)
        what = owner.name if owner.kind == "entity" else shown(target.value)
        hint = f"write {what}.update({shown(target.value)}, {target.attr}=...)"
        self.problem("LK303", f"{shown(target)} can't be assigned", hint, target)

    def check_name(self, name: str, node: ast.AST | None) -> None:
        """Report a name that has a meaning of its own."""
        if name in self.app.by_id or self._is_element(name):
            fact = f'"{name}" names an element of the application'
            self.problem("LK302", fact, "choose another name", node)
        elif name in _TAKEN or name.startswith("__"):
            self.problem("LK302", f'"{name}" has a meaning of its own', "choose another name", node)
        elif name in self.functions.known and node is not None:
            self.problem("LK302", f'"{name}" is a function of this body', "choose another name", node)

    def _is_element(self, name: str) -> bool:
        app = self.app
        kinds = (app.entities, app.queries, app.actions, app.integrations, app.settings)
        return any(name in kind for kind in kinds)


_TAKEN = frozenset(
    {"user", "context", "setup", "entities", "queries", "actions", "integrations", "refusal"}
    | {"Refused", "NotFound", "Unavailable"}
)
"""Names that stand for something in a body, or in what it becomes."""


def loaded(type_: Type) -> Type:
    """Return the type that a parameter has inside of a body: an entity is its loaded row."""
    if type_.kind == "entity":
        return entity_type(type_.name, loaded=True, optional=type_.optional, many=type_.many)
    return type_
