"""Statements of random bodies beyond the plain ones: lists that grow, local functions, `while`, generators that stop
early, keys that are not there, and names that are used again.
"""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.bodies import ActionBody


def further(body: ActionBody, depth: int) -> list[Callable[[], list[str]]]:
    """Return makers of statements, each of the lines of one."""
    return [
        lambda: _grown(body),
        lambda: _alias(body),
        lambda: _counted(body),
        lambda: _early(body),
        lambda: _form(body),
        lambda: _either(body),
        lambda: _missing(body, depth),
        lambda: _while(body, depth),
        lambda: _function(body),
        lambda: _again(body),
    ]


def _grown(body: ActionBody) -> list[str]:
    """A list of numbers that a loop fills, and that something is asked with."""
    name, row, number = body.fresh("found"), body.fresh("row"), body.fresh("number")
    source, item = body.listed()
    outer = dict(body.names)
    lines = [f"{name} = [{body.integer(simple=True)}]", f"for {row} in {source}:", f"    {number} = len({name})"]
    body.names |= {row: item, number: ("integer",)}
    lines += [f"    total = total + {body.integer()}", f"    {name}.append({body.integer(simple=True)})"]
    body.names = {**outer, number: ("integer",)}
    return [*lines, f"{number} = len({name})"]


def _alias(body: ActionBody) -> list[str]:
    """Rows under two names, one of which loses some."""
    name, other, number = body.fresh("rows"), body.fresh("same"), body.fresh("number")
    call = body.rows()
    change = body.random.choice((f"{other}.pop()", f"{other}.clear()", f"{other} += {call}", f"{other}.reverse()"))
    body.names[number] = ("integer",)
    made = body.random.choice((other, other, f"list({name})"))
    return [
        f"{name} = {call}",
        f"{other} = {name if made == other else made}",
        f"if {other}:",
        f"    {change}",
        f"{number} = len({name}) + len({call})",
    ]


def _counted(body: ActionBody) -> list[str]:
    """A dictionary of sums."""
    name, row, number = body.fresh("sums"), body.fresh("row"), body.fresh("number")
    source, item = body.listed()
    outer = dict(body.names)
    body.names[row] = item
    key, value = body.text(), body.integer()
    body.names = {**outer, number: ("integer",)}
    return [
        f"{name} = {{}}",
        f"for {row} in {source}:",
        f"    {name}[{key}] = {name}.get({key}, 0) + {value}",
        f"{number} = int(sum({name}.values()))",
    ]


def _early(body: ActionBody) -> list[str]:
    """`any` and `all`, which may stop before something fails."""
    row = body.fresh("row")
    source, item = body.listed()
    outer = dict(body.names)
    body.names[row] = item
    value = body.integer(simple=body.random.random() < 0.5)
    test = body.random.choice((f"{value} > {body.random.randint(0, 6)}", f"12 / {value} > 2"))
    body.names = outer
    word = body.random.choice(("any", "all"))
    return [f"if {word}({test} for {row} in {source}):", "    total = total + 7"]


def _form(body: ActionBody) -> list[str]:
    """A form of a query."""
    ask = body.random.choice(list(body.model.asks.values()))
    name, inside = body.fresh("number"), body.call(ask).partition("(")[2].removesuffix(")")
    top = ", ".join(filter(None, [str(body.random.randint(0, 3)), inside]))
    page = ", ".join(filter(None, [str(body.random.randint(0, 2)), "2", inside]))
    body.names[name] = ("integer",)
    forms = (
        f"{ask.name}.count({inside})",
        f"len({ask.name}.top({top}))",
        f"len({ask.name}.page({page}))",
        f"1 if {ask.name}.exists({inside}) else 0",
        f"0 if {ask.name}.first({inside}) is None else 1",
    )
    return [f"{name} = {body.random.choice(forms)}"]


def _either(body: ActionBody) -> list[str]:
    """Rows on one way, and another list on the other."""
    name, number = body.fresh("some"), body.fresh("number")
    condition, call = body.condition(), body.rows()
    body.names[number] = ("integer",)
    return [f"{name} = []", f"if {condition}:", f"    {name} = {call}", f"{number} = len({name})"]


def _missing(body: ActionBody, depth: int) -> list[str]:
    """A row that may not be there."""
    kind = body.random.choice(list(body.model.kinds.values()))
    name, outer = body.fresh("there"), dict(body.names)
    lines = ["try:", f"    {name} = {kind.name}.get({body.key(kind.name)})"]
    body.names[name] = ("loaded", kind.name)
    lines += body.block(depth + 1)
    body.names = outer
    lines += ["except NotFound:", *body.block(depth + 1)]
    if body.random.random() < 0.3:
        lines += ["finally:", *indent("\n".join(body.add()), "    ").splitlines()]
    return lines


def _while(body: ActionBody, depth: int) -> list[str]:
    """A loop whose condition is asked again in each turn."""
    turns = body.fresh("turns")
    condition = body.condition()
    lines = [f"{turns} = 0", f"while {turns} < 3 and {condition}:", f"    {turns} = {turns} + 1"]
    lines += body.block(depth + 1)
    if body.random.random() < 0.3:
        lines += ["else:", *body.block(depth + 1)]
    body.names[turns] = ("integer",)
    return lines


def _function(body: ActionBody) -> list[str]:
    """A local function that reads, or writes, and is called twice with something between."""
    name, given, result = body.fresh("work"), body.fresh("given"), body.fresh("number")
    outer = dict(body.names)
    body.names = {key: held for key, held in outer.items() if held[0] != "rows"} | {given: ("integer",)}
    inner = [line for _ in range(2) for line in body.random.choice((body.read, body.count_something, body.write))()]
    back = body.integer()
    body.names = outer
    lines = [f"def {name}({given}: Integer) -> Integer:", *indent("\n".join(inner), "    ").splitlines()]
    lines += [f"    return {back}", f"{result} = {name}({body.integer(simple=True)})", *body.add()]
    body.names[result] = ("integer",)
    return [*lines, f"total = total + {name}({body.integer(simple=True)})"]


def _again(body: ActionBody) -> list[str]:
    """A name that is given other rows, in a branch or behind a use."""
    asks = [name for name in body.held("rows") if name in body.own]
    if not asks:
        return body.read()
    name = body.random.choice(asks)
    call = body.call(body.model.asks[body.names[name][1]])
    if body.random.random() < 0.5:
        return [f"total = total + len({name})", f"{name} = {call}"]
    return [f"if {body.condition()}:", f"    {name} = {call}"]
