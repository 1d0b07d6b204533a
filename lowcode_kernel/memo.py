"""What was worked out of an element is kept, and holds in every application in which the element and all that was
looked up for it are the same objects.

    remembered("body", action, app, lambda: analyze_body(...))

**The law.** What is remembered is a function of its subject and of the answers to its look-ups. While it is made, each
look-up of a name in the application (`app.entities["Order"]`, also one that finds nothing) is written down with its
answer: its trace. It is given back in another application where every look-up of the trace has the very answer again.
Answers are compared by identity, not by value: elements are frozen, so the same object is the same value, and it
stands at the same place too, which values leave out of their comparison and messages don't.

Of another action or screen, what can be known is how it is called, not what it does, and of another entity not its
indexes: such an answer is the same one too where all the rest is equal (`_UNSEEN`). What a body does is looked up as
its analysis.

Hence four rules for what is remembered: it asks the application by name (`Names` writes that down; iterating one
depends on all of it); it reads no body and no indexes but its subject's; it is never changed by who gets it, syntax
trees included; and it keeps no application alive. What is cached on an application and read by what is remembered is
`noted` there.

Everything may be forgotten at any time; then it is made again.
Source: build systems à la carte (Mokhov, Mitchell, Peyton Jones 2018), verifying traces.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, ItemsView, Iterator, KeysView, ValuesView

    from lowcode_kernel.application import Application

R = TypeVar("R")
V = TypeVar("V")

LookUp = tuple["str", "str | None"]
Trace = dict[LookUp, object]
_MOST = 400_000  # results kept; an application of 8,000 elements has about 40,000
_UNSEEN = {
    "actions": frozenset({"body", "body_place", "lines"}),
    "screens": frozenset({"body", "body_place", "lines"}),
    "entities": frozenset({"indexes"}),
}
_VERSIONS = 3  # results kept for one subject: an application before and after the optimizer, and the one before an edit


class _Local(threading.local):
    """The trace that is being written, if any: a thread never writes into another's."""

    trace: Trace | None = None


_local = _Local()


