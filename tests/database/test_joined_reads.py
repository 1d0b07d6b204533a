"""Reads in one statement give what they would alone: on PostgreSQL, with their roles, rules and optional parameters."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import Any

import pytest

from tests.cases import model_of
from tests.database.running import running
from tests.database.test_query_forms import CELLS as FORMS
from tests.database.test_query_forms import JOB, MANAGER, ROWS, SALES

CELLS = (
    *FORMS[:-1],
    """%%action look(customer: Customer, since: Date | None = None) -> Integer --rest "POST /look"
mine, some, second, found, counted = together(
    orders_of(customer=customer, since=since),
    orders_of.exists(customer=customer, since=since, least=4),
    orders_of.page(1, 2, customer=customer),
    largest.first(tier="gold"),
    both.count(customer=customer),
)
every = together(
    Customer.get(customer),
    Order.find(customer=customer, number="n3"),
    Order.list(customer=customer, order_by=-total, limit=3, only=[number, total]),
    Order.count(customer=customer),
    Order.exists(customer=customer, placed_at=None),
    orders_of.top(1, customer=2),
)
log(mine[0].number, first=second[0].number, at=every[0].name)
return counted + every[3]""",
    """%%action alone(customer: Customer) -> Integer --rest "POST /alone"
rows = orders_of(customer=customer)
if orders_of.exists(customer=customer) and largest.first():
    rows = orders_of.page(1, 2, customer=customer)
return both.count(customer=customer)""",
)


@pytest.fixture(scope="module")
def shop(module_database, tmp_path_factory):
    model = model_of(*CELLS)
    assert [str(problem) for problem in model.problems] == []
    with running(model.application, module_database, tmp_path_factory.mktemp("shop")) as found:
        for statement in ROWS.split(";"):
            found.sql(statement)
        yield found


@pytest.mark.parametrize("user", [JOB, SALES, MANAGER], ids=["job", "sales", "manager"])
def test_parts_of_queries_are_what_they_would_be_alone(shop, user):
    async def ask(context: Any) -> None:
        queries = shop.module("queries")
        for customer, since in product((1, 2, 99), (None, date(2026, 1, 9), date(2027, 1, 1))):
            numbers = {"start": 1, "limit": 2}
            found = await queries.look_reads.read_1(
                context, customer=customer, since=since, least=4, **numbers, tier="gold"
            )
            assert found == (
                await queries.orders_of(context, customer=customer, since=since),
                await queries.orders_of_exists(context, customer=customer, since=since, least=4),
                await queries.orders_of_page(context, customer=customer, **numbers),
                await queries.largest_first(context, tier="gold"),
                await queries.both_count(context, customer=customer),
            )
            assert all(type(row).__name__ == "OrdersOfRow" for row in [*found[0], *found[2]])

    shop.ask(ask, user=user)


def test_parts_of_entities_are_what_they_would_be_alone(shop):
    async def ask(context: Any) -> None:
        reads, order = shop.module("queries.look_reads"), shop.module("entities.order")
        given = {"id": 1, "customer": 1, "number": "n2", "limit": 3, "placed_at": None, "limit_2": 1, "customer_2": 2}
        ann, second, largest, counted, missing, top = await reads.read_2(context, **given)
        assert (ann.name, ann.tier, second.number) == ("Ann", "gold", "n2")
        assert isinstance(second, order.Order)
        assert [row.total for row in largest] == sorted((row.total for row in largest), reverse=True)
        assert [type(row).__name__ for row in largest] == ["OrderNumberAndTotal"] * 3
        assert (counted, missing, len(top)) == (12, False, 1)
        with pytest.raises(shop.module("errors").NotFound, match="99"):
            await reads.read_2(context, **{**given, "id": 99})

    shop.ask(ask)


def test_roles_of_all_parts_are_asked_for_before_anything_is_read(shop):
    async def ask(context: Any) -> None:
        context.connection = None
        with pytest.raises(shop.module("errors").Forbidden, match="read Customer"):
            await shop.module("queries.look_reads").read_1(
                context, customer=1, since=None, least=4, start=1, limit=2, tier="gold"
            )

    shop.ask(ask, user=(1, set()))


def test_the_action_asks_in_two_round_trips(shop):
    asked = []

    async def ask(context: Any) -> None:
        fetchrow = type(context).fetchrow

        async def counted(self: Any, sql: str, *arguments: Any, name: str) -> Any:
            asked.append(name)
            return await fetchrow(self, sql, *arguments, name=name)

        type(context).fetchrow = counted
        try:
            action = shop.module("actions.look")
            assert await action.call(context, action.ARGUMENTS(customer=1)) == 12 + 12 + 6
        finally:
            type(context).fetchrow = fetchrow

    shop.ask(ask)
    assert asked == ["customer.get", "look_reads.read_1", "look_reads.read_2"]
