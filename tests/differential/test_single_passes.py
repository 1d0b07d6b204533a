"""Each pass alone, on the cases of its own: the same answers, rows, errors and events, and never a statement more."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import asyncpg
import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.generators.passes.propose_indexes import propose_indexes
from lowcode_kernel.generators.passes.push_filters import push_filters
from tests.cases import Case, cases, model_of
from tests.differential.golden import sample_of
from tests.differential.requests import Request
from tests.differential.twins import Twin, difference, observed
from tests.test_passes_on_bodies import pass_of

if TYPE_CHECKING:
    from pathlib import Path

    from lowcode_kernel.application import Application

SAVING = {"merge_equal_reads", "batch_reads_in_loops", "hoist_invariants", "read_together"}
ROWS = 100_000


@pytest.mark.parametrize("case", cases("rewriting"), ids=lambda case: case.path.stem)
def test_a_pass_alone_changes_nothing_that_is_seen(url_of_differential: str, case: Case, tmp_path: Path) -> None:
    run, app = pass_of(case), case.model.application
    made = sample_of(app, random.Random(3))
    made = replace(made, requests=(*made.requests, *(replace(request, user="all") for request in made.requests)))
    plain, tuned = asyncio.run(observed(app, lambda each: run(each)[0], made, tmp_path, url_of_differential))
    assert not difference(plain, tuned, made.requests)
    assert tuned.cost.statements <= plain.cost.statements
    assert tuned.cost.rows <= plain.cost.rows
    if run.__name__ in SAVING and run(app)[0] is not app:
        assert tuned.cost.statements < plain.cost.statements


def test_a_request_brings_nothing_that_the_database_refuses(url_of_differential: str, tmp_path: Path) -> None:
    """Else a comparison that Python makes and one that the database makes would differ."""
    body = '%%action such(text: Text, number: Integer, sum: Decimal) -> Integer --role Sales --rest "POST /api/such"'
    action = f"{body}\nreturn len([o for o in Order.list() if o.number == text and o.total == sum and o.id == number])"
    app = model_of("(shop)", action).application
    good: dict[str, object] = {"text": "a", "number": 2**63 - 1, "sum": "3.5"}
    bad: list[dict[str, object]] = [{"text": "a\0"}, {"number": 2**63}, {"number": -(2**63) - 1}, {"sum": "NaN"}]
    asked = tuple(Request("all", "POST", "/api/such", arguments=good | wrong) for wrong in ({}, *bad))
    made = replace(sample_of(app, random.Random(1)), requests=asked)
    plain, tuned = asyncio.run(observed(app, lambda each: push_filters(each)[0], made, tmp_path, url_of_differential))
    assert not difference(plain, tuned, asked)
    assert [answer.status for answer in tuned.answers] == [200, 422, 422, 422, 422]
    assert tuned.answers[1].body["fields"] == {"text": "the character NUL is no text"}


LINES = """\
%%entity Line
order: Integer
sku: Text(20)
state: Choice("new", "old", "sent", "gone") = "new"
weight: Decimal(8, 2)
on: Date"""
ASKED = {
    "of_order": ("(order: Integer, since: Date)", "l.order = :order AND l.on > :since"),
    "such": ("(sku: Text | None = None)", "(:sku IS NULL OR l.sku = :sku)"),
    "in_state": ("(weight: Decimal)", "l.state = 'sent' AND l.weight = :weight"),
}
VALUES = {"order": 7, "since": date(2013, 3, 1), "weight": Decimal("3.50"), "sku": "s77"}


def test_the_database_uses_the_indexes(url_of_differential: str, tmp_path: Path) -> None:
    queries = [
        f"%%query {name}{header}\nSELECT l.id, l.weight FROM Line l WHERE {condition}"
        for name, (header, condition) in ASKED.items()
    ]
    newest = "%%query newest()\nSELECT l.id FROM Line l ORDER BY l.on DESC LIMIT 10"
    shown = "\n".join(f"table({name}.top(3, {_given(header)}))" for name, (header, _) in ASKED.items())
    screen = f'%%screen home "/" (order: Integer, since: Date, weight: Decimal) --role Sales\n{shown}\ntable(newest())'
    app, _ = propose_indexes(model_of("(shop)", LINES, *queries, newest, screen).application)
    plans = asyncio.run(_plans(app, url_of_differential, tmp_path))
    for name, text in plans.items():
        assert "Index" in text, f"{name}\n{text}"
        assert "Seq Scan" not in text, f"{name}\n{text}"


def _given(header: str) -> str:
    names = [part.partition(":")[0] for part in header.strip("()").split(", ")]
    return ", ".join('sku="a"' if name == "sku" else f"{name}={name}" for name in names)


async def _plans(app: Application, url: str, folder: Path) -> dict[str, str]:
    """Return what PostgreSQL plans for each query's last text, over many rows."""
    twin = Twin(app, folder, url)
    connection = await asyncpg.connect(url)
    try:
        await twin.prepare(connection, sample_of(app, random.Random(1)))
        await connection.execute(f'SET search_path = "{twin.bundle.schema.views}", "{app.name}"')
        await connection.execute(
            'INSERT INTO line ("order", sku, state, weight, "on") SELECT n % 5000, \'s\' || n % 5000,'
            " (ARRAY['new', 'old', 'sent', 'gone'])[1 + n % 4], n % 5000 + 0.5, DATE '2013-01-01' + n % 3000"
            f" FROM generate_series(1, {ROWS}) n"
        )
        await connection.execute("ANALYZE")
        found = {}
        for name, analysis in analyze(app).queries.items():
            given = [VALUES[parameter] for parameter in analysis.parameters]
            rows = await connection.fetch(f"EXPLAIN {analysis.variants[-1].statement}", *given)
            found[name] = "\n".join(row[0] for row in rows)
        return found
    finally:
        for schema in (app.name, twin.bundle.schema.views):
            await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        await connection.close()
