"""What parts of bodies do at worst, which statements can't fail, and who may always read."""

import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.effects import effects_of, is_total, may_always_read
from tests.cases import model_of

CELLS = (
    "%%entity Line\norder: Order = field(on_delete=cascade)\ncount: Integer",
    "%%entity Mark\nline: Line = field(on_delete=cascade)",
    '%%integration mail --base-url https://mail.example.com\nsend = POST("/send", text=Text) -> Json',
    "%%query orders()\nSELECT o.number FROM Order o",
    "%%action write() --role Sales\nOrder.create(customer=1, number='a')",
    "%%action twice() --role Sales\nwrite()\nmail.send(text='x')",
)


def application(*cells: str) -> Application:
    return model_of("(shop)", *CELLS, *cells).application


EFFECTS = [
    ("x = 1 == 2", ""),
    ("x = orders()", "reads Order; may raise"),
    ("x = Customer.find(email='a')", "reads Customer; may raise"),
    ("write()", "reads Order; writes Order; may raise"),
    ("twice()", "reads Order; writes Order; integrations; may raise"),
    ("log('x')", "logs"),
    ("if True:\n    return", "terminates"),
    ("def f() -> Integer:\n    log('x')\n    return 1\nx = f()", "logs; may raise"),
    ("def f() -> Integer:\n    log('x')\n    return 1", ""),
    ("x = 1 / 2", "may raise"),
    ("raise Refused('x')", "may raise; terminates"),
]


@pytest.mark.parametrize(("body", "expected"), EFFECTS, ids=[body for body, _ in EFFECTS])
def test_effects_are_told_with_all_that_is_called(body: str, expected: str) -> None:
    app = application(f"%%action a() --role Sales\n{body}")
    analysis = analyze(app).actions["a"]
    found = effects_of(analysis.tree.body, analysis, app)
    told = [f"reads {', '.join(sorted(found.reads))}"] if found.reads else []
    told += [f"writes {', '.join(sorted(found.writes))}"] if found.writes else []
    told += [
        word.replace("_", " ") for word in ("integrations", "logs", "may_raise", "terminates") if getattr(found, word)
    ]
    assert "; ".join(told) == expected


def test_a_deletion_writes_what_goes_with_it() -> None:
    app = application("%%action a(order: Order) --role Sales\nOrder.delete(order)")
    analysis = analyze(app).actions["a"]
    assert effects_of(analysis.tree.body, analysis, app).writes == {"Order", "Line", "Mark"}


TOTAL = [
    ("SELECT o.number, o.total + 1 AS more FROM Order o WHERE o.id = :p ORDER BY o.number LIMIT 3", True),
    ("SELECT COUNT(*) AS n, MAX(o.total) AS most FROM Order o GROUP BY o.customer", True),
    ("SELECT o.number FROM Order o JOIN Customer c ON c.id = o.customer WHERE c.name LIKE 'a%' AND o.id > :p", True),
    ("SELECT o.total::text AS text, DATE '2026-01-01' AS day FROM Order o", True),
    ("SELECT (SELECT MAX(x.total) FROM Order x) AS most FROM Order o", True),
    ("SELECT ROW_NUMBER() OVER (ORDER BY o.id) AS place FROM Order o", True),
    ("SELECT o.total / 2 AS half FROM Order o", False),
    ("SELECT o.total * 2 AS twice FROM Order o", False),
    ("SELECT SUM(o.id) AS sum FROM Order o", False),
    ("SELECT o.number::bigint AS n FROM Order o", False),
    ("SELECT (SELECT x.total FROM Order x) AS one FROM Order o", False),
    ("SELECT o.number FROM Order o WHERE o.number LIKE :t", False),
    ("SELECT o.number FROM Order o WHERE o.number LIKE 'a\\'", False),
    ("SELECT o.number FROM Order o LIMIT :p", False),
    ("SELECT SUBSTRING(o.number, 1, :p) AS part FROM Order o", False),
    ("SELECT sqrt(o.total)::numeric AS root FROM Order o", False),
    ("SELECT o.placed_at + 1 AS then FROM Order o", False),
    ("SELECT x.n + 1 AS m FROM (SELECT o.number AS n FROM Order o) x", False),
]


@pytest.mark.parametrize(("sql", "expected"), TOTAL, ids=[sql for sql, _ in TOTAL])
def test_a_statement_is_total_where_nothing_in_it_can_fail(sql: str, expected: bool) -> None:
    app = application(f"%%query q(p: Integer, t: Text)\n{sql}")
    assert is_total(app.queries["q"], app) is expected


def test_roles_on_every_way_to_an_element_decide() -> None:
    app = application(
        "%%action only_sales() --role Sales\nlog('x')",
        "%%action called() --role Sales\nlog('x')",
        '%%action anybody() --rest "POST /api/anybody"\ncalled()',
        '%%screen s "/" --role Sales\nbutton("Do", only_sales)',
        '%%screen open "/open"\ntext("x")',
        '%%job nightly "0 2 * * *"\nlog("x")',
    )
    found = {
        name: may_always_read(name, {"Customer"}, app)
        for name in ("action:only_sales", "action:called", "action:anybody", "screen:s", "screen:open", "job:nightly")
    }
    assert found == {
        "action:only_sales": True,
        "action:called": False,
        "action:anybody": False,
        "screen:s": True,
        "screen:open": False,
        "job:nightly": True,
    }
    assert may_always_read("screen:open", {"Order"}, app)
