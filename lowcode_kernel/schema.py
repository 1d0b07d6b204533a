"""The shape of an application's database: logical names, the physical ones behind them, and the changes between two shapes.

Every version of the shape is served by a schema of views that show its logical names (`Schema.views`), over base tables that only ever gain columns
until an explicit contraction. That is what lets an old and a new release serve side by side, and what makes a rename cost nothing: the view of the new
version names the old column anew. The method is that of expand and contract (Sadalage and Ambler, Refactoring Databases, 2006).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

Lock = Literal["none", "share update exclusive", "share row exclusive", "access exclusive"]
ChangeKind = Literal["expand", "index", "views", "contract"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its logical name, PostgreSQL type, and SQL default. `physical` is the base table's name for it; `identity` marks the implied key."""

    name: str
    type: str
    nullable: bool = False
    default: str | None = None
    identity: bool = False
    check: str | None = None
    was: str | None = None
    physical: str = ""

    @property
    def base(self) -> str:
        """The column's name in the base table."""
        return self.physical or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key: `columns` of this table point at `target_columns` of table `target` (logical names)."""

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: Literal["restrict", "cascade", "set null"] = "restrict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index over columns (logical names)."""

    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, and the view that shows it. `entity` is the element it comes from."""

    name: str
    entity: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    indexes: tuple[Index, ...] = ()
    was: str | None = None
    physical: str = ""

    @property
    def base(self) -> str:
        """The base table's name."""
        return self.physical or self.name

    def column(self, name: str) -> Column:
        """Return the column with logical name `name`; raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of an application. `application` names the base schema."""

    application: str
    tables: tuple[Table, ...]
    views: str = field(init=False)

    def __post_init__(self) -> None:
        logical = [
            (t.name, t.key, t.references, t.indexes, [(c.name, c.type, c.nullable, c.default, c.check) for c in t.columns]) for t in self.tables
        ]
        digest = hashlib.sha256(repr((self.application, logical)).encode()).hexdigest()
        object.__setattr__(self, "views", f"{self.application}_{digest[:8]}")

    def table(self, name: str) -> Table:
        """Return the table with logical name `name`; raises KeyError."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One statement of an upgrade, with what it locks and what it risks.

    `concurrent` statements run outside of the transaction. `risk` says in words what data is lost or what may fail ("" if nothing); `rewrites` is True where
    PostgreSQL rewrites or scans the whole table.
    """

    sql: str
    kind: ChangeKind
    table: str
    summary: str
    lock: Lock = "none"
    rewrites: bool = False
    concurrent: bool = False
    risk: str = ""
