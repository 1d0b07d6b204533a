"""No text of a query ends in a traceback, or keeps its author waiting: what is too long or too deep is told so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcode_kernel.elements import Parameter, Query
from lowcode_kernel.places import Place
from lowcode_kernel.queries import QueryAnalysis, analyze_query
from lowcode_kernel.query_forms import compile_form
from lowcode_kernel.sql_limits import MOST_CHARACTERS
from lowcode_kernel.types import INTEGER
from tests.cases import model_of

PLACE = Place(cell=1)
APPLICATION = model_of("(shop)").application
WORDS = (
    "SELECT FROM WHERE GROUP BY ORDER BY HAVING LIMIT OFFSET JOIN LEFT JOIN LATERAL ON USING WITH RECURSIVE AS UNION ALL "
    "DISTINCT CASE WHEN THEN ELSE END NOT IN EXISTS BETWEEN AND OR IS NULL LIKE OVER PARTITION FILTER VALUES CAST "
    "INTERVAL EXTRACT ARRAY Order Customer User o c o.id c.id number total placed_at customer name :p :p * ( ) ( ) , , . "
    "; = <> + - / || -> ->> :: text bigint 1 2.5 'a' '' \" count sum max lower now generate_series unnest % ~ [ ] $1 ? @"
).split()
QUERIES = [
    "SELECT o.id, c.name FROM Order o JOIN Customer c ON c.id = o.customer WHERE :p IS NULL OR o.id = :p ORDER BY 1",
    "WITH t AS (SELECT customer, SUM(total) AS s FROM Order GROUP BY customer) SELECT * FROM t WHERE s > :p LIMIT 3",
    "SELECT EXTRACT(MONTH FROM placed_at) AS m, COUNT(*) FILTER (WHERE total > 1) AS n FROM Order GROUP BY 1",
]
DEEP = {
    "brackets": ("SELECT {}1{} AS x", "(", ")"),
    "lists": ("SELECT {}1{} AS x", "ARRAY[", "]"),
    "lists in brackets": ("SELECT {}1{} AS x", "ARRAY[(", ")]"),
    "structs": ("SELECT {}1{} AS x", "STRUCT(", ")"),
    "subqueries": ("SELECT {}1{} AS x", "(SELECT ", " AS y)"),
    "derived tables": ("SELECT x FROM {}(SELECT 1 AS x) AS a{}", "(SELECT x FROM ", ") AS a"),
    "calls": ("SELECT {}1{} AS x", "ABS(", ")"),
    "cases": ("SELECT {}1{} AS x", "CASE WHEN TRUE THEN ", " END"),
    "signs": ("SELECT {}1{} AS x", "- ", ""),
    "nots": ("SELECT id FROM Order WHERE {}TRUE{}", "NOT ", ""),
    "sums": ("SELECT {}1{} AS x", "1 + ", ""),
    "casts": ("SELECT {}1{} AS x", "", "::text"),
    "joins": ("SELECT 1 AS x FROM Order{}{}", " LEFT JOIN Order", ""),
    "joins with ON": ("SELECT 1 AS x FROM Order{}{}", " JOIN Order o ON TRUE", ""),
    "laterals": ("SELECT 1 AS x FROM Order{}{}", " JOIN LATERAL f(1)", ""),
    "unions": ("{}SELECT 1 AS x{}", "SELECT 1 AS x UNION ALL ", ""),
    "ands": ("SELECT id FROM Order WHERE {}TRUE{}", "id = 1 AND ", ""),
    "conditions": ("SELECT id FROM Order WHERE {}TRUE{}", "id = 1 OR id = 2 AND ", ""),
    "names": ("SELECT {}a{} FROM Order", "a.", ""),
    "arrows": ("SELECT 1 AS x WHERE f({}'a'{})", "x -> ", ""),
    "comments": ("SELECT 1 AS x {}{}", "/*", ""),
    "texts": ("SELECT {}{} AS x", "'", ""),
    "semicolons": ("{}{}", ";", ""),
    "open brackets": ("{}{}", "(", ""),
}


def analyzed(sql: str) -> QueryAnalysis:
    """Analyze a query, and make its texts where it has no errors."""
    parameters = (Parameter(name="p", type=INTEGER.maybe(), place=PLACE),)
    query = Query(name="asked", parameters=parameters, sql=sql, sql_place=PLACE, place=PLACE)
    found = analyze_query(query, APPLICATION)
    assert all(problem.fact for problem in found.problems)
    if not any(problem.severity == "error" for problem in found.problems):
        assert found.statement
        assert compile_form(found, "count")
    return found


@pytest.mark.parametrize("times", [3, 30, 1000])
@pytest.mark.parametrize("shape", DEEP)
def test_what_is_deep_is_read_or_refused(shape, times):
    text, before, after = DEEP[shape]
    analyzed(text.format(before * times, after * times))


@pytest.mark.parametrize("shape", DEEP)
def test_what_is_long_is_refused(shape):
    text, before, after = DEEP[shape]
    times = 1_000_000 // len(before + after)
    (problem,) = analyzed(text.format(before * times, after * times)).problems
    assert problem.code == "LK227"


def test_the_longest_query_is_read():
    sql = "SELECT id FROM Order WHERE id IN (" + "1, " * 6000
    sql = sql[: MOST_CHARACTERS - 20].rsplit(",", 1)[0] + ") ORDER BY id"
    assert [problem.code for problem in analyzed(sql).problems] == ["LK401"]


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_are_read_or_refused(words):
    analyzed(" ".join(words))


@given(st.sampled_from(QUERIES), st.integers(0, 200), st.integers(0, 30), st.text(max_size=8) | st.sampled_from(WORDS))
def test_a_query_with_something_cut_out_or_put_in_is_read_or_refused(query, start, length, text):
    analyzed(query[:start] + text + query[start + length :])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    analyzed(text)
