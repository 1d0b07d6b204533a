"""Changed bodies: the text keeps its meaning, every line knows the user's, and the tree stays as it was."""

import ast

from lowcode_kernel.analysis import analyze
from lowcode_kernel.elements import Action
from lowcode_kernel.generators.passes.rewriting import Rewriting, assignment, moved, name, origin_place, rewritten
from lowcode_kernel.language.bodies import parse_body
from tests.cases import model_of

BODY = '''\
%%action close_orders(customer: Customer) --role Sales
"""Close all orders.

Those of one customer."""
# the newest last
for order in Order.list(customer=customer.id):
    if order.total > 0:
        Order.update(order, total=0)

    else:
        log("nothing",
            order=order.id)
return None
'''


def close_orders() -> tuple[Action, Rewriting]:
    app = model_of("(shop)", BODY).application
    action = app.actions["close_orders"]
    return action, Rewriting(action, analyze(app).actions["close_orders"].tree, app)


def test_a_statement_is_put_before_another_and_the_tree_stays() -> None:
    action, change = close_orders()
    tree = parse_body(action.body, action.body_place)
    before, text = ast.dump(tree, include_attributes=True), action.body
    loop = tree.body[1]
    assert isinstance(loop, ast.For)
    change.insert_before(loop, assignment("orders", moved(loop.iter)))
    change.replace(loop.iter, name("orders"))
    found = change.element()
    assert found.body.splitlines()[3:5] == ["orders = Order.list(customer=customer.id)", "for order in orders:"]
    assert ast.dump(parse_body(text, action.body_place), include_attributes=True) == before
    assert found.doc == action.doc
    assert found.body.startswith('"""Close all orders.')


def test_lines_lead_to_the_users_cell_over_several_passes() -> None:
    action, change = close_orders()
    loop = parse_body(action.body, action.body_place).body[1]
    change.insert_before(loop, ast.parse("first = 1").body[0])
    once = change.element()
    assert isinstance(once, Action)
    again = rewritten(once, parse_body(once.body, once.body_place))
    twice = rewritten(again, parse_body(again.body, again.body_place))
    assert twice.body == once.body
    assert twice.lines == once.lines
    places = {
        ast.unparse(node).splitlines()[0]: origin_place(twice, node).line
        for node in ast.walk(parse_body(twice.body, twice.body_place))
        if isinstance(node, ast.stmt)
    }
    log = next(text for text in places if text.startswith("log"))
    update = next(text for text in places if text.startswith("Order.update"))
    assert (places["return None"], places[log], places[update]) == (13, 11, 8)


def test_nothing_told_is_the_same_object() -> None:
    action, change = close_orders()
    assert change.element() is action


def test_a_fresh_name_means_nothing_else() -> None:
    _, change = close_orders()
    assert [change.fresh(word) for word in ("order", "order", "rows", "customer", "len", "close_orders", "now")] == [
        "order_2",
        "order_3",
        "rows",
        "customer_2",
        "len_2",
        "close_orders_2",
        "now_2",
    ]


def test_a_replacement_may_hold_what_it_replaces() -> None:
    action, change = close_orders()
    loop = parse_body(action.body, action.body_place).body[1]
    assert isinstance(loop, ast.For)
    change.replace(loop.iter, ast.Call(func=name("sorted"), args=[loop.iter], keywords=[]))
    wrapped = ast.If(test=ast.Constant(value=True), body=[loop], orelse=[])
    change.replace_statement(loop, wrapped)
    assert "    for order in sorted(Order.list(customer=customer.id)):" in change.element().body


def test_an_emptied_block_passes() -> None:
    action, change = close_orders()
    loop = parse_body(action.body, action.body_place).body[1]
    assert isinstance(loop, ast.For)
    change.replace_statement(loop.body[0])
    assert change.element().body.splitlines()[3:] == [
        "for order in Order.list(customer=customer.id):",
        "    pass",
        "return None",
    ]
