"""Problems of an element, made in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from lowcode_kernel.elements import Element
    from lowcode_kernel.fixes import Fix
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Severity


def warning(
    code: str, element: Element, fact: str, hint: str, *, place: Place | None = None, fix: Fix | None = None
) -> Problem:
    """Return a warning of an element, at its own place where no other is given."""
    return _problem(code, element, fact, hint, "warning", place, fix)


def notice(
    code: str, element: Element, fact: str, hint: str, *, place: Place | None = None, fix: Fix | None = None
) -> Problem:
    """Return a notice of an element: worth knowing, and well where it is meant."""
    return _problem(code, element, fact, hint, "notice", place, fix)


def _problem(
    code: str, element: Element, fact: str, hint: str, severity: Severity, place: Place | None, fix: Fix | None
) -> Problem:
    where = place or element.place
    return Problem(code=code, fact=fact, hint=hint, place=where, element=element.id, severity=severity, fix=fix)
