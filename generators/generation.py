"""An application to a bundle: every layer's files, formatted, sorted, the same bytes each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.bundle import Bundle
from lowcode_kernel.generators.beside import Beside
from lowcode_kernel.generators.formatting import AsItIs, Formatting
from lowcode_kernel.generators.layers.elements import element_files
from lowcode_kernel.generators.layers.integrations import integration_files
from lowcode_kernel.generators.layers.jobs import job_specs
from lowcode_kernel.generators.layers.project import project_files
from lowcode_kernel.generators.layers.service import service_files
from lowcode_kernel.generators.layers.upgrade import upgrade_files
from lowcode_kernel.generators.layers.web import screen_views, web_files
from lowcode_kernel.generators.passes import optimize

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.schema import Schema


def generate(
    app: Application, history: tuple[Schema, ...] = (), *, tests: bool = False, formatted: bool = True
) -> Bundle:
    """Generate an application without errors. `history` is what a database was given so far, oldest first; its last
    entry is what the upgrade starts from.

    With `tests`, the bundle has a module that runs the `%%test` cells: for a database of its own, not for shipping.
    Not `formatted`, its Python means the same and is not laid out for reading.

    Raises:
        LowcodeError: the database can't be brought to the new shape without losing data or failing; the problems say
        how to go on.

    """
    upgrades, schema, changes = upgrade_files(app, history)
    jobs = job_specs(app)
    layout = Formatting if formatted else AsItIs
    browser = Beside(lambda: [*web_files(app, screen_views(app)), *project_files(app, jobs)])
    parts = [  # the first is laid out while the second is made, and so on
        layout(element_files(app, tests=tests), app.name),
        layout([*service_files(app, schema), *integration_files(app), *upgrades], app.name),
        layout(browser.result(), app.name),
    ]
    files = tuple(sorted((file for part in parts for file in part.result()), key=lambda file: file.path))
    return Bundle(application=app.name, title=app.title, files=files, schema=schema, changes=changes, jobs=jobs)


def element_texts(app: Application) -> dict[str, tuple[bytes, ...]]:
    """Return what is generated of each element of a sound application, as it is before formatting."""
    optimized = optimize(app).application
    found: dict[str, list[bytes]] = {}
    for file in [*element_files(optimized), *web_files(optimized, screen_views(optimized))]:
        if file.element is not None:
            found.setdefault(file.element, []).append(file.content)
    return {element: tuple(contents) for element, contents in found.items()}
