"""The SQL of entity access: static statements over the views of a version, with `$n` parameters.

Each function gives a `Statement`: its text, and the names of its parameters in the order of their numbers. A row rule
is a condition over the logical columns in which parameters are written `:name` (`owner = :user`); its names take the
numbers after those of the statement itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.quoting import identifier, identifiers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.schema import Table

__all__ = [
    "Statement",
    "count",
    "delete",
    "delete_pairs",
    "exists",
    "find",
    "identifier",
    "insert",
    "insert_pairs",
    "list_rows",
    "select_by_key",
    "select_many",
    "select_pairs",
    "select_pairs_of_many",
    "update",
]
_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)|'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A text of SQL, and the names of its parameters: `$1` is the first."""

    sql: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return self.sql


def select_by_key(table: Table, rule: str = "", *, lock: bool = False, only: Sequence[str] = ()) -> Statement:
    """Return the statement that reads one row by its key; with `lock`, until the end of the transaction nobody else
    changes it. With `only`, it reads these attributes alone.
    """
    return _statement(_select(table, only), _equal(table, table.key), rule, table.key, "FOR UPDATE" if lock else "")


def select_many(table: Table, rule: str = "", *, only: Sequence[str] = ()) -> Statement:
    """Return the statement that reads the rows of a list of keys, by key; with `only`, these attributes alone."""
    (key,) = table.key
    condition = f"{identifier(key)} = ANY ($1::{table.column(key).type}[])"
    return _statement(_select(table, only), [condition], rule, ("keys",), f"ORDER BY {identifier(key)}")


def find(table: Table, given: Sequence[str], rule: str = "", *, only: Sequence[str] = ()) -> Statement:
    """Return the statement that reads the first row (by key) whose attributes have the given values."""
    tail = f"ORDER BY {identifiers(table.key)}\nLIMIT 1"
    return _statement(_select(table, only), _equal(table, given), rule, given, tail)


def list_rows(
    table: Table,
    given: Sequence[str] = (),
    rule: str = "",
    *,
    order_by: Sequence[str] = (),
    limit: bool = False,
    only: Sequence[str] = (),
    search: Sequence[str] = (),
    page: bool = False,
) -> Statement:
    """Return the statement that reads the rows whose attributes have the given values.

    `order_by` are attributes, with `-` before a descending one; the key comes last, so that the order is always
    whole. `search` are the attributes of which one has to hold a text, whatever its case. With `limit`, the last
    parameter is the number of rows; with `page`, the last two are that and how many rows come before. With `only`, it
    reads these attributes alone.
    """
    names = (*given, "search") if search else tuple(given)
    conditions = _equal(table, given) + ([_holding(search, f"${len(names)}")] if search else [])
    found = _statement(_select(table, only), conditions, rule, names, f"ORDER BY {_order(table, order_by)}")
    last, number = {"limit": limit, "page_rows": page, "page_start": page}, len(found.parameters)
    words = {"limit": "LIMIT", "page_rows": "LIMIT", "page_start": "OFFSET"}
    added = [name for name, wanted in last.items() if wanted]
    tail = " ".join(f"{words[name]} ${n}" for n, name in enumerate(added, number + 1))
    return Statement(sql=f"{found.sql}\n{tail}".rstrip(), parameters=(*found.parameters, *added))


def _holding(names: Sequence[str], parameter: str) -> str:
    """Return the condition that some column has the letters of a parameter; None is in every row."""
    found = " OR ".join(f"strpos(lower({identifier(name)}), lower({parameter}::text)) > 0" for name in names)
    return f"({parameter}::text IS NULL OR {found})"


def count(table: Table, given: Sequence[str] = (), rule: str = "") -> Statement:
    """Return the statement that counts the rows whose attributes have the given values."""
    return _statement(f"SELECT count(*)\nFROM {identifier(table.name)}", _equal(table, given), rule, given)


def exists(table: Table, given: Sequence[str] = (), rule: str = "") -> Statement:
    """Return the statement that says whether there is a row whose attributes have the given values."""
    found = _statement(f"SELECT 1\nFROM {identifier(table.name)}", _equal(table, given), rule, given)
    return Statement(sql=f"SELECT EXISTS (\n{found.sql}\n)", parameters=found.parameters)


def insert(table: Table, given: Sequence[str]) -> Statement:
    """Return the statement that writes a row of the given attributes and gives back all; the others take their
    defaults.
    """
    values = ", ".join(f"${number}" for number in range(1, len(given) + 1))
    target = identifier(table.name)
    row = f"({identifiers(tuple(given))})\nVALUES ({values})" if given else "DEFAULT VALUES"
    return Statement(sql=f"INSERT INTO {target} {row}\n{_returning(table)}", parameters=tuple(given))


