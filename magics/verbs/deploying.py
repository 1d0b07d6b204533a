"""Verbs that bring the application to an environment and tell how it stands there: plan, deploy, rollback, status,
history, stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.magics.verbs.verb import Result, Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.magics.workbench import Workbench

    Show = Callable[[object], None]


def _environment(bench: Workbench, arguments: Namespace) -> Environment:
    """Return the environment with the variables that `--set` gives for this deployment."""
    from dataclasses import replace

    from lowcode_kernel.magics.variables import variables_of

    environment = bench.environment(arguments.environment)
    given = variables_of(arguments.set, bench.application)
    return replace(environment, variables={**environment.variables, **given})


def _plan(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.deploying import prepare
    from lowcode_kernel.magics.showing import plan_view

    environment = _environment(bench, arguments)
    bundle = bench.bundle_for(environment)
    with bench.hosts(environment) as hosts:
        plan = prepare(environment, bundle, hosts)
    return Result(value=plan, view=plan_view(plan), status=1 if plan.problems else 0)


def _deploy(bench: Workbench, arguments: Namespace, show: Show) -> Result:
    from lowcode_kernel.farm.deploying import deploy
    from lowcode_kernel.farm.platform_services import ensure_platform_services
    from lowcode_kernel.magics.showing import ProgressOf, release_view

    environment = _environment(bench, arguments)
    bundle = bench.bundle_for(environment)
    progress = ProgressOf(f"Deploy {bundle.application} {bundle.version} to {environment.name}", show)
    with bench.hosts(environment) as hosts:
        ensure_platform_services(environment, hosts, bundle.application)
        release = deploy(environment, bundle, hosts, progress.report)
    progress.finish()
    return Result(value=release, view=release_view(release, environment))


def _rollback(bench: Workbench, arguments: Namespace, show: Show) -> Result:
    from lowcode_kernel.farm.rollback import rollback
    from lowcode_kernel.magics.showing import ProgressOf, release_view

    environment = _environment(bench, arguments)
    progress = ProgressOf(f"Roll {bench.application.name} back on {environment.name}", show)
    with bench.hosts(environment) as hosts:
        release = rollback(environment, bench.application.name, hosts, progress.report, to=arguments.to)
    progress.finish()
    return Result(value=release, view=release_view(release, environment))


def _status(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.history import status
    from lowcode_kernel.magics.showing import status_view

    environment = bench.environment(arguments.environment)
    with bench.hosts(environment) as hosts:
        found = status(environment, bench.application.name, hosts)
    return Result(value=found, view=status_view(found, environment))


def _history(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.history import history
    from lowcode_kernel.magics.showing import history_view

    releases = history(bench.environment(arguments.environment), bench.application.name)
    return Result(value=releases, view=history_view(releases))


def _stop(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    from lowcode_kernel.farm.development import stop_development
    from lowcode_kernel.magics.showing import text_view
    from lowcode_kernel.problems import LowcodeError

    if arguments.environment != "dev":
        raise LowcodeError.of(
            f"{arguments.environment} is not stopped from here", "only dev runs on this machine", code="LK003"
        )
    stop_development(bench.home)
    return Result(view=text_view("dev is stopped; its data stays, and the next verb starts it again"))


def environment_argument(parser: ArgumentParser) -> None:
    """Add the environment's name."""
    parser.add_argument("environment", help="dev, or an environment of farm.toml")


def _deploy_arguments(parser: ArgumentParser) -> None:
    environment_argument(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, or an integration's address as weather.url=http://...",
    )


def _rollback_arguments(parser: ArgumentParser) -> None:
    _deploy_arguments(parser)
    parser.add_argument("--to", metavar="VERSION", help="the version to go back to; the one before, if not given")


VERBS = {
    "plan": Verb(
        name="plan", summary="Show what a deployment would do. Changes nothing.", run=_plan, arguments=_deploy_arguments
    ),
    "deploy": Verb(
        name="deploy",
        summary="Bring the application to all hosts of an environment, or to none.",
        run=_deploy,
        arguments=_deploy_arguments,
    ),
    "rollback": Verb(
        name="rollback", summary="Go back to an earlier release.", run=_rollback, arguments=_rollback_arguments
    ),
    "status": Verb(name="status", summary="Tell what runs where.", run=_status, arguments=environment_argument),
    "history": Verb(
        name="history",
        summary="Tell what was deployed when, and by whom.",
        run=_history,
        arguments=environment_argument,
    ),
    "stop": Verb(name="stop", summary="Stop the processes of dev.", run=_stop, arguments=environment_argument),
}
