"""An entity gets the indexes that the application's reads need, and loses those that do nothing.

%%query orders_of(customer: Customer)                                  %%entity Order
SELECT ... WHERE o.customer = :customer ORDER BY o.placed_at    ->     index(customer, placed_at)

What a key, a unique set or another index does already is not proposed. Nothing that could be longer than an index takes
is ever indexed: a write would fail that did not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.body_entity_calls import named_attributes
from lowcode_kernel.columns import columns_of
from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.index_needs import Need, needs_of_query
from lowcode_kernel.generators.passes.reading import bodies
from lowcode_kernel.totality import fails_by_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.elements import Element, Entity
    from lowcode_kernel.generators.passes.reading import Read
    from lowcode_kernel.types import Type

Columns = tuple[str, ...]
MOST_INDEXES = 8
_MOST_COLUMNS = 4
_MOST_BYTES = 2600  # of an index row: PostgreSQL takes 2,704
_FIXED = {"Integer": 8, "Boolean": 1, "Date": 4, "Time": 8, "DateTime": 8, "Uuid": 16}
_UNICODE = 4  # bytes of a character at most
_FILTERING = frozenset({"find", "list", "count", "exists"})
_OPTIONS = frozenset({"order_by", "only", "limit", "search", "key"})


@dataclass(eq=False)
class _Wanted:
    """The reads that ask for an index, by its columns."""

    readers: dict[Columns, list[str]] = field(default_factory=dict)
    refused: dict[Columns, str] = field(default_factory=dict)


def propose_indexes(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Add the indexes that queries and accesses of entities need, and drop those that another one contains."""
    asked: dict[str, list[tuple[Need, str]]] = {}
    for need, reader in _needs(app):
        asked.setdefault(need.entity, []).append((need, reader))
    changed: dict[str, Element] = {}
    findings: list[Finding] = []
    for entity in app.entities.values():
        if entity.name not in asked and len(entity.indexes) < 2:
            continue
        proposing = _Proposing(entity, app)
        new = proposing.run(asked.get(entity.name, []))
        findings += proposing.findings
        if new is not entity:
            changed[entity.id] = new
    if not changed:
        return app, tuple(findings)
    elements = [changed.get(element.id, element) for element in app.elements]
    found = Application.of(app.name, app.title, elements)
    found.__dict__["_analysis"] = analyze(app)  # what bodies and queries mean has nothing to do with indexes
    return found, tuple(findings)


def _needs(app: Application) -> Iterator[tuple[Need, str]]:
    for query in app.queries.values():
        yield from ((need, query.id) for need in needs_of_query(query, app))
    for body in bodies(app):
        for read in body.reads.values():
            if read.form == "entity" and read.method in _FILTERING and read.name in app.entities:
                need = _need_of_access(read, columns_of(read.name, app) or {})
                if need.equal or need.then:
                    yield need, body.element.id


def _need_of_access(read: Read, columns: dict[str, Type]) -> Need:
    equal = tuple(name for name in read.arguments if name in columns and name not in _OPTIONS)
    order = [name or "" for name, _ in named_attributes(read.arguments.get("order_by"))]
    one_way = len({name.startswith("-") for name in order}) == 1
    limited = bool(equal) or "limit" in read.arguments
    then = tuple(name.removeprefix("-") for name in order) if one_way and limited else ()
    return Need(entity=read.name, equal=equal, then=tuple(name for name in then if name not in equal))


