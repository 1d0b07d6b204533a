"""Results to views: the one place where the core's and the farm's records meet the widgets'."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from lowcode_kernel.widgets.records import ColumnView, EdgeView, GraphView, LoadingView, ModelView, NodeView, TableView
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.elements import Element
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.history import Status
    from lowcode_kernel.findings import Finding
    from lowcode_kernel.generators.writing import Written
    from lowcode_kernel.graph import Graph
    from lowcode_kernel.plan import Plan, Progress, Release
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.widgets.records import LoadingState


def as_json(value: object) -> str:
    """Return a value as indented JSON; what has no JSON form is written as its text."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()


def element_view(element: Element, app: Application) -> View:
    """Show an element that was just defined, with what the whole application tells of it so far."""
    from lowcode_kernel.analysis import analyze
    from lowcode_kernel.elements import Query
    from lowcode_kernel.widgets.model_view import model_view

    columns: tuple[ColumnView, ...] = ()
    problems: tuple[Problem, ...] = ()
    analysis = analyze(app)
    if isinstance(element, Query) and element.name in analysis.queries:
        found = analysis.queries[element.name]
        columns = tuple(ColumnView(name=column.name, type=str(column.type)) for column in found.columns)
        problems = found.problems
    elif element.id in analysis.bodies:
        problems = analysis.bodies[element.id].problems
    return model_view(ModelView(element=element, columns=columns, problems=problems))


def problems_view(problems: Sequence[Problem], app: Application) -> View:
    """Show what the checks found."""
    from lowcode_kernel.widgets.problems_view import problems_view as show

    return show(problems, sound=f"{app.title}: {len(app.elements)} definitions, no problems.")


def graph_view(graph: Graph, app: Application) -> View:
    """Show a dependency graph."""
    from lowcode_kernel.widgets.graph_view import graph_view as show

    nodes = tuple(_node(graph.nodes[name]["element"]) for name in graph)
    uses = [(source, target, str(data["why"])) for source, target, data in graph.edges(data=True)]
    edges = tuple(EdgeView(source=source, target=target, label=why) for source, target, why in uses)
    return show(GraphView(nodes=nodes, edges=edges, title=app.title))


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
    """Show rows."""
    from lowcode_kernel.widgets.table_view import table_view as show

    table = TableView(
        columns=tuple(ColumnView(name=name) for name in columns),
        rows=tuple(map(tuple, rows)),
        title=title,
        seconds=seconds,
    )
    return show(table)


def text_view(text: str) -> View:
    """Show one sentence."""
    from lowcode_kernel.widgets.markup import page, tag

    return View(text, page(tag("p", text)))


def findings_view(findings: Sequence[Finding]) -> View:
    """Show what the optimizer did and why, with the SQL before and after."""
    from lowcode_kernel.widgets.highlighting import highlighted
    from lowcode_kernel.widgets.markup import Markup, page, tag

    if not findings:
        return text_view("The optimizer found nothing to do.")
    blocks = []
    for finding in findings:
        head = [
            tag("b", finding.what),
            tag("span", f" {finding.why}. {finding.saved}".rstrip(), class_="lowcode-quiet"),
            " ",
            str(finding.place),
        ]
        sql = [tag("pre", highlighted(text, "sql")) for text in (finding.before, finding.after) if text]
        words = ["before", "after"] if finding.after else ["what was there"]
        more = [tag("details", tag("summary", " and ".join(words)), *sql)] if sql else []
        blocks.append(
            tag(
                "div", tag("div", *head), *more, class_="lowcode-problem" + ("" if finding.acted else " lowcode-notice")
            )
        )
    text = "\n".join(f"{'did' if finding.acted else 'kept'}  {finding}" for finding in findings)
    return View(text, page(*blocks) if blocks else Markup())


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
    rows = [
        (facts.host, facts.current or "-", ", ".join(facts.running), f"{facts.free_bytes / 1e9:.1f} GB", facts.fault)
        for facts in status.hosts
    ]
    title = f"{status.application} on {status.environment}" + (
        f" at {environment.public_url}" if environment.public_url else ""
    )
    return table_view(title, ("host", "serves", "runs", "free", "fault"), rows)


def history_view(releases: Sequence[Release]) -> View:
    """Show deployments, newest first."""
    rows = [
        (r.version, r.state, r.previous or "-", r.started_at.isoformat(" ", "seconds"), r.by, r.detail)
        for r in releases
    ]
    return table_view("Deployments", ("version", "state", "before", "started", "by", "detail"), rows)


def in_notebook() -> bool:
    """Say whether IPython shows what we display."""
    from IPython import get_ipython

    return get_ipython() is not None


class _Live:
    """A view that changes while work goes on: a display that is updated in a notebook, a line a change elsewhere."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, view: View) -> None:
        from IPython.display import display

        if not in_notebook():
            return
        bundle: dict[str, Any] = view._repr_mimebundle_()
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)


class ProgressOf(_Live):
    """The progress of a deployment. `report` is given to the farm; `say` gets a line for each change where no notebook
    shows it.
    """

    def __init__(self, title: str, say: Callable[[object], None]) -> None:
        super().__init__()
        self.title, self.say = title, say
        self.reports: list[Progress] = []
        self.start = perf_counter()

    def report(self, progress: Progress) -> None:
        """Take in a step's change of state."""
        from lowcode_kernel.widgets.progress_view import progress_line

        self.reports.append(progress)
        if in_notebook():
            self._refresh(None)
        elif progress.state in {"done", "failed", "undone"}:
            self.say(progress_line(progress))

    def finish(self) -> None:
        """Show the last state with the time it took."""
        if in_notebook():
            self._refresh(perf_counter() - self.start)

    def _refresh(self, seconds: float | None) -> None:
        from lowcode_kernel.widgets.progress_view import progress_view

        self.show(progress_view(self.title, (), tuple(self.reports), seconds))


class LoadingOf(_Live):
    """The progress of loading data. `report(entity, done, total)` is given to the loader."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: dict[str, LoadingView] = {}
        self.starts: dict[str, float] = {}

    def report(self, entity: str, done: int, total: int) -> None:
        """Take in how many rows of an entity are written."""
        from lowcode_kernel.widgets.progress_view import loading_view

        start = self.starts.setdefault(entity, perf_counter())
        state: LoadingState = "done" if done >= total else "running"
        self.loads[entity] = LoadingView(
            entity=entity, rows=done, total=total, seconds=perf_counter() - start, state=state
        )
        self.show(loading_view(tuple(self.loads.values())))
