"""What a SELECT sees: the sources of its FROM, the names of its results, and what its columns may mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from lowcode_kernel.sql import exp

if TYPE_CHECKING:
    from lowcode_kernel.problems import Severity
    from lowcode_kernel.query_compilation import ResultColumn


class Report(Protocol):
    """Takes a problem and the node that it is about."""

    def __call__(
        self, code: str, fact: str, hint: str, node: exp.Expr | None = None, severity: Severity = "error"
    ) -> None:
        """Take one problem."""


@dataclass(eq=False)
class Source:
    """What a name in FROM stands for: an entity, a query inside, or a function's rows. `maybe` says that an outer join
    may leave it empty; where `known` is False, nothing is said of its columns.
    """

    name: str
    node: exp.Expr
    columns: dict[str, ResultColumn]
    entity: str | None = None
    maybe: bool = False
    known: bool = True
    used: bool = False

    def column(self, name: str) -> ResultColumn | None:
        """Return a column as it is seen here."""
        found = self.columns.get(name)
        return replace(found, type=found.type.maybe()) if found and self.maybe else found


@dataclass(eq=False)
class Scope:
    """What one SELECT sees: its sources by name, the names that it gives its results, and the scope around it."""

    node: exp.Expr
    parent: Scope | None
    sources: dict[str, Source] = field(default_factory=dict)
    tables: dict[str, tuple[ResultColumn, ...]] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    calls: bool = False  # whether a function is called
    merged: set[str] = field(default_factory=set)  # columns that USING makes one

    def table(self, name: str) -> tuple[ResultColumn, ...] | None:
        """Return the columns of a name in WITH."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.tables:
                return scope.tables[name]
            scope = scope.parent
        return None


def renamed(node: exp.Expr, columns: tuple[ResultColumn, ...]) -> tuple[ResultColumn, ...]:
    """Return columns under the names that an alias gives them: `AS v(id, name)`."""
    alias = node.args.get("alias")
    names = [identifier.name for identifier in alias.columns] if isinstance(alias, exp.TableAlias) else []
    renamed = [replace(column, name=name) for column, name in zip(columns, names, strict=False)]
    return (*renamed, *columns[len(names) :])


def visible(name: str, scope: Scope | None) -> Source | None:
    """Return what a name stands for in a scope or in one around it."""
    while scope is not None:
        if name in scope.sources:
            return scope.sources[name]
        scope = scope.parent
    return None


def may_be_told(column: exp.Column, around: Scope, scope: Scope) -> bool:
    """Say whether a name that no source has may still mean something: a result's, or one of an unknown entity."""
    if around is scope and not column.table and column.name in scope.aliases and groups(column):
        return True
    return any(not source.known for name, source in around.sources.items() if column.table in {"", name})


def orders(column: exp.Column, scope: Scope) -> bool:
    """Say whether a name stands alone in the ORDER BY of its query, where it may be that of a result."""
    order = column.parent.parent if isinstance(column.parent, exp.Ordered) else None
    return isinstance(order, exp.Order) and order.parent is scope.node


def groups(column: exp.Column) -> bool:
    """Say whether a name stands alone in GROUP BY or DISTINCT ON: it may be that of a result, if nothing else is called
    so.
    """
    parent = column.parent
    if isinstance(parent, exp.Tuple | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Group | exp.Distinct)
