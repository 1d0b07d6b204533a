"""Accesses of entities and queries: which functions their modules need, and how a row is called by people."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from lowcode_kernel.keys import naming_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.types import Type

_LONG_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EntityFunction:
    """One access of an entity that some body makes: the method, the attributes it gives, how a list is sorted and
    cut, and which attributes its rows have (`only`, in the order of the entity; all where it is empty). A list is
    `searched` for a text, and `paged` where a table shows a part of it.
    """

    entity: str
    method: str
    attributes: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    limited: bool = False
    searched: bool = False
    paged: bool = False
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name in the entity's module: `find_by_origin_and_day`. Two functions have two names."""
        return _name(self)

    def head(self) -> str:
        """Return what it does, and by which attributes."""
        if not self.attributes:
            return _WITHOUT_ATTRIBUTES.get(self.method, self.method)
        return _HEADS.get(self.method, f"{self.method}_by_{{}}").format("_and_".join(self.attributes))

    def tail(self) -> Iterator[str]:
        """Give how it does that."""
        if self.only:
            yield f"only_{'_and_'.join(self.only)}"
        if self.order_by:
            yield "ordered_by_" + "_and_".join(
                f"{name[1:]}_descending" if name.startswith("-") else name for name in self.order_by
            )
        if self.limited:
            yield "limited"
        yield from (word for word, holds in (("searched", self.searched), ("paged", self.paged)) if holds)

    @property
    def row(self) -> str:
        """The class of its rows: the entity's own, or a smaller one, `OrderNumberAndTotal`."""
        if not self.only:
            return self.entity
        told = _told(["only_" + "_and_".join(self.only)], self.only)
        return self.entity + "".join(word.capitalize() for word in told.split("_")[1:])


_WITHOUT_ATTRIBUTES = {
    "list": "list_all",
    "find": "find_any",
    "count": "count_all",
    "exists": "exists_any",
    "update": "touch",
}
_HEADS = {"update": "update_{}", "create": "create_with_{}", "list_keys": "{}_of", "list_each": "{}_of_each"}
_JOINTS = ("_and_", "_only_", "_ordered_by_", "_descending_", "_limited_", "_searched_", "_paged_", "_by_")


@lru_cache(maxsize=10_000)
def _name(function: EntityFunction) -> str:
    told = [function.head(), *function.tail()]
    return _told(told, (*function.attributes, *function.only, *function.order_by))


_AMBIGUOUS = re.compile("|".join(_JOINTS))


def _told(words: list[str], names: tuple[str, ...]) -> str:
    """Return a name made of words. One that is too long, or whose parts could be read in two ways, ends in a digest."""
    text = "_".join(words)
    ambiguous = _AMBIGUOUS.search(" ".join([f"_{name}_" for name in names]))
    if len(text) <= _LONG_NAME and not ambiguous:
        return text
    digest = hashlib.sha256(repr((words, names)).encode()).hexdigest()[:4]
    return f"{text[:_LONG_NAME].rstrip('_')}_{digest}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class QueryForm:
    """One way in which some body asks a query: `form` is "exists", "count", "first", "top", "page" or "batch", "" for
    all its rows, and "row" where only the class of its rows is needed. `varying` are the lists of a batch.
    """

    query: str
    form: str = ""
    varying: tuple[str, ...] = ()

    def name(self, app: Application) -> str:
        """Return the function's name in the query's module: `open_orders_count`. No query is called so."""
        if not self.form:
            return self.query
        name = f"{self.query}_{self.form}"
        if self.varying:
            name = _told([name, "by", "_and_".join(self.varying)], self.varying)
        while name in app.queries:
            name += "_"
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPart:
    """One read of several in one statement. `given` says which parameter of the whole each argument is; a query's that
    is not given has its default.
    """

    read: QueryForm | EntityFunction
    given: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedRead:
    """Reads of an element in one statement: function `name` of a module of package `queries`."""

    element: str
    module: str
    name: str
    parts: tuple[ReadPart, ...]


def reads_module(element: str, app: Application) -> str:
    """Return the module with the joined reads of an element: `place_order_reads`. No query is called so."""
    kind, _, name = element.partition(":")
    both = kind == "screen" and (name in app.actions or name in app.jobs)
    module = f"{name}_screen_reads" if both else f"{name}_reads"
    while module in app.queries:
        module += "_"
    return module


@dataclass
class Uses:
    """What the emitted code of one module needs; `element` is what it is the code of."""

    element: str = ""
    reads: list[JoinedRead] = field(default_factory=list)
    functions: set[EntityFunction] = field(default_factory=set)
    forms: set[QueryForm] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)  # lines
    types: list[Type] = field(default_factory=list)  # that annotations in the code name

    def add(self, other: Uses) -> None:
        """Take in what another module needs of entities and queries."""
        self.functions |= other.functions
        self.forms |= other.forms
        self.reads += other.reads


def label_attribute(entity: str, app: Application) -> str | None:
    """Return the attribute that names a row to people; a user is named by name."""
    found = app.entities.get(entity)
    return naming_attribute(found) if found else "name"
