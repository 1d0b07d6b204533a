"""What the names of a body hold at one point of it, while it is walked from its first statement to its last.

A branch is walked, taken back, and the ends of all branches are merged:

    start = scope.mark()
    ...                          # the statements of one branch
    one = scope.take_back(start)
    ...
    scope.merge([one, other])

Only what a branch changed is kept and merged, so that the work grows with the text and not with the number of names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lowcode_kernel.types import DECIMAL, NUMERIC, TEXT, TEXTUAL, UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NOTHING: frozenset[str] = frozenset()
NOTHING = Type(name="nothing", kind="unknown")
EMPTY = Type(name="nothing", kind="unknown", many=True)
"""The type of `[]`, until something is put into it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The changes that one branch made, and whether its end is reached."""

    names: dict[str, Type | None]
    maybe: dict[str, bool | None]
    present: dict[str, frozenset[str] | None]
    alive: bool


@dataclass(slots=True)
class Region:
    """A part of a body that may be left anywhere, or run again: the types of all that is assigned in it, and of a loop
    what its `break`s are reached with.
    """

    loop: bool = False
    assigned: dict[str, Type] = field(default_factory=dict)
    breaks: list[frozenset[str]] = field(default_factory=list)


class Scope:
    """The names at one point. `names` has their types, `maybe` those that may hold nothing yet, `present` the paths
    (`flight.plane`) that are known not to be None, by their first name.
    """

    def __init__(self, names: dict[str, Type]) -> None:
        self.names = names
        self.maybe: dict[str, bool] = {}
        self.present: dict[str, frozenset[str]] = {}
        self.alive = True
        self.regions: list[Region] = []
        self.mixed: list[tuple[str, Type, Type]] = []
        self._journal: list[tuple[dict[str, Any], str, Any]] = []

    def _set(self, table: dict[str, Any], key: str, value: object) -> None:
        self._journal.append((table, key, table.get(key)))
        _put(table, key, value)

    def bind(self, name: str, type_: Type) -> None:
        """Let a name hold a value of a type."""
        self._set(self.names, name, type_)
        if self.maybe.get(name):
            self._set(self.maybe, name, value=False)
        if name in self.present:
            self._set(self.present, name, None)
        if self.regions:
            assigned = self.regions[-1].assigned
            assigned[name] = joined(assigned[name], type_) if name in assigned else type_

    def note_present(self, paths: Iterable[str]) -> None:
        """Note that what these paths lead to, and all on the way, is not None."""
        for path in paths:
            root, *rest = path.split(".")
            found = {".".join([root, *rest[:count]]) for count in range(len(rest) + 1)}
            self._set(self.present, root, self.present.get(root, _NOTHING) | found)

    def is_present(self, path: str) -> bool:
        """Say whether a path is known not to be None."""
        return path in self.present.get(path.partition(".")[0], _NOTHING)

    # branches

    def mark(self) -> int:
        """Return where a branch begins."""
        return len(self._journal)

    def take_back(self, mark: int) -> Branch:
        """Undo all changes since a mark, and return them; the end is reached again."""
        tables: tuple[dict[str, Any], ...] = (self.names, self.maybe, self.present)
        changed: list[dict[str, Any]] = [{}, {}, {}]
        while len(self._journal) > mark:
            table, key, old = self._journal.pop()
            number = next(index for index, known in enumerate(tables) if known is table)
            changed[number].setdefault(key, table.get(key))
            _put(table, key, old)
        names, maybe, present = changed
        branch = Branch(names, maybe, present, alive=self.alive)
        self.alive = True
        return branch

    def apply(self, branch: Branch) -> None:
        """Make the changes of a branch."""
        for table, changes in (
            (self.names, branch.names),
            (self.maybe, branch.maybe),
            (self.present, branch.present),
        ):
            for key, value in changes.items():
                self._set(table, key, value)
        self.alive = branch.alive

    def merge(self, branches: Sequence[Branch]) -> None:
        """Go on with what holds at the ends of all branches that are reached."""
        reached = [branch for branch in branches if branch.alive]
        if len(reached) == 1:
            self.apply(reached[0])
            return
        self.alive = bool(reached)
        if not reached:
            reached = list(branches)  # what follows is never run; it is still read
        for name in _keys(branch.names for branch in reached):
            types = [branch.names.get(name, self.names.get(name)) for branch in reached]
            self._merge_name(name, types)
        for name in _keys(branch.maybe for branch in reached):
            if any(branch.maybe.get(name, self.maybe.get(name)) for branch in reached):
                self._set(self.maybe, name, value=True)
        for name in _keys(branch.present for branch in reached):
            known = [branch.present.get(name, self.present.get(name)) or _NOTHING for branch in reached]
            self._set(self.present, name, frozenset.intersection(*known) or None)

    def _merge_name(self, name: str, types: list[Type | None]) -> None:
        found = [type_ for type_ in types if type_ is not None]
        result = found[0] if found else UNKNOWN
        for type_ in found[1:]:
            if _mixes(result, type_):
                self.mixed.append((name, result, type_))
            result = joined(result, type_)
        self._set(self.names, name, result)
        self._set(self.maybe, name, any(type_ is None for type_ in types) or None)

    # regions

    def note_bound(self, names: Iterable[str]) -> None:
        """Note that names hold a value."""
        for name in names:
            self._set(self.maybe, name, None)

    def forget_present(self) -> None:
        """Take nothing for present any more."""
        for name in list(self.present):
            self._set(self.present, name, None)

    def unbind(self, name: str) -> None:
        """Let a name hold nothing."""
        self._set(self.names, name, None)
        self._set(self.present, name, None)

    def forget(self, assigned: dict[str, Type]) -> None:
        """Go on as if any part of a region had run: its names hold what they held, or what it assigns."""
        for name, type_ in assigned.items():
            old = self.names.get(name)
            if old is not None and _mixes(old, type_):
                self.mixed.append((name, old, type_))
            self._set(self.names, name, type_ if old is None else joined(old, type_))
            if old is None:
                self._set(self.maybe, name, value=True)
            if name in self.present:
                self._set(self.present, name, None)


def _put(table: dict[str, Any], key: str, value: object) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _keys(changes: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for change in changes for key in change))


def _mixes(first: Type, second: Type) -> bool:
    """Say whether one is an entity's row and the other its key: code that follows could not be right for both."""
    return first.kind == second.kind == "entity" and first.name == second.name and first.loaded != second.loaded


