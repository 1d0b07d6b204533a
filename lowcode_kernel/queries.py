"""A query against the entities: its names resolved, its result typed, and the static SQL that runs.

`Flight` becomes the view `flight`, `:origin` becomes `$1`, and an entity's row rule becomes a condition that only lets
through the rows that the user may
see. The optimizer works on the cell's own text (`Query.sql`); compilation is the last step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.query_compilation import ResultColumn, compile_query
from lowcode_kernel.sql import Scope, exp, parse_select, place_of, scopes
from lowcode_kernel.sql_types import Inference
from lowcode_kernel.types import BOOLEAN, INTEGER, TEXT, UNKNOWN, Type, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter, Query
    from lowcode_kernel.rules import RuleParameter

USER_COLUMNS: dict[str, Type] = {"id": INTEGER, "email": Type(name="Email"), "name": TEXT, "active": BOOLEAN}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnalysis:
    """What there is to know of a query.

    `statement` takes `parameters` as `$1`, `$2` ... in order, then `rule_parameters`. `reads` is every (entity,
    attribute) that it touches, in the result
    or in a condition. Where `problems` is not empty, `statement` is "".
    """

    statement: str = ""
    parameters: tuple[Parameter, ...] = ()
    rule_parameters: tuple[RuleParameter, ...] = ()
    columns: tuple[ResultColumn, ...] = ()
    reads: frozenset[tuple[str, str]] = frozenset()
    entities: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    @property
    def row(self) -> dict[str, Type]:
        """The result's columns by name."""
        return {column.name: column.type for column in self.columns}


def columns_of(entity: str, app: Application) -> dict[str, Type] | None:
    """Return the columns of an entity as queries see them, or None where there is no such entity. `many` attributes
    are no columns.
    """
    if entity == "User" and entity not in app.entities:
        return USER_COLUMNS
    if (found := app.entities.get(entity)) is None:
        return None
    columns = {attribute.name: attribute.type for attribute in found.attributes if not attribute.type.many}
    return columns if "id" in columns or found.key != ("id",) else {"id": entity_type(entity), **columns}


def analyze_query(query: Query, app: Application) -> QueryAnalysis:
    """Resolve, type and compile a query. Never raises for what the author wrote: it is in `problems`."""
    cache = app.__dict__.setdefault("_query_analyses", {})
    if query not in cache:
        cache[query] = _Analyzer(query, app).analyze()
    found: QueryAnalysis = cache[query]
    return found


@dataclass
class _Source:
    """What a name in FROM stands for: an entity's columns or the result of a query inside."""

    columns: dict[str, ResultColumn]
    entity: str | None = None


