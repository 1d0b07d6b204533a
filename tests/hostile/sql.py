"""Statements that mean harm to the SQL parser, and to what walks its trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.texts import filled, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

SQL: dict[str, Callable[[], str]] = {
    "SQL comments": lambda: filled("-- a\n"),
    "SQL allowances": lambda: filled("-- lowcode: allow LK402 because x\n"),
    "SELECT (": lambda: "SELECT (" * 50_000,
    "FROM (SELECT": lambda: "SELECT * FROM (" * 5000 + "SELECT 1 AS a" + ") b" * 5000,
    "NOT": lambda: "SELECT " + "NOT " * 50_000 + "true AS a",
    "minus": lambda: "SELECT " + "- " * 50_000 + "1 AS a",
    "tilde": lambda: "SELECT " + "~" * 50_000 + "1 AS a",
    "CASE": lambda: "SELECT " + "CASE WHEN true THEN " * 50_000 + "1",
    "casts": lambda: "SELECT 1" + "::text" * 50_000 + " AS a",
    "EXISTS": lambda: "SELECT 1 AS a WHERE " + "EXISTS (SELECT 1 WHERE " * 5_000,
    "UNION": lambda: " UNION ALL ".join(["SELECT 1 AS a"] * 20_000),
    "WITH": lambda: "WITH a AS (" * 10_000,
    "JSON": lambda: "SELECT '{}'" + "->'a'" * 50_000 + " AS a",
    "indexes": lambda: "SELECT a" + "[1]" * 50_000 + " AS a",
    "open name": lambda: 'SELECT "' + filled("a"),
    "open dollar": lambda: "SELECT $a$" + filled("a"),
    "open dollars": lambda: "SELECT " + filled("$"),
    "dollar tags": lambda: "SELECT " + numbered("$a#", 100_000, ""),
    "open comment": lambda: "SELECT 1 /*" + filled("a"),
    "open comments": lambda: "SELECT 1 " + filled("/*"),
    "4,000 digits in SQL": lambda: "SELECT " + "9" * 4000 + " AS a",
    "5,000 digits in SQL": lambda: "SELECT " + "9" * 5000 + " AS a, o.id FROM Order o LIMIT " + "9" * 5000,
    "1e999999 in SQL": lambda: "SELECT 1e999999 AS a, CAST('1e999999' AS numeric) AS b",
    "columns": lambda: "SELECT " + numbered("o.total AS c#", 20_000, ", ") + " FROM Order o",
    "1,600 columns": lambda: "SELECT " + numbered("o.total AS c#", 1_600, ", ") + " FROM Order o",
    "ANDs": lambda: "SELECT o.id FROM Order o WHERE " + " AND ".join(["o.total > 1"] * 20_000),
    "ORs": lambda: "SELECT o.id FROM Order o WHERE " + " OR ".join(["o.total > 1"] * 20_000),
    "bars": lambda: "SELECT " + " || ".join(["o.number"] * 20_000) + " AS n FROM Order o",
    "sums": lambda: "SELECT " + " + ".join(["o.total"] * 20_000) + " AS n FROM Order o",
    "300 ANDs": lambda: "SELECT o.id FROM Order o WHERE " + " AND ".join(["o.total > 1"] * 300),
    "mixed": lambda: "SELECT o.id FROM Order o WHERE " + " OR ".join(["o.total > 1 AND o.total < 3"] * 10_000),
    "IN": lambda: "SELECT o.id FROM Order o WHERE o.id IN (" + numbered("#", 100_000, ", ") + ")",
    "IN 1,000": lambda: "SELECT o.id FROM Order o WHERE o.id IN (" + numbered("#", 1_000, ", ") + ")",
    "VALUES": lambda: "SELECT v.a FROM (VALUES " + numbered("(#)", 50_000, ", ") + ") v(a)",
    "CTEs": lambda: "WITH a0 AS (SELECT o.id FROM Order o)"
    + "".join(f", a{n} AS (SELECT x.id FROM a{n - 1} x JOIN a{n - 1} y ON y.id = x.id)" for n in range(1, 200))
    + " SELECT id FROM a199",
    "CTEs of stars": lambda: "WITH a0 AS (SELECT * FROM Order o)"
    + "".join(f", a{n} AS (SELECT x.*, y.* FROM a{n - 1} x JOIN a{n - 1} y ON y.id = x.id)" for n in range(1, 200))
    + " SELECT id FROM a199",
    "CTEs of columns": lambda: "WITH a0 AS (SELECT o.id AS c0, o.id AS d0 FROM Order o)"
    + "".join(f", a{n} AS (SELECT x.c{n-1} + y.d{n-1} AS c{n}, x.d{n-1} * 2 AS d{n} FROM a{n-1} x CROSS JOIN a{n-1} y)" for n in range(1, 200))
    + " SELECT c199 FROM a199",
    "doubled stars": lambda: "SELECT " + "o.*, " * 3000 + "1 AS a FROM Order o",
    "subqueries": lambda: "SELECT o.id FROM Order o WHERE " + " AND ".join(["EXISTS (SELECT 1 FROM Order p WHERE p.id = o.id)"] * 2000),
    "nested subqueries": lambda: "SELECT o.id FROM Order o WHERE " + "o.id IN (SELECT o.id FROM Order o WHERE " * 60 + "true" + ")" * 60,
    "joins": lambda: "SELECT o0.id FROM Order o0 " + " ".join(f"JOIN Order o{n} ON o{n}.id = o{n-1}.previous" for n in range(1, 300)),
    "3,000 joins": lambda: "SELECT o0.id FROM Order o0 " + " ".join(f"JOIN Order o{n} ON o{n}.id = o{n-1}.previous" for n in range(1, 3000)),
    "commas": lambda: "SELECT o0.id FROM " + numbered("Order o#", 3000, ", "),
    "windows": lambda: "SELECT " + numbered("row_number() OVER (ORDER BY o.id) AS a#", 1000, ", ") + " FROM Order o",
    "functions": lambda: "SELECT " + "coalesce(" * 5000 + "1" + ")" * 5000 + " AS a",
    "80 functions": lambda: "SELECT " + "coalesce(" * 80 + "1" + ")" * 80 + " AS a",
    "parentheses in SQL": lambda: "SELECT " + "(" * 300 + "1" + ")" * 300 + " AS a",
    "statements": lambda: "SELECT 1 AS a;" * 20_000,
    "parameters in SQL": lambda: "SELECT " + numbered(":p# AS a#", 5000, ", "),
    "dots": lambda: "SELECT " + filled("a.", 50_000) + "b",
    "colons": lambda: "SELECT " + filled(":", 50_000),
    "strange SQL": lambda: "SELECT U&'\\0041' AS a, E'\\x00' AS b, B'101' AS c, X'1FF' AS d, $$a$$ AS e, N'a' AS f",
    "jinja": lambda: "SELECT {{ a }} AS a, {% if x %} 1 {% endif %}",
    "GROUP BY": lambda: "SELECT count(*) AS n FROM Order o GROUP BY " + ", ".join(["o.id"] * 5000),
    "GROUPING SETS": lambda: "SELECT count(*) AS n FROM Order o GROUP BY CUBE (" + ", ".join(["o.id"] * 1000) + ")",
    "ORDER BY": lambda: "SELECT o.id FROM Order o ORDER BY " + ", ".join(["1"] * 10_000),
    "recursive": lambda: "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT n FROM a",
    "lambda in SQL": lambda: "SELECT f(" + "a -> " * 1000 + "1) AS a",
    "lambdas in SQL": lambda: "SELECT " + ", ".join(f"f(a -> 'b') AS a{n}" for n in range(2000)),
    "brackets in SQL": lambda: "SELECT ARRAY" + "[" * 100_000,
    "structs in SQL": lambda: "SELECT " + "{" * 10_000,
    "types in SQL": lambda: "SELECT CAST(1 AS " + "ARRAY<" * 10_000,
    "intervals": lambda: "SELECT " + "INTERVAL " * 10_000 + "'1 day'",
    "BETWEEN": lambda: "SELECT 1 BETWEEN " * 5000 + "2",
    "IS": lambda: "SELECT 1" + " IS NULL" * 20_000 + " AS a",
    "COLLATE": lambda: "SELECT 'a'" + ' COLLATE "C"' * 10_000 + " AS a",
    "AT TIME ZONE": lambda: "SELECT now()" + " AT TIME ZONE 'UTC'" * 10_000 + " AS a",
    "LIKE": lambda: "SELECT 'a'" + " LIKE 'a'" * 10_000 + " AS a",
    "hints": lambda: "SELECT /*+ " + filled("a ", 50_000) + "*/ 1 AS a",
    "dashed comments": lambda: "-- " + filled("a-", 19_000) + "\n-- ://",
}  # fmt: skip
