"""The tables that a model asks for."""

from __future__ import annotations

import pytest

from lowcode_kernel.defaults import default_sql
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.quoting import identifier, literal
from lowcode_kernel.relational import column_type, schema_of, table_name
from lowcode_kernel.types import Type, entity_type

MODEL = """%app shop

%%entity Tag
key(label)
label: Text(10)

%%entity SalesOrder
number: Text(20) = unique()
customer: User
parent: SalesOrder | None
state: Choice("new", "sent") = "new"
mail: Email | None
total: Decimal(12, 2) = 0
placed_at: DateTime = now()
tags: many(Tag)
index(placed_at)
"""


@pytest.fixture(scope="module")
def schema(model):
    return schema_of(model(MODEL))


def test_columns_have_types_defaults_and_checks(schema):
    columns = {c.name: (c.type, c.nullable, c.default, c.check) for c in schema.table("sales_order").columns}
    assert columns == {
        "id": ("bigint", False, None, None),
        "number": ("text", False, None, "char_length(number) <= 20"),
        "customer": ("bigint", False, None, None),
        "parent": ("bigint", True, None, None),
        "state": ("text", False, "'new'", "state IN ('new', 'sent')"),
        "mail": ("text", True, None, "mail LIKE '_%@_%'"),
        "total": ("numeric(12, 2)", False, "0", None),
        "placed_at": ("timestamptz", False, "now()", None),
    }


def test_references_point_at_keys_and_have_an_index_each(schema):
    table = schema.table("sales_order")
    assert [(r.columns, r.target, r.target_columns) for r in table.references] == [
        (("customer",), "app_user", ("id",)),
        (("parent",), "sales_order", ("id",)),
    ]
    indexes = [(index.columns[0], index.unique) for index in table.indexes]
    assert indexes == [("customer", False), ("number", True), ("parent", False), ("placed_at", False)]


def test_many_is_a_table_of_pairs(schema):
    pairs = schema.table("sales_order_tags")
    assert [(column.name, column.type) for column in pairs.columns] == [("sales_order", "bigint"), ("tag", "text")]
    assert (pairs.key, pairs.references[1].on_delete) == (("sales_order", "tag"), "cascade")


def test_the_order_of_cells_does_not_matter(model, schema):
    first, *cells = MODEL.split("\n\n")
    assert schema_of(model("\n\n".join([first, *reversed(cells)]))) == schema


def test_a_reference_has_the_type_of_the_key(model):
    app = model(MODEL)
    assert column_type(entity_type("Tag"), app) == "text"
    assert column_type(entity_type("User"), app) == "bigint"
    assert column_type(Type(name="Decimal", precision=5, scale=1), app) == "numeric(5, 1)"


def test_a_reference_to_a_key_of_two_attributes_is_told(model):
    app = model(
        "%app a\n\n%%entity Seat\nkey(row, number)\nrow: Integer\nnumber: Integer\n\n%%entity Ticket\nseat: Seat"
    )
    with pytest.raises(LowcodeError, match="Seat has a key of 2 attributes"):
        schema_of(app)


@pytest.mark.parametrize(
    ("entity", "table"), [("FlightNote", "flight_note"), ("AppUser", "app_user_"), ("Order", "order")]
)
def test_tables_are_in_snake_case_and_clear_of_system_tables(entity, table):
    assert table_name(entity) == table


@pytest.mark.parametrize(
    ("python", "sql_type", "sql"),
    [
        ("0", "bigint", "0"),
        ("-1.5", "numeric", "-1.5"),
        ("True", "boolean", "true"),
        ('"it\'s"', "text", "'it''s'"),
        ("date(2013, 1, 2)", "date", "'2013-01-02'::date"),
        ("today()", "date", "(now() AT TIME ZONE 'UTC')::date"),
        ("{'a': [1]}", "jsonb", "'{\"a\": [1]}'::jsonb"),
        ('Decimal("0.2")', "numeric", "0.2"),
        ("user", "bigint", None),
        ("date(2013, 13, 2)", "date", None),
        (None, "text", None),
    ],
)
def test_defaults_are_sql_where_the_database_can_fill_them_in(python, sql_type, sql):
    assert default_sql(python, sql_type) == sql


def test_quoting():
    assert (identifier("flight"), identifier("order"), identifier('a"B')) == ("flight", '"order"', '"a""B"')
    assert (literal("it's"), literal("a\\b\n")) == ("'it''s'", "E'a\\\\b\\n'")
