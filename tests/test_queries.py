"""Queries compile to static SQL with the types that PostgreSQL gives: the texts are in cases/queries."""

import pytest

from lowcode_kernel.queries import QueryAnalysis, analyze_query
from tests.cases import Case, cases


def _told(analysis: QueryAnalysis) -> str:
    columns = "\n".join(f"-- {column.name}: {column.type}" for column in analysis.columns)
    rules = "".join(f"\n-- then {name}" for name in analysis.rule_parameters)
    return f"{analysis.statement}\n{columns}{rules}"


@pytest.mark.parametrize("case", cases("queries"), ids=lambda case: case.path.stem)
def test_a_query_compiles_to_static_sql(case: Case) -> None:
    model = case.model
    found = [analyze_query(query, model.application) for query in model.application.queries.values()]
    assert [problem for analysis in found for problem in analysis.problems] == []
    case.check("\n".join(_told(analysis) for analysis in found))
