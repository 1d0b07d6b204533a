"""Rows and requests for a model that is given: the cases of the passes and the tour, run as twins too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lowcode_kernel.analysis import analyze
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.quoting import identifier
from tests.differential.requests import Request, Sample, SampleUser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Attribute, Entity, Parameter
    from lowcode_kernel.types import Type

ROWS = 6


def sample_of(app: Application, random: Random) -> Sample:
    """Return rows for all entities, and requests to every screen and action that can be reached."""
    users = (SampleUser("all", tuple(app.roles)), SampleUser("none", ()))
    return Sample((), tuple(_rows(app, random)), tuple(_requests(app, random)), users)


def _rows(app: Application, random: Random) -> Iterator[str]:
    filled: list[str] = ["User"]
    waiting = list(app.entities.values())
    while waiting:
        entity = next(
            item
            for item in waiting
            if all(
                one.type.optional or one.type.many or one.type.kind != "entity" or one.type.name in filled
                for one in item.attributes
            )
        )
        waiting.remove(entity)
        yield from _rows_of(entity, app, random, filled)
        filled.append(entity.name)


def _rows_of(entity: Entity, app: Application, random: Random, filled: list[str]) -> Iterator[str]:
    written = [one for one in entity.attributes if not one.type.many and one.computed is None]
    for number in range(1, ROWS + 1):
        values = [_stored(one, entity, app, random, number, filled) for one in written]
        names = ", ".join(identifier(one.name) for one in written)
        table = identifier(snake_case(entity.name))
        yield f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)}) ON CONFLICT DO NOTHING"


def _stored(
    attribute: Attribute, entity: Entity, app: Application, random: Random, number: int, filled: list[str]
) -> str:
    type_ = attribute.type
    if type_.optional and (random.random() < 0.3 or (type_.kind == "entity" and type_.name not in filled)):
        return "NULL"
    unique = attribute.unique or attribute.name in entity.key
    return _literal(type_, app, number if unique else random.randint(1, 2 if type_.name == "User" else ROWS))


def _literal(type_: Type, app: Application, number: int) -> str:
    value = _value(type_, app, number)
    return (
        "true"
        if value is True
        else "false"
        if value is False
        else str(value)
        if isinstance(value, int)
        else f"'{value}'"
    )


def _value(type_: Type, app: Application, number: int) -> Any:
    """Return the value number `number` of a type: the same number gives the same value, so that keys meet."""
    if type_.kind == "entity":
        target = app.entities.get(type_.name)
        key = target.attribute(target.key[0]) if target else None
        return _value(key.type, app, number) if key else number
    values: dict[str, Any] = {
        "Integer": number,
        "Decimal": f"{number}.50",
        "Boolean": number % 2 == 0,
        "Date": f"2013-02-0{number}",
        "DateTime": f"2013-02-0{number} 10:00:00+00",
        "Time": f"0{number}:00:00",
        "Email": f"a{number}@example.com",
        "Url": f"https://example.com/{number}",
        "Uuid": f"00000000-0000-4000-8000-00000000000{number}",
        "Json": '{"a": 1}',
    }
    if type_.choices:
        return type_.choices[number % len(type_.choices)]
    return values.get(type_.name, f"v{number}"[: type_.length or 9])


def _requests(app: Application, random: Random) -> Iterator[Request]:
    for _ in range(3):
        for screen in app.screens.values():
            given = {one.name: str(_argument(one, app, random)) for one in screen.parameters}
            yield Request(random.choice(("all", "all", "none")), "GET", f"/api/screens/{screen.name}", given)
        offered = {item.action for model in analyze(app).screens.values() for item in model.components() if item.action}
        for action in app.actions.values():
            given = {one.name: _argument(one, app, random) for one in action.parameters}
            user = random.choice(("all", "all", "none"))
            if action.name in offered:
                yield Request(user, "POST", f"/api/actions/{action.name}", arguments=given)
            elif action.rest and "{" not in action.rest[1]:
                yield Request(user, action.rest[0], action.rest[1], arguments=given)


def _argument(parameter: Parameter, app: Application, random: Random) -> Any:
    return _value(parameter.type, app, random.randint(1, ROWS))
