"""The tour, run once in a real JupyterLab for all that looks at it: at its notebook, and at the application it leaves.

Its state is in a folder of its own, so its ports are too: a development environment that runs beside is not touched.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lowcode_kernel.farm.development import find_development, stop_development
from tests.browser_lab.conftest import ROOT, Lab, Person, lab  # noqa: F401 - the fixture `lab`

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.farm.environments import Environment

HERE = Path(__file__).parent
NOTEBOOKS = ROOT / "notebooks"
TOUR = "00_tour.ipynb"
BESIDE = ("weather_station.py", "desk_client.py")
SCREENSHOTS = ROOT / "tests" / "screenshots"
UPDATE = os.environ.get("LOWCODE_UPDATE") == "1"
RUN_SECONDS = 900  # of all cells, on a machine that does other things too
CELLS = "window.jupyterapp.shell.currentWidget.context.model.toJSON().cells.filter(cell => cell.cell_type === 'code')"
# synchronous, as Playwright wants it: all cells have run, or one has failed and the others won't
ENDED = f"""() => {{
  const cells = {CELLS}, kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
  const failed = cells.some(cell => cell.outputs.some(output => output.output_type === 'error'))
  return kernel.status === 'idle' && (failed || cells.every(cell => cell.execution_count !== null))
}}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the run in JupyterLab; the first of it waits for the whole tour."""
    for item in items:
        if HERE in item.path.parents and "tour" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.services)
            item.add_marker(pytest.mark.timeout(RUN_SECONDS + 300))


@dataclass(frozen=True)
class Tour:
    """The tour after its last cell: the person who ran it, the code cells with their outputs, and what it deployed."""

    person: Person
    cells: tuple[dict[str, Any], ...]
    environment: Environment


@pytest.fixture(scope="package")
def tour(request: pytest.FixtureRequest) -> Iterator[Tour]:
    """Run all cells in JupyterLab, and end at last what the notebook started."""
    with tempfile.TemporaryDirectory(prefix="lowcode-tour-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "state"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOWCODE_HOME", str(home))  # the server has its variables from us, the kernel from the server
            server: Lab = request.getfixturevalue("lab")
        for name in (TOUR, *BESIDE):
            shutil.copy(NOTEBOOKS / name, server.folder / name)
        page = request.getfixturevalue("one_chromium").new_page(viewport={"width": 1360, "height": 900})
        person = Person(page)
        try:
            cells = run(person, server)
            development = find_development(home)
            assert development is not None, "the tour started no development environment"
            yield Tour(person, tuple(cells), development.environment)
            person.execute("kernelmenu:shutdown")
        finally:
            page.close()
            stop_development(home)


def run(person: Person, server: Lab) -> list[dict[str, Any]]:
    """Open the notebook, run all of it, and return its code cells."""
    person.open(server.page(f"doc/tree/{TOUR}"))
    person.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); return true }")
    person.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    person.page.wait_for_function(ENDED, timeout=RUN_SECONDS * 1000, polling=500)  # it reads the whole notebook
    cells: list[dict[str, Any]] = person.page.evaluate(f"() => {CELLS}")
    return cells


def picture(page: Any, name: str, **options: Any) -> None:
    """Keep a screenshot, where there is none yet or LOWCODE_UPDATE=1 asks for new ones."""
    path = SCREENSHOTS / f"{name}.png"
    if path.exists() and not UPDATE:
        return
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    taken = Image.open(io.BytesIO(page.screenshot(**options))).convert("RGB")
    # a third of the size, in the colours that occur most: a general method mixes those of small things
    most: Any = sorted(taken.getcolors(taken.width * taken.height) or [], reverse=True)[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in most for part in colour])
    taken.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
