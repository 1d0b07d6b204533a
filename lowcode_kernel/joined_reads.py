"""Which reads can be one statement together, and which give a bounded number of rows.

One statement gives each read's rows as an array of records. A column of Json has no place in a record (the driver takes
its binary form for text), so that such a read stays alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.columns import columns_of
from lowcode_kernel.queries import analyze_query
from lowcode_kernel.query_grouping import is_windowed, own_nodes
from lowcode_kernel.query_names import entity_named
from lowcode_kernel.query_variants import conjuncts
from lowcode_kernel.sql import exp, nodes_of, parsed
from lowcode_kernel.sql_functions import function_name, functions, is_aggregate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.elements import Query
    from lowcode_kernel.types import Type

READS: dict[str, frozenset[str | None]] = {
    "query": frozenset({None, "exists", "count", "first", "top", "page"}),
    "entity": frozenset({"get", "find", "list", "count", "exists"}),
}
"""The calls that `together` takes, by kind."""

BOUND = 100
"""Up to so many rows a read is small: more is slower in one statement than alone."""

_COUNTED = frozenset({"exists", "count"})


def joinable(call: Call, app: Application) -> str:
    """Return why a read can't be one statement with others, or ""."""
    if call.method not in READS.get(call.kind, ()):
        return "it is no read of rows"
    if call.method in _COUNTED:
        return ""
    if call.kind == "query":
        return _reason(analyze_query(app.queries[call.name], app).row.items())
    return _reason((columns_of(call.name, app) or {}).items())


def _reason(columns: Iterable[tuple[str, Type]]) -> str:
    return next((f"{name} is Json" for name, type_ in columns if type_.name == "Json"), "")


def is_bounded(query: Query, app: Application) -> bool:
    """Say whether a query gives few rows whatever is stored: it aggregates all rows into one, has a small LIMIT, or
    asks for a whole key.
    """
    analysis = analyze_query(query, app)
    if any(problem.severity == "error" for problem in analysis.problems):
        return False
    tree = analysis.prepared()
    if _limit(tree) <= BOUND:
        return True
    if not isinstance(tree, exp.Select) or any(_gives_rows(item) for item in tree.selects):
        return False
    if not tree.args.get("group") and any(_aggregates(item) for item in tree.selects):
        return True
    return _asks_for_key(query, app)


def _limit(tree: exp.Query) -> float:
    limit = tree.args.get("limit")
    value = limit.expression if isinstance(limit, exp.Limit) else None
    return int(value.name) if isinstance(value, exp.Literal) and value.is_int else float("inf")


def _gives_rows(item: exp.Expr) -> bool:
    """Say whether an item of a SELECT may give several rows: `UNNEST(...)`."""
    return any(isinstance(node, exp.Func) and function_name(node) in functions().sets for node in nodes_of(item))


def _aggregates(item: exp.Expr) -> bool:
    """Say whether an item of a SELECT is an aggregate of its own rows: no window, and not in a query inside."""
    return any(is_aggregate(node) and not is_windowed(node) for node in own_nodes(item))


def _asks_for_key(query: Query, app: Application) -> bool:
    """Say whether the only entity of a query is asked for by all attributes of its key, or of a unique set."""
    tree = parsed(query.sql, query.sql_place)
    source = tree.args.get("from_")
    if tree.args.get("joins") or source is None or not isinstance(source.this, exp.Table) or tree.args.get("with_"):
        return False
    entity = app.entities.get(entity_named(source.this.name, app) or "")
    where = tree.args.get("where")
    if entity is None or where is None:
        return False
    given = set(_given(where))
    single = [(attribute.name,) for attribute in entity.attributes if attribute.unique]
    return any(set(names) <= given for names in [entity.key, *entity.uniques, *single])


def _given(where: exp.Where) -> Iterator[str]:
    """Give the columns that a WHERE compares with a value."""
    for part in conjuncts(where.this):
        inner = part.unnest()
        if isinstance(inner, exp.EQ):
            for one, other in ((inner.left, inner.right), (inner.right, inner.left)):
                if isinstance(one, exp.Column) and isinstance(other.unnest(), exp.Placeholder | exp.Literal):
                    yield one.name
