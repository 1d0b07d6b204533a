"""The verb check: what is wrong with the model, why that matters, and, with --fix, put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lowcode_kernel.magics.verbs.verb import Result, Verb

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable

    from lowcode_kernel.magics.workbench import Workbench
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.schema import Schema

    Show = Callable[[object], None]

_RANK = {"error": 0, "warning": 1, "notice": 2}


def _check(bench: Workbench, arguments: Namespace, _: Show) -> Result:
    if arguments.explain:
        return _explained(arguments.explain)
    choose = _choice(arguments)
    if arguments.fix:
        return _fixed(bench, arguments, choose)
    from lowcode_kernel.checks import check

    problems = [problem for problem in check(bench.read(), _deployed(bench, arguments.against)) if choose(problem)]
    return _told(bench, tuple(problems), arguments.severity)


def _told(bench: Workbench, problems: tuple[Problem, ...], severity: str) -> Result:
    from lowcode_kernel.magics.showing import problems_view

    view = problems_view(problems, bench.application)
    failing = any(_RANK[problem.severity] <= _RANK[severity] for problem in problems)
    return Result(value=problems, view=view, status=1 if failing else 0, json=[as_record(item) for item in problems])


def as_record(problem: Problem) -> dict[str, Any]:
    """Return a problem as `check --json` writes it; `page` is the name of its page in the package, or None.

    {code, severity, fact, hint, place: {notebook, cell, line, column} | null, element, page, fixable}
    """
    from lowcode_kernel.checks.catalog import page

    at = problem.place
    place = {"notebook": at.notebook, "cell": at.cell, "line": at.line, "column": at.column} if at else None
    return {
        "code": problem.code,
        "severity": problem.severity,
        "fact": problem.fact,
        "hint": problem.hint,
        "place": place,
        "element": problem.element,
        "page": f"lowcode_kernel/checks/pages/{problem.code}.md" if page(problem.code) else None,
        "fixable": problem.fix is not None,
    }


def _choice(arguments: Namespace) -> Callable[[Problem], bool]:
    """Return what says whether a problem is asked for, by --select and --ignore."""
    select, ignore = _codes(arguments.select), _codes(arguments.ignore)

    def choose(problem: Problem) -> bool:
        return (not select or problem.code.startswith(select)) and not (ignore and problem.code.startswith(ignore))

    return choose


def _codes(given: Iterable[str]) -> tuple[str, ...]:
    """Return codes, or beginnings of codes (LK4), from words with commas; a name stands for its code."""
    from lowcode_kernel.checks.catalog import all_pages, explanation

    found = []
    for word in (word.strip() for words in given for word in words.split(",")):
        code = word.upper()
        if not any(item.code.startswith(code) for item in all_pages()):
            code = explanation(word).code
        found.append(code)
    return tuple(found)


def _explained(code: str) -> Result:
    from lowcode_kernel.checks.catalog import explanation
    from lowcode_kernel.magics.showing import explanation_view

    page = explanation(code)
    return Result(value=page, view=explanation_view(page))


def _deployed(bench: Workbench, environment: str | None) -> Schema | None:
    """Return the schema that an environment's database has, or None where nothing was deployed there."""
    if environment is None:
        return None
    from lowcode_kernel.farm.history import schema_history

    history = schema_history(bench.environment(environment), bench.application.name)
    return history[-1] if history else None


def _fixed(bench: Workbench, arguments: Namespace, choose: Callable[[Problem], bool]) -> Result:
    from lowcode_kernel.magics.showing import fixes_view

    if bench.notebook is not None:
        from lowcode_kernel.magics.fixing import fix_notebook

        fixed, difference = fix_notebook(bench.notebook, choose)
        how = f"written to {bench.notebook}"
    else:
        from lowcode_kernel.checks.fixing import difference as differences
        from lowcode_kernel.checks.fixing import fix
        from lowcode_kernel.notebook import read_cells

        cells = {number: text for (notebook, number), text in bench.read().texts.items() if notebook is None}
        fixed = fix(cells, lambda texts: read_cells(sorted(texts.items()), bench.folder), choose)
        difference = differences(cells, fixed.cells)
        how = "change the cells so, or save the notebook and run: lowcode check --fix NOTEBOOK.ipynb"
    left = tuple(problem for problem in fixed.remaining if choose(problem))
    failing = any(_RANK[problem.severity] <= _RANK[arguments.severity] for problem in left)
    records = {"fixed": [as_record(item) for item in fixed.made], "remaining": [as_record(item) for item in left]}
    view = fixes_view(fixed.made, left, difference, how)
    return Result(value=fixed, view=view, status=1 if failing else 0, json=records)


def _arguments(parser: ArgumentParser) -> None:
    add: Any = parser.add_argument
    add("--explain", metavar="CODE", help="tell what a code means, why it matters and how to put it right")
    add("--fix", action="store_true", help="make the fixes that are certain, and show them")
    add("--severity", choices=tuple(_RANK), default="error", help="fail from this severity on (error)")
    add("--select", action="append", default=[], metavar="CODES", help="only these codes, as LK402,LK9")
    add("--ignore", action="append", default=[], metavar="CODES", help="all but these codes")
    add("--against", metavar="ENV", help="tell too what a deployment would take from this environment's data")


CHECK = Verb(
    name="check",
    summary="Tell everything that is wrong with the application.",
    run=_check,
    arguments=_arguments,
    needs_notebook=lambda arguments: not arguments.explain,
)
VERBS = {"check": CHECK}
