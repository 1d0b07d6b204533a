"""The readings of all cells to one application: names are brought together, duplicates reported, types linked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lowcode_kernel.application import Application
from lowcode_kernel.elements import (
    Action,
    Attribute,
    Element,
    Entity,
    Integration,
    Parameter,
    Query,
    Screen,
    Setting,
    Struct,
)
from lowcode_kernel.language.callables import link_screen
from lowcode_kernel.language.scaffold import expand
from lowcode_kernel.language.use import Taking
from lowcode_kernel.memo import once
from lowcode_kernel.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from lowcode_kernel.language import CellReading
    from lowcode_kernel.language.small import AppName
    from lowcode_kernel.language.use import UsedNotebook
    from lowcode_kernel.types import Type

T = TypeVar("T", Attribute, Parameter)

DEFAULT_NAME = "app"
# kinds whose names live apart from those that bodies call
_SHARED_NAMES = frozenset({"role", "test", "data", "package"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An application with what was wrong on the way to it. `application` holds all that could be read; `texts` are the
    cells that say something of it, by notebook (None for the one at hand) and number.
    """

    application: Application
    problems: tuple[Problem, ...]
    texts: Mapping[tuple[str | None, int], str] = field(default_factory=dict, compare=False, repr=False)


def assemble(readings: Iterable[CellReading], used: Sequence[UsedNotebook] = ()) -> Model:
    """Bring the cells' definitions together. Two that define one name are an error that names both; the first by place
    stays. `used` are the notebooks that `%use` lines name, those of used notebooks too.
    """
    ordered = sorted(readings, key=_place)
    problems = [problem for reading in ordered for problem in reading.problems]
    app = _one_app([reading.app for reading in ordered if reading.app], problems)
    elements = _unique(_with_used(_replaced(ordered, problems), used, problems), problems)
    scaffolded, found = expand([item for reading in ordered for item in reading.scaffolds], elements)
    problems.extend(found)
    name, title = (app.name, app.title) if app else (DEFAULT_NAME, "Application")
    return Model(
        application=Application.of(name, title, [*_linked(elements), *scaffolded]),
        problems=tuple(problems),
        texts=_texts([*ordered, *(reading for notebook in used for reading in notebook.readings)]),
    )


def _texts(readings: list[CellReading]) -> dict[tuple[str | None, int], str]:
    """Return the cells that say something, as they were written."""
    return {(reading.place.notebook, reading.place.cell): reading.text for reading in readings if not reading.is_empty}


def _place(reading: CellReading) -> tuple[int, int]:
    return reading.place.cell, reading.place.line


def _with_used(elements: list[Element], used: Sequence[UsedNotebook], problems: list[Problem]) -> list[Element]:
    """Return the notebook's definitions, and what it takes from others behind them."""
    if not used:
        return elements
    own: dict[str | None, Sequence[Element]] = {None: elements}
    for notebook in used:
        ordered = sorted(notebook.readings, key=_place)
        problems.extend(problem for reading in ordered for problem in reading.problems)
        found = _unique(_replaced(ordered, problems), problems)
        public = [item for reading in ordered for item in reading.scaffolds if item.public]
        scaffolded, wrong = expand(public, found)
        problems.extend(wrong)
        own[notebook.name] = [*found, *scaffolded]
    taking = Taking(own, used)
    taken = taking.elements()
    problems.extend(taking.problems)
    return [*elements, *taken]


def _replaced(ordered: list[CellReading], problems: list[Problem]) -> list[Element]:
    """Return all definitions without those that a later cell replaces."""
    kept: list[Element] = []
    for reading in ordered:
        for element in reading.elements if reading.replaces else ():
            earlier = [
                other for other in kept if (_namespace(other), other.name) == (_namespace(element), element.name)
            ]
            if not earlier:
                fact, hint = f"there is no earlier {element.kind} {element.name} to replace", "remove --replace"
                problems.append(Problem(code="LK104", fact=fact, hint=hint, place=element.place, element=element.id))
            kept = [other for other in kept if other not in earlier]
        kept.extend(reading.elements)
    return kept


