"""A rule on one body at a time: what it made of a body is remembered for as long as nothing that it asked changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lowcode_kernel.analysis import analyze
from lowcode_kernel.memo import remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from lowcode_kernel.generators.passes.reading import Body

R = TypeVar("R")


def of_each(body: Body, chosen: Callable[..., object], rule: Callable[..., object], make: Callable[[], R]) -> R:
    """Return what two functions make of a body, from what is remembered of it where they are the same functions."""
    if chosen.__closure__ or rule.__closure__:
        return make()

    def made() -> R:
        analyze(body.app).bodies.get(body.element.id)  # it is what the body is made of
        return make()

    said = tuple((each.__module__, each.__qualname__, each.__code__) for each in (chosen, rule))
    return remembered("pass", body.element, body.app, made, variant=said)
