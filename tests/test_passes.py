"""The optimizer's passes, before and after: the texts are in cases/passes.

What is expected has a line for each finding, then each element that was changed or is new (a query's SQL, a body, an
entity's indexes), then the elements that are gone. A case called `some_pass__what.txt` runs that pass alone.
"""

from collections.abc import Callable, Iterator

import pytest

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.elements import Element, Entity, Query
from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes import PASSES, optimize
from lowcode_kernel.language.bodies import parse_body
from lowcode_kernel.places import Place
from lowcode_kernel.problems import Problem
from tests.cases import Case, cases

Found = tuple[Application, tuple[Finding, ...]]


def optimizer_of(case: Case) -> Callable[[Application], Found]:
    """Return the pass that a case names, or all of them."""
    name = case.path.stem.partition("__")[0]
    return next((each for each in PASSES if each.__name__ == name and "__" in case.path.stem), _all)


def _all(app: Application) -> Found:
    found = optimize(app)
    return found.application, found.findings


def shown(element: Element) -> str:
    """Return what a pass may change of an element."""
    if isinstance(element, Query):
        parameters = ", ".join(f"{item.name}: {item.type}" for item in element.parameters)
        return f"{element.name}({parameters}):\n{element.sql}" if parameters else f"{element.name}:\n{element.sql}"
    if isinstance(element, Entity):
        return f"{element.name}: " + ", ".join(f"index({', '.join(index)})" for index in element.indexes)
    return f"{element.name}:\n{getattr(element, 'body', '')}"


def errors(app: Application, *problems: Problem) -> list[str]:
    """Return the errors in queries and bodies."""
    analysis = analyze(app)
    found = [problem for each in (*analysis.queries.values(), *analysis.bodies.values()) for problem in each.problems]
    return [str(problem) for problem in (*problems, *found) if problem.severity == "error"]


def told(before: Application, after: Application) -> Iterator[str]:
    """Give the elements that are changed or new, and then those that are gone."""
    for element in after.elements:
        if before.by_id.get(element.id) != element:
            yield shown(element)
    gone = [element.id for element in before.elements if element.id not in after.by_id and element.kind != "test"]
    if gone:
        yield f"gone: {', '.join(gone)}"


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_passes_change_what_is_told_and_nothing_else(case: Case) -> None:
    model = case.model
    assert not errors(model.application, *model.problems)
    after, findings = optimizer_of(case)(model.application)
    lines = [f"{'did' if finding.acted else 'kept'} {finding}" for finding in findings]
    case.check("\n".join([*lines, *told(model.application, after)]))


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_optimizing_twice_is_optimizing_once(case: Case) -> None:
    run = optimizer_of(case)
    once, _ = run(case.model.application)
    twice, findings = run(once)
    assert not [str(finding) for finding in findings if finding.acted]
    assert twice is once


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_what_a_pass_writes_can_be_read(case: Case) -> None:
    after, _ = optimizer_of(case)(case.model.application)
    assert not errors(after)
    for element in after.elements:
        if body := getattr(element, "body", ""):
            parse_body(body, Place(cell=0))
            lines = getattr(element, "lines", ())
            assert not lines or len(lines) == len(body.splitlines())
