"""The application: all definitions of a model, each name once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from lowcode_kernel.elements import (
    Action,
    Data,
    Element,
    Entity,
    Integration,
    Job,
    Package,
    Query,
    Role,
    Screen,
    Setting,
    Struct,
    Test,
)
from lowcode_kernel.memo import Names, is_writing

if TYPE_CHECKING:
    from collections.abc import Iterable

E = TypeVar("E", bound=Element)


class _Elements:
    """All definitions of an application. Who looks at them depends on each of them."""

    def __get__(self, app: Application | None, owner: type[Application]) -> tuple[Element, ...]:
        if app is None:
            raise AttributeError(owner)  # no default
        if is_writing():
            app.by_id.write_all()
        found: tuple[Element, ...] = app.__dict__["elements"]
        return found

    def __set__(self, app: Application, elements: tuple[Element, ...]) -> None:
        app.__dict__["elements"] = elements


@dataclass(frozen=True)
class Application:
    """A set of definitions, sorted by kind and name so that the order of cells does not matter.

    `name` is the identifier that names the package, the database and the folders; `title` is for people.
    """

    name: str
    title: str
    elements: _Elements = _Elements()

    @classmethod
    def of(cls, name: str, title: str, elements: Iterable[Element]) -> Application:
        """Make an application of definitions in any order."""
        return cls(name, title, tuple(sorted(elements, key=lambda element: (element.kind, element.name))))

    @cached_property
    def by_id(self) -> Names[Element]:
        """Every element by its id ("query:departures")."""
        return Names("by_id", {element.id: element for element in self.__dict__["elements"]})

    def table(self, name: str) -> Names[Any]:
        """Return a dictionary by its name: "entities", or "analysis.queries"."""
        owner, _, of_analysis = name.partition(".")
        if of_analysis:
            from lowcode_kernel.analysis import analyze  # it is made of applications

            found: Names[Any] = getattr(analyze(self), of_analysis)
        else:
            found = getattr(self, owner)
        return found

    @cached_property
    def _by_kind(self) -> dict[type[Element], dict[str, Any]]:
        found: dict[type[Element], dict[str, Any]] = {}
        for element in self.__dict__["elements"]:
            found.setdefault(type(element), {})[element.name] = element
        return found

    def _named(self, table: str, kind: type[E]) -> Names[E]:
        return Names(table, self._by_kind.get(kind, {}))

    @cached_property
    def entities(self) -> dict[str, Entity]:
        """Entities by name."""
        return self._named("entities", Entity)

    @cached_property
    def queries(self) -> dict[str, Query]:
        """Queries by name."""
        return self._named("queries", Query)

    @cached_property
    def actions(self) -> dict[str, Action]:
        """Actions by name."""
        return self._named("actions", Action)

    @cached_property
    def screens(self) -> dict[str, Screen]:
        """Screens by name."""
        return self._named("screens", Screen)

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Roles by name."""
        return self._named("roles", Role)

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Settings by name."""
        return self._named("settings", Setting)

    @cached_property
    def integrations(self) -> dict[str, Integration]:
        """Integrations by name."""
        return self._named("integrations", Integration)

    @cached_property
    def structs(self) -> dict[str, Struct]:
        """Structs by name."""
        return self._named("structs", Struct)

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Jobs by name."""
        return self._named("jobs", Job)

    @cached_property
    def data(self) -> dict[str, Data]:
        """Data by name."""
        return self._named("data", Data)

    @cached_property
    def tests(self) -> dict[str, Test]:
        """Tests by name."""
        return self._named("tests", Test)

    @cached_property
    def packages(self) -> dict[str, Package]:
        """Python packages by name."""
        return self._named("packages", Package)
