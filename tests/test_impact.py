"""What impact says of a change is what the change does: each is made in the cells, checked and generated for real."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.assembly import Model, assemble
from lowcode_kernel.changing import AttributeChange
from lowcode_kernel.checks import find_errors
from lowcode_kernel.generators.generation import element_texts
from lowcode_kernel.impact import impact, impact_of_all, uses_of
from lowcode_kernel.language import read_cell
from lowcode_kernel.notebook import code_cells
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.types import Type
from tests.cases import model_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lowcode_kernel.elements import Entity
    from lowcode_kernel.impact_effects import Effect

TOUR = Path(__file__).parents[1] / "notebooks" / "00_tour.ipynb"
RETYPED = {"Text": "Integer", "Integer": "Text", "DateTime": "Boolean", "Date": "Text", "Boolean": "Date"}
SHOP = (
    "(shop)",
    """%%query open_orders(customer: Customer)
SELECT o.id, o.number, o.total * 2 AS twice FROM Order o
WHERE o.customer = :customer AND o.placed_at IS NULL""",
    """%%action place_order(customer: Customer, number: Text) -> Order --role Sales --rest "POST /api/orders"
return Order.create(customer=customer, number=number, total=1)""",
    """%%screen orders "/orders/{customer}" --role Sales
table(open_orders(customer=customer.id), columns=[number, twice])""",
    '%%screen home "/" --role Sales\ntitle("Home")',
)


@cache
def cells() -> tuple[tuple[int, str], ...]:
    return tuple((number, text) for number, _, text in code_cells(TOUR))


def read(texts: Mapping[int, str]) -> Model:
    return assemble([reading_of(text, number) for number, text in texts.items()])


@cache
def reading_of(text: str, number: int) -> object:
    return read_cell(text, Place(cell=number))  # the same object each time: what did not change is analyzed once


@cache
def tour() -> Model:
    return read(dict(cells()))


def attributes() -> list[str]:
    return [
        f"{entity.name}.{item.name}" for entity in tour().application.entities.values() for item in entity.attributes
    ]


def edited(entity: Entity, attribute: str, change: AttributeChange) -> Model | None:
    """Make a change as an author does: in the text of the entity's cell; None where the author would do more."""
    texts = dict(cells())
    item = entity.attribute(attribute)
    lines = texts[entity.place.cell].splitlines()
    index = item.place.line - 1
    others = [number for number, line in enumerate(lines) if number != index and re.search(rf"\b{attribute}\b", line)]
    if change.kind == "remove":
        if any(not lines[number].startswith(("index(", "unique(")) for number in others):
            return None
        lines = [line for number, line in enumerate(lines) if number not in {index, *others}]
    elif change.kind == "rename":
        lines = [re.sub(rf"\b{attribute}\b", change.name, line) for line in lines]
    else:
        if "=" in lines[index]:
            return None  # the default would be changed too
        lines[index] = f"{attribute}: {change.type}"
    texts[entity.place.cell] = "\n".join(lines)
    return read(texts)


def changes(entity: Entity, attribute: str) -> list[AttributeChange]:
    type_ = entity.attribute(attribute).type
    found = [AttributeChange(kind="rename", name="renamed"), AttributeChange(kind="remove")]
    if attribute not in entity.key and type_.kind == "scalar" and type_.name in RETYPED:
        found.append(AttributeChange(kind="retype", type=Type(name=RETYPED[type_.name], optional=type_.optional)))
        other = type_.required() if type_.optional else type_.maybe()
        found.append(AttributeChange(kind="retype", type=other))
    return found


def errors_of(model: Model) -> dict[str, set[str]]:
    known = {(problem.element, problem.fact) for problem in find_errors(tour())}
    found: dict[str, set[str]] = {}
    for problem in find_errors(model):
        if (problem.element, problem.fact) not in known:
            found.setdefault(problem.element or "", set()).add(problem.fact)
    return found


