"""The type of an SQL expression beside what PostgreSQL computes it in, and what two of them have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lowcode_kernel.types import DATETIME, DECIMAL, INTEGER, NUMERIC, TEXT, TEXTUAL, UNKNOWN, Type

Physical = Literal["", "numeric", "double", "timestamp", "json"]
INTERVAL = Type(name="Interval", kind="unknown")
"""A span of time: it can be computed with, but is no value of the language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The type of an expression, and what PostgreSQL computes it in where that is another."""

    type: Type
    physical: Physical = ""

    def maybe(self) -> Typed:
        """Return this with `| None`."""
        return replace(self, type=self.type.maybe())

    @property
    def cast(self) -> str:
        """The PostgreSQL type that a result of this is cast to, to be what the language says; "" where it is."""
        match self.physical:
            case "numeric" if self.type.name == "Integer":
                return "bigint"
            case "double":
                return "numeric"
            case "timestamp":
                return "timestamptz"
            case "json":
                return "jsonb"
        return ""


def common(left: Typed, right: Typed) -> Typed:
    """Return the type that two alternatives have in common; UNKNOWN where they have none."""
    one, other = left.type, right.type
    if one.kind == "none":
        return right.maybe()
    if other.kind == "none":
        return left.maybe()
    optional = one.optional or other.optional
    if one.required() == other.required():
        physical = left.physical if left.physical == right.physical else left.physical or right.physical
        return Typed(type=replace(one, optional=optional), physical=physical)
    if (shared := _shared(one, other)) is None:
        return Typed(type=UNKNOWN)
    physical = next((p for p in (left.physical, right.physical) if p), "")
    kept = physical if physical != "numeric" or shared.name == "Integer" else ""
    return Typed(type=replace(shared, optional=optional), physical=kept)


def _shared(one: Type, other: Type) -> Type | None:
    names = {one.name, other.name}
    if one.many != other.many:
        return None
    if "entity" in (one.kind, other.kind):
        return one if one.kind == other.kind and one.name == other.name else _plain_key(one, other)
    if names <= TEXTUAL:
        return replace(TEXT, many=one.many)
    if names <= NUMERIC:
        return replace(DECIMAL if "Decimal" in names else INTEGER, many=one.many)
    if names == {"Date", "DateTime"}:
        return DATETIME
    return unlimited(one) if len(names) == 1 else None


def _plain_key(one: Type, other: Type) -> Type | None:
    """A key and a plain value have the value's type in common."""
    return one if one.kind == "scalar" else other if other.kind == "scalar" else None


def unlimited(type_: Type) -> Type:
    """Return a type without the limits that an attribute has."""
    return replace(type_, length=None, precision=None, scale=None) if type_.kind == "scalar" else type_
