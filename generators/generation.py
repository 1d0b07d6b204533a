"""An application to a bundle: every layer's files, formatted, sorted, the same bytes each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.bundle import Bundle
from lowcode_kernel.generators.formatting import format_files
from lowcode_kernel.generators.layers.elements import element_files
from lowcode_kernel.generators.layers.integrations import integration_files
from lowcode_kernel.generators.layers.jobs import job_specs
from lowcode_kernel.generators.layers.project import project_files
from lowcode_kernel.generators.layers.service import service_files
from lowcode_kernel.generators.layers.upgrade import upgrade_files
from lowcode_kernel.generators.layers.web import screen_views, web_files

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.schema import Schema


def generate(app: Application, history: tuple[Schema, ...] = (), *, tests: bool = False) -> Bundle:
    """Generate an application without errors. `history` is what a database was given so far, oldest first; its last
    entry is what the upgrade starts from.

    With `tests`, the bundle has a module that runs the `%%test` cells: for a database of its own, not for shipping.

    Raises:
        LowcodeError: the database can't be brought to the new shape without losing data or failing; the problems say
        how to go on.

    """
    upgrades, schema, changes = upgrade_files(app, history)
    jobs = job_specs(app)
    files = [
        *service_files(app, schema),
        *element_files(app, tests=tests),
        *integration_files(app),
        *web_files(app, screen_views(app)),
        *project_files(app, jobs),
        *upgrades,
    ]
    formatted = sorted(format_files(files, app.name), key=lambda file: file.path)
    return Bundle(
        application=app.name, title=app.title, files=tuple(formatted), schema=schema, changes=changes, jobs=jobs
    )