class Names(dict[str, V]):
    """Something by name, in an application. Look-ups are written down for what is being remembered.

    `table` is the name under which any application has this dictionary (`Application.table`).
    """

    __slots__ = ("table",)

    def __init__(self, table: str, found: dict[str, V]) -> None:
        super().__init__(found)
        self.table = table

    def __getitem__(self, name: str) -> V:
        if (trace := _local.trace) is not None:
            trace[self.table, name] = super().get(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        if (trace := _local.trace) is not None and isinstance(name, str):
            trace[self.table, name] = super().get(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return what has the name."""
        found = super().get(name, default)
        if (trace := _local.trace) is not None:
            trace[self.table, name] = super().get(name)
        return found

    def write_all(self) -> None:
        """Write down that everything in it was looked at."""
        if (trace := _local.trace) is not None:
            trace[self.table, None] = self

    def __iter__(self) -> Iterator[str]:
        self.write_all()
        return super().__iter__()

    def __len__(self) -> int:
        self.write_all()
        return super().__len__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return all names."""
        self.write_all()
        return cast("KeysView[str]", super().keys())

    def values(self) -> ValuesView[V]:  # type: ignore[override]
        """Return all that has a name."""
        self.write_all()
        return cast("ValuesView[V]", super().values())

    def items(self) -> ItemsView[str, V]:  # type: ignore[override]
        """Return all names, with what has them."""
        self.write_all()
        return cast("ItemsView[str, V]", super().items())

    def __or__(self, other: Any) -> Any:
        self.write_all()
        return super().__or__(other)

    def copy(self) -> dict[str, V]:
        """Return a plain dictionary."""
        return dict(self.items())

    def answer(self, name: str | None) -> object:
        """Return what a look-up of the name gives, and write nothing down; without a name, the dictionary."""
        return self if name is None else super().get(name)


@dataclass(slots=True)
class _Entry:
    """One result, with the objects that it is of: kept alive, so that their identities stay theirs."""

    subjects: tuple[object, ...]
    trace: tuple[tuple[str, tuple[tuple[str | None, object], ...]], ...]
    result: object

    def holds_in(self, app: Application) -> bool:
        """Say whether every look-up has its answer again."""
        for table, answers in self.trace:
            names = app.table(table)
            for name, answer in answers:
                found = names.answer(name)
                if found is not answer and not _is_as_good(table, name, found, answer):
                    return False
        return True

    def write_into(self, trace: Trace) -> None:
        """Write the look-ups into the trace of what is made with this result."""
        for table, answers in self.trace:
            for name, answer in answers:
                trace[table, name] = answer


def _is_as_good(table: str, name: str | None, found: object, answer: object) -> bool:
    if name is None:
        return isinstance(found, Names) and _same(found, answer)
    return table in _UNSEEN and is_same(found, answer, leaving_out=_UNSEEN[table])


def is_same(left: object, right: object, *, leaving_out: frozenset[str] = frozenset()) -> bool:
    """Say whether two values are equal in everything, their places too, which `==` leaves out; but for the fields of
    these names.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(is_same, left, right))
    if is_dataclass(left):
        names = [item.name for item in fields(left) if item.name not in leaving_out]
        return all(is_same(getattr(left, name), getattr(right, name)) for name in names)
    return left == right


def _same(left: Names[Any], right: object) -> bool:
    """Say whether two dictionaries hold the same objects under the same names."""
    if not isinstance(right, Names) or dict.__len__(left) != dict.__len__(right):
        return False
    return all(right.answer(name) is found for name, found in dict.items(left))


_entries: dict[Hashable, list[_Entry]] = {}


def remembered(
    what: str,
    subject: object,
    app: Application,
    make: Callable[[], R],
    *,
    also: tuple[object, ...] = (),
    variant: Hashable = None,
) -> R:
    """Return what `make` gives, from what is remembered of the subject where it holds in this application.

    The result is a function of `what`, the objects `subject` and `also` (by identity), `variant` (by value), the
    application's name and title, and of what `make` looks up in the application.
    """
    key = (what, id(subject), *map(id, also), variant, app.name, app.title)
    known: dict[Hashable, _Entry] = app.__dict__.setdefault("_remembered", {})
    entry = known.get(key)
    if entry is None:
        entry = next((kept for kept in _entries.get(key, ()) if kept.holds_in(app)), None)
        if entry is None:
            entry = _made((subject, *also), make)
            _keep(key, entry)
        known[key] = entry
    if (outer := _local.trace) is not None:
        entry.write_into(outer)
    return cast("R", entry.result)


def once(what: str, subjects: tuple[object, ...], make: Callable[[], R], *, variant: Hashable = None) -> R:
    """Return what `make` gives, which is a function of these objects (by identity) and of `variant` alone."""
    key = (what, *map(id, subjects), variant)
    entry = next(iter(_entries.get(key, ())), None)
    if entry is None:
        entry = _Entry(subjects, (), make())
        _keep(key, entry)
    return cast("R", entry.result)


def noted(place: dict[str, Any], name: str, make: Callable[[], R]) -> R:
    """Return what `make` gives, kept at `place` (the `__dict__` of an application, or of what belongs to one) for as
    long as that lives. Unlike a bare cache, who gets it from there depends on what was looked up when it was made.
    """
    entry: _Entry | None = place.get(name)
    if entry is None:
        entry = place[name] = _made((), make)
    if (outer := _local.trace) is not None:
        entry.write_into(outer)
    return cast("R", entry.result)


def _made(subjects: tuple[object, ...], make: Callable[[], object]) -> _Entry:
    outer, trace = _local.trace, cast("Trace", {})
    _local.trace = trace
    try:
        result = make()
    finally:
        _local.trace = outer
    by_table: dict[str, list[tuple[str | None, object]]] = {}
    for (table, name), answer in trace.items():
        by_table.setdefault(table, []).append((name, answer))
    return _Entry(subjects, tuple((table, tuple(answers)) for table, answers in by_table.items()), result)


def _keep(key: Hashable, entry: _Entry) -> None:
    if len(_entries) > _MOST:
        _entries.clear()
    kept = _entries.setdefault(key, [])
    kept.insert(0, entry)
    del kept[_VERSIONS:]


def forget() -> None:
    """Forget everything that is remembered."""
    _entries.clear()


def is_writing() -> bool:
    """Say whether look-ups are written down."""
    return _local.trace is not None


@contextmanager
def unwritten() -> Iterator[None]:
    """Write no look-ups down: for what is made of the whole application, and looked up by name afterwards."""
    outer, _local.trace = _local.trace, None
    try:
        yield
    finally:
        _local.trace = outer
