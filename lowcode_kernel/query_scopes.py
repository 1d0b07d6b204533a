"""The names of a query resolved: what each table, column and `*` in it means, and of what type each result is.

A SELECT sees what stands in its FROM, in that order; a query inside sees that too, and a name in WITH is seen by all
that follows it. `Resolver` goes through a tree once, from the outside in where names are found, and from the inside out
where types are made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.columns import columns_of
from lowcode_kernel.keys import key_of
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.query_compilation import ResultColumn, is_star
from lowcode_kernel.query_grouping import has_sets, own_nodes
from lowcode_kernel.query_names import entity_named
from lowcode_kernel.query_sources import Scope, Source, may_be_told, orders, renamed, visible
from lowcode_kernel.sql import exp, inner_of
from lowcode_kernel.sql_common import Typed, common
from lowcode_kernel.sql_functions import is_aggregate
from lowcode_kernel.sql_types import Inference
from lowcode_kernel.types import INTEGER, UNKNOWN, Type, item_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.query_sources import Report


class Resolver:
    """Resolves one query. What it finds is in `results` (by the identity of a SELECT), `stars` (of a `*`), `columns`
    (of a column) and `scopes`.
    """

    def __init__(self, query: Query, app: Application, report: Report) -> None:
        self.query, self.app, self.report = query, app, report
        self.reads: set[tuple[str, str]] = set()
        self.entities: dict[str, None] = {}
        self.results: dict[int, tuple[ResultColumn, ...]] = {}
        self.stars: dict[int, tuple[tuple[str, str], ...]] = {}
        self.columns: dict[int, tuple[ResultColumn, Source]] = {}
        self.scopes: dict[int, Scope] = {}
        self.queries: list[exp.Expr] = []
        self.tables: dict[int, str] = {}
        self.named: list[exp.CTE] = []
        self.asked: set[str] = set()
        self.unknown: set[str] = set()  # names in WITH of which nothing can be said
        self._types = {parameter.name: parameter.type for parameter in query.parameters}
        self.inference = Inference(self._column_type, lambda name: self._types.get(name, UNKNOWN), self._query_type)

    def _column_type(self, column: exp.Column) -> Type:
        found = self.columns.get(id(column))
        return found[0].type if found else UNKNOWN

    def _query_type(self, query: exp.Query) -> Type:
        columns = self.results.get(id(query), ())
        return columns[0].type if len(columns) == 1 else UNKNOWN

    # queries

    def resolve(self, query: exp.Expr, outer: Scope | None = None) -> tuple[ResultColumn, ...]:
        """Resolve a query and all in it, and return its columns."""
        scope = Scope(node=query, parent=outer)
        self.queries.append(query)
        self._with(query, scope)
        match query:
            case exp.Subquery():
                columns = self.resolve(query.this, scope)
            case exp.SetOperation():
                columns = self._set_operation(query, scope)
            case exp.Values():
                columns = self._values(query, scope)
            case exp.Select():
                columns = self._select(query, scope)
            case _:
                self.report("LK228", f"{query.key.upper()} is not a query", "a query is SELECT, VALUES or UNION", query)
                columns = ()
        self.results[id(query)] = columns
        return columns

    def _with(self, query: exp.Expr, scope: Scope) -> None:
        clause = query.args.get("with_")
        if clause is None:
            return
        for cte in clause.expressions:
            inner = cte.this
            if (hidden := entity_named(cte.alias, self.app)) is not None:
                fact = f'"{cte.alias}" in WITH hides the entity {hidden}'
                self.report("LK104", fact, "choose another name", cte)
            if not isinstance(inner, exp.Query | exp.Values):
                self.report(
                    "LK202", f"{inner.key.upper()} writes, and a query reads", "write data in an %%action", inner
                )
                self.unknown.add(cte.alias)
                continue
            self.named.append(cte)
            if clause.args.get("recursive") and isinstance(inner, exp.SetOperation):
                first = self.resolve(inner.left, scope)
                scope.tables[cte.alias] = renamed(cte, first)
            scope.tables[cte.alias] = renamed(cte, self.resolve(inner, scope))

    def _set_operation(self, query: exp.SetOperation, scope: Scope) -> tuple[ResultColumn, ...]:
        left, right = self.resolve(query.left, scope), self.resolve(query.right, scope)
        word = query.key.upper()
        if left and right and len(left) != len(right):
            fact = f"one side of the {word} has {len(left)} columns, the other {len(right)}"
            self.report("LK203", fact, "select the same columns", query)
            return left
        columns = tuple(self._united(one, other, word, query) for one, other in zip(left, right, strict=False))
        scope.aliases = {column.name for column in columns}
        for part in (query.args.get("order"), query.args.get("limit"), query.args.get("offset")):
            if part is not None:
                self._expressions(part, scope)
        return columns

    def _united(self, one: ResultColumn, other: ResultColumn, word: str, node: exp.Expr) -> ResultColumn:
        found = common(Typed(type=self._key(one, other)), Typed(type=self._key(other, one))).type
        if found is UNKNOWN and "unknown" not in (one.type.kind, other.type.kind):
            fact = f'column "{one.name}" of the {word} is {one.type} on one side, {other.type} on the other'
            self.report("LK203", fact, "CAST one of them", node)
        return replace(one, type=found, source=one.source if one.source == other.source else None, cast="")

    def _key(self, column: ResultColumn, other: ResultColumn) -> Type:
        """Return a column's type; keys of two entities are nothing but values."""
        type_ = column.type
        if type_.kind != "entity" or type_.many or type_.name == other.type.name:
            return type_
        return replace(key_of(type_.name, self.app), optional=type_.optional)

    def _values(self, values: exp.Values, scope: Scope) -> tuple[ResultColumn, ...]:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in values.expressions]
        for row in rows:
            for item in row:
                self._expressions(item, scope)
            if len(row) != len(rows[0]):
                fact = f"a row of VALUES has {len(row)} values, the first {len(rows[0])}"
                self.report("LK203", fact, "give all rows the same", values)
        found = []
        for number, items in enumerate(zip(*rows, strict=False), 1):
            typed = self.inference.typed(items[0])
            for item in items[1:]:
                typed = common(typed, self.inference.typed(item))
            found.append(ResultColumn(name=f"column{number}", type=typed.type, cast=typed.cast))
        return renamed(values, tuple(found))

    def _select(self, select: exp.Select, scope: Scope) -> tuple[ResultColumn, ...]:
        self.scopes[id(select)] = scope
        self._sources(select, scope)
        scope.aliases = {item.alias for item in select.selects if isinstance(item, exp.Alias)}
        for name, part in select.args.items():
            if name not in {"with_", "from_", "joins", "laterals"}:
                for item in part if isinstance(part, list) else [part]:
                    if isinstance(item, exp.Expr):
                        self._expressions(item, scope)
        sets = has_sets(select)
        columns: list[ResultColumn] = []
        for item in select.selects:
            found = list(self._item(item, scope))
            if sets and not any(is_aggregate(node) for node in own_nodes(item)):
                found = [replace(column, type=column.type.maybe()) for column in found]
            columns += found
        return tuple(columns)

    # FROM

    def _sources(self, select: exp.Select, scope: Scope) -> None:
        clause = select.args.get("from_")
        if clause is not None:
            self._source(clause.this, scope)
        self._joins(select, scope)
        for lateral in select.args.get("laterals") or ():
            self._source(lateral, scope)

    def _joins(self, node: exp.Expr, scope: Scope) -> None:
        for join in node.args.get("joins") or ():
            earlier = list(scope.sources.values())
            self._source(join.this, scope)
            later = [source for source in scope.sources.values() if source not in earlier]
            if join.args.get("method") == "NATURAL":
                self.report("LK228", "NATURAL JOIN joins by whatever is called the same", "write ON or USING", join)
            self._using(join, earlier, later, scope)
            if join.args.get("on") is not None:
                self._expressions(join.args["on"], scope)
            for source in later if join.side in {"LEFT", "FULL"} else ():
                source.maybe = True
            for source in earlier if join.side in {"RIGHT", "FULL"} else ():
                source.maybe = True

    def _using(self, join: exp.Join, earlier: list[Source], later: list[Source], scope: Scope) -> None:
        for identifier in join.args.get("using") or ():
            for side in (earlier, later):
                holders = [source for source in side if identifier.name in source.columns]
                for source in holders:
                    self._read(source, identifier.name)
                if not holders and all(source.known for source in side):
                    known = [name for source in side for name in source.columns]
                    fact = f'"{identifier.name}" in USING is not on both sides'
                    self.report("LK101", fact, did_you_mean(identifier.name, known), identifier)
            scope.merged.add(identifier.name)

    def _source(self, node: exp.Expr, scope: Scope) -> None:
        match node:
            case exp.Table():
                self._table(node, scope)
                self._joins(node, scope)
            case exp.Subquery(this=exp.Table() as table):
                self._source(table, scope)
                self._joins(node, scope)
            case exp.Lateral(this=exp.Subquery() as inner):
                self._add(node, renamed(node, self.resolve(inner, scope)), scope)
            case exp.Lateral() | exp.Unnest():
                self._rows(node, node.this if isinstance(node, exp.Lateral) else node, scope)
            case exp.Values():
                self._add(node, self.resolve(node, scope.parent), scope)
            case exp.Subquery():
                # what isn't LATERAL sees the names of WITH, not what stands beside it
                beside = replace(scope, sources={})
                self._add(node, renamed(node, self.resolve(node.this, beside)), scope)
                self._joins(node, scope)
            case _:
                self.report("LK228", f"{node.key.upper()} can't stand in FROM", "name an entity or a query", node)

    def _table(self, table: exp.Table, scope: Scope) -> None:
        for word in ("db", "sample", "pivots", "version"):
            if table.args.get(word):
                what = {"db": f'"{table.db}" before an entity'}.get(word, word.upper())
                self.report("LK228", f"{what} has no meaning here", "name the entity alone", table)
        if not isinstance(table.this, exp.Identifier):
            self._rows(table, table.this, scope)
        elif table.name in self.unknown:
            self._add(table, (), scope, known=False)
        elif (columns := scope.table(table.name)) is not None:
            self.asked.add(table.name)
            self._add(table, renamed(table, columns), scope)
        else:
            self._entity(table, scope)

    def _entity(self, table: exp.Table, scope: Scope) -> None:
        entity = entity_named(table.name, self.app)
        columns = columns_of(entity, self.app) if entity else None
        if entity is None or columns is None:
            known = [*self.app.entities, "User"]
            self.report("LK101", f'there is no entity "{table.name}"', did_you_mean(table.name, known), table)
            self._add(table, (), scope, known=False)
            return
        if table.args.get("alias") is not None and table.args["alias"].columns:
            self.report("LK228", f"the columns of {entity} can't be renamed in FROM", "rename them with AS", table)
        self.entities[entity] = None
        self.tables[id(table)] = entity
        found = (ResultColumn(name=name, type=type_, source=(entity, name)) for name, type_ in columns.items())
        self._add(table, found, scope, entity=entity)

    def _rows(self, node: exp.Expr, call: exp.Expr, scope: Scope) -> None:
        """A function in FROM gives rows of one column, with a number where WITH ORDINALITY asks for it."""
        self._expressions(call, scope)
        alias = node.args.get("alias")
        names = [identifier.name for identifier in alias.columns] if alias is not None else []
        given = node.args.get("offset")
        numbered = bool(node.args.get("ordinality") or given)
        if isinstance(given, exp.Identifier):
            names.append(given.name)
        own = names[0] if names else node.alias_or_name or call.name
        typed = self._row_type(call)
        columns = [ResultColumn(name=own, type=typed.type, cast=typed.cast)]
        if numbered:
            columns.append(ResultColumn(name=names[1] if len(names) > 1 else "ordinality", type=INTEGER))
        self._add(node, columns, scope, name=node.alias_or_name or own)

    def _row_type(self, call: exp.Expr) -> Typed:
        if isinstance(call, exp.Unnest) and call.expressions:
            return Typed(type=item_of(self.inference.of(call.expressions[0])))
        return self.inference.typed(call)

    def _add(
        self,
        node: exp.Expr,
        columns: Iterable[ResultColumn],
        scope: Scope,
        *,
        entity: str | None = None,
        name: str = "",
        known: bool = True,
    ) -> None:
        called = name or node.alias_or_name
        if called in scope.sources:
            self.report("LK104", f'"{called}" is in FROM twice', "give each a name of its own: Order a, Order b", node)
            return
        by_name = {column.name: replace(column, cast="") for column in columns}
        scope.sources[called] = Source(called, node, by_name, entity=entity, known=known)

    # expressions

    def _expressions(self, root: exp.Expr, scope: Scope) -> None:
        """Resolve the columns of an expression, and the queries in it."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.Query):
                self.resolve(node, scope)
            elif isinstance(node, exp.Column) and not is_star(node):
                self._column(node, scope)
            else:
                if isinstance(node, exp.Func):
                    scope.calls = True
                waiting += inner_of(node)

    def _column(self, column: exp.Column, scope: Scope) -> None:
        if column.args.get("db"):
            self.report("LK101", f"{column.sql()} has too many parts", "write source.column", column)
            return
        if not column.table and column.name in scope.aliases and orders(column, scope):
            return  # ORDER BY asks for results first
        around: Scope | None = scope
        while around is not None:
            if (holders := self._holders(column, around)) or may_be_told(column, around, scope):
                self._found(column, holders, around)
                return
            around = None if column.table in around.sources else around.parent
        self._missing(column, scope)

    def _found(self, column: exp.Column, holders: list[Source], scope: Scope) -> None:
        """Write down whose a column is; without holders, it is a result's name, or nothing is known of its source."""
        if len(holders) > 1 and column.name not in scope.merged:
            names = [source.name for source in holders]
            fact = f'"{column.name}" is in {" and ".join(names)}'
            self.report("LK104", fact, f"write {names[0]}.{column.name}", column)
        elif holders:
            self.columns[id(column)] = (self._read(holders[0], column.name), holders[0])

    def _holders(self, column: exp.Column, scope: Scope) -> list[Source]:
        if column.table:
            source = scope.sources.get(column.table)
            return [source] if source and column.name in source.columns else []
        return [source for source in scope.sources.values() if column.name in source.columns]

    def _missing(self, column: exp.Column, scope: Scope) -> None:
        if not column.table and column.name in scope.aliases:
            fact = f'"{column.name}" names a result, which is not known here'
            self.report("LK101", fact, "repeat its expression, or put the query into WITH", column)
        elif not column.table:
            names = [name for source in scope.sources.values() for name in source.columns]
            fact, hint = f'there is no attribute "{column.name}" here', [*names, *scope.aliases]
            self.report("LK101", fact, did_you_mean(column.name, hint), column)
        elif (source := visible(column.table, scope)) is not None:
            fact = f'{source.entity or source.name} has no attribute "{column.name}"'
            self.report("LK101", fact, did_you_mean(column.name, source.columns), column.this)
        else:
            fact = f'there is no "{column.table}" in FROM'
            self.report("LK101", fact, did_you_mean(column.table, scope.sources), column)

    def _read(self, source: Source, name: str) -> ResultColumn:
        source.used = True
        found = source.column(name)
        if found is None:
            raise KeyError(name)
        if found.source:
            self.reads.add(found.source)
        return found

    # results

    def _item(self, item: exp.Expr, scope: Scope) -> Iterator[ResultColumn]:
        if is_star(item):
            yield from self._star(item, scope)
            return
        inner = item.this if isinstance(item, exp.Alias) else item
        name = item.alias_or_name
        if isinstance(inner, exp.Column):
            if id(inner) in self.columns:
                yield replace(self.columns[id(inner)][0], name=name)
            else:
                yield ResultColumn(name=name, type=UNKNOWN)
            return
        typed = self.inference.typed(inner)
        yield ResultColumn(name=name, type=typed.type, cast=typed.cast)

    def _star(self, item: exp.Expr, scope: Scope) -> Iterator[ResultColumn]:
        named = item.table if isinstance(item, exp.Column) else ""
        if named and named not in scope.sources:
            self.report("LK101", f'there is no "{named}" in FROM', did_you_mean(named, scope.sources), item)
            return
        chosen = [scope.sources[named]] if named else list(scope.sources.values())
        pairs, seen = [], set()
        for source in chosen:
            for name in source.columns:
                if name in scope.merged and not named and name in seen:
                    continue
                seen.add(name)
                pairs.append((source.name, name))
                yield self._read(source, name)
        self.stars[id(item)] = tuple(pairs)