class _Proposing:
    """The indexes of one entity."""

    def __init__(self, entity: Entity, app: Application) -> None:
        self.entity, self.app = entity, app
        self.findings: list[Finding] = []
        self.columns = {**(columns_of(entity.name, app) or {})}
        self.order = list(self.columns)
        single = [(attribute.name,) for attribute in entity.attributes if attribute.unique]
        self.unique: list[Columns] = [entity.key, *single, *entity.uniques]
        self.references = [(a.name,) for a in entity.attributes if a.type.kind == "entity" and not a.type.many]
        self.computed = {attribute.name for attribute in entity.attributes if attribute.computed is not None}

    def run(self, asked: list[tuple[Need, str]]) -> Entity:
        """Return the entity with its indexes as they should be, or the same object."""
        wanted = _Wanted()
        for need, reader in asked:
            self._consider(need, reader, wanted)
        proposed = self._merged(wanted)
        if proposed and (reason := self._why_left_alone()):
            wanted.refused.update(dict.fromkeys(proposed, reason))
            proposed = []
        kept = self._without_duplicates(proposed)
        room = MOST_INDEXES - len(kept) - len(self.unique) + 1
        for columns in proposed[max(room, 0) :]:
            wanted.refused[columns] = f"{self.entity.name} has {MOST_INDEXES} indexes, and each makes writes slower"
        proposed = proposed[: max(room, 0)]
        self.findings += [self._added(columns, wanted.readers[columns]) for columns in proposed]
        self.findings += [self._refused(columns, reason) for columns, reason in wanted.refused.items()]
        indexes = (*kept, *proposed)
        return self.entity if indexes == self.entity.indexes else replace(self.entity, indexes=indexes)

    def _why_left_alone(self) -> str:
        """A statement that may fail at a row fails or not by which rows it looks at, which an index changes."""
        for name, analysis in analyze(self.app).queries.items():
            if self.entity.name in analysis.entities and fails_by_row(self.app.queries[name], self.app):
                return f"query {name} may fail at a row that it would no longer look at"
        return ""

    def _consider(self, need: Need, reader: str, wanted: _Wanted) -> None:
        columns = self._columns(need)
        if not all(name in self.columns and name not in self.computed for name in columns):
            return
        if not columns or self._is_covered(need, columns):
            return
        if reason := self._why_not(columns):
            wanted.refused.setdefault(columns, reason)
            return
        readers = wanted.readers.setdefault(columns, [])
        if reader not in readers:
            readers.append(reader)

    def _columns(self, need: Need) -> Columns:
        """Return the columns of an index for a need: what refers to others first, and what has few values last. What
        can't be part of an index is left to the rows that the rest finds.
        """
        equal = [name for name in need.equal if self._fits(name)]
        if not equal and need.equal:
            return tuple(name for name in need.equal if name in self.columns and name not in self.computed)
        equal.sort(key=lambda name: (self._values(name), self.order.index(name)))
        whole = len(equal) == len(need.equal) and all(self._fits(name) or not equal for name in need.then)
        return (*equal, *(need.then if whole else ()))[:_MOST_COLUMNS]

    def _fits(self, name: str) -> bool:
        return name in self.columns and name not in self.computed and self._bytes(self.columns[name]) is not None

    def _values(self, name: str) -> int:
        type_ = self.columns[name]
        if type_.name == "Boolean":
            return 3
        return 2 if type_.choices else 0 if type_.kind == "entity" else 1

    def _is_covered(self, need: Need, columns: Columns) -> bool:
        equal = set(need.equal) & set(columns)
        if any(set(unique) <= equal for unique in self.unique):
            return True
        plain = [*self.unique, *self.entity.indexes, *self.references]
        return any(_serves(index, equal, columns[len(equal) :]) for index in plain)

    def _why_not(self, columns: Columns) -> str:
        if all(self._values(name) > 1 and len(self.columns[name].choices) < 4 for name in columns):
            return "so few values say nothing about where a row is"
        size = 0
        for name in columns:
            length = self._bytes(self.columns[name])
            if length is None:
                return f"{name} may be longer than an index takes; give {self.columns[name].name} a length"
            size += length
        return "together they may be longer than an index takes" if size > _MOST_BYTES else ""

    def _bytes(self, type_: Type) -> int | None:
        """Return how long a value can be in an index, or None where there is no limit."""
        if type_.many or type_.name in {"Json", "File"}:
            return None
        if type_.kind == "entity":
            target = self.app.entities.get(type_.name)
            key = target.attribute(target.key[0]) if target and len(target.key) == 1 else None
            return 8 if key is None else self._bytes(key.type)
        if type_.choices:
            return max(map(len, type_.choices)) * _UNICODE
        if type_.name == "Decimal":
            return None if type_.precision is None else 8 + type_.precision // 2
        return _FIXED.get(type_.name) or (type_.length * _UNICODE if type_.length else None)

    def _merged(self, wanted: _Wanted) -> list[Columns]:
        """Return the columns that are wanted, without those that begin others; their readers ask for the longer one."""
        found = sorted(wanted.readers, key=lambda columns: (-len(columns), columns))
        kept: list[Columns] = []
        for columns in found:
            longer = next((other for other in kept if other[: len(columns)] == columns), None)
            if longer is None:
                kept.append(columns)
            else:
                wanted.readers[longer] += [r for r in wanted.readers[columns] if r not in wanted.readers[longer]]
        return sorted(kept, key=lambda columns: (-len(wanted.readers[columns]), columns))

    def _without_duplicates(self, proposed: list[Columns]) -> tuple[Columns, ...]:
        kept: list[Columns] = []
        for number, columns in enumerate(self.entity.indexes):
            others = [*self.entity.indexes[:number], *self.entity.indexes[number + 1 :], *proposed]
            longer = next((o for o in others if o != columns and o[: len(columns)] == columns), None)
            same = columns in self.entity.indexes[:number] or columns in self.unique
            if longer is None and not same:
                kept.append(columns)
            else:
                self.findings.append(self._dropped(columns, longer or columns))
        return tuple(kept)

    # what is told

    def _added(self, columns: Columns, readers: list[str]) -> Finding:
        words = [reader.replace(":", " ", 1) for reader in readers]
        names = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
        return Finding(
            rule="propose_indexes",
            element=self.entity.id,
            place=self.entity.place,
            what=f"{self.entity.name} gets an index over {', '.join(columns)}",
            why=f"{names} look{'s' if len(readers) == 1 else ''} rows up by it",
            after=f"index({', '.join(columns)})",
            saved="a scan of the whole table per read",
        )

    def _dropped(self, columns: Columns, longer: Columns) -> Finding:
        same = columns == longer
        return Finding(
            rule="propose_indexes",
            element=self.entity.id,
            place=self.entity.place,
            what=f"{self.entity.name} has no index over {', '.join(columns)}",
            why="another one is the same" if same else f"the index over {', '.join(longer)} begins with it",
            before=f"index({', '.join(columns)})",
            after="" if same else f"index({', '.join(longer)})",
            saved="one index to keep up to date per write",
        )

    def _refused(self, columns: Columns, reason: str) -> Finding:
        return Finding(
            rule="propose_indexes",
            element=self.entity.id,
            place=self.entity.place,
            what=f"{self.entity.name} gets no index over {', '.join(columns)}",
            why=reason,
            acted=False,
        )


def _serves(index: Columns, equal: set[str], then: Columns) -> bool:
    """Say whether an index looks up equal values and then gives what follows in order."""
    return set(index[: len(equal)]) == equal and index[len(equal) : len(equal) + len(then)] == then
