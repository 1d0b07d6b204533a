"""Verbs that make something of the model: explain and generate. Neither has an effect but `generate --out`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.analysing import element_id
from lowcode_kernel.magics.verbs.verb import Result, Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from lowcode_kernel.application import Application
    from lowcode_kernel.findings import Finding
    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def _explain(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.generators.passes import optimize
    from lowcode_kernel.magics.showing import findings_view

    app = bench.sound()
    findings = optimize(app).findings
    if arguments.name:
        findings = _about(arguments.name, findings, app)
    return Result(value=findings, view=findings_view(findings, app, everything=arguments.all))


def _about(name: str, findings: tuple[Finding, ...], app: Application) -> tuple[Finding, ...]:
    """Return the findings in an element, or about it: in a screen, that it reads this query once."""
    element = element_id(name, app)
    word = re.compile(rf"\b{re.escape(app.by_id[element].name)}\b")
    return tuple(
        finding
        for finding in findings
        if finding.element == element or word.search(f"{finding.what}\n{finding.before}\n{finding.after}")
    )


def _explain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="tell of this element only: what is done in it, and with it")
    parser.add_argument("--all", action="store_true", help="also tell what each pass looked at, and everything in full")


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


VERBS = {
    "explain": Verb(
        name="explain",
        summary="Tell what the optimizer does to the application, and why.",
        run=_explain,
        arguments=_explain_arguments,
    ),
    "generate": Verb(
        name="generate",
        summary="Generate the application's code, as it is deployed.",
        run=_generate,
        arguments=_generate_arguments,
    ),
}
