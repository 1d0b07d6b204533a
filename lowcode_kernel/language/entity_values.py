"""The values that an entity's attributes take by themselves: defaults that fit, computed attributes, and the
conditions between them.

All of it is seen within one cell; only the types of other entities' keys are not known here, and
`checks` reads the expressions again with them.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from lowcode_kernel.computed import cycles, longest_way
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean
from lowcode_kernel.row_expressions import compiled, expression, row_of
from lowcode_kernel.types import BOOLEAN, NUMERIC, TEXTUAL, UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.elements import Attribute, Constraint, Entity
    from lowcode_kernel.places import Place
    from lowcode_kernel.row_expressions import Row

_MOST_STEPS = 50  # of computed attributes that use each other: each is written out in the next
_MAKERS = {"now()": "DateTime", "today()": "Date", "uuid()": "Uuid"}
_CONSTANTS: dict[str, tuple[type, ...]] = {
    "Integer": (int,),
    "Decimal": (int, float),
    "Boolean": (bool,),
    "Json": (str, int, float, bool),
    **dict.fromkeys(TEXTUAL, (str,)),
}


def with_optionality(entity: Entity) -> Entity:
    """Return the entity with `| None` at every computed attribute that is computed from what may be None."""
    row = row_of(entity, clock=True)
    changed = tuple(_optional(attribute, row) for attribute in entity.attributes)
    return entity if changed == entity.attributes else replace(entity, attributes=changed)


def _optional(attribute: Attribute, row: Row) -> Attribute:
    if attribute.computed is None:
        return attribute
    try:
        found = compiled(row.computed[attribute.name], row).type
    except LowcodeError:
        return attribute  # it is told where problems are
    return replace(attribute, type=attribute.type.maybe()) if found.optional else attribute


def value_problems(entity: Entity, *, expressions: bool = True) -> Iterator[Problem]:
    """Yield what is wrong with an entity's defaults, and with `expressions` what is computed and demanded."""
    for attribute in entity.attributes:
        if attribute.default is not None:
            yield from _default_problems(entity, attribute)
    if expressions:
        yield from expression_problems(entity)


def expression_problems(entity: Entity, key: Callable[[str], Type] = lambda _: UNKNOWN) -> Iterator[Problem]:
    """Yield what is wrong with an entity's computed attributes and constraints. `key` gives the type of another
    entity's key, as far as it is known.
    """
    if not entity.constraints and all(attribute.computed is None for attribute in entity.attributes):
        return
    computed = {a.name: expression(a.computed) for a in entity.attributes if a.computed is not None}
    circles = cycles(computed)
    for circle in circles:
        fact = f"computed attributes need each other: {' -> '.join(circle)}"
        place = next(a.place for a in entity.attributes if a.name == circle[0])
        yield _problem("LK112", entity, fact, "store one of them", place)
    if circles:
        return
    if len(way := longest_way(computed)) > _MOST_STEPS:
        fact = f"{way[0]} is computed through {len(way) - 1} other computed attributes"
        place = next(a.place for a in entity.attributes if a.name == way[0])
        yield _problem("LK111", entity, fact, f"store one of them: {_MOST_STEPS} are the most", place)
        return
    row = row_of(entity, key, clock=True)
    for attribute in entity.attributes:
        if attribute.computed is not None:
            yield from _computed_problems(entity, attribute, row)
    for constraint in entity.constraints:
        yield from _constraint_problems(entity, constraint, replace(row, clock=False))


def _problem(code: str, entity: Entity, fact: str, hint: str, place: Place) -> Problem:
    return Problem(code=code, fact=f"entity {entity.name}: {fact}", hint=hint, place=place, element=entity.id)


# defaults


def _default_problems(entity: Entity, attribute: Attribute) -> Iterator[Problem]:
    text, type_ = attribute.default or "", attribute.type
    if reason := _misfit(text, type_):
        yield _problem(
            "LK113", entity, f"{attribute.name} is {type_}, and its default is {text}", *reason, attribute.place
        )


