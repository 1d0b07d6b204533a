"""Evolution of a database: what is planned, as text, and that it does what it says, in a real PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lowcode_kernel.evolution import contracted, contraction, evolve
from lowcode_kernel.relational import schema_of
from lowcode_kernel.schema import Change, Schema, decode, encode

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "golden" / "evolution").glob("*/before.cells"))
ANSWER = "changes.txt"


def changes_text(changes: tuple[Change, ...], problems: tuple) -> str:
    lines = [f"{problem.severity}: {problem}" for problem in problems]
    for change in changes:
        marks = (
            [change.kind, f"lock: {change.lock}"] + ["rewrites"] * change.rewrites + ["concurrent"] * change.concurrent
        )
        risk = f"\n-- risk: {change.risk}" if change.risk else ""
        lines.append(f"-- {change.summary} ({', '.join(marks)}){risk}\n{change.sql};")
    return "\n".join(lines) + "\n"


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request, model):
    folder = request.param
    before, after = (model((folder / f"{name}.cells").read_text()) for name in ("before", "after"))
    return folder, schema_of(before), schema_of(after)


def test_the_changes_are_those_that_are_written_down(case):
    folder, before, after = case
    current, _, _ = evolve(None, before)
    _, changes, problems = evolve(current, after)
    text = changes_text(changes, problems)
    if os.environ.get("LOWCODE_UPDATE"):
        (folder / ANSWER).write_text(text)
    assert text == (folder / ANSWER).read_text()


def test_the_changes_run_and_the_old_views_stay_as_they_were(case, database):
    _, before, after = case
    first, changes, _ = evolve(None, before)
    database.run(*(change.sql for change in changes))
    old = {table.name: view_columns(database, first, table.name) for table in first.tables}
    second, changes, _ = evolve(first, after)
    database.run(*(change.sql for change in changes))
    assert {table.name: view_columns(database, first, table.name) for table in first.tables} == old
    for table in second.tables:
        assert [name for name, _ in view_columns(database, second, table.name)] == [c.name for c in table.columns]


def test_nothing_in_an_expansion_takes_data(case):
    _, before, after = case
    current, _, _ = evolve(None, before)
    _, changes, _ = evolve(current, after)
    for change in changes:
        assert not any(
            word in change.sql for word in ("DROP TABLE", "DROP COLUMN", "DROP SCHEMA", "DELETE FROM", "TRUNCATE")
        )


def view_columns(database, schema: Schema, view: str) -> list[tuple]:
    sql = "SELECT column_name, data_type FROM information_schema.columns"
    where = f"table_schema = '{schema.views}' AND table_name = '{view}'"
    return database.run(f"{sql} WHERE {where} ORDER BY ordinal_position")


def evolve_through(model, *texts: str) -> list[tuple[Schema, tuple[Change, ...]]]:
    """Evolve through versions given by the attributes of one entity, Thing."""
    steps: list[tuple[Schema, tuple[Change, ...]]] = []
    for text in texts:
        current, changes, _ = evolve(
            steps[-1][0] if steps else None, schema_of(model(f"%app shop\n\n%%entity Thing\n{text}"))
        )
        steps.append((current, changes))
    return steps


def bases(schema: Schema) -> dict[str, str]:
    return {column.name: column.base for column in schema.table("thing").columns}


def test_the_same_model_changes_nothing(model):
    (first, _), (second, changes) = evolve_through(model, "a: Text", "a: Text")
    assert second is first
    assert changes == ()


def test_a_schema_reads_back_from_its_json(model):
    schema = evolve_through(model, "a: Text(5)", "b: Integer = was('a')")[-1][0]
    assert decode(encode(schema)) == schema


def test_a_removed_attribute_that_comes_back_shows_its_values_again(model, database):
    (first, one), (_, two), (third, three) = evolve_through(
        model, "a: Text\nb: Text", "a: Text", "a: Text\nb: Text | None"
    )
    run(database, one)
    database.run(f"INSERT INTO {first.views}.thing (a, b) VALUES ('x', 'y')")
    run(database, two + three)
    assert bases(third) == {"id": "id", "a": "a", "b": "b"}
    assert database.run(f"SELECT b FROM {third.views}.thing") == [("y",)]


def test_a_new_attribute_with_the_name_of_a_renamed_one_gets_a_column_of_its_own(model, database):
    steps = evolve_through(model, "a: Text", 'b: Text = was("a")\na: Text | None')
    for _, changes in steps:
        run(database, changes)
    assert bases(steps[-1][0]) == {"id": "id", "b": "a", "a": "a_2"}


def test_a_name_that_comes_back_with_another_type_avoids_the_column_that_is_left(model):
    third = evolve_through(model, "a: Text\nb: Text", "a: Text", "a: Text\nb: Integer | None")[-1][0]
    assert bases(third)["b"] == "b_2"


def test_two_versions_that_look_the_same_but_show_other_columns_have_views_of_their_own(model, database):
    steps = evolve_through(model, "a: Text | None", 'b: Text | None = was("a")', "a: Text | None")
    (first, one), (_, two), (third, three) = steps
    run(database, one)
    database.run(f"INSERT INTO {first.views}.thing (a) VALUES ('old')")
    run(database, two + three)
    assert bases(third)["a"] == "a_2"
    assert third.views != first.views
    assert database.run(f"SELECT a FROM {first.views}.thing") == [("old",)]


def test_going_back_to_the_former_model_uses_the_views_that_are_there(model):
    (first, _), _, (third, changes) = evolve_through(model, "a: Text", "a: Text\nb: Text | None", "a: Text")
    assert third.views == first.views
    assert changes == ()


def test_both_releases_see_what_the_other_writes_in_a_retyped_attribute(model, database):
    (first, one), (second, two) = evolve_through(model, "a: Integer = 3", "a: Decimal(24, 2) | None")
    run(database, one)
    database.run(f"INSERT INTO {first.views}.thing DEFAULT VALUES")
    run(database, two)
    database.run(
        f"INSERT INTO {second.views}.thing (a) VALUES (2.50)",
        f"INSERT INTO {second.views}.thing (a) VALUES (NULL)",
        f"INSERT INTO {first.views}.thing DEFAULT VALUES",
        f"UPDATE {first.views}.thing SET a = 9 WHERE id = 1",
    )
    old, new = (database.run(f"SELECT a FROM {schema.views}.thing ORDER BY id") for schema in (first, second))
    assert [int(a) if a is not None else None for (a,) in old] == [9, 3, 3, 3]  # the old release requires a value
    assert [float(a) if a is not None else None for (a,) in new] == [9.0, 2.5, None, 3.0]


def test_an_index_build_that_broke_may_be_run_again(model, database):
    (first, one), (_, two) = evolve_through(model, "a: Text", "a: Text = unique()")
    run(database, one)
    database.run(f"INSERT INTO {first.views}.thing (a) VALUES ('x'), ('x')")
    with pytest.raises(Exception, match="could not create unique index"):
        run(database, two)
    database.run(f"DELETE FROM {first.views}.thing WHERE id = 2")
    run(database, tuple(change for change in two if change.concurrent))
    assert database.run("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop.thing_a_key'::regclass") == [(True,)]


def test_contraction_puts_aside_what_no_kept_version_shows(model, database):
    text = '%app shop\n\n%%entity Thing\na: Text\nb: Text = "x"\n\n%%entity Gone\nthing: Thing'
    first, one, _ = evolve(None, schema_of(model(text)))
    run(database, one)
    database.run(
        f"INSERT INTO {first.views}.thing (a) VALUES ('k')", f"INSERT INTO {first.views}.gone (thing) VALUES (1)"
    )
    second, two, _ = evolve(first, schema_of(model("%app shop\n\n%%entity Thing\na: Text")))
    run(database, two)
    assert contraction((first, second)) == ()
    run(database, contraction((second,)))
    assert database.run("SELECT b FROM shop_removed.thing_b") == [("x",)]
    assert database.run("SELECT thing FROM shop_removed.gone") == [(1,)]
    database.run(f"DELETE FROM {second.views}.thing")
    last = contracted((second,))
    assert last.views == second.views
    third, three, _ = evolve(last, schema_of(model("%app shop\n\n%%entity Thing\na: Text\nb: Integer | None")))
    run(database, three)
    assert bases(third)["b"] == "b"


def test_a_key_does_not_change(model):
    first = evolve_through(model, "key(a)\na: Text")[0][0]
    _, _, problems = evolve(first, schema_of(model("%app shop\n\n%%entity Thing\nkey(a)\na: Integer")))
    assert [str(problem) for problem in problems] == [
        "Thing.a is the key, and a key's type can't change; declare a new entity"
    ]


def run(database, changes: tuple[Change, ...]) -> None:
    database.run(*(change.sql for change in changes))


def test_a_leftover_column_comes_back_under_one_name_only(model):
    third = evolve_through(model, "a: Text\nb: Text", "b: Text", 'c: Text | None = was("a")\na: Text | None\nb: Text')[
        -1
    ][0]
    assert len(set(bases(third).values())) == 4
