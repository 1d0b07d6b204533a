"""What is remembered from one application to the next is what would be made anew."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel import memo
from lowcode_kernel.analysis import analyze
from lowcode_kernel.assembly import assemble
from lowcode_kernel.checks import check, errors
from lowcode_kernel.generators import beside, formatting
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import interning, optimize
from lowcode_kernel.language import read_cell
from lowcode_kernel.language.bodies import documentation, parse_body
from lowcode_kernel.memo import Names, remembered
from lowcode_kernel.places import Place
from tests.cases import model_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.language import CellReading

ROOT = Path(__file__).parents[1]
CELLS = (
    '%app shop --title "Web shop"\n%role Sales\n%role Manager\n%setting most: Integer = 5',
    """%%entity Customer
name: Text(80)
email: Email = unique()
access(read=Sales, write=Sales, delete=Manager)""",
    """%%entity Order
customer: Customer
number: Text(20) = unique()
placed_at: DateTime | None
total: Decimal(12, 2) = 0
access(read=Sales, write=Sales, delete=Manager)""",
    "%scaffold Customer --role Sales",
    """%%query open_orders(customer: Customer)
SELECT o.id, o.number, o.total FROM Order o WHERE o.customer = :customer AND o.placed_at IS NULL ORDER BY o.id""",
    """%%action place_order(customer: Customer, number: Text) -> Order --role Sales --rest "POST /api/orders"
require(len(open_orders(customer=customer.id)) < most, "too many")
return Order.create(customer=customer, number=number)""",
    """%%screen orders "/orders/{customer}" --role Sales
title(customer.name)
table(open_orders(customer=customer.id), columns=[number])
button("New", place_order, customer=customer, ask=[number])""",
    """%%job nightly "0 2 * * *"
