"""The records of a screen: its inputs, values, components and conditions, as the language reads them and generation
needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lowcode_kernel.bodies import BodyAnalysis
from lowcode_kernel.identifiers import label_of as label_of  # where screens look for it
from lowcode_kernel.types import Type

if TYPE_CHECKING:
    import ast

    from lowcode_kernel.elements import Parameter

InputKind = Literal["text", "date", "number", "choice", "checkbox", "entity"]
ComponentKind = Literal["title", "text", "section", "metric", "table", "details", "chart", "button", "link", "form"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A control whose value is kept in the screen's address. `default` is evaluated on the server where the address
    does not give one.
    """

    name: str
    kind: InputKind
    label: str
    type: Type
    choices: tuple[str, ...] = ()
    entity: str | None = None
    default: ast.expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """A column of a table, an attribute of details, or an axis of a chart."""

    name: str
    label: str
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLink:
    """Where a row of a table leads: a screen, and which column gives each of its parameters."""

    screen: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """Where an action leads that was done: a screen, which attribute of the action's result gives each of its
    parameters ("" is the result itself), and those that are known before.
    """

    screen: str
    result: tuple[tuple[str, str], ...] = ()
    given: tuple[tuple[str, ast.expr], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component. `value` is what it shows: a text, a metric's number, a table's or chart's rows, the row of
    details. With `page`, a table shows so many rows at once; which is the first is in the address, as `<id>.start`.

    `arguments` are those of a button's or form's action or a link's screen; `ask` are the parameters that the user is
    asked for. Those that `filled` names have the row `values` to begin with.
    """

    id: str
    kind: ComponentKind
    node: ast.Call
    value: ast.expr | None = None
    label: str | None = None
    unit: str | None = None
    columns: tuple[ColumnView, ...] = ()
    row: RowLink | None = None
    empty: str | None = None
    x: ColumnView | None = None
    y: ColumnView | None = None
    chart: Literal["bar", "line"] = "bar"
    action: str | None = None
    screen: str | None = None
    arguments: tuple[tuple[str, ast.expr], ...] = ()
    ask: tuple[Parameter, ...] = ()
    confirm: str | None = None
    page: int | None = None
    values: ast.expr | None = None
    filled: tuple[str, ...] = ()
    then: Then | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """`rows = departures(...)`: a name for a value, or several for those of a tuple."""

    target: ast.Name | ast.Tuple
    value: ast.expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Components that are shown only where `test` holds, and others where it does not."""

    test: ast.expr
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()


Node = Component | Value | Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenModel:
    """A screen in parts, and the analysis of its expressions (types, calls, problems)."""

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    body: BodyAnalysis = field(compare=False)

    def components(self) -> tuple[Component, ...]:
        """Return all components in source order, those under conditions included."""
        return tuple(_components(self.nodes))


def _components(nodes: tuple[Node, ...]) -> list[Component]:
    found: list[Component] = []
    for node in nodes:
        if isinstance(node, Component):
            found.append(node)
        elif isinstance(node, Condition):
            found += [*_components(node.body), *_components(node.orelse)]
    return found


def path_order(path: str) -> tuple[tuple[bool, str], ...]:
    """Return what paths are sorted by so that a word is compared before a parameter, from the left: `/orders/new` is
    no order, whatever else is there.
    """
    return tuple(("{" in part, part) for part in path.strip("/").split("/"))