def joined(first: Type, second: Type) -> Type:
    """Return the type of what is of the one type or of the other.

    Integer, Decimal   ->  Decimal
    Order, None        ->  Order | None
    """
    if first == second:
        return first
    if _empty(first, second) or _empty(second, first):
        return second if _empty(first, second) else first
    if "none" in (first.kind, second.kind):
        other = second if first.kind == "none" else first
        return other if other.kind in {"none", "unknown"} else other.maybe()
    optional = first.optional or second.optional
    shape = (first.kind, first.many, first.nested, first.loaded, first.keyed)
    if shape != (second.kind, second.many, second.nested, second.loaded, second.keyed):
        return UNKNOWN
    if first.name == second.name:
        return _widened(first, second, optional=optional)
    if {first.name, second.name} <= NUMERIC:
        return replace(DECIMAL, optional=optional, many=first.many, nested=first.nested)
    if {first.name, second.name} <= TEXTUAL:
        return replace(TEXT, optional=optional, many=first.many, nested=first.nested)
    return replace(UNKNOWN, many=first.many, nested=first.nested)


def _empty(first: Type, second: Type) -> bool:
    """Say whether the first is a list or a dict that nothing is known to be in, and the second one with something."""
    if first.kind == second.kind == "dict":
        return NOTHING in first.parts
    return first == EMPTY and second.many


def _widened(first: Type, second: Type, *, optional: bool) -> Type:
    parts: tuple[Type, ...] = ()
    if first.parts and len(first.parts) == len(second.parts):
        parts = tuple(joined(one, other) for one, other in zip(first.parts, second.parts, strict=True))
    only = tuple(name for name in first.only if name in second.only) if second.only else first.only
    same = first.choices == second.choices
    return replace(
        first,
        optional=optional,
        length=None if first.length != second.length else first.length,
        precision=None if first.precision != second.precision else first.precision,
        scale=None if first.scale != second.scale else first.scale,
        choices=first.choices if same else (),
        name="Text" if first.name == "Choice" and not same else first.name,
        only=only or second.only,
        parts=parts,
    )
