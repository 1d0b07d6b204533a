"""Where each result column of a query comes from: the attributes that its expression names, through subqueries and
WITH; and the attributes that decide which rows there are and in which order.

    SELECT o.number, o.total * c.rate AS gross FROM Order o JOIN Customer c ON c.id = o.customer
    number: Order.number    gross: Order.total, Customer.rate    rows: Customer.id, Order.customer
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.columns import columns_of
from lowcode_kernel.memo import remembered
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.query_names import entity_named
from lowcode_kernel.sql import exp, parse_select, scopes

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.sql import Scope

Attributes = frozenset[tuple[str, str]]
_NONE: Attributes = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The attributes, as (entity, attribute), behind each result column, and behind the choice of rows."""

    columns: dict[str, Attributes] = field(default_factory=dict)
    rows: Attributes = _NONE


def lineage_of(query: Query, app: Application) -> Lineage:
    """Return where a query's columns come from; nothing where its SQL can't be read."""
    return remembered("lineage", query, app, lambda: _lineage(query, app))


def _lineage(query: Query, app: Application) -> Lineage:
    try:
        tree = parse_select(query.sql, query.sql_place)
    except LowcodeError:
        return Lineage()
    reading = _Reading(app, scopes(tree))
    shown = {id(column) for select in tree.find_all(exp.Select) for column in _columns(select.selects)}
    rows = [column for column in tree.find_all(exp.Column) if id(column) not in shown]
    return Lineage(columns=reading.results.get(id(tree), {}), rows=_NONE.union(*map(reading.attributes, rows)))


def _columns(items: list[exp.Expr]) -> list[exp.Column]:
    return [column for item in items for column in item.find_all(exp.Column)]


class _Reading:
    """The results of each SELECT of a tree, inner ones first."""

    def __init__(self, app: Application, found: list[Scope]) -> None:
        self.app = app
        self.scope_of: dict[int, Scope] = {}
        self.results: dict[int, dict[str, Attributes]] = {}
        for scope in found:
            for column in scope.columns:
                self.scope_of.setdefault(id(column), scope)
            self.results[id(scope.expression)] = self._results(scope)

    def _results(self, scope: Scope) -> dict[str, Attributes]:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            sides = [self.results.get(id(side.unnest()), {}) for side in (expression.left, expression.right)]
            others = list(sides[1].values())
            return {
                name: found | (others[index] if index < len(others) else _NONE)
                for index, (name, found) in enumerate(sides[0].items())
            }
        if not isinstance(expression, exp.Select):
            return {}
        results: dict[str, Attributes] = {}
        for item in expression.selects:
            results |= self._item(item, scope)
        return results

    def _item(self, item: exp.Expr, scope: Scope) -> dict[str, Attributes]:
        is_star = isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
        if isinstance(item, exp.Star) or is_star:
            names = [item.text("table")] if is_star else list(scope.sources)
            return {name: found for source in names for name, found in self._source(scope, source).items()}
        return {item.alias_or_name: _NONE.union(*map(self.attributes, item.find_all(exp.Column)))}

    def attributes(self, column: exp.Column) -> Attributes:
        """Return the attributes behind one column, in the SELECT that it stands in or in one around."""
        scope = self.scope_of.get(id(column))
        while scope is not None:
            for name in [column.table] if column.table else list(scope.sources):
                if column.name in (found := self._source(scope, name)):
                    return found[column.name]
            scope = scope.parent
        return _NONE

    def _source(self, scope: Scope, name: str) -> dict[str, Attributes]:
        source = scope.sources.get(name)
        if isinstance(source, exp.Table):
            entity = entity_named(source.name, self.app)
            columns = (columns_of(entity, self.app) if entity else None) or {}
            return {column: frozenset({(entity or "", column)}) for column in columns}
        return self.results.get(id(source.expression), {}) if source is not None else {}
