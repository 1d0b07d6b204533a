"""Packages: each is pinned by its hashes, with all that it needs, and is the one that is tried out here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.dependencies import installed_version, normalized, requirements_of
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Package
    from lowcode_kernel.problems import Severity


def check_package_hashes(facts: Facts) -> Iterator[Problem]:
    """Every package has hashes: hosts install nothing else."""
    seen: dict[str, Package] = {}
    for package in facts.app.packages.values():
        name = normalized(package.name)
        if not package.hashes:
            pin = f"{package.name}=={package.version}"
            hint = f"echo {pin} | uv pip compile --generate-hashes - tells them, and what else it needs"
            yield _problem("LK342", package, f"package {package.name} has no hash", hint)
        if name in seen:
            fact = f"package {package.name} is declared here, and as {seen[name].name} at {seen[name].place}"
            yield _problem("LK342", package, fact, "keep one")
        seen.setdefault(name, package)


def check_packages_here(facts: Facts) -> Iterator[Problem]:
    """What is installed here is what hosts will have, and what a package needs is declared too."""
    app = facts.app
    declared = {normalized(package.name) for package in app.packages.values()}
    for package in app.packages.values():
        version = installed_version(package.name)
        if version is None:
            fact, hint = (
                f"package {package.name} is not installed here",
                f"pip install {package.name}=={package.version}",
            )
            yield _problem("LK343", package, fact, f"{hint}, to try it out", "warning")
        elif version != package.version:
            fact = f"package {package.name} is {version} here, and {package.version} where it is deployed"
            yield _problem("LK343", package, fact, "make them the same", "warning")
        else:
            yield from _undeclared(package, declared)


def _undeclared(package: Package, declared: set[str]) -> Iterator[Problem]:
    for needed in requirements_of(package.name):
        if normalized(needed) not in declared:
            version = installed_version(needed) or "VERSION"
            fact = f"package {package.name} needs {needed}, which is not declared"
            yield _problem("LK343", package, fact, f"%package {needed}=={version} --hash sha256:...", "warning")


def _problem(code: str, package: Package, fact: str, hint: str, severity: Severity = "error") -> Problem:
    return Problem(
        code=code,
        fact=fact,
        hint=hint,
        place=package.place,
        element=package.id,
        severity=severity,
    )
