"""Verbs that look at the model: check, graph, impact, explain, generate. None of them has an effect but `generate
--out`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.verb import Result, Verb
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def _check(bench: Workbench, _: Namespace, __: Show) -> Result:
    from lowcode_kernel.checks import check, errors
    from lowcode_kernel.magics.showing import problems_view

    problems = check(bench.read())
    return Result(value=problems, view=problems_view(problems, bench.application), status=1 if errors(problems) else 0)


def _graph(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.graph import build_graph
    from lowcode_kernel.magics.showing import graph_view

    graph = build_graph(bench.application)
    if arguments.name:
        focus = element_id(arguments.name, bench.application)
        near = {focus, *graph.predecessors(focus), *graph.successors(focus)}
        graph = graph.subgraph(near).copy()
    return Result(value=graph, view=graph_view(graph, bench.application))


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


def _impact(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.impact import impact
    from lowcode_kernel.magics.showing import table_view

    owner, _dot, attribute = arguments.name.partition(".")
    found = impact(bench.application, element_id(owner, bench.application), attribute)
    rows = [(effect.element, effect.how, str(effect.place)) for effect in found]
    return Result(value=found, view=table_view(f"What uses {arguments.name}", ("element", "how", "where"), rows))


def _explain(bench: Workbench, _: Namespace, __: Show) -> Result:
    from lowcode_kernel.generators.passes import optimize
    from lowcode_kernel.magics.showing import findings_view

    findings = optimize(bench.sound()).findings
    return Result(value=findings, view=findings_view(findings))


def _generate(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from time import perf_counter

    from lowcode_kernel.generators.writing import write_bundle
    from lowcode_kernel.magics.showing import bundle_view

    start = perf_counter()
    bundle = bench.bundle(optimized=not arguments.no_optimize)
    seconds = perf_counter() - start
    written = write_bundle(bundle, Path(arguments.out)) if arguments.out else None
    return Result(value=bundle, view=bundle_view(bundle, seconds, written), status=1 if written and written.kept else 0)


def _generate_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", help="write the files into this folder; only what changed is written")
    parser.add_argument("--no-optimize", action="store_true", help="ship the application as it is written")


def _name(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="an element, as Order or entity:Order; impact also takes Order.total")


def _optional_name(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="show this element and its neighbours only")


VERBS = {
    "check": Verb(name="check", summary="Tell everything that is wrong with the application.", run=_check),
    "graph": Verb(name="graph", summary="Show what depends on what.", run=_graph, arguments=_optional_name),
    "impact": Verb(
        name="impact", summary="Tell what a change of an element or attribute can touch.", run=_impact, arguments=_name
    ),
    "explain": Verb(name="explain", summary="Tell what the optimizer does to the application, and why.", run=_explain),
    "generate": Verb(
        name="generate",
        summary="Generate the application's code, as it is deployed.",
        run=_generate,
        arguments=_generate_arguments,
    ),
}
