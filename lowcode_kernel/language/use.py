"""`%use other.ipynb [Customer, open_orders]`: what an application takes from other notebooks.

It takes the public elements, or those that the line names, and all that these need. What is private to a notebook may
be needed, and can't be named from outside (`lowcode_kernel.checks.notebooks`).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lowcode_kernel.elements import Element
    from lowcode_kernel.language.cells import CellReading

_WORD = re.compile(r"[A-Za-z_]\w*")
_UNREAD = frozenset({"doc", "place", "body_place", "sql_place", "public"})
_OUTSIDE = frozenset({"screen", "job", "test", "data"})  # what nobody names in a body


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a `%use` line says. Without `names` it takes all that is public."""

    path: str
    names: tuple[str, ...] = ()
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedNotebook:
    """Another notebook: its name as places give it, the readings of its cells, and who uses it. A user is the name of a
    notebook, or None for the one at hand.
    """

    name: str
    readings: tuple[CellReading, ...]
    users: tuple[tuple[str | None, Use], ...]


def read_use(line: str, place: Place) -> Use:
    """Read a `%use` line."""
    try:
        path, *names = shlex.split(line.replace(",", " "), comments=True)
    except ValueError:
        path, names = "", []
    if not path.endswith(".ipynb") or not path.isprintable():
        hint = "write %use other.ipynb, or %use other.ipynb Customer, open_orders"
        raise LowcodeError.of(f'"{line.strip()}" names no notebook', hint, code="LK011", place=place)
    for name in names:
        if not _WORD.fullmatch(name):
            raise LowcodeError.of(f'"{name}" is not a name', "write names with commas", code="LK011", place=place)
    return Use(path=path, names=tuple(names), place=place)


class Taking:
    """What is taken from used notebooks. `own` has each notebook's definitions by its name (None: the one at hand)."""

    def __init__(self, own: Mapping[str | None, Sequence[Element]], used: Iterable[UsedNotebook]) -> None:
        self.own = own
        self.used = {notebook.name: notebook for notebook in used}
        self.by_name = {
            notebook: _by_name(elements) for notebook, elements in own.items()
        }  # kinds that share a name are both needed, or neither is
        self.problems: list[Problem] = []
        self.taken: dict[int, Element] = {}

    def elements(self) -> list[Element]:
        """Return what is taken, notebook by notebook, in the order of their cells."""
        waiting = [element for notebook in self.used.values() for element in self._roots(notebook)]
        waiting += [element for found in self.own.get(None, ()) for element in self._needed(found, None)]
        while waiting:
            element = waiting.pop()
            if id(element) not in self.taken:
                self.taken[id(element)] = element
                waiting.extend(self._needed(element, element.place.notebook))
        return [element for name in sorted(self.used) for element in self.own[name] if id(element) in self.taken]

    def _roots(self, notebook: UsedNotebook) -> Iterator[Element]:
        for _, use in notebook.users:
            if not use.names:
                yield from (element for element in self.own[notebook.name] if element.public)
            for name in use.names:
                yield from self._named(name, use, notebook.name)

    def _named(self, name: str, use: Use, notebook: str) -> list[Element]:
        found = self.by_name[notebook].get(name, [])
        public = [element for element in found if element.public]
        if public:
            return public
        if found:
            fact, hint = f"{found[0].kind} {name} is private to {notebook}", "write --public there"
            self.problems.append(Problem(code="LK122", fact=fact, hint=hint, place=use.place))
            return []
        known = [element.name for element in self.own[notebook] if element.public]
        fact, hint = f'{notebook} has no public element "{name}"', did_you_mean(name, known)
        self.problems.append(Problem(code="LK126", fact=fact, hint=hint, place=use.place))
        return []

    def _needed(self, element: Element, notebook: str | None) -> Iterator[Element]:
        """Give what an element names: of its own notebook all, of those that this one uses what is private there, so
        that a check can tell it. The public part of them is taken already.
        """
        own = self.by_name.get(notebook, {})
        for word in sorted(set(_words(element))):
            if word in own:
                yield from own[word] if notebook is not None else ()
                continue
            for name, used in self.used.items():
                if any(user == notebook for user, _ in used.users):
                    found = self.by_name[name].get(word, [])
                    yield from (item for item in found if not item.public and item.kind not in _OUTSIDE)


def _by_name(elements: Iterable[Element]) -> dict[str, list[Element]]:
    found: dict[str, list[Element]] = {}
    for element in elements:
        found.setdefault(element.name, []).append(element)
    return found


def _words(value: object) -> Iterator[str]:
    """Give the words of all texts of a definition but its documentation."""
    match value:
        case str():
            yield from _WORD.findall(value)
        case tuple():
            for item in value:
                yield from _words(item)
        case Place():
            return
        case _ if is_dataclass(value):
            for part in fields(value):
                if part.name not in _UNREAD:
                    yield from _words(getattr(value, part.name))
