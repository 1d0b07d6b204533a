"""Grouping: what a SELECT with aggregates may give, and by which columns it groups.

PostgreSQL lets a column stand beside a group by the key of its table. Queries run on views, where it doesn't see keys;
so such columns are added to the groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.keys import key_names
from lowcode_kernel.query_compilation import is_star
from lowcode_kernel.sql import exp, inner_of
from lowcode_kernel.sql_functions import function_name, functions, is_aggregate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.query_scopes import Resolver
    from lowcode_kernel.query_sources import Scope

Groups = tuple[tuple[str, str], ...]


class Grouping:
    """The groups of one SELECT, checked."""

    def __init__(self, select: exp.Select, scope: Scope, resolver: Resolver) -> None:
        self.select, self.scope, self.resolver = select, scope, resolver
        self.expressions = list(self._expressions())
        self.columns = {key for node in self.expressions if (key := self._key(node)) is not None}
        self.added: dict[tuple[str, str], None] = {}

    def check(self) -> Groups:
        """Report what doesn't belong, and return the columns by which it groups besides those that it names."""
        grouped = self.select.args.get("group") is not None or self.select.args.get("having") is not None
        if not grouped and not self.scope.calls:
            return ()
        self._check_places()
        if not grouped and not self._aggregates():
            return ()
        for item in self.select.selects:
            if is_star(item):
                for source, name in self.resolver.stars.get(id(item), ()):
                    self._check_column((source, name), item)
            else:
                self._check(item)
        for clause in ("having", "order"):
            if (part := self.select.args.get(clause)) is not None:
                self._check(part)
        return tuple(self.added)

    def _aggregates(self) -> bool:
        parts = [*self.select.selects, *([order] if (order := self.select.args.get("order")) else [])]
        return any(is_aggregate(node) and not is_windowed(node) for part in parts for node in own_nodes(part))

    def _expressions(self) -> Iterator[exp.Expr]:
        group = self.select.args.get("group")
        waiting = list(group.expressions) if group is not None else []
        while waiting:
            item = waiting.pop(0)
            if isinstance(item, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
                waiting = [*item.expressions, *waiting]
            else:
                yield self._meant(item)

    def _meant(self, node: exp.Expr) -> exp.Expr:
        """Return the expression that a number or the name of a result stands for."""
        inner = node.unnest()
        items = self.select.selects
        if isinstance(inner, exp.Literal) and inner.is_int and 0 < int(inner.this) <= len(items):
            item = items[int(inner.this) - 1]
        elif isinstance(inner, exp.Column) and id(inner) not in self.resolver.columns:
            item = next((item for item in items if item.alias == inner.name), inner)
        else:
            return inner
        return item.this if isinstance(item, exp.Alias) else item

    def _key(self, node: exp.Expr) -> tuple[str, str] | None:
        found = self.resolver.columns.get(id(node))
        return (found[1].name, node.name) if found else None

    def _check(self, root: exp.Expr) -> None:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.Query) or _is_of_group(node):
                continue
            if isinstance(node, exp.Ordered | exp.Alias) or not any(node == known for known in self.expressions):
                if isinstance(node, exp.Column) and not is_star(node):
                    self._check_known(node)
                waiting += inner_of(node)

    def _check_known(self, column: exp.Column) -> None:
        found = self.resolver.columns.get(id(column))
        if found is None or self.scope.sources.get(found[1].name) is not found[1]:
            return  # a result's name, or a column of a query around
        self._check_column((found[1].name, column.name), column)

    def _check_column(self, key: tuple[str, str], node: exp.Expr) -> None:
        if key in self.columns:
            return
        source = self.scope.sources[key[0]]
        if source.entity and {(key[0], name) for name in key_names(source.entity, self.resolver.app)} <= self.columns:
            self.added[key] = None
            return
        name = f"{key[0]}.{key[1]}" if len(self.scope.sources) > 1 else key[1]
        self.resolver.report(
            "LK216",
            f"{name} has many values in a group",
            f"add it to GROUP BY, or aggregate it: MAX({name})",
            node,
        )

    def _check_places(self) -> None:
        """Aggregates stand where groups are known: not in WHERE, ON or GROUP BY, nor in each other."""
        joins = [("ON", join.args.get("on")) for join in self.select.args.get("joins") or ()]
        places = [("WHERE", self.select.args.get("where")), ("GROUP BY", self.select.args.get("group")), *joins]
        for word, part in places:
            for node in own_nodes(part) if part is not None else ():
                self._check_place(word, node)
        for item in self.select.selects:
            for node in own_nodes(item):
                self._check_nested(node)

    def _check_place(self, word: str, node: exp.Expr) -> None:
        if isinstance(node, exp.Window):
            self._misplaced(node, f"a window function can't stand in {word}", "put the query into WITH")
        elif is_aggregate(node) and not is_windowed(node):
            hint = "write HAVING" if word == "WHERE" else "put the query into WITH"
            self._misplaced(node, f"{function_name(node)} can't stand in {word}", hint)

    def _check_nested(self, node: exp.Expr) -> None:
        if not is_aggregate(node) or is_windowed(node):
            return
        inner = next((part for part in own_nodes(node) if part is not node and is_aggregate(part)), None)
        if inner is not None:
            fact = f"{function_name(node)} of {function_name(inner)} is two aggregates at once"
            self._misplaced(node, fact, "put the inner one into WITH")

    def _misplaced(self, node: exp.Expr, fact: str, hint: str) -> None:
        self.resolver.report("LK217", fact, hint, node)


def has_sets(select: exp.Select) -> bool:
    """Say whether a SELECT groups in several ways at once, where what isn't grouped by is NULL."""
    group = select.args.get("group")
    return group is not None and group.find(exp.Rollup, exp.Cube, exp.GroupingSets) is not None


def is_windowed(node: exp.Expr) -> bool:
    """Say whether a function is computed over a window, where it groups nothing."""
    parent = node.parent
    while isinstance(parent, exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls) and parent.this is node:
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is node


def own_nodes(root: exp.Expr) -> Iterator[exp.Expr]:
    """Give the nodes of an expression that are not in a query inside of it."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Query):
            continue
        yield node
        waiting += inner_of(node)


def _is_of_group(node: exp.Expr) -> bool:
    """Say whether a node is an aggregate of the group, with its FILTER and WITHIN GROUP."""
    inner = node.this if isinstance(node, exp.Filter | exp.WithinGroup) else node
    if isinstance(inner, exp.WithinGroup):
        inner = inner.this
    return is_aggregate(inner) and not is_windowed(inner)


def needs_window(node: exp.Expr) -> bool:
    """Say whether a function has a meaning over a window alone, and has none."""
    return function_name(node) in functions().windows and not is_windowed(node)
