"""The graph of parts: what reads, writes, shows and is computed from what, down to columns and components."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.graph import build_graph
from lowcode_kernel.graph_parts import build_detailed_graph, part_id
from lowcode_kernel.lineage import lineage_of
from lowcode_kernel.notebook import read_notebook
from lowcode_kernel.problems import LowcodeError
from tests.cases import model_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application

TOUR = Path(__file__).parents[1] / "notebooks" / "00_tour.ipynb"


def shop() -> Application:
    return model_of(
        "(shop)",
        "%%struct Rate\nvalue: Decimal",
        "%%integration rates --base-url https://rates.example.com\nlatest = GET('/latest', currency=Text) -> Rate",
        """%%query open_orders(customer: Customer)
SELECT o.id, o.number, o.total * 2 AS twice FROM Order o WHERE o.customer = :customer AND o.placed_at IS NULL""",
        """%%action place_order(customer: Customer, number: Text) --role Sales
rate = rates.latest(currency="EUR")
Order.create(customer=customer, number=number, total=rate.value)""",
        """%%screen orders "/orders/{customer}" --role Sales
title(customer.name)
table(open_orders(customer=customer.id), columns=[number, twice], row=link(order, order=row.id))
button("New", place_order, customer=customer, ask=[number])""",
        '%%screen order "/order/{order}" --role Sales\ndetails(order, attributes=[number, total])',
    ).application


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("entity:Order", "attribute:Order.total", "contains"),
        ("attribute:Order.customer", "entity:Customer", "refers to"),
        ("query:open_orders", "column:open_orders.twice", "contains"),
        ("column:open_orders.twice", "attribute:Order.total", "computed from"),
        ("query:open_orders", "attribute:Order.placed_at", "filters by"),
        ("action:place_order", "attribute:Order.total", "writes"),
        ("action:place_order", "operation:rates.latest", "calls"),
        ("action:place_order", "attribute:Rate.value", "reads"),
        ("operation:rates.latest", "struct:Rate", "refers to"),
        ("screen:orders", "component:orders.c2", "contains"),
        ("component:orders.c1", "attribute:Customer.name", "shows"),
        ("component:orders.c2", "column:open_orders.twice", "shows"),
        ("component:orders.c2", "column:open_orders.id", "shows"),
        ("component:orders.c2", "screen:order", "leads to"),
        ("component:orders.c3", "action:place_order", "calls"),
        ("component:order.c1", "attribute:Order.total", "shows"),
        ("screen:orders", "role:Sales", "allows"),
        ("entity:Customer", "attribute:Customer.owner", "contains, indexes, filters by"),
    ],
)
def test_a_part_uses_another(source: str, target: str, why: str) -> None:
    assert build_detailed_graph(shop()).why(source, target) == why


def test_what_is_computed_comes_from_what_it_is_computed_of() -> None:
    app = model_of("%%entity Item\nnet: Decimal\ngross: Decimal = computed(net * 2)").application
    assert build_detailed_graph(app).why("attribute:Item.gross", "attribute:Item.net") == "computed from"


def test_columns_are_followed_through_subqueries_and_unions() -> None:
    sql = """WITH big AS (SELECT o.id, o.total AS amount, o.customer FROM Order o WHERE o.placed_at IS NOT NULL)
SELECT c.name, x.amount FROM (SELECT b.customer, b.amount FROM big b) x JOIN Customer c ON c.id = x.customer
UNION ALL SELECT c.email, o.total FROM Order o JOIN Customer c ON c.id = o.customer"""
    app = model_of("(shop)", f"%%query q()\n{sql}").application
    found = lineage_of(app.queries["q"], app)
    assert {name: sorted(origin) for name, origin in found.columns.items()} == {
        "name": [("Customer", "email"), ("Customer", "name")],
        "amount": [("Order", "total")],
    }
    assert found.rows == {("Order", "placed_at"), ("Customer", "id"), ("Order", "customer")}


def test_the_lineage_of_the_tour_is_all_that_its_queries_read() -> None:
    app = read_notebook(TOUR).application
    analyses = app.table("analysis.queries")
    for name, query in app.queries.items():
        found = lineage_of(query, app)
        assert found.rows.union(*found.columns.values()) == analyses[name].reads
        assert list(found.columns) == list(analyses[name].row)


def test_every_edge_of_the_elements_is_one_of_the_parts() -> None:
    app = read_notebook(TOUR).application
    detailed = build_detailed_graph(app)
    assert {node for node in detailed if node in app.by_id} == set(build_graph(app))
    for source, target, why in build_graph(app).edges():
        assert set(why.split(", ")) <= set(detailed.why(source, target).split(", "))


def test_a_part_is_found_by_its_short_name() -> None:
    graph = build_detailed_graph(shop())
    assert part_id("Order.total", graph) == "attribute:Order.total"
    assert part_id("rates.latest", graph) == "operation:rates.latest"
    with pytest.raises(LowcodeError, match=r'did you mean "Order\.total"'):
        part_id("Order.totl", graph)


def test_networkx_has_the_same_edges() -> None:
    graph = build_graph(shop())
    other = graph.networkx()
    assert set(other.nodes) == set(graph)
    assert {(source, target, why) for source, target, why in other.edges(data="why")} == set(graph.edges())
