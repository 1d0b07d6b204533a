"""What an application stands on that is not its own: other services, Python packages, other notebooks, files of data.

Each is named once, with what it is pinned to, what uses it and where it is declared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.analysis import analyze
from lowcode_kernel.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application

DependencyKind = Literal["integration", "package", "notebook", "data file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDependency:
    """One of them. `pin` is what fixes it: a base URL, a version, or nothing; `used_by` are ids of elements."""

    kind: DependencyKind
    name: str
    pin: str
    used_by: tuple[str, ...]
    place: Place


def external_dependencies(app: Application) -> tuple[ExternalDependency, ...]:
    """Return all external dependencies of an application, by kind and name."""
    found = [*_declared(app), *_notebooks(app)]
    return tuple(sorted(found, key=lambda one: (one.kind, one.name)))


def _declared(app: Application) -> Iterator[ExternalDependency]:
    analysis = analyze(app)
    users: dict[str, list[str]] = {}
    tests = {f"test:{name}": body for name, body in analysis.tests.items()}
    for element, body in {**analysis.bodies, **tests}.items():
        for used in body.uses:
            users.setdefault(used, []).append(element)
    for integration in app.integrations.values():
        used_by = tuple(sorted(users.get(integration.id, ())))
        yield ExternalDependency(
            kind="integration",
            name=integration.name,
            pin=integration.base_url,
            used_by=used_by,
            place=integration.place,
        )
    for package in app.packages.values():
        used_by = tuple(sorted(users.get(package.id, ())))
        yield ExternalDependency(
            kind="package", name=package.name, pin=package.version, used_by=used_by, place=package.place
        )
    for data in app.data.values():
        if data.file is not None:
            used_by = (f"entity:{data.entity}",)
            yield ExternalDependency(kind="data file", name=data.file, pin="", used_by=used_by, place=data.place)


def _notebooks(app: Application) -> Iterator[ExternalDependency]:
    """Give the notebooks whose elements are part of the application."""
    elements: dict[str, list[str]] = {}
    for element in app.elements:
        if element.place.notebook is not None:
            elements.setdefault(element.place.notebook, []).append(element.id)
    for name, ids in elements.items():
        place = Place(cell=1, notebook=name)
        yield ExternalDependency(kind="notebook", name=name, pin="", used_by=tuple(sorted(ids)), place=place)


def normalized(name: str) -> str:
    """Return a distribution's name as package indexes compare it. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_version(name: str) -> str | None:
    """Return the version of a distribution that is installed here, None where it is not."""
    from importlib import metadata  # it takes as long as all else here together

    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def requirements_of(name: str) -> tuple[str, ...]:
    """Return the names of the distributions that an installed one always needs, on any system, as it says itself."""
    from importlib import metadata

    try:
        lines = metadata.requires(name) or []
    except (metadata.PackageNotFoundError, ValueError):
        return ()
    plain = [line for line in lines if ";" not in line]
    return tuple(match[0] for line in plain if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)))


def state_of(dependency: ExternalDependency) -> str:
    """Say what is known of a dependency here and now, without asking any service."""
    match dependency.kind:
        case "package":
            found = installed_version(dependency.name)
            if found is None:
                return "not installed here"
            return "installed" if found == dependency.pin else f"{found} is installed here"
        case "notebook":
            return "read"
        case "integration":
            return "each answer is checked"
    return "checked when it is loaded"
