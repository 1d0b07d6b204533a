"""Accesses of entities: which functions an entity's module needs, and how a row is called by people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lowcode_kernel.queries import columns_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application

_LONG_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EntityFunction:
    """One access of an entity that some body makes: the method, the attributes it gives, and how a list is sorted and
    cut.
    """

    entity: str
    method: str
    attributes: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    limited: bool = False

    @property
    def name(self) -> str:
        """The function's name in the entity's module: `find_by_origin_and_day`."""
        if self.method in {"get", "create", "delete", "options"}:
            return self.method
        word = {"list": "list_all", "find": "find_any", "count": "count_all", "update": "touch"}[self.method]
        if not self.attributes:
            name = word
        elif self.method == "update":
            name = "update_" + "_".join(self.attributes)
        else:
            name = f"{self.method}_by_" + "_and_".join(self.attributes)
        if len(name) > _LONG_NAME:
            name = f"{self.method}_{self.attributes[0]}_and_{len(self.attributes) - 1}_more"
        return name + ("_ordered_by_" + "_".join(item.strip("-") for item in self.order_by) if self.order_by else "")


@dataclass
class Uses:
    """What the emitted code of one module needs."""

    functions: set[EntityFunction] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def label_attribute(entity: str, app: Application) -> str | None:
    """Return the attribute that names a row to people: the first Text that is not the key."""
    found = app.entities.get(entity)
    keys = found.key if found else ("id",)
    columns = columns_of(entity, app) or {}
    texts = [name for name, type_ in columns.items() if type_.name in {"Text", "Email"} and name not in keys]
    named = [name for name in texts if name in {"name", "title"}]
    return next(iter(named or texts), None)
