"""What a query is said to give is what PostgreSQL gives: type by type, and NULL only where it is said."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from lowcode_kernel.evolution import evolve
from lowcode_kernel.keys import column_type
from lowcode_kernel.queries import analyze_query
from lowcode_kernel.relational import schema_of
from tests.cases import model_of

ENTITIES = (
    """%app shop --title "Web shop\"""",
    """%%entity Place
key(code)
code: Text(3)
title: Text(20) = unique()""",
    """%%entity Sample
place: Place
other: Place | None
whole: Integer
few: Integer | None
exact: Decimal(8, 2)
loose: Decimal | None
label: Text(20)
note: Text | None
sort: Choice("a", "b") = "a"
flag: Boolean = True
maybe: Boolean | None
day: Date
due: Date | None
at: DateTime
until: DateTime | None
hour: Time
token: Uuid | None
extra: Json | None
mixedCase: Integer = 1""",
)
ROWS = """
INSERT INTO place (code, title) VALUES ('AAA', 'First'), ('BBB', 'Second');
INSERT INTO sample (place, other, whole, few, exact, loose, label, note, sort, flag, maybe, day, due, at, until, hour,
                    token, extra)
VALUES ('AAA', 'BBB', 7, 3, 2.50, 1.25, 'one two', 'x', 'a', true, true, '2026-01-31', '2026-02-28',
        '2026-01-31 10:00+00', '2026-02-01 12:30+00', '10:30', gen_random_uuid(), '{"a": {"b": [1, 2]}, "c": "d"}'),
       ('BBB', NULL, 2, NULL, 3.00, NULL, 'three', NULL, 'b', false, NULL, '2026-03-01', NULL,
        '2026-03-01 00:00+00', NULL, '00:00', NULL, NULL);
"""
EXPRESSIONS = """
whole + 1, whole - few, whole * 2, -whole, whole % 2, CAST(whole / 2 AS bigint), whole / 2.0, exact * 2, exact / whole
exact + whole, loose - exact, ABS(whole), ABS(loose), ROUND(exact), ROUND(whole), ROUND(exact, 1), FLOOR(exact)
CEIL(whole), CEILING(loose), TRUNC(exact, 1), SIGN(few), SQRT(whole), SQRT(exact), POWER(whole, 2), EXP(few), LN(exact)
LOG(exact), LOG10(exact), MOD(whole, 2), DIV(whole, 2), GCD(whole, few), PI(), DEGREES(whole), ATAN2(whole, 2)
GREATEST(whole, few), LEAST(exact, whole), COALESCE(few, 0), COALESCE(few, whole), COALESCE(few, loose), NULLIF(whole, 7)
label || 'x', label || note, LOWER(label), UPPER(note), INITCAP(label), LENGTH(label), CHAR_LENGTH(note), REVERSE(label)
SUBSTRING(label, 1, 2), SUBSTRING(label FROM 2), SUBSTR(note, 1), LEFT(label, whole), RIGHT(label, 2), REPEAT(label, few)
LPAD(label, 9, '.'), RPAD(label, whole), TRIM(label), LTRIM(label), BTRIM(label, 'o'), REPLACE(label, 'o', note)
SPLIT_PART(label, ' ', 1), POSITION('o' IN label), STRPOS(label, 'o'), CONCAT(label, note, whole), MD5(label), ASCII(label)
CONCAT_WS('-', label, note), FORMAT('%s', label), TRANSLATE(label, 'o', '0'), OVERLAY(label PLACING 'x' FROM 1), CHR(65)
REGEXP_REPLACE(label, 'o', 'x'), REGEXP_COUNT(label, 'o'), REGEXP_SUBSTR(label, 'o'), STARTS_WITH(label, 'o')
STRING_TO_ARRAY(label, ' '), ARRAY_TO_STRING(STRING_TO_ARRAY(label, ' '), '-'), TO_CHAR(at, 'YYYY'), TO_CHAR(exact, '9.9')
TO_NUMBER('12', '99'), TO_DATE('2026', 'YYYY'), TO_TIMESTAMP('2026', 'YYYY'), TO_TIMESTAMP(whole), label LIKE 'o%', note ILIKE '%x'
label ~ 'o', whole BETWEEN 1 AND few, whole IN (1, 2), flag AND maybe, NOT flag, note IS NULL, few = 3, few IS DISTINCT FROM 3
whole > 1, maybe OR flag, place = 'AAA', place = other, EXISTS (SELECT 1 FROM Place p WHERE p.code = s.other)
day + 1, day - 1, day - due, due - 3, at + INTERVAL '1 day', until - INTERVAL '1 hour', day + INTERVAL '1 month', day + hour
EXTRACT(EPOCH FROM until - at), EXTRACT(YEAR FROM day), EXTRACT(month FROM due), EXTRACT(SECOND FROM at), DATE_PART('hour', at)
EXTRACT(MONTH FROM day) + 1, EXTRACT(MONTH FROM day) / 2, DATE_TRUNC('month', at), DATE_TRUNC('month', day), DATE_TRUNC('day', until)
NOW(), CURRENT_DATE, CURRENT_TIMESTAMP, LOCALTIMESTAMP, LOCALTIME, MAKE_DATE(2026, 1, 1), AT TIME ZONE, CAST(at AS date)
CAST(at AS time), CAST(whole AS text), CAST(label || '' AS varchar), CAST('7' AS int), exact::bigint, whole::numeric, day::timestamptz
whole::float8, at::timestamp, CAST(NULL AS date), CAST(few AS numeric(4, 1)), label::varchar(3), ISFINITE(day)
DATE_BIN('1 hour', at, TIMESTAMPTZ '2026-01-01'), MAKE_TIMESTAMP(2026, 1, 1, 1, 1, 1), JUSTIFY_DAYS
CASE WHEN flag THEN whole ELSE 0 END, CASE WHEN flag THEN whole END, CASE sort WHEN 'a' THEN 'A' ELSE label END
CASE WHEN flag THEN whole ELSE exact END, CASE WHEN flag THEN NULL ELSE day END, CASE WHEN flag THEN day ELSE at END
extra -> 'a', extra ->> 'c', extra -> 'a' -> 'b' -> 0, extra #>> '{a,b}', extra ? 'a', extra @> '{"c": "d"}', JSONB_TYPEOF(extra)
JSONB_ARRAY_LENGTH(extra -> 'a' -> 'b'), TO_JSONB(label), JSONB_BUILD_OBJECT('x', whole), JSON_BUILD_OBJECT('x', 1), TO_JSON(few)
ARRAY[1, 2], ARRAY[label, note], CARDINALITY(ARRAY[1, 2]), ARRAY_LENGTH(ARRAY[1], 1), (ARRAY[whole, few])[1], ARRAY(SELECT p.code FROM Place p)
GEN_RANDOM_UUID(), token, extra, sort, place, other, "mixedCase", mixedCase + 1, NUM_NULLS(few, note), RANDOM() > 2
(SELECT MAX(p.title) FROM Place p), (SELECT COUNT(*) FROM Place p WHERE p.code = s.place), ARRAY_APPEND(ARRAY[1], 2), ARRAY_POSITION(ARRAY[1], 1)
ROW_NUMBER() OVER (ORDER BY whole), RANK() OVER (ORDER BY few), DENSE_RANK() OVER (ORDER BY few), NTILE(2) OVER (ORDER BY whole)
PERCENT_RANK() OVER (ORDER BY whole), CUME_DIST() OVER (ORDER BY whole), LAG(whole) OVER (ORDER BY whole), LEAD(label, 1) OVER (ORDER BY whole)
FIRST_VALUE(whole) OVER (ORDER BY whole), NTH_VALUE(day, 2) OVER (ORDER BY whole), SUM(whole) OVER (ORDER BY whole), COUNT(*) OVER ()
AVG(exact) OVER (PARTITION BY flag ORDER BY whole ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), COUNT(few) FILTER (WHERE flag) OVER ()
"""
AGGREGATES = """
COUNT(*), COUNT(few), COUNT(DISTINCT few), SUM(whole), SUM(few), SUM(exact), SUM(whole) / 2, SUM(SQRT(whole)), AVG(whole), AVG(exact)
AVG(SQRT(whole)), MIN(label), MAX(day), MIN(at), MAX(exact), BOOL_AND(flag), BOOL_OR(maybe), EVERY(flag), STRING_AGG(label, ',')
STRING_AGG(label, ',' ORDER BY label DESC), ARRAY_AGG(whole), ARRAY_AGG(label ORDER BY whole), ARRAY_AGG(DISTINCT sort), JSONB_AGG(label)
JSON_AGG(label), JSONB_OBJECT_AGG(label, whole), STDDEV(whole), STDDEV_POP(exact), VARIANCE(whole), VAR_POP(exact), CORR(whole, exact)
PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY whole), PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY day), MODE() WITHIN GROUP (ORDER BY sort)
COUNT(*) FILTER (WHERE flag), SUM(exact) FILTER (WHERE maybe), COALESCE(SUM(few), 0), MAX(whole) - MIN(whole), BIT_OR(whole), ANY_VALUE(label)
ROUND(AVG(whole), 2), CAST(AVG(few) AS bigint), MAX(until - at) > INTERVAL '1 day', EXTRACT(EPOCH FROM SUM(until - at)), REGR_COUNT(whole, exact)
"""
QUERIES = {
    "group by with the key's dependents": "SELECT s.id, s.label, p.title, COUNT(*) AS n FROM Sample s JOIN Place p ON p.code = s.place GROUP BY s.id, p.code",
    "group by a number and a name": "SELECT place, EXTRACT(MONTH FROM day) AS month, COUNT(*) AS n FROM Sample GROUP BY 1, month ORDER BY n, month",
    "rollup": "SELECT place, flag, GROUPING(place) AS g, SUM(whole) AS total FROM Sample GROUP BY ROLLUP (place, flag)",
    "grouping sets": "SELECT place, COUNT(*) AS n FROM Sample GROUP BY GROUPING SETS ((place), ())",
    "having": "SELECT place, SUM(whole) AS total FROM Sample GROUP BY place HAVING SUM(whole) > 1 ORDER BY total",
    "with": "WITH big AS (SELECT id, whole FROM Sample WHERE whole > 1), sums(total) AS (SELECT SUM(whole) FROM big) SELECT b.id, s.total / 2.0 AS half FROM big b CROSS JOIN sums s",
    "recursive": "WITH RECURSIVE t(n, path) AS (SELECT 1, CAST('x' AS text) UNION ALL SELECT n + 1, path || 'x' FROM t WHERE n < 5) SELECT n, path FROM t",
    "recursive over an entity": "WITH RECURSIVE chain AS (SELECT s.id, s.few FROM Sample s WHERE s.few IS NULL UNION SELECT s.id, s.few FROM Sample s JOIN chain c ON c.id <> s.id) SELECT id, few FROM chain",
    "distinct on": "SELECT DISTINCT ON (place) place, whole FROM Sample ORDER BY place, whole DESC",
    "distinct": "SELECT DISTINCT EXTRACT(MONTH FROM day) AS month FROM Sample ORDER BY month",
    "values": "SELECT v.n, v.word FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, word)",
    "values in with": "WITH v(n) AS (VALUES (1), (2.5)) SELECT n FROM v",
    "lateral": "SELECT p.code, x.label FROM Place p LEFT JOIN LATERAL (SELECT s.label FROM Sample s WHERE s.place = p.code ORDER BY s.whole LIMIT 1) AS x ON TRUE",
    "unnest": "SELECT s.id, w FROM Sample s CROSS JOIN UNNEST(STRING_TO_ARRAY(s.label, ' ')) AS w",
    "unnest with ordinality": "SELECT s.id, u.w, u.n FROM Sample s CROSS JOIN UNNEST(STRING_TO_ARRAY(s.label, ' ')) WITH ORDINALITY AS u(w, n)",
    "generate_series": "SELECT n FROM generate_series(1, 3) AS n",
    "days": "SELECT d.day, CAST(d.day AS date) AS plain FROM generate_series(CAST('2026-01-01' AS date), CAST('2026-01-03' AS date), INTERVAL '1 day') AS d(day)",
    "union": "SELECT whole AS n, label FROM Sample UNION SELECT exact, note FROM Sample ORDER BY n",
    "except": "SELECT place FROM Sample EXCEPT SELECT code FROM Place",
    "intersect": "(SELECT place FROM Sample ORDER BY whole LIMIT 1) INTERSECT ALL SELECT other FROM Sample",
    "using": "SELECT whole, x.title FROM Sample JOIN (SELECT id, label AS title FROM Sample) AS x USING (id) WHERE id > 0",
    "full join": "SELECT p.code, s.whole FROM Place p FULL JOIN Sample s ON s.place = p.code",
    "right join": "SELECT p.code, s.whole FROM Place p RIGHT JOIN Sample s ON s.other = p.code",
    "nested joins": "SELECT p.code, s.whole, q.title FROM Place p LEFT JOIN (Sample s JOIN Place q ON q.code = s.other) ON s.place = p.code",
    "window by name": "SELECT id, SUM(whole) OVER w AS running, COUNT(*) OVER w AS n FROM Sample WINDOW w AS (PARTITION BY flag ORDER BY whole)",
    "windows of groups": "SELECT place, SUM(SUM(whole)) OVER (ORDER BY place) AS running FROM Sample GROUP BY place",
    "star of a join": "WITH both AS (SELECT s.*, p.title FROM Sample s JOIN Place p ON p.code = s.place) SELECT * FROM both",
    "star twice": "SELECT p.*, x.* FROM Place p JOIN (SELECT label, place FROM Sample) AS x ON x.place = p.code",
    "in a query": "SELECT id FROM Sample WHERE place IN (SELECT code FROM Place WHERE title LIKE 'F%') AND (place, flag) IN (SELECT place, flag FROM Sample)",
    "any of a list": "SELECT id FROM Sample WHERE place = ANY(ARRAY['AAA']) AND whole = ANY(SELECT whole FROM Sample)",
    "jsonb rows": "SELECT k FROM Sample s CROSS JOIN LATERAL JSONB_OBJECT_KEYS(s.extra) AS k",
    "fetch first": "SELECT id FROM Sample ORDER BY id FETCH FIRST 1 ROWS ONLY",
    "nulls last": "SELECT few FROM Sample ORDER BY few DESC NULLS LAST",
    "a text of two lines": "SELECT 'one\n  two' AS text",
}


