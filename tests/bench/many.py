"""A model of any number of entities, written as people write: whole rows where a count would do, a lookup for each row
of a loop, the same query for a number and for a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.differential.requests import Request, Sample, SampleUser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 60

HEAD = """%app many --title "Many"
%role Clerk"""
ENTITY = """%%entity Part{number}
name: Text(40)
code: Text(20)
amount: Integer
price: Decimal(10, 2)
active: Boolean
memo: Text(200) | None
grade: Choice("a", "b", "c")
made_on: Date
{reference}
access(read=Clerk, write=Clerk, delete=Clerk)"""
QUERY = """%%query parts{number}({parameter})
SELECT p.id, p.name, p.code, p.amount, p.price, p.active, p.memo, p.grade, p.made_on{column}
FROM Part{number} p
{condition}ORDER BY p.name, p.id"""
ACTION = """%%action review{number}(parent: Part{before}) -> Json --role Clerk --rest "POST /api/review{number}"
parts = parts{number}(parent=parent)
require(len(parts) > 0, "there is nothing to review")
total = 0
for part in parts:
    if part.active:
        total = total + part.amount
names = []
for part in [one for one in parts{number}(parent=parent) if one.grade == "a"]:
    above = Part{before}.get(part.parent)
    names.append(f"{{above.name}}: {{part.name}}")
return {{"total": total, "names": names}}"""
SCREEN = """%%screen board{number} "/board{number}/{{parent}}" (parent: Part{before}) --role Clerk
title(parent.name)
metric("Parts", len(parts{number}(parent=parent)))
metric("Active", len([part for part in parts{number}(parent=parent) if part.active]))
if parts{number}(parent=parent):
    text("There is something to do.")
table(parts{number}(parent=parent), columns=[name, amount])"""


def cells(entities: int) -> Iterator[str]:
    """Give the cells of a model with this many entities, each but the first below the one before."""
    yield HEAD
    for number in range(entities):
        first = number == 0
        yield ENTITY.format(number=number, reference="" if first else f"parent: Part{number - 1}")
        parameter, condition = ("", "") if first else (f"parent: Part{number - 1}", "WHERE p.parent = :parent\n")
        yield QUERY.format(
            number=number, parameter=parameter, column="" if first else ", p.parent", condition=condition
        )
        if not first:
            yield ACTION.format(number=number, before=number - 1)
            yield SCREEN.format(number=number, before=number - 1)


def sample(entities: int, asked: int) -> Sample:
    """Return the model with rows, and requests to some of its screens and actions."""
    given = "'name ' || n, 'c' || n, n % 7, n / 2.0, n % 3 = 0, repeat('memo ', 20), chr(97 + n % 3), '2026-01-01'::date + n"
    names = "name, code, amount, price, active, memo, grade, made_on"
    rows = []
    for number in range(entities):
        parent, value = ("", "") if number == 0 else (", parent", ", 1 + n % 2")
        rows.append(
            f"INSERT INTO part{number} ({names}{parent}) SELECT {given}{value} FROM generate_series(1, {ROWS}) n"
        )
    requests = []
    for number in range(1, entities, max(1, entities // asked)):
        requests.append(Request("ana", "GET", f"/api/screens/board{number}", {"parent": "1"}))
        requests.append(Request("ana", "POST", f"/api/review{number}", arguments={"parent": 2}))
    return Sample(tuple(cells(entities)), tuple(rows), tuple(requests), (SampleUser("ana", ("Clerk",)),))
