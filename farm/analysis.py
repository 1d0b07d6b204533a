"""Questions about the logs of an environment, in DuckDB's SQL over the views of the lake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lowcode_kernel.farm import lake
from lowcode_kernel.farm.databases import ensure_database
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    import pandas as pd
    import pyarrow as pa

    from lowcode_kernel.farm.environments import Environment, Secret

MEMORY = "1GB"
SHOWN = 20  # rows in the plain form
WIDEST = 60  # characters of a value in the plain form

# what DuckDB says -> what is missing; the name is the first group
UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")
UNKNOWN_COLUMN = re.compile(r'(?:Referenced column|column named) "([^"]+)"|does not have a column named "([^"]+)"')
UNKNOWN_FUNCTION = re.compile(r"Function with name (\S+) does not exist(?:!\s*Did you mean \"([^\"]+)\")?")
UNKNOWN_ALIAS = re.compile(r'Referenced table "([^"]+)" not found')
LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LogTable:
    """The answer to a question: rows with named columns."""

    table: pa.Table

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.table.column_names)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.table.to_batches():
            yield from batch.to_pylist()

    def to_df(self) -> pd.DataFrame:
        """Return the rows as a pandas data frame."""
        return self.table.to_pandas()

    def __str__(self) -> str:
        shown = [self.columns, *(tuple(map(_text, row.values())) for row in self.table.slice(0, SHOWN).to_pylist())]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = [
            "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        if (more := len(self) - SHOWN) > 0:
            lines.append(f"and {more} more")
        return "\n".join(lines)

    __repr__ = __str__


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def query_logs(environment: Environment, sql: str) -> LogTable:
    """Answer a question about the logs of an environment.

        query_logs(dev, "SELECT element, count(*) AS errors FROM errors GROUP BY element ORDER BY errors DESC")

    Reads only. What it can ask: `events`, and `requests`, `queries`, `audit`, `errors`, `jobs`, `deployments`.

    Raises: LowcodeError, with the nearest name where a table or a column is not there.
    """
    try:
        return _answer(environment, sql)
    except lake.LakeFault as fault:
        fact = f"the logs of {environment.name} don't answer: {str(fault).strip().splitlines()[0]}"
        raise LowcodeError.of(fact, "is PostgreSQL running?", code="LK705") from None


def _answer(environment: Environment, sql: str) -> LogTable:
    """Ask the lake that is open; where its connection turns out to be broken, ask once more through a new one."""
    place = (environment.database_url(lake.DATABASE), environment.lake_path)
    for _ in range(2):
        connection = _opened.get(place) or _opened.setdefault(place, _open(environment))
        try:
            return LogTable(lake.select(connection, sql))
        except lake.Unanswerable as fault:
            raise _explained(fault, lake.describe(connection)) from None
        except lake.LakeFault as fault:
            _opened.pop(place).close()
            broken = fault
    # it opened, so it is there: the question itself is at fault, for example a file that is not
    raise LowcodeError.of(*_first_words(str(broken)), code="LK708")


# Opening costs 0.8 s of CPU, most of it to verify the extensions' signatures (2026-11), a question after that 10 ms.
_opened: dict[tuple[Secret, str], duckdb.DuckDBPyConnection] = {}


def _open(environment: Environment) -> duckdb.DuckDBPyConnection:
    """Open the lake to read; make it where the log service was never there to do so."""
    url, files = environment.database_url(lake.DATABASE), environment.lake_path
    try:
        return lake.open_lake(url, files, read_only=True, memory=MEMORY)
    except lake.LakeFault:
        ensure_database(environment, lake.DATABASE)
        connection = lake.open_lake(url, files)
        lake.ensure_tables(connection)
        connection.close()
        return lake.open_lake(url, files, read_only=True, memory=MEMORY)


def _explained(fault: lake.Unanswerable, tables: Mapping[str, tuple[str, ...]]) -> LowcodeError:
    """Say what DuckDB did not like in words that name what is there."""
    if fault.kind == "count":
        return LowcodeError.of(f"a question is one statement, here are {fault.message}", code="LK706")
    if fault.kind == "write":
        fact = f"the logs are only read here, {fault.message} would write"
        return LowcodeError.of(fact, "ask with SELECT", code="LK707")
    line = LINE.search(fault.message)
    where = f"line {line[1]}: " if line else ""
    fact, hint = _name_missing(fault.message, tables) or _first_words(fault.message)
    return LowcodeError.of(where + fact, hint, code="LK708")


def _name_missing(message: str, tables: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    if found := UNKNOWN_TABLE.search(message):
        return f'there is no table "{found[1]}"', did_you_mean(found[1], tables)
    if found := UNKNOWN_COLUMN.search(message):
        name = found[1] or found[2]
        columns = {column for names in tables.values() for column in names}
        return f'there is no column "{name}"', did_you_mean(name, columns)
    if found := UNKNOWN_ALIAS.search(message):
        return f'"{found[1]}" is not among the tables after FROM', did_you_mean(found[1], tables)
    if found := UNKNOWN_FUNCTION.search(message):
        return f"there is no function {found[1]}", f'did you mean "{found[2]}"?' if found[2] else ""
    return None


def _first_words(message: str) -> tuple[str, str]:
    """Return what DuckDB said without its name for the fault, its candidates and its picture of the line."""
    first, _, rest = message.partition(". ")
    return first.partition(": ")[2].splitlines()[0] or first, rest.splitlines()[0].strip() if rest else ""
