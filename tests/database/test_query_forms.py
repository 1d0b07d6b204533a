"""The forms of a query give what its rows would: on PostgreSQL, for every choice of optional parameters, and under row
rules.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from lowcode_kernel.generators.layers.access import QueryForm
from lowcode_kernel.generators.layers.elements import query_files
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.queries import analyze_query
from lowcode_kernel.query_forms import compile_form
from tests.cases import model_of
from tests.database.running import running

CELLS = (
    "(shop)",
    """%%query orders_of(customer: Customer, since: Date | None = None, least: Decimal | None = None)
SELECT o.id, o.number, o.total, c.name, o.placed_at
FROM Order o JOIN Customer c ON c.id = o.customer
WHERE o.customer = :customer AND (:since IS NULL OR o.placed_at >= :since) AND (:least IS NULL OR o.total >= :least)
ORDER BY o.total DESC, o.id""",
    """%%query largest(tier: Text | None = None)
SELECT o.number, o.total FROM Order o JOIN Customer c ON c.id = o.customer WHERE (c.tier = :tier OR :tier IS NULL)
ORDER BY o.total DESC, o.id LIMIT 4 OFFSET 1""",
    """%%query both(customer: Customer)
WITH mine AS (SELECT number, total FROM Order WHERE customer = :customer)
SELECT number, total FROM mine WHERE total > 5 UNION ALL SELECT number, -total FROM mine ORDER BY 2, 1""",
    """%%action forms(customer: Customer) -> Integer --rest "POST /forms"
orders_of(customer=customer)
orders_of.exists(customer=customer)
orders_of.count(customer=customer)
orders_of.first(customer=customer)
orders_of.top(2, customer=customer)
orders_of.page(1, 2, customer=customer)
orders_of.batch(customer=[customer], since=[today()])
orders_of.batch(customer=[customer])
largest()
largest.exists()
largest.count()
largest.first()
largest.top(2)
largest.page(1, 2)
largest.batch(tier=["gold"])
both(customer=customer)
both.exists(customer=customer)
both.count(customer=customer)
both.first(customer=customer)
both.top(2, customer=customer)
both.page(1, 2, customer=customer)
both.batch(customer=[customer])
return 1""",
)
ROWS = """
INSERT INTO app_user (email, name, roles, password_hash)
    VALUES ('a@x.org', 'A', '{Sales}', ''), ('b@x.org', 'B', '{Sales}', '');
INSERT INTO shop.customer (name, email, tier, owner)
    VALUES ('Ann', 'a@x.org', 'gold', 1), ('Bob', 'b@x.org', 'standard', 2), ('Cleo', 'c@x.org', 'gold', 2);
INSERT INTO shop.order (customer, number, placed_at, total)
    SELECT 1 + n % 2, 'n' || n, timestamptz '2026-01-01 00:00+00' + n * interval '1 day', n * 3 % 11
    FROM generate_series(1, 24) AS n
