"""For any two shapes of a database:

old views work on after the upgrade, new ones show exactly the new columns, renames keep the values.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowcode_kernel.ddl import system_tables
from lowcode_kernel.evolution import contracted, difference, evolve
from lowcode_kernel.quoting import identifier, identifiers
from lowcode_kernel.schema import Check, Column, Index, Limit, Reference, Schema, Table

VALUES = {
    "text": "'v{0}'",
    "bigint": "{0}",
    "numeric(24, 2)": "{0}.5",
    "boolean": "{0} % 2 = 0",
    "date": "DATE '2020-01-01' + {0}",
    "timestamptz": "TIMESTAMPTZ '2020-01-01Z' + {0} * INTERVAL '1 day'",
    "uuid": "gen_random_uuid()",
    "jsonb": "to_jsonb({0})",
}
DEFAULTS = {
    "text": "'d'",
    "bigint": "7",
    "numeric(24, 2)": "7.25",
    "boolean": "true",
    "date": "'2021-01-01'::date",
    "timestamptz": "now()",
}
TABLES = ("item", "order", "part")
NAMES = ("a", "b", "end", "shown")
SETTINGS = settings(
    max_examples=80, deadline=timedelta(seconds=20), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def columns(draw, former: bool) -> tuple[Column, ...]:
    found = [Column(name="id", type="bigint", identity=True)]
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        sql = draw(st.sampled_from(sorted(VALUES)))
        default = draw(st.sampled_from([None, DEFAULTS.get(sql)]))
        limit = Limit(length=draw(st.sampled_from([None, 10, 20]))) if sql == "text" else Limit()
        was = draw(st.sampled_from([None, *NAMES])) if former else None
        nullable = draw(st.booleans())
        found.append(
            Column(
                name=name, type=sql, default=default, limit=limit, nullable=nullable, was=None if was == name else was
            )
        )
    if draw(st.booleans()) and "shown" not in {
        column.name for column in found
    }:  # stored in one version, computed in another
        of = draw(st.sampled_from([column.name for column in found]))
        computed = Column(name="shown", type="text", nullable=True, computed=f"({{{of}}})::text || '{{{{}}}}'")
        found.insert(draw(st.integers(1, len(found))), computed)
    return tuple(found)


def checks(draw, found: tuple[Column, ...]) -> tuple[Check, ...]:
    """Conditions that always hold, so that they are added and taken away, and stop nobody."""
    stored = [column.name for column in found if not column.computed and not column.identity]
    if not stored or draw(st.booleans()):
        return ()
    pair = (stored[0], stored[-1]) if len(stored) > 1 else (stored[0],)
    condition = " OR ".join(f"{{{n}}} IS NULL OR {{{n}}} IS NOT NULL" for n in range(len(pair)))
    return (Check(columns=pair, condition=condition, message=draw(st.sampled_from(["one", "two"]))),)


def _is_indexed(column: Column) -> bool:
    plain = column.type in ("text", "bigint", "date") and not column.identity
    return plain and column.name != "up" and not column.computed


@st.composite
def schemas(draw, former: bool = False) -> Schema:
    tables: list[Table] = []
    for name in draw(st.lists(st.sampled_from(TABLES), unique=True, min_size=1)):
        found, references = draw(columns(former)), []
        if tables and draw(st.booleans()):
            target = draw(st.sampled_from(tables))
            found = (*found, Column(name="up", type="bigint", nullable=draw(st.booleans())))
            references = [Reference(columns=("up",), target=target.name, target_columns=("id",))]
        indexed = [c.name for c in found if _is_indexed(c)]
        indexes = [Index(columns=(c,), unique=draw(st.booleans())) for c in indexed if draw(st.booleans())]
        was = draw(st.sampled_from([None, *TABLES])) if former else None
        tables.append(
            Table(
                name=name,
                entity=name.title(),
                columns=found,
                key=("id",),
                references=tuple(references),
                indexes=tuple(indexes),
                checks=checks(draw, found),
                was=None if was == name else was,
            )
        )
    return Schema(application="shop", tables=tuple(tables))


class Trial:
    """One transaction in which a database grows, and which is rolled back."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.numbers = count(1)

    def run(self, sql: str) -> list[tuple]:
        cursor = self.connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

    def apply(self, changes) -> None:
        for change in changes:
            self.run(change.sql.replace(" CONCURRENTLY", ""))

    def insert(self, schema: Schema, table: Table, *, whole: bool) -> int:
        """Insert a row through the views, of all columns or of those without which a row can't be; return its id."""
        given = [c for c in table.stored if not c.identity and (whole or not (c.nullable or c.default is not None))]
        values = [self._value(schema, table, column) for column in given]
        row = (
            f"({identifiers(tuple(c.name for c in given))}) VALUES ({', '.join(values)})" if given else "DEFAULT VALUES"
        )
        return self.run(f"INSERT INTO {schema.views}.{identifier(table.name)} {row} RETURNING id")[0][0]

    def _value(self, schema: Schema, table: Table, column: Column) -> str:
        reference = table.reference(column.name)
        if reference:
            return str(self.insert(schema, schema.table(reference.target), whole=False))
        return VALUES[column.type].format(next(self.numbers))

    def insert_everywhere(self, schema: Schema, *, whole: bool) -> None:
        for table in schema.tables:
            self.insert(schema, table, whole=whole)

    def rows(self, schema: Schema, table: Table) -> dict[int, tuple]:
        columns = identifiers(tuple(column.name for column in table.columns))
        return {row[0]: row for row in self.run(f"SELECT {columns} FROM {schema.views}.{identifier(table.name)}")}

    def shown(self, schema: Schema, table: Table) -> list[str]:
        view = f"'{schema.views}.{identifier(table.name)}'::regclass"
        sql = f"SELECT attname FROM pg_attribute WHERE attrelid = {view} AND attnum > 0 ORDER BY attnum"
        return [name for (name,) in self.run(sql)]


