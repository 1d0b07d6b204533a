"""`%test`: the model's tests, on a database of their own beside that of dev, which is gone afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.verb import Result, Verb

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def _test(bench: Workbench, _: Namespace, __: Show) -> Result:
    from lowcode_kernel.farm.testing import run_cell_tests
    from lowcode_kernel.generators.generation import generate
    from lowcode_kernel.magics.showing import table_view, text_view

    app = bench.sound()
    if not app.tests:
        return Result(value=(), view=text_view('There are no tests. Write one: %%test "what must hold"'))
    found = run_cell_tests(bench.environment("dev"), generate(app, tests=True))
    places = {name: str(test.place) for name, test in app.tests.items()}
    rows = [
        ("ok" if one.ok else "failed", one.name, one.message or places[one.name], round(one.seconds, 3))
        for one in found
    ]
    failed = sum(not one.ok for one in found)
    title = f"{len(found) - failed} passed, {failed} failed"
    return Result(
        value=found, view=table_view(title, ("", "test", "where", "seconds"), rows), status=1 if failed else 0
    )


VERBS = {"test": Verb(name="test", summary="Run the model's tests.", run=_test)}
