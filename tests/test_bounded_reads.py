"""Which queries give few rows whatever is stored."""

import pytest

from lowcode_kernel.joined_reads import is_bounded
from tests.cases import model_of

BOUNDED = (
    "SELECT COUNT(*) AS n FROM Order",
    "SELECT MAX(total) AS most, SUM(total) FILTER (WHERE total > 1) AS more FROM Order WHERE customer = :key",
    "SELECT number FROM Order ORDER BY id LIMIT 100",
    "SELECT number FROM Order UNION SELECT name FROM Customer ORDER BY 1 LIMIT 5",
    "SELECT number FROM Order WHERE id = :key",
    "SELECT o.total FROM Order o WHERE :name = o.number AND o.total > 1",
    "SELECT name FROM Customer c WHERE c.email = 'a@x.org'",
)
UNBOUNDED = (
    "SELECT number FROM Order ORDER BY id LIMIT 101",
    "SELECT number FROM Order ORDER BY id LIMIT :key",
    "SELECT customer, COUNT(*) AS n FROM Order GROUP BY customer",
    "SELECT COUNT(*) OVER () AS n FROM Order",
    "SELECT (SELECT COUNT(*) FROM Customer) AS n FROM Order",
    "SELECT UNNEST(ARRAY_AGG(number)) AS number FROM Order",
    "SELECT number FROM Order WHERE customer = :key",
    "SELECT number FROM Order WHERE :key IS NULL OR id = :key",
    "SELECT number FROM Order WHERE id > :key",
    "SELECT o.number FROM Order o JOIN Order p ON p.customer = o.customer WHERE o.id = :key",
)


@pytest.mark.parametrize("sql", [*BOUNDED, *UNBOUNDED])
def test_a_query_is_bounded_where_it_can_give_few_rows_only(sql):
    app = model_of("(shop)", f"%%query asked(key: Integer | None = None, name: Text = 'x')\n{sql}").application
    assert is_bounded(app.queries["asked"], app) == (sql in BOUNDED)
