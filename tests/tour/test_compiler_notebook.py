"""The capability notebook of the compiler, run headless from the first cell to the last: what it shows is what it says.

A cell is added behind the last one, which tells the results of the verbs.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from lowcode_kernel.checks import check
from lowcode_kernel.farm.development import stop_development
from lowcode_kernel.notebook import read_notebook
from tests.tour.conftest import NOTEBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
NAME = "01_compiler.ipynb"
FILES = (NAME, "shared_customers.ipynb")
SHOWN = ("lines_of.amount", "months.so_far", "repair.c5")  # around UsedPart.amount: columns and a component
TELL = """import json
print(json.dumps({
    "problems": [str(problem) for problem in problems],
    "acted": sorted({finding.rule for finding in findings if finding.acted}),
    "kept": sum(not finding.acted for finding in findings),
    "effects": {effect.element: effect.verdict for effect in effects if effect.change == "rename"},
    "tested": {one.name: one.ok for one in tested},
    "queries": [sorted(f.path for f in bundle.files if "/queries/" in f.path) for bundle in (written, shipped)],
}))"""
ACTED = {
    "batch_reads_in_loops",
    "count_without_fetching",
    "fetch_needed_rows",
    "hoist_invariants",
    "merge_equal_reads",
    "propose_indexes",
    "prune_columns",
    "push_filters",
    "read_together",
    "remove_dead_reads",
}


class Run:
    """The notebook after its last cell: its document, and what the added cell told."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.told: dict[str, Any] = json.loads(self.text("import json"))

    def text(self, start: str) -> str:
        """Return all that the first code cell with this start showed, as text."""
        cell = next(cell for cell in self.document.cells if cell.cell_type == "code" and cell.source.startswith(start))
        return "\n".join(_text(output) for output in cell.outputs)


def _text(output: Any) -> str:
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="lowcode-nb-", ignore_cleanup_errors=True) as name:
        folder, home = Path(name), Path(name) / "state"
        for file in FILES:
            shutil.copy(NOTEBOOKS / file, folder / file)
        document = nbformat.read(folder / NAME, as_version=4)
        document.cells.append(nbformat.v4.new_code_cell(TELL))
        manager = AsyncKernelManager(kernel_name="lowcode", transport="ipc", ip=str(folder / "kernel"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOWCODE_HOME", str(home))
            client = NotebookClient(document, km=manager, timeout=200, resources={"metadata": {"path": name}})
            client.owns_km = True
            try:
                client.execute()
                yield Run(document)
            finally:
                stop_development(home)


def test_it_ends_without_problems(run: Run) -> None:
    assert run.told["problems"] == []


def test_its_tests_hold(run: Run) -> None:
    assert run.told["tested"] == {
        "a set is taken apart, and a successor helps out": True,
        "what must not be is refused": True,
    }


def test_the_passes_that_it_is_about_act(run: Run) -> None:
    assert set(run.told["acted"]) >= ACTED
    assert run.told["kept"] > 0
    assert "+   AND r.state = 'ready'" in run.text("%explain board")
    assert "sets_with.batch(" in run.text("%explain order_list")
    assert "+    open_repairs_count = await queries.open_repairs_count(context)" in run.text("from difflib")


def test_an_impact_has_all_four_verdicts(run: Run) -> None:
    effects = run.told["effects"]
    assert effects["query:lines_of"] == effects["action:use_part"] == "breaks"
    assert effects["screen:repair"] == "may break"
    assert effects["entity:UsedPart"] == "regenerate"
    assert effects["query:months"] == "no effect"


def test_mistakes_are_told_with_their_pages_and_fixes(run: Run) -> None:
    told = run.text("%check")
    assert [code in told for code in ("LK101", "LK215", "LK219", "LK903", "LK004")] == [True] * 5
    assert "They are equal by accident" in run.text("%check --explain LK215")
    fixed = run.text("%check --fix")
    assert "+index(part)" in fixed
    assert "+    WHERE r.closed_on IS NULL" in fixed
    assert "(shop)" not in run.text("%check --explain LK215")


def test_the_graph_goes_down_to_attributes(run: Run) -> None:
    told = run.text("%graph UsedPart.amount")
    assert [name for name in SHOWN if name not in told] == []


def test_no_cell_meets_a_mistake_that_it_does_not_show_on_purpose(run: Run) -> None:
    found = [
        cell.source.partition("\n")[0]
        for cell in run.document.cells
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if " error cell " in _text(output) and "--replace" not in cell.source
    ]
    assert found == []


@pytest.mark.parametrize("name", FILES)
def test_the_saved_notebook_has_no_problems_and_no_outputs(name: str) -> None:
    document = json.loads((NOTEBOOKS / name).read_text("utf-8"))
    assert [cell for cell in document["cells"] if cell.get("outputs") or cell.get("execution_count")] == []
    assert [str(problem) for problem in check(read_notebook(NOTEBOOKS / name))] == []
