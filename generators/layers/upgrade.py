"""The upgrade scripts of an application: an Alembic environment, and one script (or two) for each step of the
database's history.

A step's first script is one transaction: what adds tables and columns, and the views of the version. Its second,
`..._after`, has what must not hold locks while it works through many rows; each of its statements may be run again.
"""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.difference import difference
from lowcode_kernel.evolution import evolve
from lowcode_kernel.generators.templating import render
from lowcode_kernel.memo import once
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.quoting import identifier
from lowcode_kernel.relational import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.places import Place
    from lowcode_kernel.schema import Change, Schema

AFTER = "_after"


def upgrade_files(app: Application, history: tuple[Schema, ...] = ()) -> tuple[list[File], Schema, tuple[Change, ...]]:
    """Return the files under `upgrade/`, the schema they lead to, and the changes of the last step.

    `history` are the schemas that an environment was given, in order; the same history gives the same bytes. Raises
    LowcodeError with every attribute that the database can't follow.
    """
    schema = schema_of(app)
    steps = lineage(history)
    last = steps[-1] if steps else None
    current, changes, problems = once("evolution", (schema, last), lambda: evolve(last, schema))
    errors = [problem for problem in placed(problems, app) if problem.severity == "error"]
    if errors:
        raise LowcodeError(*errors)
    if not steps or current != steps[-1]:
        steps = (*steps, current)
    scripts = once("scripts", steps, lambda: tuple(_scripts(steps)))
    return sorted([*_environment(app.name), *scripts], key=lambda file: file.path), current, changes


def upgrade_problems(app: Application, history: tuple[Schema, ...] = ()) -> tuple[Problem, ...]:
    """Return what stands in the way of an upgrade (errors), and what should be known before (warnings), with places."""
    steps = lineage(history)
    return placed(evolve(steps[-1] if steps else None, schema_of(app))[2], app)


def lineage(history: Iterable[Schema]) -> tuple[Schema, ...]:
    """Return each step once, in the order of revisions:

    an environment's history has an older version again after it was redeployed.
    """
    by_revision = {schema.revision: schema for schema in history if schema.revision}
    return tuple(by_revision[revision] for revision in sorted(by_revision))


def placed(problems: Iterable[Problem], app: Application) -> tuple[Problem, ...]:
    """Give problems of attributes the place where the attribute is defined."""
    return tuple(
        Problem(
            code=problem.code,
            fact=problem.fact,
            hint=problem.hint,
            place=_place(problem, app),
            severity=problem.severity,
            element=problem.element,
        )
        for problem in problems
    )


def _place(problem: Problem, app: Application) -> Place | None:
    entity = app.entities.get((problem.element or "").removeprefix("entity:"))
    if entity is None:
        return None
    name = problem.fact.partition(" ")[0].partition(".")[2]
    attribute = entity.attribute(name)
    return attribute.place if attribute else entity.place


def _environment(app: str) -> Iterator[File]:
    number = int.from_bytes(hashlib.sha256(f"upgrade of {app}".encode()).digest()[:6])
    for name in ("alembic.ini", "env.py"):
        yield _file(name, render(f"upgrade/{name}.jinja", application=app, lock_number=number))


def _scripts(steps: tuple[Schema, ...]) -> Iterator[File]:
    down: str | None = None
    for previous, schema in pairwise((None, *steps)):
        if schema is None:
            continue
        changes = difference(previous, schema)
        inside = [change for change in changes if not change.concurrent]
        outside = [change for change in changes if change.concurrent]
        views = any(change.kind == "views" for change in changes)
        dropped = f"DROP SCHEMA IF EXISTS {identifier(schema.views)} CASCADE" if views else ""
        yield _script(schema, schema.revision, down, inside, dropped=dropped)
        down = schema.revision
        if outside:
            yield _script(schema, schema.revision + AFTER, down, outside, outside=True)
            down = schema.revision + AFTER


def _script(
    schema: Schema, revision: str, down: str | None, changes: list[Change], *, dropped: str = "", outside: bool = False
) -> File:
    entities = sorted(
        {change.summary.partition(".")[0].partition(":")[0] for change in changes if change.kind != "views"}
    )
    named = [name for name in entities if name in {table.entity for table in schema.tables}]
    origin = f"the entities {', '.join(named)}" if named else f"the entities of {schema.application}"
    text = render(
        "upgrade/script.py.jinja",
        title=_title(schema, down, outside=outside),
        origin=origin,
        revision=revision,
        down_revision=down,
        changes=[{"sql": _without_binds(change.sql), "summary": change.summary} for change in changes],
        outside=outside,
        dropped=dropped,
    )
    return _file(f"versions/{revision}.py", text)


def _title(schema: Schema, previous: str | None, *, outside: bool) -> str:
    if previous is None:
        return f"The first version of the database: the views {schema.views}."
    return (
        f"What takes longer on the way to {schema.views}."
        if outside
        else f"From {previous} to the views {schema.views}."
    )


def _without_binds(sql: str) -> str:
    """Escape what SQLAlchemy would take for a parameter: `:name` within a literal."""
    return re.sub(r"(?<![:\w\\]):(?=\w)(?!\w+:)", r"\\:", sql)


def _file(name: str, text: str) -> File:
    return File(path=f"upgrade/{name}", content=text.encode())
