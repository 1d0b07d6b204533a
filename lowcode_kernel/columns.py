"""What a row of an entity has, as queries and bodies see it. Apart from `queries`, so that an application without
queries is read without the SQL parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.memo import once
from lowcode_kernel.types import BOOLEAN, INTEGER, TEXT, Type, entity_type

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Entity

USER_COLUMNS: dict[str, Type] = {"id": INTEGER, "email": Type(name="Email"), "name": TEXT, "active": BOOLEAN}


def columns_of(entity: str, app: Application) -> dict[str, Type] | None:
    """Return the columns of an entity as queries see them, or None where there is no such entity. `many` attributes
    are no columns.
    """
    if entity == "User" and entity not in app.entities:
        return USER_COLUMNS
    if (found := app.entities.get(entity)) is None:
        return None
    return once("columns", (found,), lambda: _columns(found))


def _columns(entity: Entity) -> dict[str, Type]:
    columns = {attribute.name: attribute.type for attribute in entity.attributes if not attribute.type.many}
    return columns if "id" in columns or entity.key != ("id",) else {"id": entity_type(entity.name), **columns}
