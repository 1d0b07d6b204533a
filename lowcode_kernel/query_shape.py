"""What a query as a whole does that its author may not mean: rows in no order cut off, joins without a condition, names
that nothing uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.query_compilation import is_star
from lowcode_kernel.query_grouping import is_windowed, own_nodes
from lowcode_kernel.query_variants import conjuncts
from lowcode_kernel.sql import exp, nodes_of
from lowcode_kernel.sql_functions import is_aggregate

if TYPE_CHECKING:
    from lowcode_kernel.query_scopes import Resolver
    from lowcode_kernel.query_sources import Scope, Source

_TWO = 2


def check_shape(resolver: Resolver) -> None:
    """Report what a query as a whole does unseen."""
    for query in resolver.queries:
        _check_limit(query, resolver)
        _check_parts(query, resolver)
    for scope in resolver.scopes.values():
        for join in scope.node.args.get("joins") or ():
            _check_unused(join, scope, resolver)
        _check_connected(scope, resolver)
    for cte in resolver.named:
        if cte.alias not in resolver.asked:
            resolver.report("LK224", f'"{cte.alias}" in WITH is used by nothing', "remove it", cte, "warning")


def _check_limit(query: exp.Expr, resolver: Resolver) -> None:
    """Without an order, the database gives any rows it likes."""
    cut = query.args.get("limit") or query.args.get("offset")
    if cut is None or query.args.get("order") is not None or isinstance(query.parent, exp.Exists):
        return
    if isinstance(query, exp.Select) and not query.args.get("group") and _is_one_row(query):
        return
    word = "OFFSET" if isinstance(cut, exp.Offset) else "LIMIT"
    fact, hint = f"{word} without ORDER BY gives any rows", "say which come first: ORDER BY ..."
    resolver.report("LK221", fact, hint, cut, "warning")


def _is_one_row(query: exp.Select) -> bool:
    return any(is_aggregate(node) and not is_windowed(node) for item in query.selects for node in own_nodes(item))


def _check_parts(query: exp.Expr, resolver: Resolver) -> None:
    """A query reads: it locks nothing and makes no table."""
    for name, word in (("locks", "FOR UPDATE"), ("into", "INTO")):
        if query.args.get(name):
            resolver.report("LK228", f"{word} has no meaning in a query", "a query reads; write in an %%action", query)


def _check_unused(join: exp.Join, scope: Scope, resolver: Resolver) -> None:
    source = scope.sources.get(join.this.alias_or_name)
    if source is not None and source.known and join.side == "LEFT" and not _is_used(source, join, scope, resolver):
        fact = f'"{source.name}" is joined and used by nothing'
        resolver.report("LK225", fact, "remove the join, or use a column of it", join, "notice")


def _is_used(source: Source, join: exp.Join, scope: Scope, resolver: Resolver) -> bool:
    condition = join.args.get("on")
    own = {id(node) for node in nodes_of(condition)} if condition is not None else set()
    stars = any(is_star(item) for item in scope.node.args["expressions"])
    return stars or any(found[1] is source and node not in own for node, found in resolver.columns.items())


def _check_connected(scope: Scope, resolver: Resolver) -> None:
    """What no condition connects is joined row by row with all the rest."""
    if len(scope.sources) < _TWO or any(not source.known for source in scope.sources.values()):
        return
    groups = _Groups(scope.sources)
    joins = scope.node.args.get("joins") or ()
    for join in joins:
        if _is_meant(join):
            groups.join([*scope.sources])
            return
        if join.args.get("on") is not None:
            groups.connect(join.args["on"], resolver)
    if scope.node.args.get("where") is not None:
        groups.connect(scope.node.args["where"].this, resolver)
    for name in groups.apart():
        fact = f'nothing connects "{name}" with the rest: each of its rows is joined with every other'
        hint = "write JOIN ... ON, or CROSS JOIN where that is meant"
        resolver.report("LK222", fact, hint, scope.sources[name].node, "warning")


def _is_meant(join: exp.Join) -> bool:
    """Say whether a join without a condition is one on purpose: CROSS JOIN, ON TRUE, rows of a function."""
    plain = isinstance(join.this, exp.Table) and isinstance(join.this.this, exp.Identifier)
    written = join.kind == "CROSS" or bool(join.args.get("using")) or isinstance(join.args.get("on"), exp.Boolean)
    return written or not (plain or isinstance(join.this, exp.Subquery))


class _Groups:
    """The sources of a FROM in groups that conditions connect."""

    def __init__(self, sources: dict[str, Source]) -> None:
        self.sources = sources
        self.group = {name: name for name in sources}

    def join(self, names: list[str]) -> None:
        """Make one group of those of the sources."""
        first, *others = [self.group[name] for name in names]
        self.group = {name: first if group in others else group for name, group in self.group.items()}

    def connect(self, condition: exp.Expr, resolver: Resolver) -> None:
        """Join the sources that parts of a condition are about together."""
        for part in conjuncts(condition):
            found = [found[1] for node in nodes_of(part) if (found := resolver.columns.get(id(node)))]
            names = [name for name, source in self.sources.items() if any(source is one for one in found)]
            if len(names) > 1:
                self.join(names)

    def apart(self) -> list[str]:
        """Return the first source of each group but the first group."""
        first: dict[str, str] = {}
        for name, group in self.group.items():
            first.setdefault(group, name)
        return list(first.values())[1:]
