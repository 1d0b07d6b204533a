"""Expressions over one row: the SQL that they become, its type, and that PostgreSQL computes what Python does."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from lowcode_kernel.computed import cycles
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.quoting import literal
from lowcode_kernel.row_expressions import Row, columns_in, compiled, expression, filled, numbered
from lowcode_kernel.types import BOOLEAN, DATE, DATETIME, DECIMAL, INTEGER, TEXT

COLUMNS = {
    "net": DECIMAL,
    "rate": DECIMAL.maybe(),
    "n": INTEGER,
    "name": TEXT,
    "begun": DATE,
    "ended": DATE.maybe(),
    "at": DATETIME,
    "open": BOOLEAN,
}
ROW = Row(columns=COLUMNS, computed={"gross": expression("net * 2"), "more": expression("gross + n")}, clock=True)
VALUES: dict[str, Any] = {
    "net": Decimal("12.50"),
    "rate": None,
    "n": -7,
    "name": "it's {new}",
    "begun": date(2024, 2, 28),
    "ended": date(2024, 3, 2),
    "at": datetime(2024, 2, 28, 23, 30, tzinfo=UTC),
    "open": True,
}
SAME = [
    "net * 2 - n",
    "n + 2 * (n - 1)",
    "n / 2",
    "n // 2",
    "n % 3",
    "net // 5",
    "-n",
    "-(n + 1)",
    "100000 * 100000 * n",
    "abs(n)",
    "len(name)",
    "name.upper() + '{x}'",
    "name.startswith('it')",
    "name.endswith('new')",
    "'new' in name",
    "'old' not in name",
    "name == 'it\\'s {new}'",
    "f'{name} {n} {{}} {begun}'",
    "(ended - begun).days",
    "(begun - ended).days",
    "(at - at).total_seconds()",
    "begun + timedelta(days=2)",
    "begun + timedelta(days=2) <= ended",
    "ended - begun > timedelta(days=2, hours=12)",
    "begun.year * 100 + begun.month",
    "n in (1, -7)",
    "n not in (1, 2)",
    "n < 0 < net",
    "not open or n < 0",
    "open and n > 0",
    "rate is None",
    "n if open else 0",
    "name if n > 0 else None",
    "rate * 2 if rate is not None else net",
    "min(n, net)",
    "max(n, 3)",
    "int(net)",
    "str(n)",
]


def literals() -> dict[str, str]:
    kinds = {DECIMAL.name: "numeric", INTEGER.name: "bigint", TEXT.name: "text", DATE.name: "date"}
    kinds |= {DATETIME.name: "timestamptz", BOOLEAN.name: "boolean"}
    texts = {name: "NULL" if value is None else literal(str(value)) for name, value in VALUES.items()}
    return {name: f"({texts[name]}::{kinds[type_.name]})" for name, type_ in COLUMNS.items()}


@pytest.fixture(scope="module")
def computed(postgres_folder):
    with psycopg.connect(f"postgresql://lowcode@/postgres?host={postgres_folder}") as connection:
        connection.execute("SET timezone = 'UTC'")

        def value(text: str) -> object:
            sql = filled(compiled(expression(text), ROW).sql, literals())
            return connection.execute(f"SELECT {sql}".encode()).fetchone()[0]

        yield value


@pytest.mark.parametrize("text", SAME)
def test_postgresql_computes_what_python_does(computed, text):
    expected = eval(text, {"timedelta": timedelta}, VALUES)
    found = computed(text)
    assert found == (Decimal(str(expected)) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net / 0", None),
        ("n // (n + 7)", None),
        ("net * rate", None),
        ("coalesce(rate, net, 1)", Decimal("12.50")),
        ("round(net / 3, 2)", Decimal("4.17")),
        ("round(net + 0.1)", 13),
        ("more", Decimal("18.00")),
        ("name if rate > 1 else 'x'", "x"),
    ],
)
def test_what_sql_knows_of_nothing(computed, text, expected):
    assert computed(text) == expected


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("net * rate", "Decimal | None"),
        ("n + 1", "Integer"),
        ("n / 2", "Decimal"),
        ("2 / n", "Decimal | None"),
        ("n > 1 and rate > 1", "Boolean | None"),
        ("rate is not None and rate > 1", "Boolean"),
        ("rate if rate is not None else 0", "Decimal"),
        ("coalesce(rate, 0)", "Decimal"),
        ("name if open else None", "Text | None"),
        ("f'{ended}'", "Text | None"),
        ("more", "Decimal"),
    ],
)
def test_a_result_is_optional_where_a_part_of_it_is(text, type_):
    assert str(compiled(expression(text), ROW).type) == type_


def test_a_column_is_named_in_the_sql_and_numbered_in_a_condition():
    sql = compiled(expression("ended >= begun and name != '{begun}'"), ROW).sql
    assert sql == "({ended} >= {begun} AND {name} <> '{{begun}}')"
    assert columns_in(sql) == ("ended", "begun", "name")
    assert numbered(sql).format("a", "b", "c") == "(a >= b AND c <> '{begun}')"


def test_a_circle_is_told_whole():
    texts = {"a": "b + 1", "b": "c", "c": "a", "d": "a"}
    assert cycles({name: expression(text) for name, text in texts.items()}) == [("a", "b", "c", "a")]


def test_what_doubles_with_each_step_ends():
    computed = {f"a{n}": expression(f"a{n + 1} + a{n + 1}") for n in range(60)} | {"a60": expression("n")}
    row = Row(columns=COLUMNS, computed=computed)
    with pytest.raises(LowcodeError, match="too long once all that it uses is written out"):
        compiled(expression("a0"), row)


def test_what_is_nested_too_deeply_is_told():
    deep = expression("n")
    for _ in range(5000):
        deep = ast.UnaryOp(op=ast.USub(), operand=deep)
    with pytest.raises(LowcodeError, match="nested too deeply"):
        compiled(deep, ROW)
