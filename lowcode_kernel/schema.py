"""The shape of an application's database: logical names, the physical ones behind them, and the changes between two
shapes.

Every version of the shape is served by a schema of views that show its logical names (`Schema.views`), over base
tables that only ever gain columns until an explicit contraction. That is what lets an old and a new release serve
side by side, and what makes a rename cost nothing: the view of the new version names the old column anew. The method
is that of expand and contract (Sadalage and Ambler, Refactoring Databases, 2006).

`Table` and `Column` are what one version sees; `BaseTable` and `BaseColumn` are what the database holds for all
versions that were ever deployed. A schema fresh from a model (`relational.schema_of`) has no base yet;
`evolution.evolve` gives it one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from lowcode_kernel.memo import once
from lowcode_kernel.quoting import identifier, literal

Lock = Literal["none", "row exclusive", "share update exclusive", "share row exclusive", "access exclusive"]
ChangeKind = Literal["expand", "index", "views", "contract"]
OnDelete = Literal["restrict", "cascade", "set null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a text column may hold besides its type:

    at most `length` characters, one of `choices`, the form of an e-mail address.
    """

    length: int | None = None
    choices: tuple[str, ...] = ()
    email: bool = False

    def sql(self, column: str) -> str:
        """Return the condition over `column`, or "" where everything is allowed."""
        name = identifier(column)
        parts = [f"char_length({name}) <= {self.length}"] if self.length is not None else []
        if self.choices:
            parts.append(f"{name} IN ({', '.join(literal(choice) for choice in self.choices)})")
        if self.email:
            parts.append(f"{name} LIKE '_%@_%'")
        return " AND ".join(parts)

    def joined(self, other: Limit) -> Limit:
        """Return the tightest limit that lets through what either lets through."""
        lengths = None not in (self.length, other.length)
        return Limit(
            length=max(self.length or 0, other.length or 0) if lengths else None,
            choices=tuple(dict.fromkeys(self.choices + other.choices)) if self.choices and other.choices else (),
            email=self.email and other.email,
        )


ANYTHING = Limit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of one version: its logical name, PostgreSQL type and SQL default. `physical` is the base table's name
    for it ("": the same).

    `identity` marks the implied key; `was` is the attribute's former name. `computed` is SQL over the table's other
    columns, written `{name}`: such a column is in the view alone.
    """

    name: str
    type: str
    nullable: bool = False
    default: str | None = None
    identity: bool = False
    limit: Limit = ANYTHING
    was: str | None = None
    physical: str = ""
    computed: str = ""

    @property
    def base(self) -> str:
        """The column's name in the base table."""
        return self.physical or self.name

    @property
    def check(self) -> str | None:
        """The SQL condition over the logical name that each value meets, or None."""
        return self.limit.sql(self.name) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key: `columns` of this table point at `target_columns` of table `target`.

    Names are logical in a Table, physical in a BaseTable.
    """

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: OnDelete = "restrict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index over columns: logical names in a Table, physical ones in a BaseTable."""

    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A condition over several columns of one row: SQL in which a column is written as its number in `columns`, `{0} >
    {1}`, so that it is the same whatever they are called. Names are logical in a Table, physical in a BaseTable.
    """

    columns: tuple[str, ...]
    condition: str
    message: str

    @property
    def mark(self) -> str:
        """Eight digits at the end of the constraint's name, by which the service knows what to say."""
        return _digest(self.condition, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as one version sees it, which is the view that shows it.

    `entity` is the name of the entity that it comes from.
    """

    name: str
    entity: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    was: str | None = None
    physical: str = ""

    @property
    def base(self) -> str:
        """The base table's name."""
        return self.physical or self.name

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the base table has: all but the computed ones."""
        return tuple(column for column in self.columns if not column.computed)

    def column(self, name: str) -> Column:
        """Return the column with logical name `name`; raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")

    def reference(self, name: str) -> Reference | None:
        """Return the foreign key of the one column `name`, or None."""
        return next((reference for reference in self.references if reference.columns == (name,)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseColumn:
    """A column that the database holds, for whichever versions show it.

    `last` is the logical name under which it was last shown.
    """

    name: str
    type: str
    nullable: bool = False
    default: str | None = None
    identity: bool = False
    limit: Limit = ANYTHING
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Two columns of one meaning and two types, which a trigger keeps in step while versions with either of them serve.

    `up` and `down` are SQL expressions over `{0}`; without a `down`, the old column stays empty for new rows. The
    defaults are for rows of versions that have neither column, where a value is required.
    """

    source: str
    target: str
    up: str
    down: str | None = None
    source_default: str | None = None
    target_default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTable:
    """A table that the database holds.

    `last` is the logical name under which it was last shown, `entity` the entity's. All other names are physical.
    """

    name: str
    entity: str
    columns: tuple[BaseColumn, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    indexes: tuple[Index, ...] = ()
    copies: tuple[Copy, ...] = ()
    checks: tuple[Check, ...] = ()
    last: str = ""

    def column(self, name: str) -> BaseColumn | None:
        """Return the column with physical name `name`, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables of an application. `application` names the base schema, `views` the schema of views of this version.

    `base` is what the database holds once this version is deployed. `known` are the schemas of views there by then,
    each with a digest of what its views show; `edition` tells two versions apart that look the same but show other
    base columns. `revision` is the id of the upgrade script that leads here.
    """

    application: str
    tables: tuple[Table, ...]
    base: tuple[BaseTable, ...] = ()
    known: tuple[tuple[str, str], ...] = ()
    edition: int = 0
    revision: str = ""
    views: str = field(init=False)

    def __post_init__(self) -> None:
        logical = [
            (
                t.name,
                t.key,
                t.references,
                t.indexes,
                [
                    (c.name, c.type, c.nullable, c.default, c.check, *([c.computed] * bool(c.computed)))
                    for c in t.columns
                ],
                *([t.checks] * bool(t.checks)),
            )
            for t in self.tables
        ]
        edition = (self.edition,) if self.edition else ()
        object.__setattr__(self, "views", f"{self.application}_{_digest(self.application, logical, *edition)}")

    @property
    def shown(self) -> str:
        """A digest of which base columns the views show."""
        return _digest([(t.name, t.base, [(c.name, c.computed or c.base) for c in t.columns]) for t in self.tables])

    def table(self, name: str) -> Table:
        """Return the table with logical name `name`; raises KeyError."""
        return once("tables by name", (self,), lambda: {table.name: table for table in self.tables})[name]

    def base_table(self, name: str) -> BaseTable | None:
        """Return the base table with physical name `name`, or None."""
        return once("base tables by name", (self,), lambda: {table.name: table for table in self.base}).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One statement of an upgrade, with what it locks and what it risks.

    `concurrent` statements run outside of the transaction, and may be run again. `risk` says in words what data is
    lost or what may fail ("" if nothing); `rewrites` is True where PostgreSQL rewrites or scans the whole table.
    """

    sql: str
    kind: ChangeKind
    table: str
    summary: str
    lock: Lock = "none"
    rewrites: bool = False
    concurrent: bool = False
    risk: str = ""


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def encode(schema: Schema) -> bytes:
    """Return the schema as JSON, the form in which an environment's history keeps it."""
    import msgspec

    return msgspec.json.encode(schema)


def decode(content: bytes) -> Schema:
    """Return the schema that `encode` wrote."""
    import msgspec

    return msgspec.json.decode(content, type=Schema)