def _misfit(text: str, type_: Type) -> tuple[str] | tuple[()]:
    """Return the hint for a default that doesn't fit, or nothing."""
    if type_.many or type_.kind != "scalar":
        return ("a reference has no default: write | None, and set it in an action",)
    if text in _MAKERS:
        return () if _MAKERS[text] == type_.name else (f"{text} is for {_MAKERS[text]}",)
    value = ast.literal_eval(text)
    kinds = _CONSTANTS.get(type_.name, ())
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return (_fitting(type_),)
    if type_.choices and value not in type_.choices:
        return (did_you_mean(str(value), type_.choices),)
    if type_.length is not None and len(str(value)) > type_.length:
        return (f"it has {len(str(value))} characters",)
    return _number_misfit(text, type_)


def _fitting(type_: Type) -> str:
    made = next((maker for maker, name in _MAKERS.items() if name == type_.name), None)
    if made:
        return f"write {made}, or | None"
    return {"Time": "write | None, and set it in an action"}.get(type_.name, f"write a value of {type_.name}")


def _number_misfit(text: str, type_: Type) -> tuple[str] | tuple[()]:
    if type_.name not in NUMERIC:
        return ()
    try:
        value = Decimal(text.replace(" ", ""))
    except InvalidOperation:
        return ("write a number",)
    if type_.name == "Integer":
        return () if -(2**63) <= value < 2**63 else ("it has more than 18 digits",)
    if type_.precision is None:
        return () if value.is_finite() else ("write a number",)
    scale = type_.scale or 0
    if not value.is_finite() or abs(value) >= 10 ** (type_.precision - scale):
        return (f"{type_} has {type_.precision - scale} digits before the point",)
    exponent = value.normalize().as_tuple().exponent
    return (f"{type_} has {scale} digits behind the point",) if isinstance(exponent, int) and -exponent > scale else ()


# computed attributes


def _computed_problems(entity: Entity, attribute: Attribute, row: Row) -> Iterator[Problem]:
    name, type_ = attribute.name, attribute.type
    if type_.many or type_.kind != "scalar" or type_.name in {"Json", "File"}:
        hint = "a computed attribute is a text, a number, a Boolean, a date or a time"
        yield _problem("LK111", entity, f"{name} is {type_}, which can't be computed", hint, attribute.place)
        return
    used = {column for columns in (entity.key, *entity.indexes, *entity.uniques) for column in columns}
    if name in used:
        fact = f"{name} is computed: it can't be a key, indexed or unique"
        yield _problem("LK117", entity, fact, f"name the attributes of `{attribute.computed}`", attribute.place)
    try:
        found = compiled(row.computed[name], row)
    except LowcodeError as error:
        yield from (_problem(p.code, entity, f"{name}: {p.fact}", p.hint, attribute.place) for p in error.problems)
        return
    if not fits(type_, found.type):
        fact = f"{name} is {type_.required()}, and what is computed is {found.type.required()}"
        yield _problem("LK111", entity, fact, _conversion(type_, found.type), attribute.place)


def fits(declared: Type, found: Type) -> bool:
    """Say whether an expression's value can be shown as the declared type."""
    if "unknown" in (declared.kind, found.kind) or found.kind == "none":
        return found.kind != "none"
    if declared.name in TEXTUAL and found.name in TEXTUAL:
        return declared.name == "Text" or declared.name == found.name
    return declared.name == found.name or (declared.name, found.name) == ("Decimal", "Integer")


def _conversion(declared: Type, found: Type) -> str:
    if (declared.name, found.name) == ("Integer", "Decimal"):
        return "write round(...), or declare Decimal"
    if found.name == "duration":
        return "write (a - b).days, or (a - b).total_seconds()"
    if declared.name == "Text":
        return "write str(...), or an f-string"
    return f"declare {found.required()}"


# constraints


def _constraint_problems(entity: Entity, constraint: Constraint, row: Row) -> Iterator[Problem]:
    what = f"check({constraint.condition})"
    try:
        found = compiled(expression(constraint.condition), row)
    except LowcodeError as error:
        yield from (_problem(p.code, entity, f"{what}: {p.fact}", p.hint, constraint.place) for p in error.problems)
        return
    if found.type.name != BOOLEAN.name and found.type.kind != "unknown":
        fact = f"{what} is {found.type.required()}, not a condition"
        yield _problem("LK111", entity, fact, "compare attributes", constraint.place)
