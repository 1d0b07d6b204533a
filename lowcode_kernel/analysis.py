"""All that is known of an application as a whole: its queries, bodies and screens, analyzed once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.bodies import BodyAnalysis, analyze_body
from lowcode_kernel.language.screens import screen_model
from lowcode_kernel.queries import QueryAnalysis, analyze_query

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.language.screen_model import ScreenModel


class Analysis:
    """The analyses of an application's parts, each made when it is first asked for. Keyed by element name."""

    def __init__(self, app: Application) -> None:
        self.app = app

    @cached_property
    def queries(self) -> dict[str, QueryAnalysis]:
        """Every query's analysis."""
        return {name: analyze_query(query, self.app) for name, query in self.app.queries.items()}

    @cached_property
    def actions(self) -> dict[str, BodyAnalysis]:
        """Every action's body."""
        return {
            name: analyze_body(
                action.body, action.body_place, self.app, parameters=action.parameters, element=action.id
            )
            for name, action in self.app.actions.items()
        }

    @cached_property
    def jobs(self) -> dict[str, BodyAnalysis]:
        """Every job's body; that of a job with a notebook of its own is empty."""
        return {
            name: analyze_body(job.body, job.body_place, self.app, element=job.id)
            for name, job in self.app.jobs.items()
        }

    @cached_property
    def tests(self) -> dict[str, BodyAnalysis]:
        """Every test's body."""
        return {
            name: analyze_body(test.body, test.body_place, self.app, element=test.id, asserting=True)
            for name, test in self.app.tests.items()
        }

    @cached_property
    def screens(self) -> dict[str, ScreenModel]:
        """Every screen's model."""
        return {name: screen_model(screen, self.app) for name, screen in self.app.screens.items()}

    @cached_property
    def bodies(self) -> dict[str, BodyAnalysis]:
        """The bodies of actions, jobs and screens by element id: what runs in the deployed application."""
        return {
            **{f"action:{name}": body for name, body in self.actions.items()},
            **{f"job:{name}": body for name, body in self.jobs.items()},
            **{f"screen:{name}": model.body for name, model in self.screens.items()},
        }


def analyze(app: Application) -> Analysis:
    """Return the application's analysis; the same object each time."""
    cached = app.__dict__.get("_analysis")
    if cached is None:
        cached = app.__dict__.setdefault("_analysis", Analysis(app))
    found: Analysis = cached
    return found
