"""The application: all definitions of a model, each name once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from lowcode_kernel.elements import (
    Action,
    Data,
    Element,
    Entity,
    Integration,
    Job,
    Query,
    Role,
    Screen,
    Setting,
    Struct,
    Test,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

E = TypeVar("E", bound=Element)


@dataclass(frozen=True)
class Application:
    """A set of definitions, sorted by kind and name so that the order of cells does not matter.

    `name` is the identifier that names the package, the database and the folders; `title` is for people.
    """

    name: str
    title: str
    elements: tuple[Element, ...]

    @classmethod
    def of(cls, name: str, title: str, elements: Iterable[Element]) -> Application:
        """Make an application of definitions in any order."""
        return cls(name, title, tuple(sorted(elements, key=lambda element: (element.kind, element.name))))

    @cached_property
    def by_id(self) -> dict[str, Element]:
        """Every element by its id ("query:departures")."""
        return {element.id: element for element in self.elements}

    def _named(self, kind: type[E]) -> dict[str, E]:
        return {element.name: element for element in self.elements if isinstance(element, kind)}

    @cached_property
    def entities(self) -> dict[str, Entity]:
        """Entities by name."""
        return self._named(Entity)

    @cached_property
    def queries(self) -> dict[str, Query]:
        """Queries by name."""
        return self._named(Query)

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Actions by name."""
        return self._named(Action)

    @cached_property
    def screens(self) -> dict[str, Screen]:
        """Screens by name."""
        return self._named(Screen)

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Roles by name."""
        return self._named(Role)

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Settings by name."""
        return self._named(Setting)

    @cached_property
    def integrations(self) -> dict[str, Integration]:
        """Integrations by name."""
        return self._named(Integration)

    @cached_property
    def structs(self) -> dict[str, Struct]:
        """Structs by name."""
        return self._named(Struct)

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Jobs by name."""
        return self._named(Job)

    @cached_property
    def data(self) -> dict[str, Data]:
        """Data by name."""
        return self._named(Data)

    @cached_property
    def tests(self) -> dict[str, Test]:
        """Tests by name."""
        return self._named(Test)
