"""The module of one element, written once: it is remembered, with what it uses, for as long as nothing that was looked
up for it changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lowcode_kernel.elements import Element
from lowcode_kernel.generators.layers.access import Uses
from lowcode_kernel.memo import remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.bundle import File

E = TypeVar("E", bound=Element)


def module_of(app: Application, element: E, needed: Uses, write: Callable[[Application, E, Uses], File]) -> File:
    """Return the file that `write` makes of an element; what it needs of entities and queries is added to `needed`."""

    def written() -> tuple[File, Uses]:
        uses = Uses()
        return write(app, element, uses), uses

    file, uses = remembered("module", element, app, written)
    needed.add(uses)
    return file
