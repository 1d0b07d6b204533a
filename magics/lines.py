"""The definitions of one line in a notebook: what `-h` says of them, and what a `%scaffold` or `%use` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.language.scaffold import Scaffold, cell_text, scaffolded
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.elements import Element
    from lowcode_kernel.language import CellReading
    from lowcode_kernel.language.use import Use
    from lowcode_kernel.widgets.view import View

HELP = {
    "app": """%app NAME [--title TITLE]
The application's name (its package and database) and its title.""",
    "role": """%role NAME ["what it may"] [--public]
A role that users hold.""",
    "setting": """%setting NAME: TYPE [= DEFAULT] [--public]  # what it is for
A value that each environment may set.""",
    "package": """%package NAME==VERSION [--hash sha256:...] [--module MODULE]
A Python package that bodies import, pinned.""",
    "scaffold": """%scaffold ENTITY [--role ROLE ...] [--public] [--show]
A list, a details screen and forms for an entity's rows, with the actions behind them. Without --role, the entity's
access(...) says who may. What you define under one of the names takes its place; --show prints the cells.""",
    "use": """%use NOTEBOOK.ipynb [NAME, ...]
Take public elements (--public) of another notebook, all or those named, and what they need.""",
}
LINES = tuple(HELP)


def is_said(kind: str, reading: CellReading) -> bool:
    """Say whether a cell has a line of this kind."""
    match kind:
        case "app":
            return reading.app is not None
        case "scaffold":
            return bool(reading.scaffolds)
        case "use":
            return bool(reading.uses)
    return any(element.kind == kind for element in reading.elements)


def scaffold_view(scaffold: Scaffold, model: Model) -> View:
    """Show what a scaffold makes, or that it waits for its entity."""
    from lowcode_kernel.magics.showing import table_view, text_view

    problems = [problem for problem in model.problems if problem.place == scaffold.place]
    if problems:
        return text_view("\n".join(map(str, problems)))
    names = {element.id for element in scaffolded(scaffold, model.application.elements)}
    made = [element for element in model.application.elements if element.id in names]
    return table_view(
        f"Scaffold of {scaffold.entity}", ("element", "kind", "path", "roles", "defined"), map(_row, made)
    )


def _row(element: Element) -> tuple[str, ...]:
    roles = ", ".join(getattr(element, "roles", ()))
    own = "" if element.place.fixed else str(element.place)
    return element.name, element.kind, getattr(element, "path", ""), roles, own


def scaffold_text(scaffold: Scaffold, model: Model) -> str:
    """Return the cells that a scaffold stands for, to copy; raises LowcodeError where there is no such entity."""
    found = scaffolded(scaffold, model.application.elements)
    if not found:
        hint = did_you_mean(scaffold.entity, model.application.entities)
        fact = f'there is no entity "{scaffold.entity}"'
        raise LowcodeError.of(fact, hint, code="LK101", place=scaffold.place)
    return "\n\n\n".join(map(cell_text, found))


def use_view(use: Use, model: Model) -> View:
    """Show what a `%use` line takes; raises LowcodeError where it can't be."""
    from lowcode_kernel.magics.showing import table_view

    if problems := [problem for problem in model.problems if problem.place == use.place]:
        raise LowcodeError(*problems)
    taken = [element for element in model.application.elements if element.place.notebook]
    rows = [(item.name, item.kind, "public" if item.public else "private", str(item.place)) for item in taken]
    return table_view(f"Taken from {use.path}", ("element", "kind", "for whom", "defined"), rows)
