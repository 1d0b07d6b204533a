"""Bodies as they run: functions, exceptions and what a failed part wrote, on PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lowcode_kernel.checks import check, errors
from lowcode_kernel.evolution import evolve
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.relational import schema_of
from tests.cases import model_of
from tests.database.running import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.database.conftest import Database

ACTIONS = '''
%%action two_of(customer: Customer, number: Text, again: Text) -> Text
"""Create an order, and perhaps another."""
Order.create(customer=customer, number=number)
try:
    Order.create(customer=customer, number=f"{number}-part")
    Order.create(customer=customer, number=again)
except Refused as problem:
    Order.create(customer=customer, number=f"{number}-after")
    return problem
else:
    return "both"
---
%%action by_rule(customer: Customer, limit: Integer) -> Text
found = "nothing"
for number in ["a", "b", "c"]:
    try:
        made = Order.create(customer=customer, number=number)
        require(Order.count() <= limit, f"more than {limit}")
        if number == "b":
            continue
        found = made.number
    except Refused as problem:
        found = problem
        break
    finally:
        log("tried", number=number)
else:
    found += " all"
return found
---
%%action missing(key: Integer) -> Text
try:
    return Order.get(key).number
except (NotFound, Unavailable) as problem:
    return problem
---
%%action inner(customer: Customer, number: Text)
Order.create(customer=customer, number=number)
raise Refused("never")
---
%%action through_another(customer: Customer) -> Integer
def attempt(number: Text) -> Boolean:
    try:
        inner(customer=customer, number=number)
    except Refused:
        return False
    return True
return len([number for number in ["a", "b"] if attempt(number)]) + Order.count()
---
%%action uncaught(customer: Customer) -> Text
try:
    Order.create(customer=customer, number="a")
    Order.create(customer=customer, number="a")
except NotFound:
    return "not this"
return "never"
---
%%action functions(customer: Customer) -> many(Text)
from math import floor
prefix = "no. "
def owner(order: Order, mark: Text = "") -> Text:
    return order.customer.name + mark
def label(order: Order, *, n: Integer = 1) -> Text:
    return f"{prefix}{order.number:>3}|{n:02}"
rows = [Order.create(customer=customer, number=number, total=len(number)) for number in ["b", "aa", "c"]]
other = Customer.create(name="Ann", email="ann@example.com", owner=customer.owner)
rows.append(Order.create(customer=other, number="d", total=7))
by_owner: dict[Text, Decimal] = {}
for row in rows:
    by_owner[owner(row)] = by_owner.get(owner(row), 0) + row.total
by_name = sorted(rows, key=lambda row: row.customer.name, reverse=True)
first = min(rows, key=owner)
return [
    label(rows[0], n=2), owner(rows[0], "!"), str(by_owner["Ann"]), str(by_owner["Bo"]), by_name[-1].number,
    first.number, sorted(rows, key=lambda row: row.number)[0].number, str(floor(len(rows) / 3)),
    str(max([], key=owner, default=None)),
]
---
%%action values(customer: Customer) -> many(Text)
start = datetime(2026, 1, 31, 22)
later = start + timedelta(hours=3)
a, (b, *rest) = 1, [2, 3, 4]
count, half = 7, Decimal("0.5")
half += count
count /= 2
pairs = {(x, y): x * y for x in range(3) if x for y in range(4) if y > 1 if y != x}
words = " a,b ,c".split(",")
text = "long" if later.date() > start.date() else "short"
total = 0
while True:
    total += 1
    if total > 3:
        break
else:
    total = 100
return [
    str(later.day), str(later - start), str(a + b + rest[-1]), str(half), str(count), str(sorted(pairs.values())),
    "|".join(word.strip().upper() for word in words[1:]), text, str(total), f"{1 / 3:.3f}", str(now() > start),
    f"""two
  lines {total:>3}""",
]
'''


@pytest.fixture(scope="module", params=["as written", "optimized"])
def shop(
    request: pytest.FixtureRequest, module_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    cells = [
        re.sub(r"\A(%%action (\w+).*)", r'\1 --rest "POST /api/\2"', cell) for cell in ACTIONS.strip().split("\n---\n")
    ]
    model = model_of("(shop)", *cells)
    assert not errors(check(model))
    app = optimize(model.application).application if request.param == "optimized" else model.application
    with running(app, module_database, tmp_path_factory.mktemp("bodies")) as found:
        found.sql("INSERT INTO shop.app_user (email, name, roles, password_hash) VALUES ('bo@x', 'Bo', '{}', '')")
        yield found
    module_database.run(f"DROP SCHEMA {found.search_path} CASCADE")


@pytest.fixture
def run(shop: Running) -> Any:
    """Runs an action as a request does, in one transaction, for a customer named Bo; nothing stays behind."""

    def run(name: str, /, **arguments: object) -> Any:
        async def question(context: Any) -> Any:
            transaction = context.connection.transaction()
            await transaction.start()
            try:
                entities, actions = shop.module("entities"), shop.module("actions")
                owner = await context.connection.fetchval("SELECT id FROM app_user")
                customer = await context.connection.fetchrow(
                    "INSERT INTO customer (name, email, owner) VALUES ('Bo', 'bo@example.com', $1) RETURNING id", owner
                )
                given = {"customer": await entities.customer.get(context, customer[0]), **arguments}
                known = actions.ACTIONS[name].ARGUMENTS.__struct_fields__
                try:
                    result = await getattr(actions, name)(context, **{key: given[key] for key in known})
                except shop.module("errors").Problem as problem:
                    result = problem
                left = await context.connection.fetch('SELECT number FROM "order" ORDER BY id') if result != [] else []
                return result, [row[0] for row in left]
            finally:
                await transaction.rollback()

        return shop.ask(question)

    return run


def test_what_a_failed_part_wrote_is_undone_and_the_rest_goes_on(run: Any) -> None:
    assert run("two_of", number="1", again="2") == ("both", ["1", "1-part", "2"])
    assert run("two_of", number="1", again="1") == ("This already exists.", ["1", "1-after"])


def test_a_rule_that_says_no_in_a_loop_undoes_its_round(run: Any) -> None:
    assert run("by_rule", limit=1) == ("more than 1", ["a"])
    assert run("by_rule", limit=5) == ("c all", ["a", "b", "c"])


def test_what_is_not_there_can_be_caught(run: Any) -> None:
    assert run("missing", key=99)[0] == "There is no Order 99"


def test_what_another_action_wrote_before_it_was_refused_is_undone(run: Any) -> None:
    assert run("through_another") == (0, [])


def test_a_rejection_that_is_not_caught_names_the_field_as_ever(run: Any, shop: Running) -> None:
    problem, left = run("uncaught")
    assert isinstance(problem, shop.module("errors").Rejected)
    assert (problem.status, problem.fields, left) == (422, {"number": "already taken"}, [])


def test_functions_wait_where_they_have_to(run: Any) -> None:
    found, _ = run("functions")
    assert found == ["no.   b|02", "Bo!", "7.00", "4.00", "d", "d", "aa", "1", "None"]


def test_values_are_those_of_the_language(run: Any) -> None:
    found, _ = run("values")
    assert found[:5] == ["1", "3:00:00", "7", "7.5", str(Decimal(7) / 2)]
    assert found[5:] == ["[2, 3, 6]", "B|C", "long", "4", "0.333", "True", "two\n  lines   4"]


CELL_TEST = """
%%test "orders add up" --role Sales
from math import floor
owner = User.list()[0]
customer = Customer.create(name="Bo", email="bo@example.com", owner=owner)
def made(number: Text, total: Decimal = 2) -> Order:
    return Order.create(customer=customer, number=number, total=total)
orders = [made(number) for number in ["a", "b"]]
try:
    made("a")
except Refused as problem:
    assert problem == "This already exists."
totals: dict[Text, Decimal] = {}
for order in orders:
    totals[order.number] = order.total
assert floor(sum(totals.values())) == 4
assert Order.count() == 2
assert refused(inner(customer=customer, number="c"))
---
%%test "the same import, another name" --role Sales
from statistics import mean as floor
assert floor([1, 3]) == 2
"""


def test_cells_of_tests_have_functions_exceptions_and_imports(database: Database, tmp_path: Path) -> None:
    model = model_of("(shop)", *ACTIONS.strip().split("\n---\n"), *CELL_TEST.strip().split("\n---\n"))
    assert not errors(check(model))
    _, changes, _ = evolve(None, schema_of(model.application))
    database.run(*(change.sql for change in changes))
    write_bundle(generate(model.application, tests=True), tmp_path)
    done = subprocess.run(
        (sys.executable, "-m", "shop.cell_tests"),
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [(test["ok"], test["message"]) for test in json.loads(done.stdout)] == [(True, ""), (True, "")]
