"""Each pass that rewrites bodies, alone, before and after: the texts are in cases/rewriting, named pass-what.txt."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.checks import check, errors
from lowcode_kernel.generators.passes.rewriting import origin_place
from lowcode_kernel.language.bodies import parse_body
from tests.cases import Case, cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Element
    from lowcode_kernel.findings import Finding


def pass_of(case: Case) -> Callable[[Application], tuple[Application, tuple[Finding, ...]]]:
    """Return the pass that a case's file is named after."""
    name = case.path.stem.partition("-")[0]
    run: Callable[[Application], tuple[Application, tuple[Finding, ...]]] = getattr(
        import_module(f"lowcode_kernel.generators.passes.{name}"), name
    )
    return run


def shown(element: Element) -> str:
    """Return a changed element as its text."""
    parameters = ", ".join(f"{item.name}: {item.type}" for item in getattr(element, "parameters", ()))
    text = getattr(element, "sql", None) or getattr(element, "body", None)
    if text is None:
        return (
            f"{element.id}: {' '.join('index(' + ', '.join(names) + ')' for names in getattr(element, 'indexes', ()))}"
        )
    return f"{element.id}({parameters})\n{text}"


@pytest.mark.parametrize("case", cases("rewriting"), ids=lambda case: case.path.stem)
def test_a_pass_changes_bodies_as_told(case: Case) -> None:
    assert not errors(check(case.model))
    app = case.model.application
    after, findings = pass_of(case)(app)
    told = [f"{'did' if finding.acted else 'kept'} {finding}" for finding in findings]
    changed = [shown(element) for element in after.elements if app.by_id.get(element.id) != element]
    case.check("\n".join([*told, *changed]))


@pytest.mark.parametrize("case", cases("rewriting"), ids=lambda case: case.path.stem)
def test_what_a_pass_makes_is_the_language_and_stays(case: Case) -> None:
    run, app = pass_of(case), case.model.application
    once, findings = run(app)
    assert (once is app) == (not any(finding.acted for finding in findings))
    for owner, analysis in {**analyze(once).bodies, **analyze(once).queries}.items():
        assert not [problem for problem in analysis.problems if problem.severity == "error"], owner
    twice, again = run(once)
    assert twice is once
    assert not [finding for finding in again if finding.acted]


@pytest.mark.parametrize("case", cases("rewriting"), ids=lambda case: case.path.stem)
def test_every_line_leads_to_a_line_of_its_cell(case: Case) -> None:
    app = case.model.application
    after, _ = pass_of(case)(app)
    for element in (*after.actions.values(), *after.screens.values(), *after.jobs.values()):
        before = app.by_id[element.id]
        if element == before:
            continue
        last = before.body_place.shifted(before.body.count("\n")).line  # type: ignore[attr-defined]
        for statement in parse_body(element.body, element.body_place).body:
            place = origin_place(element, statement)
            assert element.body_place.line <= place.line <= last


@pytest.mark.parametrize("case", cases("rewriting"), ids=lambda case: case.path.stem)
def test_a_screen_keeps_its_components(case: Case) -> None:
    app = case.model.application
    after, _ = pass_of(case)(app)
    for name, screen in analyze(after).screens.items():
        before = analyze(app).screens[name]
        assert [(item.id, item.kind) for item in screen.components()] == [
            (item.id, item.kind) for item in before.components()
        ]