def _one_app(names: list[AppName], problems: list[Problem]) -> AppName | None:
    for other in names[1:]:
        if other.name != names[0].name:
            fact = f"the application is named {other.name}, and {names[0].name} at {names[0].place}"
            problems.append(Problem(code="LK103", fact=fact, hint="keep one %app", place=other.place))
    return names[0] if names else None


def _namespace(element: Element) -> str:
    """Kinds that bodies name share one namespace, since a call `orders()` has to mean one thing. A screen is named in
    links alone, so it has its own.
    """
    return element.kind if element.kind in _SHARED_NAMES or element.kind == "screen" else "name"


def _unique(elements: list[Element], problems: list[Problem]) -> list[Element]:
    seen: dict[tuple[str, str], Element] = {}
    kept: list[Element] = []
    for element in elements:
        key = (_namespace(element), element.name)
        if element.kind == "data" or (first := seen.setdefault(key, element)) is element:
            kept.append(element)
        else:
            fact = f"{element.kind} {element.name} is defined here, and {first.kind} {first.name} at {first.place}"
            problems.append(
                Problem(
                    code="LK102",
                    fact=fact,
                    hint="rename one, delete one, or write --replace",
                    place=element.place,
                    element=element.id,
                )
            )
    return _numbered_data(kept)


def _numbered_data(elements: list[Element]) -> list[Element]:
    """Several cells may give data for one entity: the second is named `Customer_2`, so that names stay unique."""
    count: dict[str, int] = defaultdict(int)
    result: list[Element] = []
    for element in elements:
        if element.kind == "data":
            count[element.name] += 1
            number = count[element.name]
            result.append(replace(element, name=f"{element.name}_{number}") if number > 1 else element)
        else:
            result.append(element)
    return result


def _linked(elements: list[Element]) -> list[Element]:
    """Resolve names of types: what cells took for an entity may be a struct or the row of a query."""
    structs = {element.name for element in elements if isinstance(element, Struct)}
    queries = {element.name for element in elements if isinstance(element, Query)}
    entities = frozenset(element.name for element in elements if isinstance(element, Entity)) | {"User"}

    def link(type_: Type) -> Type:
        if type_.kind == "entity" and type_.name not in entities:
            if type_.name in structs:
                return replace(type_, kind="struct")
            if type_.name in queries:
                return replace(type_, kind="query")
        return type_

    def linked(element: Element) -> Element:
        return _relinked(link_screen(element, entities) if isinstance(element, Screen) else element, link)

    def meant(type_: Type) -> str:
        return f"{type_.name in entities}" if type_.kind == "unknown" else link(type_).kind

    # the same object each time, as what is remembered goes by identity
    return [
        once("linked", (element,), partial(linked, element), variant=tuple(map(meant, _types(element))))
        for element in elements
    ]


def _relinked(element: Element, link: Callable[[Type], Type]) -> Element:
    """Return an element with its types resolved; the same object where that changes nothing, as for most."""
    if not any(link(type_) is not type_ for type_ in _types(element)):
        return element
    match element:
        case Entity() | Struct():
            return replace(element, attributes=tuple(_typed(item, link) for item in element.attributes))
        case Query() | Screen():
            return replace(element, parameters=tuple(_typed(item, link) for item in element.parameters))
        case Action():
            parameters = tuple(_typed(item, link) for item in element.parameters)
            return replace(element, parameters=parameters, returns=link(element.returns) if element.returns else None)
        case Integration():
            operations = tuple(
                replace(item, returns=link(item.returns) if item.returns else None) for item in element.operations
            )
            return replace(element, operations=operations)
        case Setting():
            return replace(element, type=link(element.type))
    return element


def _types(element: Element) -> Iterator[Type]:
    """Give the types that a definition names."""
    match element:
        case Entity() | Struct():
            yield from (item.type for item in element.attributes)
        case Query() | Screen() | Action():
            yield from (item.type for item in element.parameters)
        case Integration():
            yield from (item.returns for item in element.operations if item.returns)
        case Setting():
            yield element.type
    if isinstance(element, Action) and element.returns:
        yield element.returns


def _typed(item: T, link: Callable[[Type], Type]) -> T:
    return replace(item, type=link(item.type))