class _Analyzer:
    def __init__(self, query: Query, app: Application) -> None:
        self.query, self.app = query, app
        self.problems: list[Problem] = []
        self.reads: set[tuple[str, str]] = set()
        self.entities: list[str] = []
        self.results: dict[int, tuple[ResultColumn, ...]] = {}
        self.used: set[str] = set()

    def analyze(self) -> QueryAnalysis:
        try:
            tree = parse_select(self.query.sql, self.query.sql_place)
        except LowcodeError as error:
            return QueryAnalysis(problems=tuple(replace(problem, element=self.query.id) for problem in error.problems))
        for scope in scopes(tree):
            self._resolve(scope)
        self._check_parameters(tree)
        columns = self.results.get(id(tree), ())
        self._check_result(columns, tree)
        if any(problem.severity == "error" for problem in self.problems):
            return QueryAnalysis(
                columns=columns, problems=tuple(self.problems), entities=tuple(dict.fromkeys(self.entities))
            )
        statement, rule_parameters = compile_query(tree, self.query, self.app, self.results, self.entity_name)
        return QueryAnalysis(
            statement=statement,
            parameters=self.query.parameters,
            rule_parameters=rule_parameters,
            columns=columns,
            reads=frozenset(self.reads),
            entities=tuple(dict.fromkeys(self.entities)),
            problems=tuple(self.problems),
        )

    def _problem(self, code: str, fact: str, hint: str, node: exp.Expr | None = None) -> None:
        place = place_of(node, self.query.sql, self.query.sql_place) if node is not None else self.query.place
        self.problems.append(
            Problem(code=code, fact=f"query {self.query.name}: {fact}", hint=hint, place=place, element=self.query.id)
        )

    # names

    def _resolve(self, scope: Scope) -> None:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            self._resolve_union(expression)
        if not isinstance(expression, exp.Select):
            return
        sources = {name: self._source(source) for name, source in scope.sources.items()}
        scope_sources = {name: source for name, source in sources.items() if source}
        aliases = {selection.alias for selection in expression.selects if isinstance(selection, exp.Alias)}
        found: dict[int, ResultColumn] = {}
        inference = Inference(
            lambda column: found[id(column)].type if id(column) in found else UNKNOWN,
            self._parameter_type,
            self._subquery_type,
        )
        for column in scope.columns:
            if resolved := self._column(column, scope, scope_sources, aliases):
                found[id(column)] = resolved
        self._mark_outer(expression, scope_sources, found)
        self.results[id(expression)] = tuple(
            self._selection(item, inference, found) for item in self._selections(expression, scope_sources)
        )

    def _resolve_union(self, expression: exp.SetOperation) -> None:
        left = self.results.get(
            id(expression.left.unnest() if isinstance(expression.left, exp.Subquery) else expression.left), ()
        )
        right = self.results.get(
            id(expression.right.unnest() if isinstance(expression.right, exp.Subquery) else expression.right), ()
        )
        if left and right and len(left) != len(right):
            self._problem(
                "LK203",
                f"one side of the {expression.key} has {len(left)} columns, the other {len(right)}",
                "select the same columns",
                expression,
            )
        self.results[id(expression)] = tuple(
            replace(column, type=_common(column.type, other.type), source=None)
            for column, other in zip(left, right, strict=False)
        )

    def _source(self, source: exp.Expr | Scope) -> _Source | None:
        if isinstance(source, Scope):
            return _Source({column.name: column for column in self.results.get(id(source.expression), ())})
        if not isinstance(source, exp.Table):
            return None
        entity = self.entity_name(source.name)
        columns = columns_of(entity, self.app) if entity else None
        if entity is None or columns is None:
            known = [*self.app.entities, "User"]
            self._problem("LK101", f'there is no entity "{source.name}"', did_you_mean(source.name, known), source)
            return None
        self.entities.append(entity)
        return _Source(
            {name: ResultColumn(name=name, type=type_, source=(entity, name)) for name, type_ in columns.items()},
            entity,
        )

    def entity_name(self, name: str) -> str | None:
        """Return the entity that a name in FROM means: as it is defined, or however SQL folds it."""
        if name in self.app.entities or name == "User":
            return name
        return next(
            (known for known in [*self.app.entities, "User"] if name.lower() in {snake_case(known), known.lower()}),
            None,
        )

    def _column(
        self, column: exp.Column, scope: Scope, sources: dict[str, _Source], aliases: set[str]
    ) -> ResultColumn | None:
        if isinstance(column.this, exp.Star):
            return None
        if column.table:
            return self._qualified(column, scope, sources)
        holders = [source for source in sources.values() if column.name in source.columns]
        if len(holders) == 1:
            return self._read(holders[0].columns[column.name])
        if len(holders) > 1:
            where = " and ".join(name for name, source in sources.items() if column.name in source.columns)
            self._problem(
                "LK104", f'"{column.name}" is in {where}', f"write {next(iter(sources))}.{column.name}", column
            )
        elif column.name not in aliases and not self._in_outer(column, scope):
            names = [name for source in sources.values() for name in source.columns]
            self._problem(
                "LK101",
                f'there is no attribute "{column.name}" here',
                did_you_mean(column.name, [*names, *aliases]),
                column,
            )
        return None

    def _qualified(self, column: exp.Column, scope: Scope, sources: dict[str, _Source]) -> ResultColumn | None:
        source = sources.get(column.table)
        if source is None:
            if column.table not in scope.sources and not self._in_outer(column, scope):
                self._problem(
                    "LK101", f'there is no "{column.table}" in FROM', did_you_mean(column.table, scope.sources), column
                )
            return None
        if column.name not in source.columns:
            owner = source.entity or column.table
            self._problem(
                "LK101",
                f'{owner} has no attribute "{column.name}"',
                did_you_mean(column.name, source.columns),
                column.this,
            )
            return None
        return self._read(source.columns[column.name])

    def _in_outer(self, column: exp.Column, scope: Scope) -> bool:
        """Say whether a correlated subquery's column belongs to a query around it; reads are recorded there."""
        parent = scope.parent
        while parent is not None:
            for name, item in parent.sources.items():
                source = self._quiet_source(item)
                if (column.table in {"", name}) and source and column.name in source.columns:
                    self._read(source.columns[column.name])
                    return True
            parent = parent.parent
        return False

    def _quiet_source(self, item: exp.Expr | Scope) -> _Source | None:
        problems, entities = list(self.problems), list(self.entities)
        source = self._source(item)
        self.problems, self.entities = problems, entities
        return source

    def _read(self, column: ResultColumn) -> ResultColumn:
        if column.source:
            self.reads.add(column.source)
        return column

    def _mark_outer(self, expression: exp.Expr, sources: dict[str, _Source], found: dict[int, ResultColumn]) -> None:
        """Columns of the side of an outer join that may be missing are optional."""
        missing: set[str] = set()
        earlier = {expression.args["from_"].this.alias_or_name} if expression.args.get("from_") else set()
        for join in expression.args.get("joins") or []:
            name = join.this.alias_or_name
            if join.side in {"LEFT", "FULL"}:
                missing.add(name)
            if join.side in {"RIGHT", "FULL"}:
                missing |= earlier
            earlier.add(name)
        for column in expression.find_all(exp.Column):
            holder = column.table or next(
                (name for name, source in sources.items() if column.name in source.columns), ""
            )
            if holder in missing and id(column) in found:
                known = found[id(column)]
                found[id(column)] = replace(known, type=known.type.maybe())

    # results

    def _selections(self, expression: exp.Select, sources: dict[str, _Source]) -> Iterator[exp.Expr | ResultColumn]:
        for item in expression.selects:
            star = isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))
            if not star:
                yield item
                continue
            chosen = (
                [sources[item.table]]
                if isinstance(item, exp.Column) and item.table in sources
                else list(sources.values())
            )
            for source in chosen:
                for column in source.columns.values():
                    yield self._read(column)

    def _selection(
        self, item: exp.Expr | ResultColumn, inference: Inference, found: dict[int, ResultColumn]
    ) -> ResultColumn:
        if isinstance(item, ResultColumn):
            return item
        name = item.alias_or_name
        inner = item.this if isinstance(item, exp.Alias) else item
        if isinstance(inner, exp.Column) and id(inner) in found:
            return replace(found[id(inner)], name=name)
        type_ = inference.of(inner)
        if type_.kind == "unknown" and not self.problems:
            self._problem(
                "LK204", f'the type of "{name or inner.sql()}" can\'t be told', "write CAST(... AS type) AS name", item
            )
        return ResultColumn(name=name, type=type_)

    def _check_result(self, columns: tuple[ResultColumn, ...], tree: exp.Expr) -> None:
        seen: set[str] = set()
        for column in columns:
            if not column.name:
                self._problem("LK205", "a result column has no name", "write ... AS name", tree)
            elif column.name in seen:
                self._problem("LK205", f'two result columns are called "{column.name}"', "rename one with AS", tree)
            elif not column.name.isidentifier():
                self._problem("LK205", f'"{column.name}" can\'t name a result column', "letters, digits and _", tree)
            elif column.type.kind == "none":
                self._problem(
                    "LK204", f'"{column.name}" is NULL in every row', "write CAST(NULL AS type) AS name", tree
                )
            seen.add(column.name)

    def _subquery_type(self, query: exp.Query) -> Type:
        columns = self.results.get(id(query), ())
        return columns[0].type if len(columns) == 1 else UNKNOWN

    # parameters

    def _parameter_type(self, name: str) -> Type:
        return next((parameter.type for parameter in self.query.parameters if parameter.name == name), UNKNOWN)

    def _check_parameters(self, tree: exp.Expr) -> None:
        known = {parameter.name for parameter in self.query.parameters}
        used = set()
        for placeholder in tree.find_all(exp.Placeholder):
            used.add(placeholder.name)
            if placeholder.name not in known:
                hint = (
                    did_you_mean(placeholder.name, known) or f"declare it: {self.query.name}({placeholder.name}: Type)"
                )
                self._problem("LK101", f"there is no parameter :{placeholder.name}", hint, placeholder)
        for parameter in tree.find_all(exp.Parameter):
            self._problem(
                "LK206", f"{parameter.sql(dialect='postgres')} is a numbered parameter", "write :name", parameter
            )
        for name in sorted(known - used):
            self.problems.append(
                Problem(
                    code="LK401",
                    fact=f"query {self.query.name}: parameter {name} is never used",
                    hint=f"use :{name} or remove it",
                    place=self.query.place,
                    element=self.query.id,
                    severity="warning",
                )
            )


def _common(left: Type, right: Type) -> Type:
    """Return the type of a column of a UNION from those of its sides."""
    known = right if left.kind == "none" else left
    optional = left.optional or right.optional or "none" in (left.kind, right.kind)
    return replace(known, optional=optional)