"""
JOB, SALES, MANAGER = None, (1, {"Sales"}), (1, {"Sales", "Manager"})
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "orders_of": [
        {"customer": customer, "since": since, "least": least}
        for customer, since, least in product((1, 2, 3), (None, date(2026, 1, 9)), (None, Decimal(4), Decimal(1000)))
    ],
    "largest": [{"tier": None}, {"tier": "gold"}, {"tier": "none"}],
    "both": [{"customer": 1}, {"customer": 3}],
}


@pytest.fixture(scope="module")
def shop(module_database, tmp_path_factory):
    model = model_of(*CELLS)
    assert [str(problem) for problem in model.problems] == []
    with running(model.application, module_database, tmp_path_factory.mktemp("shop")) as found:
        for statement in ROWS.split(";"):
            found.sql(statement)
        yield found


@pytest.mark.parametrize("user", [JOB, SALES, MANAGER], ids=["job", "sales", "manager"])
@pytest.mark.parametrize("query", ARGUMENTS)
def test_each_form_gives_what_the_rows_say(shop, query, user):
    async def ask(context: Any) -> None:
        queries = shop.module("queries")

        async def form(name: str, **arguments: Any) -> Any:
            return await getattr(queries, f"{query}{name}")(context, **arguments)

        for arguments in ARGUMENTS[query]:
            rows = await form("", **arguments)
            assert await form("_exists", **arguments) == bool(rows)
            assert await form("_count", **arguments) == len(rows)
            assert await form("_first", **arguments) == (rows[0] if rows else None)
            for limit in (-1, 0, 2, 100):
                assert await form("_top", limit=limit, **arguments) == rows[: max(limit, 0)]
                for start in (-1, 0, 3):
                    first = max(start, 0)
                    found = await form("_page", start=start, limit=limit, **arguments)
                    assert found == rows[first : first + max(limit, 0)]

    shop.ask(ask, user=user)


@pytest.mark.parametrize("user", [JOB, SALES], ids=["job", "sales"])
def test_a_batch_gives_the_rows_of_each_item_in_order(shop, user):
    async def ask(context: Any) -> None:
        queries = shop.module("queries")
        customers = [2, 1, 3, 2, None, 99]
        for since, least in product((None, date(2026, 1, 9)), (None, Decimal(4))):
            shared = {"since": since, "least": least}
            alone = [await queries.orders_of(context, customer=customer, **shared) for customer in customers]
            assert await queries.orders_of_batch_by_customer(context, customer=customers, **shared) == alone
        days = [None, date(2026, 1, 9), date(2027, 1, 1)]
        alone = [await queries.orders_of(context, customer=1, since=day, least=None) for day in days]
        found = await queries.orders_of_batch_by_customer_and_since(context, customer=[1, 1, 1], since=days)
        assert found == alone
        alone = [await queries.largest(context, tier=tier) for tier in ("gold", None, "standard")]
        assert await queries.largest_batch_by_tier(context, tier=["gold", None, "standard"]) == alone
        alone = [await queries.both(context, customer=customer) for customer in (1, 3, 2)]
        assert await queries.both_batch_by_customer(context, customer=[1, 3, 2]) == alone

    shop.ask(ask, user=user)


def test_a_batch_of_nothing_asks_nothing_not_even_for_roles(shop):
    async def ask(context: Any) -> None:
        queries = shop.module("queries")
        assert await queries.orders_of_batch_by_customer(context, customer=[]) == []
        with pytest.raises(shop.module("errors").Forbidden):
            await queries.orders_of_batch_by_customer(context, customer=[1])
        with pytest.raises(ValueError, match="as long as each other"):
            await queries.orders_of_batch_by_customer_and_since(context, customer=[1], since=[])

    shop.ask(ask, user=(1, set()))


@dataclass
class _Values:
    unrestricted: bool
    user_id: int | None
    user_roles: list[str]


@pytest.mark.parametrize("user", [_Values(True, None, []), _Values(False, 1, ["Sales"])], ids=["job", "sales"])
@pytest.mark.parametrize("query", ["orders_of", "largest"])
def test_a_variant_gives_what_the_plain_statement_gives(shop, query, user):
    model = model_of(*CELLS)
    analysis = analyze_query(model.application.queries[query], model.application)
    rules = dict(zip(("context.unrestricted", "context.user_id", "context.user_roles"), astuple(user), strict=True))
    for arguments in ARGUMENTS[query]:
        given = {**arguments, **rules}
        plain = shop.sql(
            analysis.statement,
            *(arguments[name] for name in analysis.parameters),
            *(rules[f"context.{name}"] for name in analysis.rule_parameters),
        )
        absent = tuple(name for name in analysis.optional if arguments[name] is None)
        variant = next(variant for variant in analysis.variants if variant.absent == absent)
        assert shop.sql(variant.statement, *(given[name] for name in variant.arguments)) == plain


def test_a_variant_uses_the_index_where_the_plain_statement_can_not(new_database, model, tmp_path):
    app = model(
        """%app desk

%%entity Reading
station: Text(8)
taken_at: DateTime
value: Integer
index(taken_at)

%%query readings(since: DateTime | None = None)
SELECT id, value FROM Reading WHERE (:since IS NULL OR taken_at >= :since)"""
    )
    with running(app, new_database(), tmp_path) as desk:
        desk.sql(
            "INSERT INTO reading (station, taken_at, value) SELECT 'x', timestamptz '2026-01-01 00:00+00' "
            "+ n * interval '1 minute', n FROM generate_series(1, 20000) AS n"
        )
        desk.sql("ANALYZE")
        analysis = analyze_query(app.queries["readings"], app)
        every = next(variant for variant in analysis.variants if not variant.absent)
        assert "Seq Scan" in _generic_plan(desk, analysis.statement)
        assert "Index Scan" in _generic_plan(desk, every.statement)


def _generic_plan(desk: Any, statement: str) -> str:
    return "\n".join(line for (line,) in desk.sql(f"EXPLAIN (GENERIC_PLAN) {statement}"))


def test_only_forms_that_are_asked_for_are_there():
    app = optimize(model_of(*CELLS[:-1]).application).application
    files = {
        file.path: file.content.decode()
        for file in query_files(app, {QueryForm(query=name, form="exists") for name in app.queries})
    }
    assert all("Row" not in text and "msgspec" not in text for text in files.values())


def test_the_name_of_a_form_is_never_that_of_a_query():
    app = model_of(*CELLS, "%%query both_count()\nSELECT COUNT(*) AS orders FROM Order").application
    assert QueryForm(query="both", form="count").name(app) == "both_count_"
    assert compile_form(analyze_query(app.queries["both_count"], app), "count")[0].arguments == ()
