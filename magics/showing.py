"""Results to views: the one place where the core's and the farm's records meet the widgets'."""

from __future__ import annotations

import re
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.records import ColumnView, EdgeView, GraphView, LoadingView, ModelView, NodeView, TableView
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.checks.catalog import Page
    from lowcode_kernel.dependencies import ExternalDependency
    from lowcode_kernel.elements import Element
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.history import Status
    from lowcode_kernel.findings import Finding
    from lowcode_kernel.generators.writing import Written
    from lowcode_kernel.graph import Graph, Node
    from lowcode_kernel.impact_effects import Effect
    from lowcode_kernel.plan import Plan, Progress, Release
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.widgets.records import LoadingState, PassView


_COMMENT = re.compile(r"^[ \t]*--[^\n]*\n", re.MULTILINE)
_NOT_YET = ("there is no screen ", "there is no query, action or function ", "there is no entity ")


def as_json(value: object) -> str:
    """Return a value as indented JSON; what has no JSON form is written as its text."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()


def element_view(element: Element, model: Model) -> View:
    """Show an element that was just defined, with what the whole application tells of it so far."""
    from lowcode_kernel.analysis import analyze
    from lowcode_kernel.checks.allowing import allow_in
    from lowcode_kernel.elements import Query
    from lowcode_kernel.widgets.model_view import model_view

    columns: tuple[ColumnView, ...] = ()
    problems: tuple[Problem, ...] = ()
    analysis = analyze(model.application)
    if isinstance(element, Query) and element.name in analysis.queries:
        found = analysis.queries[element.name]
        columns = tuple(ColumnView(name=column.name, type=str(column.type)) for column in found.columns)
        problems = found.problems
    elif element.id in analysis.bodies:
        problems = analysis.bodies[element.id].problems
    told = tuple(_waiting(problem) for problem in allow_in(problems, model.texts))
    return model_view(ModelView(element=element, columns=columns, problems=told))


def _waiting(problem: Problem) -> Problem:
    """A name that nothing has may be that of a later cell, which is no error of this one yet: %check tells it."""
    if problem.code != "LK101" or not problem.fact.partition(": ")[2].startswith(_NOT_YET):
        return problem
    hint = f"define it in another cell; {problem.hint}" if problem.hint else "define it in another cell"
    return replace(problem, severity="notice", hint=hint)


def problems_view(problems: Sequence[Problem], app: Application) -> View:
    """Show what the checks found."""
    from lowcode_kernel.widgets.problems_view import problems_view as show

    return show(problems, sound=f"{app.title}: {len(app.elements)} definitions, no problems.")


def explanation_view(page: Page) -> View:
    """Show the page of a check."""
    from lowcode_kernel.widgets.problems_view import explanation_view as show

    return show(page)


def fixes_view(made: Sequence[Problem], remaining: Sequence[Problem], difference: str, how: str) -> View:
    """Show what was put right, as a difference of cells, and what remains."""
    from lowcode_kernel.widgets.problems_view import fixes_view as show

    return show(made, remaining, difference, how)


def graph_view(graph: Graph, app: Application) -> View:
    """Show a dependency graph."""
    from lowcode_kernel.widgets.graph_view import graph_view as show

    nodes = tuple(_node(app.by_id[name]) if name in app.by_id else _part(node) for name, node in graph.nodes.items())
    edges = tuple(EdgeView(source=source, target=target, label=why) for source, target, why in graph.edges())
    return show(GraphView(nodes=nodes, edges=edges, title=app.title))


def _part(node: Node) -> NodeView:
    detail = ((node.kind, node.detail),) if node.detail else ()
    # nobody knows a component by its number: it is the screen's "table 'Parts'"
    label = f"{node.element.partition(':')[2]}: {node.detail}" if node.kind == "component" else node.label
    return NodeView(id=node.id, label=label, kind=node.kind, detail=(*detail, ("place", str(node.place))))


def impact_view(title: str, effects: Sequence[Effect]) -> View:
    """Show what a change does."""
    from lowcode_kernel.widgets.impact_view import impact_view as show

    return show(title, effects)


def external_view(found: Sequence[ExternalDependency]) -> View:
    """Show what an application needs from outside: what it is pinned to, and whether that is here."""
    from lowcode_kernel.dependencies import state_of

    rows = [(one.kind, one.name, one.pin, state_of(one), ", ".join(one.used_by), str(one.place)) for one in found]
    return table_view("From outside", ("kind", "name", "pinned to", "checked", "used by", "where"), rows)


def _node(element: Element) -> NodeView:
    detail = [("doc", element.doc)] if element.doc else []
    if sql := getattr(element, "sql", None):
        detail.append(("sql", sql))
    elif body := getattr(element, "body", None):
        detail.append(("python", body))
    attributes = getattr(element, "attributes", ())
    detail.extend((item.name, f"{item.type}  {item.doc}".rstrip()) for item in attributes)
    detail.append(("place", str(element.place)))
    return NodeView(id=element.id, label=element.name, kind=element.kind, detail=tuple(detail))


def table_view(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], seconds: float | None = None
) -> View:
    """Show rows. A column in which no row says anything is left out."""
    from lowcode_kernel.widgets.table_view import table_view as show

    return show(_table(title, columns, tuple(map(tuple, rows)), seconds))


def _table(
    title: str, columns: Sequence[str], rows: tuple[tuple[object, ...], ...], seconds: float | None = None
) -> TableView:
    telling = [at for at in range(len(columns)) if not rows or any(row[at] not in ("", None) for row in rows)]
    return TableView(
        columns=tuple(ColumnView(name=columns[at]) for at in telling),
        rows=tuple(tuple(row[at] for at in telling) for row in rows),
        title=title,
        seconds=seconds,
    )


def text_view(text: str) -> View:
    """Show one sentence."""
    from lowcode_kernel.widgets.markup import page, tag

    return View(text, page(tag("p", text)))


def findings_view(findings: Sequence[Finding], app: Application, *, everything: bool = False) -> View:
    """Show what the optimizer did and why, with the text before and after; with `everything`, pass by pass too."""
    from lowcode_kernel.generators.passes import PASSES
    from lowcode_kernel.widgets.findings_view import findings_view as show

    passes = tuple(_pass(item, findings, app) for item in PASSES) if everything else ()
    return show([_laid_out(finding) for finding in findings], passes, everything=everything)


def _laid_out(finding: Finding) -> Finding:
    """Lay the statement that was out as the one that is now, so that a difference shows what changed alone."""
    from lowcode_kernel.problems import LowcodeError
    from lowcode_kernel.sql import parse_select, unparse

    before = _COMMENT.sub("", finding.before)  # what is said to readers of the cell is no change
    if not (before.lstrip(" (\n").upper().startswith(("SELECT", "WITH")) and finding.after):
        return finding
    try:
        return replace(finding, before=unparse(parse_select(before, finding.place)))
    except LowcodeError:
        return finding


def _pass(run: Callable[..., object], findings: Sequence[Finding], app: Application) -> PassView:
    """Return what one pass did; its first line says what it is for."""
    from sys import modules

    from lowcode_kernel.widgets.records import PassView

    found = [finding for finding in findings if finding.rule == run.__name__]
    acted = sum(finding.acted for finding in found)
    bodies = len(app.actions) + len(app.jobs) + len(app.screens)
    looked = f"{len(app.queries):,} queries, {bodies:,} actions, jobs and screens, {len(app.entities):,} entities"
    summary = (modules[run.__module__].__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    return PassView(name=run.__name__, summary=summary, looked=looked, acted=acted, kept=len(found) - acted)


def bundle_view(bundle: Bundle, seconds: float, written: Written | None) -> View:
    """Show what was generated: files and bytes by layer."""
    from lowcode_kernel.widgets.markup import page, tag
    from lowcode_kernel.widgets.table_view import table_html

    layers: dict[str, tuple[int, int]] = {}
    for file in bundle.files:
        parts = file.path.split("/")
        layer = "/".join(parts[:2]) if len(parts) > 2 else parts[0] if len(parts) > 1 else "(top)"
        count, size = layers.get(layer, (0, 0))
        layers[layer] = (count + 1, size + len(file.content))
    rows = tuple((layer, count, size) for layer, (count, size) in sorted(layers.items()))
    size = sum(size for _, _, size in rows)
    said = f"{bundle.title} {bundle.version}: {len(bundle.files)} files, {size:,} bytes, generated in {seconds:.2f} s"
    table = TableView(columns=(ColumnView(name="layer"), ColumnView(name="files"), ColumnView(name="bytes")), rows=rows)
    more = f"; {written}" if written else ""
    return View(said + more, page(tag("p", said + more), table_html(table)))


def plan_view(plan: Plan) -> View:
    """Show a plan."""
    from lowcode_kernel.widgets.plan_view import plan_view as show

    return show(plan)


def release_view(release: Release, environment: Environment) -> View:
    """Say what serves now, and where."""
    from lowcode_kernel.widgets.markup import page, tag

    took = f" in {(release.finished_at - release.started_at).total_seconds():.1f} s" if release.finished_at else ""
    said = f"{release.application} {release.version} is {release.state} on {release.environment}{took}"
    url = environment.public_url
    link = [" at ", tag("a", url, href=url, target="_blank")] if url else []
    return View(f"{said} at {url}" if url else said, page(tag("p", tag("b", said), *link)))


def status_view(status: Status, environment: Environment) -> View:
    """Show what each host has and serves."""
    from lowcode_kernel.widgets.markup import page, tag
    from lowcode_kernel.widgets.table_view import table_html

    rows = [
        (facts.host, facts.current or "-", ", ".join(facts.running), f"{facts.free_bytes / 1e9:.1f} GB", facts.fault)
        for facts in status.hosts
    ]
    columns = ("host", "serves", "runs", "free", "fault")
    title, url = f"{status.application} on {status.environment}", environment.public_url
    if not url:
        return table_view(title, columns, rows)
    link = [tag("b", title), " at ", tag("a", url, href=url, target="_blank")]
    text = table_view(f"{title} at {url}", columns, rows).text
    return View(text, page(tag("p", *link), table_html(_table("", columns, tuple(rows)))))


def history_view(releases: Sequence[Release]) -> View:
    """Show deployments, newest first; the newest that succeeded is what serves."""
    now = next((release for release in releases if release.state == "deployed"), None)
    rows = [
        (r.version, f"{r.state}, serves now" if r is now else r.state, r.previous, r.started_at, r.by, r.detail)
        for r in releases
    ]
    return table_view("Deployments", ("version", "state", "in place of", "started", "by", "detail"), rows)


def in_notebook() -> bool:
    """Say whether IPython shows what we display."""
    from IPython import get_ipython

    return get_ipython() is not None


class ProgressOf:
    """The progress of a deployment. `report` is given to the farm; `say` gets a line for each change where no notebook
    shows it.
    """

    def __init__(self, title: str, say: Callable[[object], None]) -> None:
        from lowcode_kernel.widgets.progress_view import live_progress

        self._say, self._live = say, live_progress(title)
        _display(self._live)

    def report(self, progress: Progress) -> None:
        """Take in a step's change of state."""
        from lowcode_kernel.widgets.progress_view import progress_line

        self._live.report(progress)
        if not in_notebook() and progress.state in {"done", "failed", "undone"}:
            self._say(progress_line(progress))

    def finish(self) -> None:
        """Show the last state with the time it took."""
        self._live.finish()


class LoadingOf:
    """The progress of loading data. `report(entity, done, total)` is given to the loader."""

    def __init__(self) -> None:
        from lowcode_kernel.widgets.progress_view import live_loading

        self._live = live_loading()
        self._starts: dict[str, float] = {}
        _display(self._live)

    def report(self, entity: str, done: int, total: int) -> None:
        """Take in how many rows of an entity are written."""
        start = self._starts.setdefault(entity, perf_counter())
        state: LoadingState = "done" if done >= total else "running"
        seconds = perf_counter() - start
        self._live.report(LoadingView(entity=entity, rows=done, total=total, seconds=seconds, state=state))

    def finish(self) -> None:
        """Show the last state of all bars."""
        self._live.finish()


def _display(view: object) -> None:
    if in_notebook():
        from IPython.display import display

        display(view)
