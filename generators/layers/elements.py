"""The modules of all elements, in the one order that works: bodies first, since they say which access functions
entities need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.generators.layers.access import Uses
from lowcode_kernel.generators.layers.actions import action_files
from lowcode_kernel.generators.layers.entities import entity_files
from lowcode_kernel.generators.layers.jobs import job_files
from lowcode_kernel.generators.layers.queries import query_files
from lowcode_kernel.generators.layers.reads import read_files
from lowcode_kernel.generators.layers.screens import screen_files
from lowcode_kernel.generators.layers.tests import test_file
from lowcode_kernel.relational import schema_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.bundle import File


def element_files(app: Application, *, tests: bool = False) -> list[File]:
    """Return the packages `entities`, `queries`, `actions`, `screens` and `jobs` of an application, unformatted, in no
    particular order.

    With `tests`, also a module that runs the application's `%%test` cells, which is not part of what is shipped.
    """
    needed = Uses()
    files = [*action_files(app, needed), *screen_files(app, needed), *job_files(app, needed)]
    if tests:
        files.append(test_file(app, needed))
    schema = schema_of(app)
    return [
        *files,
        *query_files(app, needed.forms, (read.module for read in needed.reads)),
        *read_files(app, schema, needed.reads),
        *entity_files(app, schema, needed.functions),
    ]