def update(table: Table, given: Sequence[str], rule: str = "") -> Statement:
    """Return the statement that changes the given attributes of the row of a key and gives back all.

    The key's parameters come first; where an attribute of the key itself changes, its new value is the later one of
    that name.
    """
    first = len(table.key) + 1
    changes = ",\n  ".join(f"{identifier(name)} = ${number}" for number, name in enumerate(given, first))
    names = (*table.key, *given)
    return _statement(
        f"UPDATE {identifier(table.name)}\nSET\n  {changes}", _equal(table, table.key), rule, names, _returning(table)
    )


def delete(table: Table, rule: str = "") -> Statement:
    """Return the statement that deletes the row of a key and gives it back."""
    return _statement(
        f"DELETE FROM {identifier(table.name)}", _equal(table, table.key), rule, table.key, _returning(table)
    )


def select_pairs(pairs: Table) -> Statement:
    """Return the statement that reads what a `many` attribute holds, given its owner."""
    owner, other = map(identifier, pairs.key)
    return Statement(
        sql=f"SELECT {other}\nFROM {identifier(pairs.name)}\nWHERE {owner} = $1\nORDER BY {other}",
        parameters=(pairs.key[0],),
    )


def select_pairs_of_many(pairs: Table) -> Statement:
    """Return the statement that reads what a `many` attribute holds for a list of owners: rows of owner and other."""
    owner, other = map(identifier, pairs.key)
    condition = f"{owner} = ANY ($1::{pairs.column(pairs.key[0]).type}[])"
    sql = f"SELECT {owner}, {other}\nFROM {identifier(pairs.name)}\nWHERE {condition}\nORDER BY {owner}, {other}"
    return Statement(sql=sql, parameters=("keys",))


def insert_pairs(pairs: Table) -> Statement:
    """Return the statement that adds a list of keys to a `many` attribute; those that are there stay."""
    owner_type, sql_type = (pairs.column(name).type for name in pairs.key)
    sql = (
        f"INSERT INTO {identifier(pairs.name)} ({identifiers(pairs.key)})\n"
        f"SELECT $1::{owner_type}, unnest($2::{sql_type}[])\nON CONFLICT DO NOTHING"
    )
    return Statement(sql=sql, parameters=pairs.key)


def delete_pairs(pairs: Table) -> Statement:
    """Return the statement that takes from a `many` attribute all but a list of keys."""
    owner, other = map(identifier, pairs.key)
    sql_type = pairs.column(pairs.key[1]).type
    sql = f"DELETE FROM {identifier(pairs.name)}\nWHERE {owner} = $1 AND {other} <> ALL ($2::{sql_type}[])"
    return Statement(sql=sql, parameters=pairs.key)


def _select(table: Table, only: Sequence[str] = ()) -> str:
    columns = identifiers(tuple(only)) if only else _columns(table)
    return f"SELECT {columns}\nFROM {identifier(table.name)}"


def _columns(table: Table) -> str:
    return identifiers(tuple(column.name for column in table.columns))


def _returning(table: Table) -> str:
    return f"RETURNING {_columns(table)}"


def _equal(table: Table, names: Sequence[str]) -> list[str]:
    return [_condition(table, name, f"${number}") for number, name in enumerate(names, 1)]


def _condition(table: Table, name: str, parameter: str) -> str:
    """Compare so that None finds what is empty. Not by IS NOT DISTINCT FROM, for which PostgreSQL 18 uses no index."""
    column = table.column(name)
    equal = f"{identifier(name)} = {parameter}"
    if not column.nullable:
        return equal
    return f"({equal} OR ({parameter}::{column.type} IS NULL AND {identifier(name)} IS NULL))"


def _order(table: Table, order_by: Sequence[str]) -> str:
    wanted = [(name.removeprefix("-"), " DESC" if name.startswith("-") else "") for name in order_by]
    last = [(name, "") for name in table.key if name not in dict(wanted)]
    return ", ".join(f"{identifier(name)}{how}" for name, how in (*wanted, *last))


def _statement(head: str, conditions: list[str], rule: str, names: Sequence[str], tail: str = "") -> Statement:
    rule_text, parameters = _numbered(rule, tuple(names))
    everything = [*conditions, *([f"({rule_text})"] if rule_text else [])]
    where = "WHERE " + "\n  AND ".join(everything) if everything else ""
    return Statement(sql="\n".join(part for part in (head, where, tail) if part), parameters=parameters)


def _numbered(rule: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Replace `:name` outside of literals by the numbers after `names`, one number for each name."""
    added: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0]
        if name not in added:
            added.append(name)
        return f"${len(names) + added.index(name) + 1}"

    text = _PARAMETER.sub(number, rule.strip())
    return text, (*names, *added)
