"""Which columns a statement looks rows up by: equal to a value, in a range, sorted.

SELECT o.number FROM Order o WHERE o.customer = :customer AND o.placed_at >= :since ORDER BY o.placed_at
->  Order: equal (customer), then placed_at
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.columns import columns_of
from lowcode_kernel.memo import remembered
from lowcode_kernel.query_names import entity_named
from lowcode_kernel.query_variants import conjuncts, disjuncts
from lowcode_kernel.sql import exp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One way in which rows of an entity are looked up. `equal` are compared with values, in any order; `then` is what
    follows in order: a range, or what the rows are sorted by.
    """

    entity: str
    equal: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


def needs_of_query(query: Query, app: Application) -> tuple[Need, ...]:
    """Return what a query's statement looks rows up by."""
    text = query.sql.lower()
    if not any(word in text for word in ("where", "join", "order")):
        return ()
    return remembered("index needs", query, app, lambda: tuple(_needs(query, app)))


def _needs(query: Query, app: Application) -> Iterator[Need]:
    analysis = analyze(app).queries[query.name]
    if any(problem.severity == "error" for problem in analysis.problems):
        return
    for select in analysis.prepared().find_all(exp.Select):
        found = _Select(select, app)
        for alias, entity in found.entities.items():
            yield from found.needs(alias, entity)


class _Select:
    """One SELECT: the entities behind its names, and its conditions."""

    def __init__(self, select: exp.Select, app: Application) -> None:
        self.select, self.app = select, app
        source = select.args.get("from_")
        joins = select.args.get("joins") or []
        self.entities = dict(self._sources([*([source.this] if source else []), *(join.this for join in joins)]))
        clauses = [select.args.get("where"), *(join.args.get("on") for join in joins)]
        conditions = [clause.this if isinstance(clause, exp.Where) else clause for clause in clauses if clause]
        self.conditions = [part.unnest() for condition in conditions for part in conjuncts(condition)]

    def _sources(self, sources: list[exp.Expr]) -> Iterator[tuple[str, str]]:
        for source in sources:
            table = source
            if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Select):
                inner = source.this.args.get("from_")  # the rows that a rule lets through
                if inner is not None and isinstance(source.this.selects[0], exp.Star):
                    table = inner.this
            if isinstance(table, exp.Table) and (entity := entity_named(table.name, self.app)) in self.app.entities:
                yield source.alias_or_name, str(entity)

    def needs(self, alias: str, entity: str) -> Iterator[Need]:
        """Give the needs of one source."""
        found: dict[str, list[str]] = {"equal": [], "range": [], "join": [], "optional": []}
        for condition in self.conditions:
            kind, column = self._condition(condition, alias)
            if column:
                found[kind].append(column)
        fixed = tuple(dict.fromkeys(found["equal"]))
        then = tuple(dict.fromkeys(found["range"]))[:1] or self._order(alias, limited=not fixed)
        if fixed or then:
            yield Need(entity=entity, equal=fixed, then=tuple(name for name in then if name not in fixed))
        for column in found["optional"]:
            yield Need(entity=entity, equal=tuple(dict.fromkeys((*fixed, column))))
        if not fixed:
            yield from (Need(entity=entity, equal=(column,)) for column in dict.fromkeys(found["join"]))

    def _condition(self, condition: exp.Expr, alias: str) -> tuple[str, str]:
        """Return how a condition looks up rows of a source, and by which column ("" where it doesn't)."""
        if isinstance(condition, exp.Or):
            parts = [part.unnest() for part in disjuncts(condition)]
            given = [part for part in parts if not _is_unset(part)]
            if len(given) == 1 and len(parts) > 1:
                kind, column = self._condition(given[0], alias)
                return ("optional" if kind == "equal" else kind), (column if kind == "equal" else "")
            return "equal", ""
        if isinstance(condition, exp.EQ):
            return self._equality(condition, alias)
        if isinstance(condition, exp.In) and not condition.args.get("query"):
            return "equal", self._own(condition.this, alias)
        if _is_null_test(condition):
            return "equal", self._own(condition.this, alias)
        if isinstance(condition, exp.Between):
            return "range", self._own(condition.this, alias)
        if isinstance(condition, exp.GT | exp.GTE | exp.LT | exp.LTE):
            return "range", self._compared(condition, alias)
        return "equal", ""

    def _equality(self, condition: exp.Binary, alias: str) -> tuple[str, str]:
        column = self._compared(condition, alias)
        other = condition.right if self._own(condition.left, alias) else condition.left
        local = any(part.table in self.entities and part.table != alias for part in other.find_all(exp.Column))
        return ("join" if local else "equal"), column

    def _compared(self, condition: exp.Binary, alias: str) -> str:
        """Return the source's column that is compared with something that is not of the same row."""
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            column = self._own(one, alias)
            if column and not any(self._own(part, alias) for part in other.find_all(exp.Column)):
                return column
        return ""

    def _own(self, node: exp.Expr, alias: str) -> str:
        """Return the name of a node that is a column of the source."""
        column = node.unnest()
        if not isinstance(column, exp.Column):
            return ""
        if column.table:
            return column.name if column.table == alias else ""
        holders = [
            name for name, entity in self.entities.items() if column.name in (columns_of(entity, self.app) or {})
        ]
        return column.name if holders == [alias] else ""

    def _order(self, alias: str, *, limited: bool) -> tuple[str, ...]:
        """Return what the rows are sorted by, where an index can give that order: all of this source, in one direction.
        Without a condition, only a LIMIT makes it worth while.
        """
        order = self.select.args.get("order")
        grouped = self.select.args.get("group") or self.select.args.get("distinct")
        if order is None or grouped or (limited and not self.select.args.get("limit")):
            return ()
        items = order.expressions
        names = [self._own(each.this, alias) for each in items]
        one_way = len({bool(each.args.get("desc")) for each in items}) == 1
        return tuple(names) if all(names) and one_way else ()


def _is_unset(part: exp.Expr) -> bool:
    return _is_null_test(part) and part.this.find(exp.Placeholder) is not None


def _is_null_test(condition: exp.Expr) -> bool:
    """Say whether a condition is `x IS NULL`; sqlglot writes IS NOT NULL as the same node, negated."""
    is_test = isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null)
    return is_test and not condition.args.get("negate")
