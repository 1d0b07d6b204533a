"""The optimizer's passes, before and after: the texts are in cases/passes."""

import pytest

from lowcode_kernel.generators.passes import optimize
from tests.cases import Case, cases


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_passes_change_what_is_told_and_nothing_else(case: Case) -> None:
    before = case.model.application
    optimized = optimize(before)
    after = optimized.application
    told = [f"{'did' if finding.acted else 'kept'} {finding}" for finding in optimized.findings]
    changed = [f"{query.name}:\n{query.sql}" for name, query in after.queries.items() if query != before.queries[name]]
    others = [element for element in before.elements if element.kind not in {"query", "test"}]
    assert [element for element in after.elements if element.kind not in {"query", "test"}] == others
    case.check("\n".join([*told, *changed]))


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_optimizing_twice_is_optimizing_once(case: Case) -> None:
    once = optimize(case.model.application)
    twice = optimize(once.application)
    assert twice.application is once.application
    assert not [finding for finding in twice.findings if finding.acted]
