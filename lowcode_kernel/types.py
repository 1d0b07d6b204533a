"""The types of the language: what an attribute, a parameter, a setting or a result may hold.

| type | Python | PostgreSQL | JSON |
|---|---|---|---|
| Text, Text(n), Email, Url, Choice(...) | str | text (with a length check) | string |
| Integer | int | bigint | number |
| Decimal(p, s) | decimal.Decimal | numeric(p, s) | string |
| Boolean | bool | boolean | true/false |
| Date, Time, DateTime | datetime.date, time, datetime (aware, UTC) | date, time, timestamptz | ISO 8601 string |
| Uuid | uuid.UUID | uuid | string |
| Json | object | jsonb | any |
| File | str (a reference to the stored file) | text | string |
| an entity | its key | the key's column type | the key |
| many(entity) | list of keys | a table of pairs | array |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Kind = Literal["scalar", "entity", "struct", "query", "list", "tuple", "dict", "none", "unknown"]

SCALARS = (
    "Text",
    "Integer",
    "Decimal",
    "Boolean",
    "Date",
    "Time",
    "DateTime",
    "Email",
    "Url",
    "Uuid",
    "Json",
    "File",
    "Choice",
)
TEXTUAL = frozenset({"Text", "Email", "Url", "Choice", "File"})
NUMERIC = frozenset({"Integer", "Decimal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """One type. `name` is a scalar's name, or that of the entity, struct or query (its row) that `kind` says.

    `length` belongs to Text(n), `precision` and `scale` to Decimal(p, s), `choices` to Choice(...). `optional` is `|
    None`. `many` makes it a list of
    `name`. `loaded` is True where a value of an entity is its whole row and not its key alone; `only` names the
    attributes that such a row has where not all were fetched. `keyed` is True for rows by their key
    (`Entity.get_many`). `nested` makes `many` a list of lists; `parts` are the types of a tuple's values, or of a
    dict's keys and its values.
    """

    name: str
    kind: Kind = "scalar"
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False
    loaded: bool = False
    only: tuple[str, ...] = ()
    keyed: bool = False
    nested: bool = False
    parts: tuple[Type, ...] = ()

    def __str__(self) -> str:
        text = self.name + self._arguments()
        if self.only:
            text = f"{text} with {', '.join(self.only)} alone"
        if self.keyed:
            text = f"{text} by key"
        if self.parts:
            parts = ", ".join(map(str, self.parts))
            text = f"dict[{parts}]" if self.kind == "dict" else f"({parts})"
        if self.many:
            text = f"many({text})"
        if self.nested:
            text = f"many({text})"
        return f"{text} | None" if self.optional else text

    def _arguments(self) -> str:
        if self.choices:
            return "(" + ", ".join(f'"{choice}"' for choice in self.choices) + ")"
        numbers = [n for n in (self.length, self.precision, self.scale) if n is not None]
        return f"({', '.join(map(str, numbers))})" if numbers else ""

    def required(self) -> Type:
        """Return this type without `| None`."""
        return _with_optionality(self, optional=False) if self.optional else self

    def maybe(self) -> Type:
        """Return this type with `| None`."""
        return self if self.optional else _with_optionality(self, optional=True)


@lru_cache(maxsize=10_000)
def _with_optionality(type_: Type, *, optional: bool) -> Type:
    return replace(type_, optional=optional)


TEXT = Type(name="Text")
INTEGER = Type(name="Integer")
DECIMAL = Type(name="Decimal")
BOOLEAN = Type(name="Boolean")
DATE = Type(name="Date")
TIME = Type(name="Time")
DATETIME = Type(name="DateTime")
DURATION = Type(name="Duration")  # a value of bodies alone: what lies between two times
UUID = Type(name="Uuid")
JSON = Type(name="Json")
NONE = Type(name="None", kind="none")
UNKNOWN = Type(name="unknown", kind="unknown")


_MOST_PARTS = 200  # of a type, those of its parts counted: a value that is put into itself again and again has no end


def _size(type_: Type) -> int:
    return 1 + sum(map(_size, type_.parts))


def _bounded(parts: tuple[Type, ...]) -> tuple[Type, ...]:
    """Return the parts of a type; where they are too many, those that have parts themselves are unknown."""
    if not any(part.parts for part in parts) or sum(map(_size, parts)) <= _MOST_PARTS:
        return parts
    return tuple(UNKNOWN if part.parts else part for part in parts)


def tuple_type(*parts: Type, many: bool = False) -> Type:
    """Return the type of a tuple with values of these types, or of a list of such tuples."""
    return Type(name="tuple", kind="tuple", parts=_bounded(parts), many=many)


def dict_type(key: Type, value: Type) -> Type:
    """Return the type of a dict with such keys and values."""
    return Type(name="dict", kind="dict", parts=_bounded((key, value)))


def item_of(type_: Type) -> Type:
    """Return the type of one item of a list; UNKNOWN where it is no list."""
    if type_.nested:
        return replace(type_, nested=False, optional=False)
    return replace(type_, many=False, optional=False) if type_.many else UNKNOWN


def list_of(item: Type) -> Type:
    """Return the type of a list of such items; None among them is not told."""
    if item.nested or item.keyed:
        return replace(UNKNOWN, many=True)
    return replace(item, many=True, nested=item.many, optional=False)


def entity_type(name: str, *, loaded: bool = False, optional: bool = False, many: bool = False) -> Type:
    """Return the type of a reference to entity `name`, or of its loaded row."""
    return Type(name=name, kind="entity", loaded=loaded, optional=optional, many=many)


_JSON_KINDS = frozenset({"scalar", "dict", "tuple"})


def accepts(target: Type, value: Type) -> bool:
    """Say whether a value of type `value` fits where `target` is wanted. What is unknown fits: a check reports only
    what is certain.
    """
    if "unknown" in (target.kind, value.kind):
        return True
    if value.kind == "none":
        return target.optional
    if target.name == "Json" and not target.many and value.kind in _JSON_KINDS:
        return target.optional or not value.optional
    if (target.many, target.nested) != (value.many, value.nested) or (value.optional and not target.optional):
        return False
    if target.kind == "scalar" == value.kind:
        return _scalar_accepts(target.name, value.name)
    if target.kind == "entity" and value.kind == "scalar":
        return True  # a key passed where the entity is wanted: the key's own type is compared where the entity is known
    same = (target.kind, target.name, target.keyed) == (value.kind, value.name, value.keyed)
    return same and (not value.only or set(value.only) == set(target.only))


def _scalar_accepts(target: str, value: str) -> bool:
    if target == value or target == "Json":
        return True
    if target in TEXTUAL and value in TEXTUAL:
        return True
    return (target, value) in {("Decimal", "Integer"), ("DateTime", "Date")}
