"""Applications that a pass could get wrong, written by hand: as written and optimized, they do the same.

A file of tricky/ has cells (`---` between them), rows as SQL, requests, and findings that have to be among those of the
optimizer, each part behind a line of `=`:

    ana POST /api/go {"number": 1}          the user, the method, the path, and arguments as JSON
    kept push_filters: complete             a finding of this rule that says this, of what was not done (or `did`)

A first cell `(tickets)` stands for the cells and the rows of the file of that name; further rows come behind.

A line `kept` names the guard that the case is about: without it, the requests show the difference.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.checks import check, errors
from lowcode_kernel.generators.passes import optimize
from tests.cases import model_of
from tests.differential.requests import Request, Sample, SampleUser
from tests.differential.twins import difference, observed

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.problems import Problem

FOLDER = Path(__file__).parent / "tricky"
COMMON = "(tickets)"
USERS = (SampleUser("ana", ("Sales",)), SampleUser("max", ("Manager",)), SampleUser("joe", ()))


def read_tricky(path: Path) -> tuple[Model, Sample, list[str]]:
    """Return the model of a file, its rows and requests, and the findings that it asks for."""
    text = path.read_text("utf-8")
    cells, rows, requests, *told = [part.strip("\n") for part in re.split(r"^=====$", text, flags=re.MULTILINE)]
    if cells.startswith(COMMON):
        common, filled, *_ = (FOLDER / "tickets").read_text("utf-8").split("\n=====\n")
        cells, rows = common + cells.removeprefix(COMMON), filled + rows
    model = model_of(*cells.split("\n---\n"))
    sample = Sample((), tuple(rows.splitlines()), tuple(map(_request, requests.splitlines())), USERS)
    return model, sample, [line for part in told for line in part.splitlines()]


def errors_of(app: Application) -> list[Problem]:
    """Return what is wrong with the bodies and the statements of an application."""
    found = analyze(app)
    every = [problem for each in (*found.bodies.values(), *found.queries.values()) for problem in each.problems]
    return [problem for problem in every if problem.severity == "error"]


def _request(line: str) -> Request:
    user, method, path, *rest = line.split(" ", 3)
    given = json.loads(rest[0]) if rest else {}
    return Request(user, method, path, given) if method == "GET" else Request(user, method, path, arguments=given)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_a_tricky_application_does_what_it_did(url_of_differential: str, path: Path, tmp_path: Path) -> None:
    model, sample, wanted = read_tricky(path)
    assert not errors(check(model))
    once = optimize(model.application)
    found = [f"{'did' if each.acted else 'kept'} {each.rule}: {each.what}: {each.why}" for each in once.findings]
    for line in wanted:
        start, _, text = line.partition(": ")
        assert any(each.startswith(f"{start}: ") and text in each for each in found), (line, found)
    assert not errors_of(once.application)
    assert optimize(once.application).application is once.application
    assert optimize(model.application).application == once.application
    plain, tuned = asyncio.run(
        observed(model.application, lambda _: once.application, sample, tmp_path, url_of_differential)
    )
    assert not difference(plain, tuned, sample.requests)


def test_structs_are_made_and_a_get_is_given_its_arguments_in_the_address(
    url_of_differential: str, tmp_path: Path
) -> None:
    model, sample, _ = read_tricky(FOLDER / "structs_and_addresses.txt")
    app = model.application
    plain, _ = asyncio.run(observed(app, lambda _: app, sample, tmp_path, url_of_differential))
    bills = [answer for request, answer in zip(sample.requests, plain.answers, strict=True) if "bills" in request.path]
    assert [answer.status for answer in bills] == [200, 200, 422, 422, 404, 500, 422, 200, 200, 403]
    first, cut = bills[0].body, bills[1].body
    assert (first["shop"], first["total"], [line["name"] for line in first["lines"]]) == (1, "15", ["x", "y", "x"])
    assert [line["name"] for line in cut["lines"]] == ["y", "x", "all"]
    assert cut["lines"][2] == {"ticket": 2, "name": "all", "amount": "2", "note": None}
    assert bills[2].body["fields"] == {"lest": "not known here"}
