"""Every mistake gets a message with its place and a way out: the texts are in cases/problems."""

import pytest

from lowcode_kernel.checks import check
from tests.cases import Case, cases


@pytest.mark.parametrize("case", cases("problems"), ids=lambda case: case.path.stem)
def test_problems_are_told(case: Case) -> None:
    case.check("\n".join(f"{problem.severity} {problem.code} {problem}" for problem in check(case.model)))