@pytest.mark.parametrize("name", attributes())
def test_what_breaks_has_an_error_and_what_is_regenerated_is_another(name: str) -> None:
    owner, _, attribute = name.partition(".")
    entity = tour().application.entities[owner]
    for change in changes(entity, attribute):
        model = edited(entity, attribute, change)
        if model is None:
            continue
        effects = {effect.element: effect for effect in impact(tour(), owner, attribute, change, element_texts)}
        wrong = errors_of(model)
        assert {element for element, effect in effects.items() if effect.verdict == "breaks"} - databases(
            effects
        ) == set(wrong), change
        if wrong:
            continue
        before, after = element_texts(tour().application), element_texts(model.application)
        differing = {element for element in {*before, *after} if before.get(element) != after.get(element)}
        assert {element for element, effect in effects.items() if effect.verdict == "regenerate"} - databases(
            effects
        ) == differing, change


def databases(effects: Mapping[str, Effect]) -> set[str]:
    return {element for element in effects if element.startswith("database:")}


def verdicts(effects: tuple[Effect, ...]) -> dict[str, str]:
    return {effect.element: effect.verdict for effect in effects}


def test_a_rename_breaks_what_names_it_and_what_rests_on_that_may_break() -> None:
    found = impact(model_of(*SHOP), "Order", "total", AttributeChange(kind="rename", name="amount"), element_texts)
    assert verdicts(found) == {
        "query:open_orders": "breaks",
        "action:place_order": "breaks",
        "screen:orders": "may break",
        "client:POST /api/orders": "may break",
        "database:order": "regenerate",
        "entity:Order": "regenerate",
    }
    how = {effect.element: effect.how for effect in found}
    assert how["query:open_orders"] == "selects it as twice"
    assert how["action:place_order"] == "writes it"
    assert (
        how["screen:orders"] == "shows column twice of query open_orders (c1); rests on query open_orders, which breaks"
    )
    assert how["client:POST /api/orders"] == "action place_order answers with rows of Order"


def test_a_type_that_fits_everywhere_regenerates_what_writes_it_down() -> None:
    change = AttributeChange(kind="retype", type=Type(name="Decimal", precision=14, scale=2))
    found = verdicts(impact(model_of(*SHOP), "Order", "total", change, element_texts))
    assert "breaks" not in found.values()
    assert found["query:open_orders"] == found["screen:orders"] == "no effect"


def test_without_a_change_all_three_are_told() -> None:
    found = impact_of_all(model_of(*SHOP), "Order", "placed_at", element_texts)
    told = {(effect.change, effect.element): effect.verdict for effect in found}
    assert told["rename", "query:open_orders"] == told["remove", "query:open_orders"] == "breaks"
    assert told["retype", "query:open_orders"] == "no effect"  # IS NULL asks the same of any type
    assert ("rename", "screen:home") not in told


def test_scaffolds_follow_a_rename() -> None:
    model = model_of("(shop)", "%scaffold Order --role Sales")
    found = verdicts(impact(model, "Order", "total", AttributeChange(kind="rename", name="amount"), element_texts))
    assert "breaks" not in found.values()
    assert found["action:create_order"] == found["screen:orders"] == "regenerate"


def test_what_is_computed_and_demanded_of_an_attribute_goes_with_it() -> None:
    cells = (
        "%app shop",
        "%role Sales",
        """%%entity Item
net: Decimal
rate: Decimal
gross: Decimal = computed(net * rate)
check(net > 0, "too small")
index(net)
access(read=Sales)""",
        '%%screen item "/items/{item}" --role Sales\ntitle(f"{item.gross}")',
    )
    model = model_of(*cells)
    assert model.problems == ()
    found = impact(model, "Item", "net", AttributeChange(kind="remove"), element_texts)
    assert verdicts(found)["screen:item"] == "breaks"
    assert next(effect.how for effect in found if effect.element == "screen:item").startswith(
        "shows Item.gross (computed from it)"
    )
    renamed = impact(model, "Item", "net", AttributeChange(kind="rename", name="price"), element_texts)
    assert "breaks" not in verdicts(renamed).values()


def test_an_element_has_users() -> None:
    found = {use.element: use.how for use in uses_of(model_of(*SHOP).application, "entity:Order")}
    assert found == {
        "action:place_order": "uses, refers to",
        "query:open_orders": "reads",
        "screen:orders": "uses what uses it",
    }


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(LowcodeError, match='Order has an attribute "number" already'):
        impact(model_of(*SHOP), "Order", "total", AttributeChange(kind="rename", name="number"), element_texts)
