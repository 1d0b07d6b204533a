"""How names and values are written in SQL: the one place that quotes."""

from __future__ import annotations

import re

# pg_get_keywords() of PostgreSQL 18 without the unreserved words: all that can't stand bare as a table, a column or both
RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char character check coalesce
    collate collation column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze
    from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array
    json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like
    limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer
    overlaps overlay placing position precision primary real references returning right row select session_user setof similar smallint some substring
    symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when
    where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()
)
_BARE = re.compile(r"[a-z_][a-z0-9_]*")


def identifier(name: str) -> str:
    """Return `name` as SQL writes it: bare where that is safe, else in double quotes.

    >>> identifier("flight"), identifier("order")
    ('flight', '"order"')
    """
    if _BARE.fullmatch(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: tuple[str, ...]) -> str:
    """Return names with commas between them."""
    return ", ".join(map(identifier, names))


def literal(value: str) -> str:
    """Return a text as an SQL literal on one line, safe whatever `standard_conforming_strings` says."""
    quoted = value.replace("'", "''")
    if not re.search(r"[\\\n\r\t]", quoted):
        return f"'{quoted}'"
    escaped = quoted.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"E'{escaped}'"
