"""Data flow: what each read's value is used for, told for small bodies; and what is dead."""

import ast

import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.flow import Read, flow
from lowcode_kernel.liveness import dead_statements
from tests.cases import model_of

QUERY = """%%query orders(customer: Customer | None = None)
SELECT o.id, o.number, o.total FROM Order o WHERE :customer IS NULL OR o.customer = :customer"""


def application(*cells: str) -> Application:
    model = model_of("(shop)", QUERY, *cells)
    app = model.application
    found = [problem for body in analyze(app).bodies.values() for problem in (*body.problems, *model.problems)]
    assert not [str(problem) for problem in found if problem.severity == "error"]
    return app


def told(read: Read) -> str:
    """`orders(): truth, index 0, attribute number`, with `(mixed)` and `(crosses)` where they hold."""
    marks = [word for word, holds in (("mixed", not read.alone), ("crosses", read.crosses)) if holds]
    name = ast.unparse(read.node) + (f" ({', '.join(marks)})" if marks else "")
    return f"{name}: " + ", ".join(f"{use.kind} {use.detail}".strip() for use in read.uses)


def reads_of(body: str, *cells: str) -> list[str]:
    app = application(f"%%action a(c: Customer) -> Json --role Sales\n{body}", *cells)
    return [told(read) for read in flow(app).reads]


