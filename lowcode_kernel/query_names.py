"""What names in a query's FROM mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.identifiers import snake_case

if TYPE_CHECKING:
    from lowcode_kernel.application import Application


def entity_named(name: str, app: Application) -> str | None:
    """Return the entity that a name in FROM means: as it is defined, or however SQL folds it."""
    if name in app.entities or name == "User":
        return name
    written = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    if _is_called(written, name) and written in app.entities:
        return written
    return next((known for known in [*app.entities, "User"] if _is_called(known, name)), None)


def _is_called(entity: str, name: str) -> bool:
    return name.lower() in {snake_case(entity), entity.lower()}