for customer in Customer.list():
    log(customer.name, n=len(open_orders(customer=customer.id)))""",
)
EDITS = (  # a cell, a text in it, and what it is changed to
    (0, "most: Integer = 5", "most: Integer = 6"),
    (0, '"Web shop"', '"Shop"'),
    (1, "Text(80)", "Text(90)"),
    (1, "email: Email = unique()", "email: Email = unique()\nnote: Text | None"),
    (1, "write=Sales", "write=[Sales, Manager]"),
    (2, "total: Decimal(12, 2)", "total: Decimal(14, 2)"),
    (2, "placed_at: DateTime | None", "placed_at: Date | None"),
    (3, "--role Sales", "--role Manager"),
    (4, "SELECT o.id, o.number, o.total", "SELECT o.id, o.number, o.total * 2 AS total"),
    (4, "ORDER BY o.id", "ORDER BY o.number"),
    (4, "o.total FROM", "o.totl FROM"),  # an error, that goes away again
    (5, "too many", "enough"),
    (5, "require(", "x = Customer.count()\nrequire("),
    (5, "-> Order", ""),
    (6, "columns=[number]", "columns=[number, total]"),
    (6, "title(customer.name)", 'title("Orders")'),
    (7, "log(customer.name", "log(customer.email"),
    (7, "0 2 * * *", "0 3 * * *"),
)


def reading_of(number: int, text: str) -> CellReading:
    return read_cell(text, Place(cell=number + 1))


def forget_everything() -> None:
    memo.forget()
    interning.forget()
    formatting.forget()


def result_of(readings: list[CellReading]) -> object:
    """Return all that there is to know of a model: its problems, or else its bundle."""
    model = assemble(readings)
    problems = check(model)
    if errors(problems):
        return [(problem.code, str(problem), problem.element) for problem in problems]
    optimized = optimize(model.application)
    told = [str(finding) for finding in optimized.findings]
    return [str(problem) for problem in problems], told, generate(optimized.application).files


@pytest.mark.parametrize("seed", range(4))
def test_after_any_edits_all_is_as_if_made_anew(seed: int) -> None:
    chance = random.Random(seed)
    texts = list(CELLS)
    readings = [reading_of(number, text) for number, text in enumerate(texts)]
    forget_everything()
    for _ in range(12):
        cell, old, new = chance.choice(EDITS)
        old, new = (old, new) if old in texts[cell] else (new, old)
        texts[cell] = texts[cell].replace(old, new, 1) if old else texts[cell]
        readings[cell] = reading_of(cell, texts[cell])
        with_memory = result_of(readings)
        kept = dict(memo._entries)
        forget_everything()
        assert with_memory == result_of([reading_of(number, text) for number, text in enumerate(texts)])
        memo._entries.clear()
        memo._entries.update(kept)


def test_a_cell_that_moves_takes_its_problems_along() -> None:
    wrong = "%%query q()\nSELECT number, totl FROM Order"
    first = model_of("(shop)", wrong)
    second = model_of("(shop)", "%role Other", wrong)
    assert [problem.place.cell for problem in check(first) if problem.code == "LK101"] == [4]
    assert [problem.place.cell for problem in check(second) if problem.code == "LK101"] == [5]


def test_only_what_a_change_reaches_is_analyzed_again() -> None:
    readings = [reading_of(number, text) for number, text in enumerate(CELLS)]
    before = analyze(assemble(readings).application)
    kept = {**before.bodies}
    readings[5] = reading_of(5, CELLS[5].replace("too many", "enough"))
    after = analyze(assemble(readings).application).bodies
    assert {name for name in after if after[name] is not kept[name]} == {"action:place_order"}
    readings[5] = reading_of(5, CELLS[5].replace("number: Text", "number: Text(9)"))
    after = analyze(assemble(readings).application).bodies
    # the screen asks for the parameters of the action that it offers
    assert {name for name in after if after[name] is not kept[name]} == {"action:place_order", "screen:orders"}


def test_nothing_that_is_remembered_is_changed_by_who_gets_it() -> None:
    app = assemble([reading_of(number, text) for number, text in enumerate(CELLS)]).application
    optimized = optimize(app).application
    generate(optimized)
    for known in (app, optimized):
        for element, body in analyze(known).bodies.items():
            found = known.by_id[element]
            _, statements = documentation(ast.parse(found.body).body and parse_body(found.body, found.body_place))
            assert [ast.dump(node) for node in body.tree.body] == [ast.dump(node) for node in statements], element


# the trace


def app_of(*roles: str) -> Application:
    return model_of(*(f"%role {name}" for name in roles)).application


def test_a_look_up_that_finds_nothing_is_written_down_too() -> None:
    subject, made = object(), []

    def make(app: Application) -> bool:
        made.append(app)
        return "Sales" in app.roles

    first, second, third = app_of("Other"), app_of("Another"), app_of("Sales")
    assert not remembered("test", subject, first, lambda: make(first))
    assert not remembered("test", subject, second, lambda: make(second))
    assert remembered("test", subject, third, lambda: make(third))
    assert made == [first, third]


@pytest.mark.parametrize(
    "look",
    [
        lambda app: sorted(app.roles),
        lambda app: len(app.roles),
        lambda app: {**app.roles},
        lambda app: [*app.roles.values()],
        lambda app: app.roles | {},
        lambda app: [element.name for element in app.elements],
    ],
)
def test_who_looks_at_all_depends_on_all(look: object) -> None:
    subject = object()
    for app in (app_of("A"), app_of("A", "B"), app_of("C")):
        assert remembered("test", subject, app, lambda app=app: look(app)) == look(app)


def test_what_is_made_with_what_is_remembered_depends_on_the_same() -> None:
    inner, outer = object(), object()

    def asked(app: Application) -> bool:
        return remembered("inner", inner, app, lambda: "Sales" in app.roles)

    for app, expected in ((app_of("A"), False), (app_of("Sales"), True), (app_of("B"), False)):
        assert remembered("outer", outer, app, lambda app=app: asked(app)) is expected


def test_names_are_a_dictionary() -> None:
    names = Names("roles", {"a": 1, "b": 2})
    assert (dict(names), list(names), len(names), names.get("c", 3), names.copy()) == (
        {"a": 1, "b": 2},
        ["a", "b"],
        2,
        3,
        {"a": 1, "b": 2},
    )


# the same input, the same bytes


def test_a_scaffolded_application_has_the_same_bytes_whatever_the_seed_of_hashes() -> None:
    program = """
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from tests.cases import model_of
from tests.test_memo import CELLS
print(generate(optimize(model_of(*CELLS).application).application).version)
"""
    found = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            (sys.executable, "-c", program), cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_an_application_without_queries_is_generated_without_the_sql_parser_and_networkx() -> None:
    program = """
import sys
from lowcode_kernel.checks import find_errors
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from tests.cases import model_of
from tests.test_memo import CELLS
model = model_of(*CELLS[:4])
assert not find_errors(model)
generate(optimize(model.application).application)
print(*({"sqlglot", "networkx", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run((sys.executable, "-c", program), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# beside


def test_what_is_made_beside_is_what_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    app = model_of(*CELLS).application
    here = generate(app)
    monkeypatch.setattr(beside, "is_possible", lambda: True)
    forget_everything()
    assert generate(app).files == here.files


def test_what_fails_beside_is_told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "is_possible", lambda: True)

    def fail() -> None:
        raise ValueError(f"in {os.getpid()}")

    with pytest.raises(ValueError, match=f"in {os.getpid()}"):
        beside.Beside(fail).result()


def test_a_kernel_does_everything_itself() -> None:
    assert not beside.is_possible()