USES = [
    ("if orders(): log('x')", ["orders(): truth"]),
    ("rows = orders()\nrequire(not rows, 'x')", ["orders(): truth"]),
    ("require(len(orders()) == 0, 'x')", ["orders(): length == 0"]),
    ("require(0 < len(orders()), 'x')", ["orders(): length > 0"]),
    ("if len(orders()): log('x')", ["orders(): length != 0"]),
    ("for r in orders(): log(r.number)", ["orders(): iterate for, attribute number"]),
    ("log(orders()[0].number)", ["orders(): index 0, attribute number"]),
    ("for r in orders()[:3]: log(r.number)", ["orders(): slice :3, attribute number"]),
    ("return [r.number for r in orders() if r.total > 1]", ["orders(): iterate comprehension, attribute total, attribute number"]),
    ("for n, r in enumerate(orders()): log(r.number)", ["orders(): iterate enumerate, attribute number"]),
    (
        "for r, o in zip(orders(), Order.list()): log(r.number, total=o.total)",
        ["orders(): iterate zip, attribute number", "Order.list(): iterate zip, attribute total"],
    ),
    ("best = max(orders(), key=lambda r: r.total)\nlog(best.number)", ["orders(): iterate max, attribute total, attribute number"]),
    ("found = []\nfor r in orders(): found.append(r)\nlog(found[0].number)", ["orders(): iterate for, attribute number"]),
    ("by = {r.number: r for r in orders()}\nlog(by['a'].total)", ["orders(): iterate comprehension, attribute number, attribute total"]),
    ("x, y = together(orders.first(), Order.count())\nif x: log(x.number)\nlog(f'{y}')", ["orders.first(): truth, attribute number", "Order.count(): escape text"]),
    # names
    ("rows = orders()\nrows = orders(customer=c)\nlog(rows[0].number)", ["orders(): ", "orders(customer=c): index 0, attribute number"]),
    (
        "rows = orders()\nif c.tier == 'gold':\n    rows = orders(customer=c)\nlog(rows[0].number)",
        ["orders() (mixed): index 0, attribute number", "orders(customer=c) (mixed): index 0, attribute number"],
    ),
    ("rows = orders()\nif False:\n    log(rows[0].number)", ["orders(): "]),
    ("rows = orders()\nif c.tier == 'gold':\n    return None\n    log(rows[0].number)", ["orders(): "]),
    (
        "last = None\nfor n in [1, 2]:\n    if last is not None:\n        log(last.number)\n    last = Order.find(number='a')",
        ["Order.find(number='a'): truth is not None, attribute number"],
    ),
    ("while True:\n    rows = orders()\n    if rows:\n        break\nlog(rows[0].number)", ["orders(): truth, index 0, attribute number"]),
    (
        "rows = orders()\ntry:\n    rows = orders(customer=c)\n    log('x')\nexcept Refused:\n    log(rows[0].number)",
        ["orders() (mixed): index 0, attribute number", "orders(customer=c) (mixed): index 0, attribute number"],
    ),
    (
        "rows = orders()\ntry:\n    log('x')\nfinally:\n    log(rows[0].number)",
        ["orders(): index 0, attribute number"],
    ),
    # keys, references, escapes
    ("o = Order.find(number='a')\nif o is not None: log(orders(customer=o.customer)[0].number)", ["Order.find(number='a'): truth is not None, attribute customer", "orders(customer=o.customer): index 0, attribute number"]),
    ("c2 = Customer.get(1)\nOrder.create(customer=c2, number='a')", ["Customer.get(1): key Order.create"]),
    ("o = Order.get(1)\nlog(o.customer.name)", ["Order.get(1): attribute customer", "o.customer.name: attribute name"]),
    ("o = Order.get(1)\nlog(f'{o}')", ["Order.get(1): escape text"]),
    ("rows = orders()\nrows.sort(key=lambda r: r.total)\nlog(rows[0].number)", ["orders(): attribute total, mutate sort, index 0, attribute number"]),
    ("o = Order.get(1)\nlog('x', same=o == Order.get(2))", ["Order.get(1): key", "Order.get(2): key"]),
    # local functions
    ("def f(o: Order) -> Text:\n    return o.number\nlog(f(Order.get(1)))", ["Order.get(1) (crosses): attribute number"]),
    ("def f() -> Integer:\n    return len(orders())\nlog('x', n=f())", ["orders(): length"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), USES, ids=[body.splitlines()[0] for body, _ in USES])
def test_every_use_of_a_read_is_told(body: str, expected: list[str]) -> None:
    found = reads_of(body)
    assert sorted(found) == sorted(expected)


def test_what_an_action_returns_is_used_by_its_callers() -> None:
    caller = '%%action b(c: Customer) --role Sales --rest "POST /api/b"\nfor row in a(c=c):\n    log(row.number)'
    found = reads_of("return orders(customer=c)", caller)
    assert found == ["orders(customer=c) (crosses): iterate for, attribute number"]


def test_what_the_outside_gets_escapes() -> None:
    app = application('%%action b() -> Json --role Sales --rest "GET /api/b"\nreturn orders()')
    assert [read.escapes() for read in flow(app).reads] == ["returned by REST action:b"]
    button = '%%screen s "/" --role Sales\nbutton("B", a)'
    app = application("%%action a() -> Json --role Sales\nreturn orders()", button)
    assert [read.escapes() for read in flow(app).reads] == ["returned to the screen by action:a"]


def test_rows_flow_into_the_parameters_of_actions() -> None:
    caller = "%%action b() --role Sales\na(c=Customer.get(1))"
    found = reads_of("log(c.name)", caller)
    assert found == ["Customer.get(1) (mixed, crosses): attribute name"]


def test_screens_use_what_they_show() -> None:
    screen = """%%screen s "/" --role Sales
rows = orders()
table(rows, columns=[number], row=link(detail, order=row.id))
chart(orders(), x=number, y=total)
if len(rows) == 0:
    text("none")"""
    detail = '%%screen detail "/{order}" (order: Order) --role Sales\ndetails(Order.get(order), attributes=[number])'
    app = application(screen, detail)
    assert sorted(told(read) for read in flow(app).reads) == [
        "Order.get(order): attribute number",
        "orders(): iterate chart c2, attribute number, attribute total",
        "orders(): iterate table c1, attribute number, attribute id, length == 0",
    ]


def test_loops_in_loops_end() -> None:
    body = "x = orders()\n" + "".join(f"{'    ' * n}for r{n} in x:\n" for n in range(15)) + "    " * 15 + "x = orders()"
    assert len(reads_of(body)) == 2


def test_what_is_nested_too_deeply_escapes() -> None:
    calls = [f"def f{n}(n: Integer) -> Integer:\n    return {' + '.join([f'f{n - 1}(n)'] * 6)}" for n in range(1, 9)]
    body = "def f0(n: Integer) -> Integer:\n    return len(orders())\n" + "\n".join([*calls, "log('x', n=f8(1))"])
    assert reads_of(body) == ["orders(): escape a body that is too large to be followed"]


DEAD = [
    ("a = 1", ["a = 1"]),
    ("a = 1\nprint(a)", []),
    ("a = 1\na = 2\nprint(a)", ["a = 1"]),
    ("a = 1\nb = a", ["a = 1", "b = a"]),
    ("a = f()\nb = 1", ["b = 1"]),
    ("a = 1\nif x:\n    a = 2\nprint(a)", []),
    ("if x:\n    a = 2", ["if x:\n    a = 2"]),
    ("total = 0\nfor r in rows:\n    total = total + 1", ["total = 0", "for r in rows:\n    total = total + 1"]),
    ("total = 0\nfor r in rows:\n    total = total + 1\nprint(total)", []),
    ("a = 1\nfor r in rows:\n    print(a)\n    a = 2", []),
    ("a = 1\nwhile x:\n    if y:\n        break\n    a = 2\nprint(a)", []),
    ("a = 1\ntry:\n    a = 2\n    f()\nexcept E:\n    print(a)", []),
    ("a = 1\ntry:\n    f()\nfinally:\n    print(a)", []),
    ("a = 1\ntry:\n    return\nfinally:\n    print(a)", []),
    ("a = 1\ndef g():\n    print(a)\ng()", []),
    ("a = 1\nreturn a\nb = 2", ["b = 2"]),
    ("def g():\n    print(1)", ["def g():\n    print(1)"]),
]


def _plain(node: ast.expr) -> bool:
    return not any(isinstance(part, ast.Call) for part in ast.walk(node))


@pytest.mark.parametrize(
    ("body", "expected"), DEAD, ids=[body.splitlines()[0] + f" {n}" for n, (body, _) in enumerate(DEAD)]
)
def test_dead_statements_are_those_that_nothing_needs(body: str, expected: list[str]) -> None:
    found = dead_statements(ast.parse(body).body, _plain)
    assert [ast.unparse(statement) for statement in found] == expected
