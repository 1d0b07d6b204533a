"""A resolved query to the static SQL that runs: views for entities, `$1` for parameters, row rules as conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import column_type
from lowcode_kernel.rules import RuleParameter, compile_rule
from lowcode_kernel.sql import exp, render
from lowcode_kernel.types import UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """One column of a query's result. `source` is the entity and attribute that it shows unchanged, if it does."""

    name: str
    type: Type
    source: tuple[str, str] | None = None


def compile_query(
    tree: exp.Query,
    query: Query,
    app: Application,
    results: dict[int, tuple[ResultColumn, ...]],
    entity_name: Callable[[str], str | None],
) -> tuple[str, tuple[RuleParameter, ...]]:
    """Return the statement, and the parameters of row rules that come behind the query's own.

    `results` has the typed columns of each SELECT of the tree by its identity; `entity_name` says which entity a
    table's name means.
    """
    return _Compiler(query, app, results, entity_name).statement(tree)


class _Compiler:
    def __init__(
        self,
        query: Query,
        app: Application,
        results: dict[int, tuple[ResultColumn, ...]],
        entity_name: Callable[[str], str | None],
    ) -> None:
        self.query, self.app, self.results, self.entity_name = query, app, results, entity_name

    def _type_of(self, name: str) -> Type:
        return next((parameter.type for parameter in self.query.parameters if parameter.name == name), UNKNOWN)

    def statement(self, tree: exp.Query) -> tuple[str, tuple[RuleParameter, ...]]:
        compiled = tree.copy()
        self._compile_casts(tree, compiled)
        self._compile_stars(tree, compiled)
        for identifier in compiled.find_all(exp.Identifier):
            identifier.set("this", identifier.this if identifier.args.get("quoted") else identifier.this.lower())
        positions = {parameter.name: index for index, parameter in enumerate(self.query.parameters, 1)}
        rules: list[RuleParameter] = []
        self._compile_tables(compiled, rules, len(positions))
        for placeholder in list(compiled.find_all(exp.Placeholder)):
            number = exp.Parameter(this=exp.Literal.number(positions[placeholder.name]))
            type_ = self._type_of(placeholder.name)
            placeholder.replace(exp.cast(number, column_type(type_, self.app), dialect="postgres"))
        return render(compiled), tuple(rules)

    def _compile_tables(self, tree: exp.Query, rules: list[RuleParameter], count: int) -> None:
        inner = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if table.name in inner or (entity := self.entity_name(table.name)) is None:
                continue
            alias = table.alias or table.name
            plain = exp.Table(this=exp.to_identifier(snake_case(entity)))
            rule = compile_rule(self.app.entities.get(entity), self.app, rules, count)
            if rule:
                table.replace(
                    exp.alias_(
                        exp.Subquery(this=exp.select("*").from_(plain).where(rule, dialect="postgres")),
                        alias,
                        table=True,
                    )
                )
            else:
                table.replace(exp.alias_(plain, alias, table=True) if alias != snake_case(entity) else plain)

    def _compile_stars(self, tree: exp.Query, compiled: exp.Query) -> None:
        """A result names its columns, whatever the order in the database."""
        for original, select in zip(tree.find_all(exp.Select), compiled.find_all(exp.Select), strict=True):
            columns = self.results.get(id(original), ())
            if any(isinstance(item, exp.Star) for item in original.selects) and columns:
                select.set("expressions", [exp.column(column.name) for column in columns])
            elif any(item.find(exp.Star) and isinstance(item, exp.Column) for item in original.selects):
                select.set("expressions", list(self._expanded(original, columns)))

    @staticmethod
    def _expanded(select: exp.Select, columns: tuple[ResultColumn, ...]) -> Iterator[exp.Expr]:
        """Replace `o.*` among other columns by what it stands for; the other items are as many as they are, the rest
        belongs to the star.
        """
        plain = sum(1 for item in select.selects if not isinstance(item.this, exp.Star))
        stars = [item for item in select.selects if isinstance(item.this, exp.Star)]
        width = (len(columns) - plain) // len(stars)
        position = 0
        for item in select.selects:
            if not isinstance(item.this, exp.Star):
                yield item.copy()
                position += 1
                continue
            for column in columns[position : position + width]:
                yield exp.column(column.name, table=item.args.get("table"))
            position += width

    def _compile_casts(self, tree: exp.Query, compiled: exp.Query) -> None:
        """PostgreSQL sums bigint to numeric and extracts numeric: cast back to Integer, as the language promises."""
        for original, select in zip(tree.find_all(exp.Select), compiled.find_all(exp.Select), strict=True):
            for column, item in zip(self.results.get(id(original), ()), select.selects, strict=False):
                inner = item.this if isinstance(item, exp.Alias) else item
                if column.type.name == "Integer" and inner.find(exp.Sum, exp.Extract):
                    inner.replace(exp.cast(inner.copy(), "bigint", dialect="postgres"))
