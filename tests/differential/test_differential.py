"""With and without the optimizer, random applications do the same."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowcode_kernel.checks import check, errors
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.notebook import read_notebook
from tests.cases import Case, cases, model_of
from tests.differential.applications import sample
from tests.differential.golden import sample_of
from tests.differential.planted import WRONG
from tests.differential.twins import difference, observed

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from lowcode_kernel.application import Application

TOUR = Path(__file__).parents[2] / "notebooks" / "00_tour.ipynb"
PATIENCE = 60
EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "40"))  # the suite's slice; `make differential` tries thousands


def _optimized(app: Application) -> Application:
    return optimize(app).application


def differs(seed: Random, url: str, optimizer: Callable[[Application], Application] = _optimized) -> str:
    """Return how the twins of one random application differ, or "". What an optimizer leaves alone is not run."""
    made = sample(seed)
    model = model_of(*made.cells)
    wrong = errors(check(model))
    assert not wrong, f"the sample itself is wrong: {wrong[0]}\n{made}"
    if optimizer is not _optimized and optimizer(model.application) == model.application:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        plain, tuned = asyncio.run(observed(model.application, optimizer, made, Path(folder), url))
    found = difference(plain, tuned, made.requests)
    return f"{found}\n\n{made}" if found else ""


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.randoms(use_true_random=False))
def test_an_optimized_application_does_what_it_did(url_of_differential: str, seed: Random) -> None:
    assert not differs(seed, url_of_differential)


@pytest.mark.parametrize("case", cases("passes"), ids=lambda case: case.path.stem)
def test_every_case_of_the_passes_does_what_it_did(url_of_differential: str, case: Case, tmp_path: Path) -> None:
    app = case.model.application
    for seed in range(2):
        made = sample_of(app, random.Random(seed))
        plain, tuned = asyncio.run(observed(app, _optimized, made, tmp_path / str(seed), url_of_differential))
        assert not difference(plain, tuned, made.requests)


def test_the_tour_does_what_it_did(url_of_differential: str, tmp_path: Path) -> None:
    app = read_notebook(TOUR).application
    made = sample_of(app, random.Random(1))
    plain, tuned = asyncio.run(observed(app, _optimized, made, tmp_path, url_of_differential))
    assert not difference(plain, tuned, made.requests)
    assert tuned.cost.statements <= plain.cost.statements


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_pass_is_caught(url_of_differential: str, wrong: Callable[[Application], Application]) -> None:
    """Seeds are tried in order until one application shows it; most wrong passes fall within the first few."""
    caught = next((seed for seed in range(PATIENCE) if differs(random.Random(seed), url_of_differential, wrong)), None)
    assert caught is not None