def _split(text: str) -> list[str]:
    """Split at commas that stand in no bracket."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in ",\n" and text.count("'", start, at) % 2 == 0:
            found.append(text[start:at].strip())
            start = at + 1
    return [item for item in found if item and item not in {"AT TIME ZONE", "JUSTIFY_DAYS"}]


CASES = {
    **{expression: f"SELECT {expression} AS x FROM Sample s" for expression in _split(EXPRESSIONS)},
    **{expression: f"SELECT {expression} AS x FROM Sample" for expression in _split(AGGREGATES)},
    "at time zone": "SELECT at AT TIME ZONE 'Europe/Berlin' AS x, day::timestamp AT TIME ZONE 'UTC' AS y FROM Sample",
    "a span of time": "SELECT EXTRACT(EPOCH FROM JUSTIFY_DAYS(until - at)) AS x, AGE(at) > INTERVAL '1 day' AS y FROM Sample",
    **QUERIES,
}
_SAME = {"bpchar": "text", "varchar": "text", "int4": "bigint", "int8": "bigint", "bool": "boolean", "int2": "bigint"}


@pytest.fixture(scope="module")
def url(module_database):
    model = model_of(*ENTITIES)
    assert [str(problem) for problem in model.problems] == []
    schema, changes, _ = evolve(None, schema_of(model.application))
    module_database.run(*(change.sql for change in changes))
    module_database.run(f"SET search_path = {schema.views}, shop;{ROWS}")
    module_database.run(f"ALTER DATABASE {module_database.name} SET search_path = {schema.views}, shop")
    module_database.run(f"ALTER DATABASE {module_database.name} SET timezone = 'UTC'")
    return module_database.url


async def _ask(url: str, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        prepared = await connection.prepare(statement)
        names = [_name(attribute.type) for attribute in prepared.get_attributes()]
        return names, [tuple(row) for row in await prepared.fetch()]
    finally:
        await connection.close()


def _name(type_: Any) -> str:
    name = type_.name.removesuffix("[]").removeprefix("_")
    name = _SAME.get(name, name)
    return f"{name}[]" if type_.kind == "array" else name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[:60])
def test_a_query_gives_what_it_is_said_to(url, case):
    sql = CASES[case]
    app = model_of(*ENTITIES, f"%%query asked()\n{sql}").application
    analysis = analyze_query(app.queries["asked"], app)
    assert [str(problem) for problem in analysis.problems if problem.severity == "error"] == []
    types, rows = asyncio.run(_ask(url, analysis.statement))
    said = [column_type(column.type, app) for column in analysis.columns]
    assert dict(zip(analysis.row, types, strict=True)) == dict(zip(analysis.row, said, strict=True)), analysis.statement
    for column, values in zip(analysis.columns, zip(*rows, strict=True), strict=False):
        assert column.type.optional or None not in values, f"{column.name} may be NULL"
