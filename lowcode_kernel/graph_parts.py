"""What depends on what, down to attributes, result columns, components and operations.

| node | id | uses |
|---|---|---|
| attribute | `attribute:Order.total` | the entity it refers to; the attributes it is computed from |
| result column | `column:open_orders.total` | the attributes it is computed from |
| component | `component:orders.c3` | the columns it shows, the actions it calls, the screens it leads to |
| operation | `operation:rates.latest` | the structs it answers with |
| notebook, package | `notebook:shared.ipynb`, `package:holidays` | |

An element contains its parts, which is an edge too: who uses an element whole uses its parts.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.columns import columns_of
from lowcode_kernel.elements import Entity, Integration, Struct
from lowcode_kernel.graph import Graph, Node, build_graph, element_node
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.row_expressions import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.elements import Attribute, Element, Screen
    from lowcode_kernel.language.screen_model import Component
    from lowcode_kernel.types import Type

Edge = tuple[str, str, str]


def build_detailed_graph(app: Application) -> Graph:
    """Return the graph of an application's elements and their parts; the same object each time. An edge's words are
    "contains", "reads", "writes", "shows", "calls", "refers to", "allows", "leads to", "computed from", "filters by"
    and the like.
    """
    cached = app.__dict__.get("_detailed_graph")
    if cached is None:
        cached = app.__dict__.setdefault("_detailed_graph", Graph.of(_nodes(app), _edges(app)))
    found: Graph = cached
    return found


def part_id(name: str, graph: Graph) -> str:
    """Return the id of what is called `Order.total`, `open_orders.total`, `orders.c3`, `Order` or by its whole id.

    Raises LowcodeError where there is nothing of that name, or more than one.
    """
    if name in graph:
        return name
    found = [node for node in graph if node.partition(":")[2] == name]
    found = [node for node in found if not node.startswith(("data:", "test:"))] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise LowcodeError.of(f'"{name}" names {" and ".join(found)}', "write the kind too", code="LK130")
    known = [node.partition(":")[2] for node in graph]
    raise LowcodeError.of(f'there is no "{name}"', did_you_mean(name, known), code="LK130")


# nodes


def _nodes(app: Application) -> Iterator[Node]:
    for element in app.elements:
        yield element_node(element)
        yield from _declared_parts(element)
    yield from _read_parts(app)
    for notebook in sorted({element.place.notebook for element in app.elements if element.place.notebook}):
        yield _part("notebook", notebook, f"notebook:{notebook}", Place(cell=1, notebook=notebook))


def _declared_parts(element: Element) -> Iterator[Node]:
    """Give the attributes and operations that an element's cell lists."""
    match element:
        case Entity() | Struct():
            yield from (_attribute_node(element.id, element.name, item) for item in element.attributes)
            if isinstance(element, Entity) and _has_implied_key(element):
                yield _part("attribute", f"{element.name}.id", element.id, element.place, "the implied key")
        case Integration():
            for operation in element.operations:
                detail = f"{operation.method} {operation.path}"
                name = f"{element.name}.{operation.name}"
                yield _part("operation", name, element.id, operation.place, detail)


def _has_implied_key(entity: Entity) -> bool:
    return entity.key == ("id",) and entity.attribute("id") is None


def _read_parts(app: Application) -> Iterator[Node]:
    """Give the result columns and components that analysis finds."""
    analysis = analyze(app)
    for name, query in analysis.queries.items():
        place = app.queries[name].sql_place
        for column in query.columns:
            yield _part("column", f"{name}.{column.name}", f"query:{name}", place, str(column.type))
    for name, model in analysis.screens.items():
        for item in model.components():
            place = _shifted(app.screens[name], item)
            yield _part("component", f"{name}.{item.id}", f"screen:{name}", place, _shown(item))


def _part(kind: str, name: str, element: str, place: Place, detail: str = "") -> Node:
    return Node(id=f"{kind}:{name}", kind=kind, label=name, element=element, place=place, detail=detail)


def _attribute_node(element: str, owner: str, attribute: Attribute) -> Node:
    return _part("attribute", f"{owner}.{attribute.name}", element, attribute.place, str(attribute.type))


def _shifted(screen: Screen, item: Component) -> Place:
    return screen.body_place.shifted(item.node.lineno - 1, item.node.col_offset + 1)


def _shown(item: Component) -> str:
    return f"{item.kind} {item.label!r}" if item.label else item.kind


# edges


def _edges(app: Application) -> Iterator[Edge]:
    yield from build_graph(app).edges()
    for element in app.elements:
        yield from _declared_edges(element)
        if element.place.notebook:
            yield f"notebook:{element.place.notebook}", element.id, "contains"
    yield from _query_edges(app)
    analysis = analyze(app)
    tests = {f"test:{name}": body for name, body in analysis.tests.items()}
    for name, body in {**analysis.bodies, **tests}.items():
        yield from _body_edges(name, body)
    for name, model in analysis.screens.items():
        for item in model.components():
            yield from _component_edges(name, item, model.body, app)


def _declared_edges(element: Element) -> Iterator[Edge]:
    match element:
        case Entity():
            yield from _entity_edges(element)
        case Struct():
            yield from _contained(element.id, element.name, element.attributes)
        case Integration():
            for operation in element.operations:
                name = f"operation:{element.name}.{operation.name}"
                yield element.id, name, "contains"
                yield from _referred(name, operation.returns)


