"""The elements of an application: one frozen record for each kind of definition that a cell can hold.

Where a pass of the optimizer has rewritten a body, `lines` says which line of the cell's body each of its lines comes
from (1 is the first); it is empty where the body is the cell's own.

Bodies in Python are kept as text and parsed where they are needed (`lowcode_kernel.language.bodies`), so that elements
compare, hash and encode as plain
values. A place does not take part in comparison: a model is the same wherever its cells stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from lowcode_kernel.places import Place
from lowcode_kernel.types import Type

OnDelete = Literal["restrict", "cascade", "set null"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What all definitions have: a name that is unique in the application, its documentation, and the place and text
    that define it.
    """

    name: str
    doc: str = ""
    public: bool = False  # other notebooks may name it (`%use`)
    place: Place = field(compare=False)

    @property
    def kind(self) -> str:
        """The kind's name in lower case: "entity", "query" and so on."""
        return type(self).__name__.lower()

    @property
    def id(self) -> str:
        """The element's name with its kind, as the graph and the events write it: "query:departures"."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of an entity or a struct. `default` is Python text (`0`, `"gold"`, `now()`); `was` is its former
    name. `computed` is a Python expression over the row's other attributes: such an attribute is read, never written.
    """

    name: str
    type: Type
    doc: str = ""
    default: str | None = None
    unique: bool = False
    was: str | None = None
    on_delete: OnDelete = "restrict"
    computed: str | None = None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A condition over the attributes of one row that always holds: `check(ends_at > starts_at, "it ends too early")`.

    `condition` is Python text; `message` is what a write that breaks it is refused with.
    """

    condition: str
    message: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a query, an action or a screen. `default` is Python text, or None where an argument is
    required.
    """

    name: str
    type: Type
    default: str | None = None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may do what with an entity's rows: role names (empty: every signed-in user), and `rows`, a Python condition
    over the attributes and `user`.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    rows: str | None = None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(Element):
    """A kind of thing that the application keeps. `key` is ("id",) unless the cell declares one; "id" is then not
    among `attributes`.
    """

    attributes: tuple[Attribute, ...]
    key: tuple[str, ...] = ("id",)
    indexes: tuple[tuple[str, ...], ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    constraints: tuple[Constraint, ...] = ()
    access: Access | None = None
    was: str | None = None

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute called `name`, or None."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Element):
    """A named SELECT over entities, with named parameters. `sql` is the cell's text; `sql_place` is its first line."""

    parameters: tuple[Parameter, ...] = ()
    sql: str
    sql_place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Element):
    """A function that changes data, in one transaction. `body` is Python text; `rest` is ("POST", "/api/orders") where
    it is exposed.
    """

    parameters: tuple[Parameter, ...] = ()
    returns: Type | None = None
    roles: tuple[str, ...] = ()
    rest: tuple[Method, str] | None = None
    body: str
    body_place: Place = field(compare=False)
    lines: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen(Element):
    """A page at `path` (`/flights/{flight}`), built of components. `body` is Python text in the language of screens."""

    path: str
    parameters: tuple[Parameter, ...] = ()
    roles: tuple[str, ...] = ()
    body: str
    body_place: Place = field(compare=False)
    lines: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(Element):
    """A role that users hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Element):
    """A value that each environment may set (`SETTING_<NAME>`). `default` is Python text, or None where every
    environment has to give one.
    """

    type: Type
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call of an integration: `latest = GET("/v1/latest", currency=Text) -> Rate`. Names in the path's braces are
    parameters too.
    """

    name: str
    method: Method
    path: str
    parameters: tuple[Parameter, ...] = ()
    returns: Type | None = None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration(Element):
    """A service outside of the application, reached over HTTP by its operations alone."""

    base_url: str
    timeout: timedelta = timedelta(seconds=5)
    operations: tuple[Operation, ...] = ()

    def operation(self, name: str) -> Operation | None:
        """Return the operation called `name`, or None."""
        return next((operation for operation in self.operations if operation.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struct(Element):
    """A shape of values that is not kept in the database."""

    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Element):
    """Work that runs on a schedule (five cron fields, UTC) as a notebook. `body` is Python as in an action, or ""
    where `notebook` names the user's own.
    """

    schedule: str
    timeout: timedelta = timedelta(minutes=10)
    retries: int = 0
    priority: Literal["low", "normal", "high"] = "normal"
    notebook: str | None = None
    body: str = ""
    body_place: Place = field(compare=False)
    lines: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Element):
    """Rows for an entity. `file` is a path beside the notebook or `package:path` of an installed package; `sql`
    (DuckDB) maps the table `source` to attributes.
    """

    entity: str
    file: str | None = None
    sql: str | None = None
    sql_place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test(Element):
    """An example that must hold. `body` is Python as in an action, with `assert` and `refused(...)`."""

    __test__ = False  # pytest: not a test class

    roles: tuple[str, ...] = ()
    body: str
    body_place: Place = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package(Element):
    """A Python package that bodies import, pinned: `%package holidays==0.56 --hash sha256:...`. `name` is the
    distribution's; `modules` are the import names that it gives where they differ from it.
    """

    version: str
    hashes: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
