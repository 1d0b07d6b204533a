"""A query that no screen, job or reachable action uses is not shipped.

%%query longest()          longest is named by nothing
SELECT ...            ->   (no file, no SQL, no access path)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.application import Application
from lowcode_kernel.findings import Finding
from lowcode_kernel.graph import build_graph, reachable

if TYPE_CHECKING:
    from lowcode_kernel.elements import Query
    from lowcode_kernel.graph import Graph


def remove_unused_queries(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Remove queries that nothing deployed reaches; tests alone don't keep one."""
    graph = build_graph(app)
    needed = reachable(app, graph)
    unused = [query for query in app.queries.values() if query.id not in needed]
    if not unused:
        return app, ()
    gone = {query.id for query in unused}
    kept = Application.of(
        app.name,
        app.title,
        [element for element in app.elements if element.id not in gone and not _needs(element.id, gone, graph)],
    )
    return kept, tuple(_finding(query, sorted(graph.predecessors(query.id))) for query in unused)


def _needs(element: str, gone: set[str], graph: Graph) -> bool:
    """Tests and unreachable actions that use a removed query go with it: they are not shipped either."""
    return any(used in gone for used in graph.successors(element))


def _finding(query: Query, users: list[str]) -> Finding:
    why = "nothing uses it" if not users else f"only {', '.join(users)} uses it, which nothing reaches"
    return Finding(
        rule="remove_unused_queries",
        element=query.id,
        place=query.place,
        what=f"query {query.name} is removed",
        why=why,
        before=query.sql,
        saved="one statement",
    )
