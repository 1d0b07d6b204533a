"""The statements of entity access run on the views of a version."""

from __future__ import annotations

import psycopg
import pytest

from lowcode_kernel.evolution import evolve
from lowcode_kernel.generators.layers import statements
from lowcode_kernel.generators.templating import python_literal, render
from lowcode_kernel.relational import schema_of

MODEL = """%app shop

%%entity Order
number: Text(20) = unique()
group: Text | None
state: Text = "new"
tags: many(Tag)

%%entity Tag
key(label)
label: Text(10)
"""


@pytest.fixture
def schema(model, database):
    schema, changes, _ = evolve(None, schema_of(model(MODEL)))
    database.run(*(change.sql for change in changes))
    return schema


@pytest.fixture
def run(schema, database):
    with psycopg.connect(database.url, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute(f"SET search_path = {schema.views}, shop".encode())

        def execute(statement: statements.Statement, *values: object) -> list[tuple]:
            assert len(values) == len(statement.parameters)
            cursor = connection.execute(statement.sql.encode(), values)
            return cursor.fetchall() if cursor.description else []

        yield execute


def test_rows_are_written_read_changed_and_deleted(schema, run):
    order = schema.table("order")
    assert run(statements.insert(order, ("number", "group")), "a", None) == [(1, "a", None, "new")]
    assert run(statements.insert(order, ("number", "group")), "b", "x") == [(2, "b", "x", "new")]
    assert run(statements.select_by_key(order, lock=True), 2) == [(2, "b", "x", "new")]
    assert run(statements.find(order, ("group",)), None) == [(1, "a", None, "new")]
    assert run(statements.count(order, ("group", "state")), "x", "new") == [(1,)]
    assert run(statements.list_rows(order, order_by=("-number",), limit=True), 1) == [(2, "b", "x", "new")]
    assert run(statements.update(order, ("state", "group")), 1, "sent", "y") == [(1, "a", "y", "sent")]
    assert run(statements.delete(order), 1) == [(1, "a", "y", "sent")]
    assert run(statements.exists(order, ("id",)), 1) == [(False,)]


def test_a_rule_takes_the_next_numbers_and_each_name_once(schema, run):
    order = schema.table("order")
    rule = "\"group\" = :user OR number = ':user' OR number = :user::text OR state = :state"
    statement = statements.update(order, ("state",), rule)
    assert statement.parameters == ("id", "state", "user", "state")
    run(statements.insert(order, ("number", "group")), "a", "ann")
    assert run(statement, 1, "sent", "bob", "other") == []
    assert run(statement, 1, "sent", "ann", "other") == [(1, "a", "ann", "sent")]


def test_lists_of_keys_are_pairs(schema, run):
    pairs = schema.table("order_tags")
    run(statements.insert(schema.table("order"), ("number",)), "a")
    for label in "xyz":
        run(statements.insert(schema.table("tag"), ("label",)), label)
    run(statements.insert_pairs(pairs), 1, ["x", "y"])
    run(statements.insert_pairs(pairs), 1, ["y", "z"])
    run(statements.delete_pairs(pairs), 1, ["z", "x"])
    assert run(statements.select_pairs(pairs), 1) == [("x",), ("z",)]


def test_statements_are_as_written():
    from lowcode_kernel.schema import Column, Table

    table = Table(
        name="order",
        entity="Order",
        columns=(Column(name="id", type="bigint"), Column(name="end", type="date")),
        key=("id",),
    )
    assert str(statements.update(table, ("end",))) == (
        'UPDATE "order"\nSET\n  "end" = $2\nWHERE id = $1\nRETURNING id, "end"'
    )


def test_templates_do_not_fill_in_what_is_missing():
    with pytest.raises(Exception, match="'application' is undefined"):
        render("upgrade/alembic.ini.jinja")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("it's", '"it\'s"'),
        ('say "x"', "'say \"x\"'"),
        (("a",), '("a",)'),
        ([1, None], "[1, None]"),
        ({"a": True}, '{"a": True}'),
    ],
)
def test_python_literals_are_as_the_formatter_writes_them(value, text):
    assert python_literal(value) == text
