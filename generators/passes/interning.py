"""The same objects again: what a pass made of an element before stands for what it makes of it now, where both say the
same. What is remembered of an application's parts (`lowcode_kernel.memo`) goes by identity, so that only what a change
reaches is analyzed and generated again behind the passes too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.application import Application
from lowcode_kernel.memo import is_same

if TYPE_CHECKING:
    from lowcode_kernel.elements import Element

_MOST = 100_000
_VERSIONS = 2
_elements: dict[tuple[str, int], tuple[Element, list[Element]]] = {}
"""By pass and by what it was given: that, and what it made of it."""
_applications: dict[str, list[Application]] = {}


def interned(rule: str, before: Application, after: Application) -> Application:
    """Return what a pass made of an application, of the objects that it made of the same parts before."""
    if after is before:
        return before
    if len(_elements) > _MOST:
        _elements.clear()
    old = before.by_id
    elements = [_same(rule, old.get(element.id), element) for element in after.elements]
    kept = _applications.setdefault(rule, [])
    for known in kept:
        if (known.name, known.title) == (after.name, after.title) and _are(elements, known.elements):
            return known
    found = Application(after.name, after.title, tuple(elements))
    if (analysis := after.__dict__.get("_analysis")) is not None:
        found.__dict__["_analysis"] = analysis  # of a pass that changed nothing that is analyzed
    kept.insert(0, found)
    del kept[_VERSIONS:]
    return found


def _are(left: list[Element], right: tuple[Element, ...]) -> bool:
    return len(left) == len(right) and all(one is other for one, other in zip(left, right, strict=True))


def _same(rule: str, old: Element | None, new: Element) -> Element:
    if old is None or new is old:
        return new
    made = _elements.setdefault((rule, id(old)), (old, []))[1]
    for known in made:
        if is_same(known, new):
            return known
    made.insert(0, new)
    del made[_VERSIONS:]
    return new


def forget() -> None:
    """Forget what was made before."""
    _elements.clear()
    _applications.clear()