@pytest.fixture
def trial(new_database):
    with psycopg.connect(new_database().url) as connection:
        yield lambda: Trial(connection)
        connection.rollback()


def unique_defaults(schema: Schema) -> bool:
    """A unique column with a constant default takes one row; that is the model's and not the evolution's."""
    return any(
        index.unique and table.column(name).default
        for table in schema.tables
        for index in table.indexes
        for name in index.columns
    )


@SETTINGS
@given(before=schemas(), after=schemas(former=True), last=schemas(former=True))
def test_old_and_new_releases_work_on_one_database(trial, before, after, last):
    if any(map(unique_defaults, (before, after, last))):
        return
    now = trial()
    now.connection.rollback()
    versions: list[Schema] = []
    for desired in (before, after, last):
        previous = versions[-1] if versions else None
        current, changes, problems = evolve(previous, desired)
        if any(problem.severity == "error" for problem in problems):
            break
        upgrade(now, versions, changes)
        versions = [v for v in versions if v.views != current.views] + [current]
        work(now, versions, previous)
    if versions:
        contract(now, versions)
    now.connection.rollback()


def upgrade(now: Trial, versions: list[Schema], changes) -> None:
    """Apply changes; what the older versions show stays."""
    kept = {(v.views, t.name): now.rows(v, t) for v in versions for t in v.tables}
    now.apply(changes)
    for version in versions:
        for table in version.tables:
            assert not_emptied(kept[version.views, table.name], now.rows(version, table))


def work(now: Trial, versions: list[Schema], previous: Schema | None) -> None:
    """Look at the newest version, then write rows through the views of all."""
    current = versions[-1]
    for table in current.tables:
        assert now.shown(current, table) == [column.name for column in table.columns]
    if previous is not None:
        renamed_values_stay(now, previous, current)
    for version in versions:
        for whole in (True, False):
            now.insert_everywhere(version, whole=whole)
    for table in current.tables:
        required_values_are_there(now, current, table)


def not_emptied(before: dict[int, tuple], after: dict[int, tuple]) -> bool:
    """Rows are there as before, where a value was; what was empty may have been filled."""
    return all(
        all(old is None or old == new for old, new in zip(row, after[number], strict=True))
        for number, row in before.items()
    )


def renamed_values_stay(now: Trial, previous: Schema, current: Schema) -> None:
    for table in current.tables:
        former = next((t for t in previous.tables if t.base == table.base), None)
        if former is None:
            continue
        old, new = now.rows(previous, former), now.rows(current, table)
        assert old.keys() == new.keys()
        names = ["" if c.computed else c.base for c in former.columns]
        for position, column in enumerate(table.columns):
            if not column.computed and column.base in names:
                there = names.index(column.base)
                assert [row[there] for row in old.values()] == [new[number][position] for number in old]


def required_values_are_there(now: Trial, schema: Schema, table: Table) -> None:
    """What has a default is never empty where it is required, whichever version wrote the row."""
    for row in now.rows(schema, table).values():
        for column, value in zip(table.columns, row, strict=True):
            assert value is not None or column.nullable or column.default is None


def contract(now: Trial, versions: list[Schema]) -> None:
    """Once only the last version is kept, it works on, on a database that holds nothing else."""
    last = contracted((versions[-1],))
    kept = [now.rows(last, table) for table in last.tables]
    now.apply(difference(versions[-1], last))
    assert [now.rows(last, table) for table in last.tables] == kept
    now.insert_everywhere(last, whole=True)


@given(schema=schemas())
def test_evolving_to_the_same_schema_changes_nothing(schema):
    current, _, _ = evolve(None, schema)
    assert evolve(current, schema)[0] is current


def test_system_tables_come_first():
    schema = Schema(application="shop", tables=())
    assert evolve(None, schema)[1][: len(system_tables("shop"))] == system_tables("shop")
