"""`%scaffold`: the screens and actions that it stands for are those that a person could have written."""

from dataclasses import replace

import pytest

from lowcode_kernel.assembly import assemble
from lowcode_kernel.checks import check, errors
from lowcode_kernel.elements import Element
from lowcode_kernel.language import read_cell
from lowcode_kernel.language.scaffold import cell_text
from lowcode_kernel.language.scaffold_writer import plural
from lowcode_kernel.places import Place
from tests.cases import BASE, model_of

MORE = (
    "%%entity Category\nname: Text(40)\nparent: Category | None",
    (
        "%%entity Enrolment\ncustomer: Customer\ncourse: Course\ngrade: Integer | None\nnote: Text(400) | None\n"
        "key(customer, course)"
    ),
    (
        "%%entity Course\ncode: Text(8)\ntitle: Text(80)\nstarts: Date = today()\n"
        'kind: Choice("open", "shut") = "open"\ntags: many(Category)\nopen: Boolean = True\nkey(code)'
    ),
    "%%entity Pair\na: Integer\nb: Integer\nkey(a, b)",
    "%%entity HTTPServer\nsearch: Text\nend: Integer = 3",
)
NAMES = ("Customer", "Order", "Category", "Enrolment", "Course", "Pair", "HTTPServer")


def made(*cells: str) -> list[Element]:
    return [element for element in model_of("(shop)", *cells).application.elements if element.place.fixed]


def text_of(cells: tuple[str, ...], element: str) -> str:
    return next(cell_text(item) for item in made(*cells) if item.id == element)


def test_a_scaffold_makes_screens_and_actions() -> None:
    assert [element.id for element in made("%scaffold Order")] == [
        "action:create_order",
        "action:delete_order",
        "action:update_order",
        "screen:edit_order",
        "screen:new_order",
        "screen:order",
        "screen:orders",
    ]


def test_what_it_makes_is_right_whatever_the_entity() -> None:
    model = model_of("(shop)", *MORE, "\n".join(f"%scaffold {name}" for name in NAMES))
    assert [str(problem) for problem in errors(check(model))] == []


def test_the_text_of_a_scaffold_defines_the_same() -> None:
    cells = (*MORE, "\n".join(f"%scaffold {name} --role Sales" for name in NAMES))
    scaffolded = made(*cells)
    taken_over = [*BASE.split("\n---\n"), *MORE, *map(cell_text, scaffolded)]
    model = assemble(read_cell(text, Place(cell=number)) for number, text in enumerate(taken_over, 1))
    assert model.problems == ()
    assert model.application == model_of("(shop)", *cells).application


def test_a_definition_of_ones_own_takes_the_place() -> None:
    own = '%%screen orders "/all-orders" --role Sales\ntitle("Mine")'
    model = model_of("(shop)", own, "%scaffold Order --role Sales")
    assert errors(check(model)) == ()
    assert model.application.screens["orders"].path == "/all-orders"
    assert len(made(own, "%scaffold Order --role Sales")) == 6


def test_access_is_that_of_the_entity_or_of_the_line() -> None:
    roles = {item.name: getattr(item, "roles", None) for item in made("%scaffold Customer")}
    assert roles == {
        "create_customer": ("Sales",),
        "update_customer": ("Sales",),
        "delete_customer": ("Manager",),
        "customers": ("Sales",),
        "customer": ("Sales",),
        "new_customer": ("Sales",),
        "edit_customer": ("Sales",),
    }
    assert {getattr(item, "roles", None) for item in made("%scaffold Customer --role Manager")} == {("Manager",)}


def test_rows_that_not_all_may_read_are_shown_to_those_who_may() -> None:
    entity = "%%entity Note\ncustomer: Customer\ntext: Text\naccess(read=Manager)"
    text = text_of((entity, "%scaffold Customer"), "screen:customer")
    assert "\nif Manager in user.roles:\n    table(Note.list(customer=customer, order_by=text), columns=[text]" in text


def test_a_key_of_two_parts_is_in_the_path() -> None:
    text = text_of((*MORE, "%scaffold Enrolment"), "screen:enrolment")
    assert text.startswith(
        '%%screen enrolment "/enrolments/{customer}/{course}"\n"""One enrolment."""\n'
        "enrolment = Enrolment.get(customer=customer, course=course)\n"
        'title(f"{customer.name}, {course.title}")\n'
    )


def test_a_reference_of_the_entitys_own_name_does_not_hide_the_row() -> None:
    entity = "%%entity Part\nname: Text\npart: Part | None"
    text = text_of((entity, "%scaffold Part"), "action:update_part")
    assert text.startswith("%%action update_part(this_part: Part, name: Text, part: Part | None) -> Part\n")
    assert text.endswith("return Part.update(this_part, name=name, part=part)")


def test_a_shown_scaffold_defines_nothing() -> None:
    assert made("%scaffold Customer --show") == []


def test_the_same_scaffold_is_made_once() -> None:
    """So that what is worked out for an element can be kept."""
    first, second = made("%scaffold Order"), made("%scaffold Order")
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert replace(first[0], public=True) == made("%scaffold Order --public")[0]


@pytest.mark.parametrize(
    ("one", "many"),
    [("order", "orders"), ("city", "cities"), ("day", "days"), ("box", "boxes"), ("order_class", "order_classes")],
)
def test_plurals_follow_a_small_rule(one: str, many: str) -> None:
    assert plural(one) == many
