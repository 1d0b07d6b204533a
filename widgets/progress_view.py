"""What is under way: a deployment's steps on each host, the rows that are loaded.

Progress is an output that is replaced under its display id, and not a widget: it needs no front-end that answers, and
what it showed last is saved with the notebook. Replacements are spaced in time, since every one is a message; the last
always comes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.table_view import rows_html
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lowcode_kernel.plan import Progress, Step, StepState
    from lowcode_kernel.widgets.records import LoadingView

_PACE = 0.1  # seconds between two replacements
_CONTROLLER = "controller"
_ENDED = frozenset({"done", "failed", "undone", "skipped"})
_FULL = {"running": "", "done": "lowcode-done", "failed": "lowcode-failed"}


def progress_view(title: str, steps: Sequence[Step], reports: Sequence[Progress], seconds: float | None = None) -> View:
    """Show how far the steps are.

    `reports` are all changes of state so far, in their order; steps that only reports name are shown too.
    """
    latest = {report.step.number: report for report in reports}
    known = {step.number: step for step in [*steps, *(report.step for report in reports)]}
    ordered = [known[number] for number in sorted(known)]
    ended = sum(1 for step in ordered if step.number in latest and latest[step.number].state in _ENDED)
    state = _state_of(ordered, latest)
    head = tag(
        "div",
        tag("b", title),
        tag("span", _count(ended, len(ordered), seconds), class_="lowcode-quiet lowcode-end"),
        class_="lowcode-head",
    )
    body = tag("div", _bar(ended, len(ordered), state), _grid(ordered, latest), class_="lowcode-body")
    text = "\n".join([title, *(progress_line(report) for report in reports), _count(ended, len(ordered), seconds)])
    return View(text, page(tag("div", head, body, class_="lowcode-card lowcode-progress")))


def progress_line(report: Progress) -> str:
    """Return one change of state as a line for a terminal or a log."""
    took = f" {report.seconds:.1f} s" if report.seconds else ""
    detail = f": {report.detail}" if report.detail else ""
    return f"{report.step.name:<8} {report.step.host or _CONTROLLER:<12} {report.state}{took}{detail}"


def _state_of(steps: Sequence[Step], latest: dict[int, Progress]) -> str:
    states = {latest[step.number].state for step in steps if step.number in latest}
    if states & {"failed", "undone"}:
        return "failed"
    return (
        "done" if len(states) > 0 and states <= _ENDED and all(step.number in latest for step in steps) else "running"
    )


def _count(ended: int, total: int, seconds: float | None) -> str:
    took = f" · {seconds:.1f} s" if seconds is not None else ""
    return f"{ended} of {total} steps{took}"


def _bar(ended: int, total: int, state: str) -> Markup:
    share = 100 * ended / total if total else 0
    return tag("div", tag("span", class_=_FULL[state] or None, style=f"width:{share:.0f}%"), class_="lowcode-bar")


def _grid(steps: Sequence[Step], latest: dict[int, Progress]) -> Markup:
    """Return a row for each name of a step and a column for each actor."""
    actors = list(dict.fromkeys(step.host or _CONTROLLER for step in steps))
    by_cell = {(step.name, step.host or _CONTROLLER): step for step in steps}
    names = list(dict.fromkeys(step.name for step in steps))
    rows = [(tag("b", name), *(_cell(by_cell.get((name, actor)), latest) for actor in actors)) for name in names]
    notes = [
        tag("div", f"{r.step.name} on {r.step.host or _CONTROLLER}: {r.detail}", class_="lowcode-problem")
        for r in latest.values()
        if _is_bad(r)
    ]
    return joined(*notes, rows_html(("", *actors), rows))


def _is_bad(report: Progress) -> bool:
    return report.state == "failed" and bool(report.detail)


def _cell(step: Step | None, latest: dict[int, Progress]) -> Markup:
    if step is None:
        return Markup()
    report = latest.get(step.number)
    state: StepState = report.state if report else "waiting"
    took = (
        tag("span", f"{report.seconds:.1f} s", class_="lowcode-quiet lowcode-number")
        if report and report.seconds
        else Markup()
    )
    detail = report.detail if report and report.detail else step.summary
    return tag("span", tag("i", class_=f"lowcode-{state}"), state, " ", took, class_="lowcode-state", title=detail)


def loading_view(loads: Sequence[LoadingView]) -> View:
    """Show rows being loaded, one bar for each entity."""
    text = "\n".join(_loading_text(load) for load in loads)
    return View(text, page(*(_loading_bar(load) for load in loads), class_="lowcode-loading"))


def _loading_text(load: LoadingView) -> str:
    of = f" of {load.total:,}" if load.total is not None and load.state != "done" else ""
    rate = f", {load.rate:,.0f} rows/s" if load.rate else ""
    detail = f": {load.detail}" if load.detail else ""
    failed = ", failed" if load.state == "failed" else ""
    return f"{load.entity}: {load.rows:,}{of} rows in {load.seconds:.1f} s{rate}{failed}{detail}"


def _loading_bar(load: LoadingView) -> Markup:
    share = 100.0 if load.state == "done" else 100 * load.rows / load.total if load.total else 0.0
    name, _, told = _loading_text(load).partition(": ")
    line = tag("div", tag("b", name), " ", tag("span", told, class_="lowcode-quiet"))
    bar = tag(
        "div",
        tag("span", class_=_FULL[load.state] or None, style=f"width:{min(share, 100):.0f}%"),
        class_="lowcode-bar",
    )
    return tag("div", line, bar, style="max-width:560px;margin-bottom:8px")


class LiveOutput:
    """An output that is shown once and then replaced: `report` takes a change, `finish` shows the last state.

    `render` makes the view of all changes so far and of the seconds since the start. It may be reported to from any
    thread.
    """

    def __init__(self, render: Callable[[Sequence[Any], float], View]) -> None:
        self._render = render
        self._reports: list[Any] = []
        self._handle: Any = None
        self._started = time.monotonic()
        self._shown = 0.0

    @property
    def view(self) -> View:
        """The view of now."""
        return self._render(tuple(self._reports), time.monotonic() - self._started)

    def report(self, change: object) -> None:
        """Take a change, and show it if the last replacement was long enough ago."""
        self._reports.append(change)
        if time.monotonic() - self._shown >= _PACE:
            self._replace()

    def finish(self) -> None:
        """Show the last state."""
        self._replace()

    def _replace(self) -> None:
        self._shown = time.monotonic()
        if self._handle is not None:
            self._handle.update(self.view._repr_mimebundle_(), raw=True)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        bundle = self.view._repr_mimebundle_()
        self._handle = display(bundle, raw=True, display_id=True)

    def __repr__(self) -> str:
        return self.view.text


def live_progress(title: str, steps: Sequence[Step] = ()) -> LiveOutput:
    """Return a deployment's progress: display it, `report` each Progress to it, `finish` it."""
    return LiveOutput(lambda reports, seconds: progress_view(title, steps, reports, seconds))


def live_loading() -> LiveOutput:
    """Return the progress of loading: display it, `report` a LoadingView for each batch, `finish` it."""
    return LiveOutput(lambda reports, _: loading_view(list({load.entity: load for load in reports}.values())))
