"""Whether rows that were read fit the entity they are for:

everything that is wrong with them, counted, with examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.problems import Problem, did_you_mean
from lowcode_kernel.quoting import identifier, identifiers, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.files_reader import Rows
    from lowcode_kernel.places import Place
    from lowcode_kernel.schema import Column, Table

EXAMPLES = 3
_LONGEST_EXAMPLE = 60
_TYPES = {
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "timestamptz": "TIMESTAMPTZ",
    "jsonb": "JSON",
    "numeric": "DECIMAL(38, 12)",
}
_WORDS = {
    "bigint": "an Integer",
    "timestamptz": "a DateTime",
    "jsonb": "Json",
    "boolean": "a Boolean",
    "date": "a Date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Rows for a table, read but not written:

    `name` is their table in DuckDB, `columns` its columns with their types there.
    """

    name: str
    table: Table
    columns: dict[str, str]
    place: Place

    @property
    def given(self) -> tuple[Column, ...]:
        """The columns of the entity that the rows have."""
        return tuple(column for column in self.table.stored if column.name in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A condition over a column that no row may meet, and the words for a row that does."""

    column: str
    condition: str
    words: str


def duck_type(column: Column) -> str:
    """Return the DuckDB type for a column."""
    return column.type.upper() if column.type not in _TYPES else _TYPES[column.type]


def cast(column: Column) -> str:
    """Return the SQL that gives a column of the rows the column's type, or NULL where it can't have it."""
    return f"TRY_CAST({identifier(column.name)} AS {duck_type(column)})"


def column_problems(mapped: Mapped) -> Iterator[Problem]:
    """Yield columns that the entity does not have, and those that it requires and the rows don't have."""
    known = [column.name for column in mapped.table.stored]
    computed = {column.name for column in mapped.table.columns} - set(known)
    for name in mapped.columns:
        if name in computed:
            fact = f"{mapped.table.entity}.{name} is computed: it can't be loaded"
            yield _problem(mapped, fact, "leave the column out")
        elif name not in known:
            fact = f"{mapped.table.entity} has no attribute {name}"
            yield _problem(mapped, fact, did_you_mean(name, known) or "leave the column out in the cell's SELECT")
    for column in mapped.table.stored:
        filled = column.identity or column.nullable or column.default is not None
        if not filled and column.name not in mapped.columns:
            fact = f"the rows have no column for {mapped.table.entity}.{column.name}, which is required"
            yield _problem(mapped, fact, f"SELECT ... AS {column.name}")


def value_problems(rows: Rows, mapped: Mapped) -> Iterator[Problem]:
    """Yield what is wrong with values:

    types, what is missing, too long, or not among the choices. One pass over the rows.
    """
    rules = [rule for column in mapped.given for rule in _rules(column, mapped)]
    if not rules:
        return
    counts = ", ".join(f"count(*) FILTER (WHERE {rule.condition})" for rule in rules)
    found = rows.execute(f"SELECT {counts} FROM {identifier(mapped.name)}")[0]
    for rule, number in zip(rules, found, strict=True):
        if number:
            yield _broken(rows, mapped, rule, number)


def unique_problems(rows: Rows, mapped: Mapped) -> Iterator[Problem]:
    """Yield keys and unique attributes that several rows share."""
    given = {column.name for column in mapped.given}
    uniques = [mapped.table.key, *(index.columns for index in mapped.table.indexes if index.unique)]
    for columns in dict.fromkeys(uniques):
        if not given.issuperset(columns):
            continue
        names = identifiers(columns)
        filled = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in columns)
        groups = (
            f"SELECT {names}, list(rowid + 1 ORDER BY rowid) AS places FROM {identifier(mapped.name)} WHERE {filled}"
        )
        groups += f" GROUP BY {names} HAVING count(*) > 1"
        number = rows.execute(f"SELECT count(*) FROM ({groups})")[0][0]
        if number:
            examples = rows.execute(f"SELECT * FROM ({groups}) ORDER BY places[1] LIMIT {EXAMPLES}")
            shown = "; ".join(f"{_value(*e[:-1])} in rows {', '.join(map(str, e[-1][:4]))}" for e in examples)
            what = f"{mapped.table.entity}.{', '.join(columns)}"
            yield _problem(
                mapped, f"{what} is unique, and {_times(number, 'value')} {_stand(number)} in several rows: {shown}"
            )


