"""Verbs that say what depends on what: graph and impact. Neither has an effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.verb import Result, Verb
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.changing import AttributeChange
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.graph import Graph
    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def element_id(name: str, app: Application) -> str:
    """Return the id of an element that is named with or without its kind; raises LowcodeError."""
    if name in app.by_id:
        return name
    named = [element for element in app.elements if element.name == name]
    found = [element.id for element in named if element.kind not in {"data", "test"} or len(named) == 1]
    if len(found) == 1:
        return found[0]
    if found:
        raise LowcodeError.of(f'"{name}" names {" and ".join(found)}', "write the kind too", code="LK003")
    raise LowcodeError.of(
        f'there is no "{name}"', did_you_mean(name, [element.name for element in app.elements]), code="LK003"
    )


# graph


def _graph(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.graph import build_graph
    from lowcode_kernel.magics.showing import graph_view

    app = bench.application
    if arguments.external:
        return _external(app)
    name = arguments.name or ""
    if arguments.attributes or "." in name.partition(":")[2] or ("." in name and ":" not in name):
        from lowcode_kernel.graph_parts import build_detailed_graph, part_id

        graph = build_detailed_graph(app)
        if name:
            graph = graph.among(_around(part_id(name, graph), graph))
        return Result(value=graph, view=graph_view(graph, app))
    graph = build_graph(app)
    if name:
        focus = element_id(name, app)
        graph = graph.among({focus, *graph.predecessors(focus), *graph.successors(focus)})
    return Result(value=graph, view=graph_view(graph, app))


def _around(focus: str, graph: Graph) -> set[str]:
    """Return a part and what uses it, through columns and components up to the elements that have them; for an element,
    its parts and what uses these.
    """
    found = {focus, graph.nodes[focus].element, *graph.successors(focus)}
    left = [focus, *(part for part in graph.successors(focus) if graph.nodes[part].element == focus)]
    seen = set(left)
    while left:
        for user in graph.predecessors(left.pop()):
            found |= {user, graph.nodes[user].element}
            if user not in seen and user.startswith(("attribute:", "column:")):
                seen.add(user)
                left.append(user)
    return found


def _external(app: Application) -> Result:
    from lowcode_kernel.dependencies import external_dependencies
    from lowcode_kernel.magics.showing import external_view

    found = external_dependencies(app)
    return Result(value=found, view=external_view(found))


def _graph_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="show what is around this: Order, Order.total, open_orders.total")
    parser.add_argument("--attributes", action="store_true", help="show attributes, result columns and components too")
    parser.add_argument("--external", action="store_true", help="list what the application needs from outside")


# impact


def _impact(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    owner, _dot, attribute = arguments.name.partition(".")
    app = bench.application
    element = element_id(owner, app)
    if not attribute:
        return _uses(arguments, element, app)
    entity = app.entities.get(element.removeprefix("entity:"))
    if entity is None or not element.startswith("entity:"):
        raise LowcodeError.of(f"{owner} has no attributes", "name an attribute of an entity", code="LK132")
    return _effects(bench, arguments, entity, attribute)


def _uses(arguments: Namespace, element: str, app: Application) -> Result:
    from lowcode_kernel.impact import uses_of
    from lowcode_kernel.magics.showing import table_view

    if _given(arguments):
        fact = f"{arguments.name} is no attribute"
        raise LowcodeError.of(fact, f"write impact {arguments.name}.attribute", code="LK132")
    found = uses_of(app, element)
    rows = [(use.element, use.how, str(use.place)) for use in found]
    return Result(value=found, view=table_view(f"What uses {arguments.name}", ("element", "how", "where"), rows))


def _effects(bench: Workbench, arguments: Namespace, entity: Entity, attribute: str) -> Result:
    from lowcode_kernel.generators.generation import element_texts
    from lowcode_kernel.impact import attribute_of, impact, impact_of_all
    from lowcode_kernel.magics.showing import impact_view

    model = bench.read()
    attribute_of(model.application, entity.name, attribute)
    change = _change(arguments, entity, model.application)
    if change is None:
        found = impact_of_all(model, entity.name, attribute, element_texts)
    else:
        found = impact(model, entity.name, attribute, change, element_texts)
    title = f"What a {'change' if change is None else change.kind} of {arguments.name} does"
    return Result(value=found, view=impact_view(title, found))


def _given(arguments: Namespace) -> list[str]:
    return [name for name in ("rename", "retype", "remove", "optional", "required") if getattr(arguments, name)]


def _change(arguments: Namespace, entity: Entity, app: Application) -> AttributeChange | None:
    from lowcode_kernel.changing import AttributeChange, type_named
    from lowcode_kernel.language.headers import read_name

    given = _given(arguments)
    if not given:
        return None
    if len(given) > 1:
        raise LowcodeError.of(f"--{given[0]} and --{given[1]} are two changes", "ask for one", code="LK003")
    if arguments.rename:
        return AttributeChange(kind="rename", name=read_name(arguments.rename, "attribute", entity.place))
    if arguments.retype:
        return AttributeChange(kind="retype", type=type_named(arguments.retype, app, entity.place))
    return AttributeChange(kind=given[0])  # type: ignore[arg-type]


def _impact_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="an element, as Order or entity:Order, or an attribute, as Order.total")
    parser.add_argument("--rename", metavar="NAME", help="what if the attribute had this name")
    parser.add_argument("--retype", metavar="TYPE", help='what if it had this type, as "Decimal(14, 2) | None"')
    parser.add_argument("--remove", action="store_true", help="what if it were not there")
    parser.add_argument("--optional", action="store_true", help="what if it might be None")
    parser.add_argument("--required", action="store_true", help="what if it might not be None")


VERBS = {
    "graph": Verb(name="graph", summary="Show what depends on what.", run=_graph, arguments=_graph_arguments),
    "impact": Verb(
        name="impact",
        summary="Tell what a change of an element or attribute breaks and touches.",
        run=_impact,
        arguments=_impact_arguments,
    ),
}
