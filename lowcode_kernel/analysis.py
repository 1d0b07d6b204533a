"""All that is known of an application as a whole: its queries, bodies and screens, each analyzed once.

What an element's analysis gave is remembered (`memo`): in an application that differs in one element, that element and
those that name it are analyzed again, and the others have the very same analysis.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.bodies import BodyAnalysis, analyze_body
from lowcode_kernel.language.screens import screen_model
from lowcode_kernel.memo import Names, remembered, unwritten

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Action, Job, Test
    from lowcode_kernel.language.screen_model import ScreenModel
    from lowcode_kernel.queries import QueryAnalysis


class Analysis:
    """The analyses of an application's parts, each made when it is first asked for. Keyed by element name."""

    def __init__(self, app: Application) -> None:
        self.app = app

    @cached_property
    def queries(self) -> dict[str, QueryAnalysis]:
        """Every query's analysis."""
        with unwritten():
            queries = self.app.queries
            if not queries:
                return Names("analysis.queries", {})
            from lowcode_kernel.queries import analyze_query  # the SQL parser, only where there are queries

            return Names("analysis.queries", {name: analyze_query(query, self.app) for name, query in queries.items()})

    @cached_property
    def actions(self) -> dict[str, BodyAnalysis]:
        """Every action's body."""
        with unwritten():
            found = {name: self._action(action) for name, action in self.app.actions.items()}
        return Names("analysis.actions", found)

    def _action(self, action: Action) -> BodyAnalysis:
        return remembered(
            "body",
            action,
            self.app,
            lambda: analyze_body(
                action.body, action.body_place, self.app, parameters=action.parameters, element=action.id
            ),
        )

    @cached_property
    def jobs(self) -> dict[str, BodyAnalysis]:
        """Every job's body; that of a job with a notebook of its own is empty."""
        with unwritten():
            return Names("analysis.jobs", {name: self._job(job) for name, job in self.app.jobs.items()})

    def _job(self, job: Job) -> BodyAnalysis:
        return remembered(
            "body", job, self.app, lambda: analyze_body(job.body, job.body_place, self.app, element=job.id)
        )

    @cached_property
    def tests(self) -> dict[str, BodyAnalysis]:
        """Every test's body."""
        with unwritten():
            return Names("analysis.tests", {name: self._test(test) for name, test in self.app.tests.items()})

    def _test(self, test: Test) -> BodyAnalysis:
        return remembered(
            "body",
            test,
            self.app,
            lambda: analyze_body(test.body, test.body_place, self.app, element=test.id, asserting=True),
        )

    @cached_property
    def screens(self) -> dict[str, ScreenModel]:
        """Every screen's model."""
        with unwritten():
            found = {name: screen_model(screen, self.app) for name, screen in self.app.screens.items()}
        return Names("analysis.screens", found)

    @cached_property
    def bodies(self) -> dict[str, BodyAnalysis]:
        """The bodies of actions, jobs and screens by element id: what runs in the deployed application."""
        with unwritten():
            found = {
                **{f"action:{name}": body for name, body in self.actions.items()},
                **{f"job:{name}": body for name, body in self.jobs.items()},
                **{f"screen:{name}": model.body for name, model in self.screens.items()},
            }
        return Names("analysis.bodies", found)


def analyze(app: Application) -> Analysis:
    """Return the application's analysis; the same object each time."""
    cached = app.__dict__.get("_analysis")
    if cached is None:
        cached = app.__dict__.setdefault("_analysis", Analysis(app))
    found: Analysis = cached
    return found
