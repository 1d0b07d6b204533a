"""Verbs for an application that runs: its data, its users, its jobs and its logs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.deploying import environment_argument
from lowcode_kernel.magics.verbs.verb import Result, Verb
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from lowcode_kernel.farm.desk import Run
    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def _data(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.history import schema_history
    from lowcode_kernel.farm.loading import load_data
    from lowcode_kernel.magics.showing import LoadingOf, in_notebook, table_view

    environment, app = bench.environment(arguments.environment), bench.sound()
    history = schema_history(environment, app.name)
    if not history:
        raise LowcodeError.of(
            f"{app.name} is not on {environment.name} yet", f"%deploy {environment.name}", code="LK671"
        )
    progress = LoadingOf()
    reports = load_data(environment, app, history[-1], bench.folder, progress.report, replace=arguments.replace)
    rows = [(report.entity, report.rows, report.written, report.there, round(report.seconds, 2)) for report in reports]
    view = table_view("Data", ("entity", "rows", "written", "there already", "seconds"), rows)
    progress.finish()
    told = in_notebook() and not any(report.there for report in reports)  # by the bars
    return Result(value=reports, view=None if told else view)


def _user(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.users import add_user
    from lowcode_kernel.magics.showing import text_view

    app = bench.application
    for role in arguments.role:
        if role not in app.roles:
            raise LowcodeError.of(f'there is no role "{role}"', did_you_mean(role, app.roles), code="LK501")
    environment = bench.environment(arguments.environment)
    name = arguments.name or arguments.email.partition("@")[0].replace(".", " ").title()
    password = add_user(environment, app.name, arguments.email, name, arguments.role).reveal()
    roles = ", ".join(arguments.role) or "nobody in particular"
    said = f"{name} <{arguments.email}> may sign in on {environment.name} as {roles}"
    if password and not arguments.output:
        said += f"; the password is {password}"
    return Result(value=password, view=text_view(said))


def _jobs(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.scheduling import list_runs, list_schedules
    from lowcode_kernel.magics.showing import table_view

    environment, name = bench.environment(arguments.environment), bench.application.name
    if arguments.runs:
        return _runs(list_runs(environment, name))
    schedules = list_schedules(environment, name)
    rows = [
        (item.job, item.cron, item.next_tick, item.last_state, item.last_finished, item.last_error)
        for item in schedules
    ]
    return Result(
        value=schedules, view=table_view("Jobs", ("job", "schedule", "next", "last run", "finished", "error"), rows)
    )


def _runs(runs: tuple[Run, ...]) -> Result:
    from lowcode_kernel.magics.showing import table_view

    columns = ("run", "job", "state", "attempt", "worker", "started", "finished", "error")
    rows = [
        (run.id, run.job, run.state, run.attempt, run.worker, run.started_at, run.finished_at, run.error)
        for run in runs
    ]
    return Result(value=runs, view=table_view("Runs", columns, rows))


def _run(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.scheduling import run_now, wait_for_run
    from lowcode_kernel.magics.showing import table_view

    environment = bench.environment(arguments.environment)
    number = run_now(environment, bench.application.name, arguments.job)
    run = wait_for_run(environment, number, timedelta(seconds=arguments.timeout))
    took = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
    rows = [(run.job, run.state, run.attempt, run.worker, took, run.error, run.record)]
    view = table_view("Run", ("job", "state", "attempt", "worker", "seconds", "error", "record"), rows)
    return Result(value=run, view=view, status=0 if run.state == "done" else 1)


def _logs(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.analysis import query_logs
    from lowcode_kernel.farm.queue import flush_logs
    from lowcode_kernel.widgets.logs_view import logs_view
    from lowcode_kernel.widgets.records import ColumnView, TableView

    environment = bench.environment(arguments.environment)
    flush_logs(environment)
    table = query_logs(environment, arguments.sql)
    places = {element.id: f"cell {element.place.cell}" for element in bench.application.elements}
    rows = tuple(tuple(row.values()) for row in table)
    view = logs_view(TableView(columns=tuple(ColumnView(name=name) for name in table.columns), rows=rows), places)
    return Result(value=table.to_df(), view=view)


def _data_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    parser.add_argument(
        "--replace", action="store_true", help="give rows that are there already the values of the files"
    )


def _user_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    parser.add_argument("email", help="the address that signs in")
    parser.add_argument("--name", help="how the person is called")
    parser.add_argument("--role", action="append", default=[], help="a role; may be given several times")


def _jobs_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    parser.add_argument("--runs", action="store_true", help="show runs, not schedules")


def _run_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    parser.add_argument("job", help="the job's name")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="how long to wait for its end")


def _logs_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    default = "SELECT time, kind, element, outcome, duration_ms FROM events ORDER BY time DESC LIMIT 20"
    parser.add_argument(
        "--sql", default=default, help="DuckDB SQL over events, requests, queries, audit, errors, jobs and deployments"
    )


VERBS = {
    "data": Verb(
        name="data", summary="Load the application's data into an environment.", run=_data, arguments=_data_arguments
    ),
    "user": Verb(
        name="user",
        summary="Let somebody sign in; the result is a new user's password.",
        run=_user,
        arguments=_user_arguments,
    ),
    "jobs": Verb(
        name="jobs", summary="Show the jobs of an environment, or their runs.", run=_jobs, arguments=_jobs_arguments
    ),
    "run": Verb(name="run", summary="Run a job now, and wait for its end.", run=_run, arguments=_run_arguments),
    "logs": Verb(name="logs", summary="Ask the logs of an environment.", run=_logs, arguments=_logs_arguments),
}
