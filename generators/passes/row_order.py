"""Whether the order of a query's rows is complete: then its first rows are the same however they are found.

SELECT o.id, o.number FROM Order o ORDER BY o.placed_at            two orders of one moment may change places
SELECT o.id, o.number FROM Order o ORDER BY o.placed_at, o.id      complete
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.elements import Entity
from lowcode_kernel.memo import remembered
from lowcode_kernel.places import Place
from lowcode_kernel.query_names import entity_named
from lowcode_kernel.relational import USER
from lowcode_kernel.sql import exp
from lowcode_kernel.totality import parsed

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query

_AGGREGATED = ("group", "having", "distinct", "with_")


def is_fully_ordered(query: Query, app: Application) -> bool:
    """Say whether no two rows of the query may change places. An answer of False may be too careful."""
    return remembered("ordered", query, app, lambda: _is_fully_ordered(query, app))


def is_one_row(query: Query, app: Application) -> bool:
    """Say whether the query gives one row whatever is stored: it counts or sums up all rows."""
    return remembered("one row", query, app, lambda: _is_sum(query, app))


def _is_sum(query: Query, app: Application) -> bool:
    tree = parsed(query, app)
    return isinstance(tree, exp.Select) and _is_one_row(tree)


def _is_fully_ordered(query: Query, app: Application) -> bool:
    tree = parsed(query, app)
    if not isinstance(tree, exp.Select):
        return False
    if _is_one_row(tree):
        return True
    ordered = _ordered_columns(tree)
    if tree.args.get("group"):
        return _groups(tree) <= ordered and bool(_groups(tree))
    if any(tree.args.get(part) for part in _AGGREGATED):
        return False
    tables = _tables(tree, app)
    return tables is not None and all(
        _is_placed(name, entity, tables, tree, ordered) for name, entity in tables.items()
    )


def _is_one_row(tree: exp.Select) -> bool:
    """An aggregate of all rows is one row."""
    plain = [item.unalias() for item in tree.selects]
    aggregate = any(isinstance(item, exp.AggFunc) for item in plain)
    return aggregate and not tree.args.get("group") and not tree.args.get("having") and not tree.find(exp.Window)


def _ordered_columns(tree: exp.Select) -> set[tuple[str, str]]:
    """Return the columns that rows are sorted by, as (table, column); a name alone may be that of a result column."""
    order = tree.args.get("order")
    named = {item.alias: item.this for item in tree.selects if isinstance(item, exp.Alias)}
    found = set()
    for item in order.expressions if order else []:
        column = item.this
        if isinstance(column, exp.Column) and not column.table:
            column = named.get(column.name, column)
        if isinstance(column, exp.Column):
            found.add((column.table, column.name))
    return found


def _groups(tree: exp.Select) -> set[tuple[str, str]]:
    columns = tree.args["group"].expressions
    if not all(isinstance(column, exp.Column) for column in columns):
        return {("", "")}
    return {(column.table, column.name) for column in columns}


def _tables(tree: exp.Select, app: Application) -> dict[str, Entity] | None:
    """Return the entities in FROM by their names there; None where something else stands there."""
    source = tree.args.get("from_")
    parts = [*([source.this] if source else []), *(join.this for join in tree.args.get("joins") or [])]
    found: dict[str, Entity] = {}
    for part in parts:
        entity = _entity(entity_named(part.name, app), app) if isinstance(part, exp.Table) else None
        if entity is None:
            return None
        found[part.alias or part.name] = entity
    return found or None


def _entity(name: str | None, app: Application) -> Entity | None:
    """Return an entity; of the one that no cell defines, the key is what there is to know."""
    if name == USER and name not in app.entities:
        return Entity(name=USER, attributes=(), place=Place(cell=0))
    return app.entities.get(name or "")


def _is_placed(
    name: str, entity: Entity, tables: dict[str, Entity], tree: exp.Select, ordered: set[tuple[str, str]]
) -> bool:
    """Say whether a table's row is settled by the order, or by a row of another table that a join finds it with."""
    alone = len(tables) == 1
    placed = {column for table, column in ordered if table == name or (alone and not table)}
    uniques = [entity.key, *([item.name] for item in entity.attributes if item.unique and not item.type.optional)]
    if any(set(unique) <= placed for unique in uniques):
        return True
    join = next((join for join in tree.args.get("joins") or [] if (join.this.alias or join.this.name) == name), None)
    return join is not None and _joins_by_key(join, name, entity)


def _joins_by_key(join: exp.Join, name: str, entity: Entity) -> bool:
    """Say whether a join finds at most one row: its condition says the whole key."""
    condition = join.args.get("on")
    if condition is None or join.side not in {"", "LEFT"}:
        return False
    found = set()
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        if isinstance(part, exp.EQ):
            sides = (part.this, part.expression)
            for one, other in (sides, sides[::-1]):
                if isinstance(one, exp.Column) and one.table == name and not _names(other, name):
                    found.add(one.name)
    return set(entity.key) <= found


def _names(node: exp.Expr, table: str) -> bool:
    return any(column.table in {"", table} for column in node.find_all(exp.Column))
