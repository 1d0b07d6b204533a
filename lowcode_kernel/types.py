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
from typing import Literal

Kind = Literal["scalar", "entity", "struct", "query", "list", "none", "unknown"]

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
    `name`. `loaded` is True where a value of an entity is its whole row and not its key alone.
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

    def __str__(self) -> str:
        text = self.name + self._arguments()
        if self.many:
            text = f"many({text})"
        return f"{text} | None" if self.optional else text

    def _arguments(self) -> str:
        if self.choices:
            return "(" + ", ".join(f'"{choice}"' for choice in self.choices) + ")"
        numbers = [n for n in (self.length, self.precision, self.scale) if n is not None]
        return f"({', '.join(map(str, numbers))})" if numbers else ""

    def required(self) -> Type:
        """Return this type without `| None`."""
        return replace(self, optional=False) if self.optional else self

    def maybe(self) -> Type:
        """Return this type with `| None`."""
        return self if self.optional else replace(self, optional=True)


TEXT = Type(name="Text")
INTEGER = Type(name="Integer")
DECIMAL = Type(name="Decimal")
BOOLEAN = Type(name="Boolean")
DATE = Type(name="Date")
TIME = Type(name="Time")
DATETIME = Type(name="DateTime")
UUID = Type(name="Uuid")
JSON = Type(name="Json")
NONE = Type(name="None", kind="none")
UNKNOWN = Type(name="unknown", kind="unknown")


def entity_type(name: str, *, loaded: bool = False, optional: bool = False, many: bool = False) -> Type:
    """Return the type of a reference to entity `name`, or of its loaded row."""
    return Type(name=name, kind="entity", loaded=loaded, optional=optional, many=many)


def accepts(target: Type, value: Type) -> bool:
    """Say whether a value of type `value` fits where `target` is wanted. What is unknown fits: a check reports only
    what is certain.
    """
    if "unknown" in (target.kind, value.kind):
        return True
    if value.kind == "none":
        return target.optional
    if target.many != value.many or (value.optional and not target.optional):
        return False
    if target.kind == "scalar" == value.kind:
        return _scalar_accepts(target.name, value.name)
    if target.kind == "entity" and value.kind == "scalar":
        return True  # a key passed where the entity is wanted: the key's own type is compared where the entity is known
    return target.kind == value.kind and target.name == value.name


def _scalar_accepts(target: str, value: str) -> bool:
    if target == value or target == "Json":
        return True
    if target in TEXTUAL and value in TEXTUAL:
        return True
    return (target, value) in {("Decimal", "Integer"), ("DateTime", "Date")}
