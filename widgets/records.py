"""What the views are given where the records of the core don't say it already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lowcode_kernel.elements import Element
    from lowcode_kernel.problems import Problem

LoadingState = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One element in the graph. `id` is the element's ("query:departures"), `kind` decides its colour, `detail` is what
    the panel shows about it.

    Details are pairs of a label and a text. The labels "sql" and "python" are shown as highlighted code, "doc" as
    prose, the others as a row.
    """

    id: str
    label: str
    kind: str
    detail: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeView:
    """`source` uses `target` (both ids of nodes); `label` says how ("reads", "calls", "links to")."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    """A dependency graph.

    What an element uses is upstream of it, what uses it is downstream. Edges to ids that are no node are left out of
    the picture.
    """

    nodes: tuple[NodeView, ...]
    edges: tuple[EdgeView, ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """A column of a table: its name, and its type as words ("Text(3)", "BIGINT")."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """Rows as a query gives them.

    `total` is how many there are where `rows` is only their beginning; `seconds` how long it took.
    """

    columns: tuple[ColumnView, ...]
    rows: tuple[tuple[object, ...], ...]
    total: int | None = None
    seconds: float | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """An element after its cell ran, with what only the whole application tells: result columns, who uses it, what is
    wrong with it.
    """

    element: Element
    columns: tuple[ColumnView, ...] = ()
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingView:
    """Rows being loaded into an entity. `total` is None where the source doesn't say it."""

    entity: str
    rows: int
    total: int | None = None
    seconds: float = 0.0
    state: LoadingState = "running"
    detail: str = ""

    @property
    def rate(self) -> float:
        """Rows per second so far."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassView:
    """One pass of the optimizer: what it does, what it `looked` at in words, and how many changes it made or could not
    make.
    """

    name: str
    summary: str
    looked: str
    acted: int
    kept: int