def reference_problems(rows: Rows, mapped: Mapped, column: str, keys: str, target: str) -> Iterator[Problem]:
    """Yield references whose target is neither among the rows to load nor in the database; `keys` is the DuckDB table
    of those that are.
    """
    found = mapped.table.column(column)
    condition = f"{cast(found)} IS NOT NULL AND {cast(found)} NOT IN (SELECT key FROM {identifier(keys)})"
    number = rows.execute(f"SELECT count(*) FROM {identifier(mapped.name)} WHERE {condition}")[0][0]
    if number:
        yield _broken(
            rows,
            mapped,
            _Rule(column=column, condition=condition, words=f"refers to a row that {target} doesn't have"),
            number,
        )


def _rules(column: Column, mapped: Mapped) -> Iterator[_Rule]:
    name, text = identifier(column.name), f"CAST({identifier(column.name)} AS VARCHAR)"
    if not column.nullable:
        yield _Rule(column=column.name, condition=f"{name} IS NULL", words="is required, and has no value")
    if condition := _cast_condition(column, mapped.columns[column.name]):
        yield _Rule(
            column=column.name, condition=condition, words=f"is not {_WORDS.get(column.type, f'a {column.type}')}"
        )
    limit = column.limit
    if limit.length is not None:
        yield _Rule(
            column=column.name, condition=f"length({text}) > {limit.length}", words=f"is longer than {limit.length}"
        )
    if limit.choices:
        choices = ", ".join(literal(choice) for choice in limit.choices)
        words = f"is none of {', '.join(limit.choices)}"
        yield _Rule(column=column.name, condition=f"{text} NOT IN ({choices})", words=words)
    if limit.email:
        yield _Rule(column=column.name, condition=f"{text} NOT LIKE '_%@_%'", words="is not an e-mail address")


def _cast_condition(column: Column, there: str) -> str:
    """Return the condition for values that don't take the column's type.

    A number with a fraction is not an Integer, though a cast would round it.
    """
    wanted, name = duck_type(column), identifier(column.name)
    if there == wanted or wanted == "VARCHAR":
        return ""
    failed = f"{name} IS NOT NULL AND {cast(column)} IS NULL"
    if wanted == "BIGINT" and there.startswith(("DOUBLE", "FLOAT", "DECIMAL")):
        return f"({failed}) OR {name} <> {cast(column)}"
    return failed


def _broken(rows: Rows, mapped: Mapped, rule: _Rule, number: int) -> Problem:
    select = f"SELECT rowid + 1, {identifier(rule.column)} FROM {identifier(mapped.name)}"
    examples = rows.execute(f"{select} WHERE {rule.condition} ORDER BY rowid LIMIT {EXAMPLES}")
    shown = ", ".join(f"row {place}" + ("" if value is None else f" ({_value(value)})") for place, value in examples)
    more = ", ..." if number > len(examples) else ""
    return _problem(
        mapped, f"{mapped.table.entity}.{rule.column} {rule.words} in {_times(number, 'row')}: {shown}{more}"
    )


def _value(*values: object) -> str:
    text = ", ".join(str(value) for value in values)
    return f'"{text[:_LONGEST_EXAMPLE]}..."' if len(text) > _LONGEST_EXAMPLE else f'"{text}"'


def _times(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _stand(number: int) -> str:
    return "stands" if number == 1 else "stand"


def _problem(mapped: Mapped, fact: str, hint: str = "") -> Problem:
    return Problem(code="LK644", fact=fact, hint=hint, place=mapped.place, element=f"data:{mapped.table.entity}")