def _referred(source: str, type_: Type | None) -> Iterator[Edge]:
    if type_ is not None and type_.kind in {"entity", "struct", "query"}:
        yield source, f"{type_.kind}:{type_.name}", "refers to"


def _contained(element: str, owner: str, attributes: Iterable[Attribute]) -> Iterator[Edge]:
    for item in attributes:
        name = f"attribute:{owner}.{item.name}"
        yield element, name, "contains"
        yield from _referred(name, item.type)


def _entity_edges(entity: Entity) -> Iterator[Edge]:
    yield from _contained(entity.id, entity.name, entity.attributes)
    if _has_implied_key(entity):
        yield entity.id, f"attribute:{entity.name}.id", "contains"
    for item in entity.attributes:
        for used in names_of(item.computed) if item.computed is not None else ():
            yield f"attribute:{entity.name}.{item.name}", f"attribute:{entity.name}.{used}", "computed from"
    for names, why in own_uses(entity):
        yield from ((entity.id, f"attribute:{entity.name}.{name}", why) for name in names)


def own_uses(entity: Entity) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give what the rest of an entity's cell says of its attributes: names, and how they are used."""
    yield (entity.key, "has the key")
    yield from ((names, "indexes") for names in entity.indexes)
    yield from ((names, "keeps unique") for names in entity.uniques)
    yield from ((names_of(item.condition), "checks") for item in entity.constraints)
    if entity.access and entity.access.rows is not None:
        yield names_of(entity.access.rows), "filters by"


def _query_edges(app: Application) -> Iterator[Edge]:
    if not app.queries:
        return
    from lowcode_kernel.lineage import lineage_of  # the SQL parser, only where there are queries

    for name, query in app.queries.items():
        lineage = lineage_of(query, app)
        for entity, attribute in sorted(lineage.rows):
            yield query.id, f"attribute:{entity}.{attribute}", "filters by"
        for column, found in lineage.columns.items():
            yield query.id, f"column:{name}.{column}", "contains"
            for entity, attribute in sorted(found):
                yield f"column:{name}.{column}", f"attribute:{entity}.{attribute}", "computed from"


def _body_edges(element: str, body: BodyAnalysis) -> Iterator[Edge]:
    for pairs, why in ((body.reads, "reads"), (body.writes, "writes")):
        yield from ((element, _named(owner, name), why) for owner, name in sorted(pairs))
    for node in body.types:
        owner = body.types.get(node.value) if isinstance(node, ast.Attribute) else None
        if owner is not None and owner.kind == "struct" and isinstance(node, ast.Attribute):
            yield element, _named(owner.name, node.attr), "reads"
    for call in body.calls.values():
        if call.kind == "integration":
            yield element, f"operation:{call.name}.{call.method}", "calls"


def _named(owner: str, name: str) -> str:
    """Return the id of a column of a query, or of an attribute of an entity or a struct."""
    return (
        f"column:{owner.removeprefix('query:')}.{name}" if owner.startswith("query:") else f"attribute:{owner}.{name}"
    )


# components


def _component_edges(screen: str, item: Component, body: BodyAnalysis, app: Application) -> Iterator[Edge]:
    source = f"component:{screen}.{item.id}"
    yield f"screen:{screen}", source, "contains"
    for owner, name in sorted(set(_reads(item, body, app))):
        yield source, _named(owner, name), "shows"
    if item.action:
        yield source, f"action:{item.action}", "calls"
    targets = [item.screen, item.row.screen if item.row else None, item.then.screen if item.then else None]
    yield from ((source, f"screen:{target}", "leads to") for target in targets if target)
    for node in ast.walk(item.node):
        call = body.calls.get(node) if isinstance(node, ast.Call) else None
        if call is not None and call.kind in {"query", "action", "entity", "integration"}:
            yield source, f"{call.kind}:{call.name}", "calls" if call.kind in {"action", "integration"} else "reads"


def _reads(item: Component, body: BodyAnalysis, app: Application) -> Iterator[tuple[str, str]]:
    """Give what a component's own expressions read: columns and attributes, with whose they are."""
    row = body.types.get(item.value) if item.value is not None else None
    if row is not None:
        shown = [column.name for column in (*item.columns, item.x, item.y) if column]
        linked = [name for _, name in item.row.arguments] if item.row else []
        yield from ((_owner(row), name) for name in (*shown, *linked))
    for node in ast.walk(item.node):
        if isinstance(node, ast.Attribute) and (type_ := body.types.get(node.value)) is not None:
            if type_.kind in {"entity", "query", "struct"} and (_owner(type_), node.attr) in body.reads:
                yield _owner(type_), node.attr
        elif isinstance(node, ast.Call) and (call := body.calls.get(node)) is not None and call.kind == "entity":
            yield from ((call.name, name) for name in _words(node) & (columns_of(call.name, app) or {}).keys())


def _owner(type_: Type) -> str:
    return f"query:{type_.name}" if type_.kind == "query" else type_.name


def _words(call: ast.Call) -> set[str]:
    """Return the names that stand in a call's arguments: `Order.list(customer=customer, order_by=number)`."""
    given = {keyword.arg for keyword in call.keywords if keyword.arg}
    sorting = [keyword.value for keyword in call.keywords if keyword.arg in {"order_by", "only"}]
    return given | {node.id for part in sorting for node in ast.walk(part) if isinstance(node, ast.Name)}
