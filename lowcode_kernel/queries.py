"""A query against the entities: its names resolved, its result typed, and the static SQL that runs.

`Flight` becomes the view `flight`, `:origin` becomes `$1`, and an entity's row rule becomes a condition that only lets
through the rows that the user may
see. The optimizer works on the cell's own text (`Query.sql`); compilation is the last step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from keyword import iskeyword
from typing import TYPE_CHECKING

from lowcode_kernel.memo import remembered
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.query_checks import check_query
from lowcode_kernel.query_compilation import (
    CONTEXT,
    Resolved,
    ResultColumn,
    finish,
    parameter_casts,
    prepare_query,
    rules_of,
)
from lowcode_kernel.query_scopes import Resolver
from lowcode_kernel.query_variants import MOST_OPTIONAL, Variant, compile_variants, optional_parameters
from lowcode_kernel.sql import exp, nodes_of, parsed, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.problems import Severity
    from lowcode_kernel.types import Type

_MOST_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True)
class QueryAnalysis:
    """What there is to know of a query.

    `reads` is every (entity, attribute) that it touches, in the result or in a condition. `optional` are the parameters
    that switch conditions off. The texts are made when they are first asked for; where a problem is an error there are
    none.
    """

    columns: tuple[ResultColumn, ...] = ()
    reads: frozenset[tuple[str, str]] = frozenset()
    entities: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    optional: tuple[str, ...] = ()
    casts: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The PostgreSQL type of each parameter."""
    _make: Callable[[], exp.Query] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def _prepared(self) -> exp.Query | None:
        return self._make() if self._make else None

    def prepared(self) -> exp.Query:
        """Return a copy of the tree in the words of the database, its parameters by name."""
        if self._prepared is None:
            raise ValueError("a query with errors has no statement")
        return self._prepared.copy()

    @cached_property
    def _finished(self) -> tuple[str, tuple[str, ...]]:
        return finish(self.prepared(), self.casts) if self._make else ("", ())

    @property
    def statement(self) -> str:
        """The one text that holds for all arguments: it takes `parameters` as `$1`, `$2` ..., then what rules ask."""
        return self._finished[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the query's parameters that the statement uses, in order."""
        return tuple(name for name in self._finished[1] if not name.startswith(CONTEXT))

    @property
    def rule_parameters(self) -> tuple[str, ...]:
        """What the row rules of the query's entities ask of the request: `unrestricted`, `user_id`, `user_roles`."""
        return tuple(name.removeprefix(CONTEXT) for name in self._finished[1] if name.startswith(CONTEXT))

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The texts that run: one for each choice of optional parameters that are None; the last has them all."""
        return compile_variants(self.prepared(), self.optional, self.casts) if self._make else ()

    @property
    def row(self) -> dict[str, Type]:
        """The result's columns by name."""
        return {column.name: column.type for column in self.columns}


def analyze_query(query: Query, app: Application) -> QueryAnalysis:
    """Resolve, type and compile a query. Never raises for what the author wrote: it is in `problems`."""
    return remembered("query", query, app, lambda: _Analyzer(query, app).analyze())


class _Analyzer:
    def __init__(self, query: Query, app: Application) -> None:
        self.query, self.app = query, app
        self.problems: dict[Problem, None] = {}
        self.refused = False  # an error was told
        self.told: set[tuple[str, str, int]] = set()

    def analyze(self) -> QueryAnalysis:
        try:
            tree = parsed(self.query.sql, self.query.sql_place)
        except LowcodeError as error:
            return QueryAnalysis(problems=tuple(replace(problem, element=self.query.id) for problem in error.problems))
        resolver = Resolver(self.query, self.app, self._report)
        columns = resolver.resolve(tree)
        nodes = list(nodes_of(tree))
        self._check_parameters(nodes)
        groups, casts = check_query(nodes, resolver)
        self._check_result(columns, tree)
        problems, entities = tuple(self.problems), tuple(resolver.entities)
        if any(problem.severity == "error" for problem in problems):
            return QueryAnalysis(columns=columns, problems=problems, entities=entities)
        resolved = Resolved(
            columns=resolver.results, stars=resolver.stars, tables=resolver.tables, groups=groups, casts=casts
        )
        optional = self._optional(tree)
        return QueryAnalysis(
            optional=optional,
            casts=parameter_casts(self.query, self.app),
            _make=self._maker(tree, entities, resolved),
            columns=columns,
            reads=frozenset(resolver.reads),
            entities=entities,
            problems=tuple(self.problems),
        )

    def _maker(self, tree: exp.Query, entities: tuple[str, ...], resolved: Resolved) -> Callable[[], exp.Query]:
        """Return what makes the prepared tree, without the application: the analysis is remembered for others."""
        try:
            rules = rules_of(entities, self.app)
        except LowcodeError as error:  # a row rule can't be compiled: the checks tell, and the next who asks
            problems = error.problems

            def refuse() -> exp.Query:
                raise LowcodeError(*problems)

            return refuse
        return lambda: prepare_query(tree, rules, resolved)

    def _report(
        self, code: str, fact: str, hint: str, node: exp.Expr | None = None, severity: Severity = "error"
    ) -> None:
        if len(self.problems) >= _MOST_PROBLEMS and (severity != "error" or self.refused):
            return  # the rest is told when these are put right
        self.refused |= severity == "error"
        if (code, fact, id(node)) in self.told:
            return
        self.told.add((code, fact, id(node)))
        place = place_of(node, self.query.sql, self.query.sql_place) if node is not None else self.query.place
        text = f"query {self.query.name}: {fact}"
        problem = Problem(code=code, fact=text, hint=hint, place=place, element=self.query.id, severity=severity)
        self.problems[problem] = None

    # results

    def _check_result(self, columns: tuple[ResultColumn, ...], tree: exp.Expr) -> None:
        seen: set[str] = set()
        for column in columns:
            if not column.name:
                self._report("LK205", "a result column has no name", "write ... AS name", tree)
            elif column.name in seen:
                self._report("LK205", f'two result columns are called "{column.name}"', "rename one with AS", tree)
            elif not column.name.isidentifier() or iskeyword(column.name):
                self._report("LK205", f'"{column.name}" can\'t name a result column', "letters, digits and _", tree)
            elif column.type.kind == "none":
                fact = f'"{column.name}" is NULL in every row'
                self._report("LK204", fact, "write CAST(NULL AS type) AS name", tree)
            elif column.type.kind == "unknown" and not self.problems:
                self._report("LK204", *_untold(column), tree)
            seen.add(column.name)

    # parameters

    def _optional(self, tree: exp.Query) -> tuple[str, ...]:
        optional = optional_parameters(self.query, tree)
        if len(optional) > MOST_OPTIONAL:
            fact = f"{len(optional)} parameters switch conditions off, more than {MOST_OPTIONAL}"
            hint = "one statement has all conditions: make some parameters required, or two queries of it"
            self._report("LK213", fact, hint, severity="notice")
            return ()
        return optional

    def _check_parameters(self, nodes: list[exp.Expr]) -> None:
        known = {parameter.name for parameter in self.query.parameters}
        used = set()
        for node in nodes:
            if isinstance(node, exp.Parameter):
                fact = f"{node.sql(dialect='postgres')} is a numbered parameter"
                self._report("LK206", fact, "write :name", node)
            elif isinstance(node, exp.Placeholder):
                used.add(node.name)
                if node.name not in known:
                    hint = did_you_mean(node.name, known) or f"declare it: {self.query.name}({node.name}: Type)"
                    self._report("LK101", f"there is no parameter :{node.name}", hint, node)
        for name in sorted(known - used):
            fact, hint = f"parameter {name} is never used", f"use :{name} or remove it"
            self._report("LK401", fact, hint, severity="warning")


def _untold(column: ResultColumn) -> tuple[str, str]:
    """Return what is said of a result whose type the language doesn't have, or that can't be told."""
    if column.type.name == "Interval":
        fact = f'"{column.name}" is a span of time, which is no value of the language'
        return fact, "write EXTRACT(EPOCH FROM ...) AS seconds"
    return f'the type of "{column.name}" can\'t be told', "write CAST(... AS type) AS name"
