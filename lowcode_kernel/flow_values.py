"""What data flow follows: where a value comes from, what holds it, and what was done with it in one body.

An abstract value is a set of parts: `Held` (what a source gave: its list of rows at level 1, one of its rows at level
0), `Box` (a list, tuple or dict that the body makes, by the place that makes it) and `Function`. What boxes hold is in
`BodyFlow.boxes`, for all values of a place together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable

    from lowcode_kernel.body_calls import Call

UseKind = Literal["attribute", "iterate", "truth", "length", "index", "slice", "compare", "escape", "mutate", "key"]
SourceKind = Literal["read", "row", "parameter", "result"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where a value comes from: a read, a row that was written, a parameter, or what an action returned. `level` is 0
    for a row or a scalar, 1 for a list of rows, 2 for a list of lists. Rows by key are `keyed`.
    """

    kind: SourceKind
    node: ast.AST
    level: int
    name: str = ""
    call: Call | None = None
    keyed: bool = False


class Held(NamedTuple):
    """What a source gave, or (below the source's own level) something out of it."""

    source: Source
    level: int


class Box(NamedTuple):
    """A list, tuple or dict that a body makes."""

    node: ast.AST
    part: str


class Function(NamedTuple):
    """A local function, or a lambda."""

    node: ast.FunctionDef | ast.Lambda


Value = frozenset[Held | Box | Function]
NOTHING: Value = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of what a read gives. `detail` is the attribute's name, an index or a slice, the comparison (`> 0`), what
    iterates, or where a value escapes to. `level` says of what: 1 the list of rows, 0 one row (or a scalar).
    """

    kind: UseKind
    detail: str
    node: ast.AST
    element: str
    level: int = 0


@dataclass(slots=True)
class BodyFlow:
    """The data flow of one body. `passed` has what goes to the parameters of other actions; `returned` what the body
    gives back; `mixed` are sources of which a name may hold the value of another in their stead.
    """

    element: str
    sources: dict[object, Source] = field(default_factory=dict)
    uses: dict[Source, dict[tuple[str, str, int, int], Use]] = field(default_factory=dict)
    boxes: dict[Box, dict[int | str, Value]] = field(default_factory=dict)
    passed: dict[tuple[str, str], Value] = field(default_factory=dict)
    local: set[Source] = field(default_factory=set)
    returned: Value = NOTHING
    mixed: set[Source] = field(default_factory=set)
    reached: set[ast.AST] = field(default_factory=set)
    grown: bool = False

    def source(self, key: object, make: Source) -> Value:
        """Return the value of a source, the same each time that it is evaluated."""
        found = self.sources.setdefault(key, make)
        return frozenset((Held(found, found.level),))

    def use(self, value: Value, kind: UseKind, detail: str, node: ast.AST) -> None:
        """Note a use of all that a value may be."""
        for held in value:
            if isinstance(held, Held):
                known = self.uses.setdefault(held.source, {})
                key = (kind, detail, id(node), held.level)
                if key not in known:
                    known[key] = Use(kind=kind, detail=detail, node=node, element=self.element, level=held.level)

    def escape(self, value: Value, detail: str, node: ast.AST) -> None:
        """Note that a value, with all that is in it, goes where it can't be followed."""
        if value:
            self.use(self.deep(value), "escape", detail, node)

    def box(self, node: ast.AST, part: str, contents: dict[int | str, Value]) -> Value:
        """Return the value of a box that is made at a node, and put contents into it."""
        made = Box(node, part)
        known = self.boxes.setdefault(made, {})
        for place, value in contents.items():
            self.put(known, place, value)
        return frozenset((made,))

    def put(self, known: dict[int | str, Value], place: int | str, value: Value) -> None:
        """Put a value into a box."""
        before = known.get(place, NOTHING)
        if not value <= before:
            known[place] = before | value
            self.grown = True

    def add(self, boxes: Value, place: int | str, value: Value) -> None:
        """Put a value into all boxes that a value may be."""
        for box in boxes:
            if isinstance(box, Box):
                self.put(self.boxes.setdefault(box, {}), place, value)

    def contents(self, value: Value, place: int | None = None) -> Value:
        """Return what boxes hold, at a place or anywhere."""
        found: Value = NOTHING
        for box in value:
            if isinstance(box, Box):
                known = self.boxes.get(box, {})
                parts = known.values() if place is None else (known.get(place, NOTHING), known.get("*", NOTHING))
                found = found.union(*parts)
        return found

    def deep(self, value: Value) -> Value:
        """Return a value and all that is in it."""
        found, left = value, value
        while left:
            left = self.contents(left) - found
            found |= left
        return found

    def note_mixed(self, value: Iterable[object]) -> None:
        """Note sources that one name may hold."""
        sources = {held.source for held in value if isinstance(held, Held)}
        if len(sources) > 1:
            self.mixed |= sources
