"""Queries to modules: the static SQL, the row's class, and a function for each form in which some body asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import QueryForm
from lowcode_kernel.generators.layers.entities import FieldView, roles_literal
from lowcode_kernel.generators.layers.parameters import words
from lowcode_kernel.generators.layers.python_types import annotation, class_name, standard_imports
from lowcode_kernel.generators.layers.query_functions import FunctionView, function_view
from lowcode_kernel.generators.templating import render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.memo import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application

_WITHOUT_ROWS = frozenset({"exists", "count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The roles that may read an entity of the query."""

    entity: str
    name: str
    roles: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleView:
    """A query's module and the functions that it shows."""

    name: str
    functions: tuple[str, ...]


def query_files(app: Application, forms: Iterable[QueryForm], reads: Iterable[str] = ()) -> list[File]:
    """Return the package `queries`: one module for each query, and an `__init__` that names their functions and the
    modules `reads` with joined reads.

    A query that no form is asked of gives all its rows.
    """
    joined = set(reads)
    by_query: dict[str, list[QueryForm]] = {name: [] for name in app.queries}
    for form in sorted(forms):
        by_query[form.query].append(form)
    asked = {name: found or [QueryForm(query=name)] for name, found in by_query.items()}
    files = [
        remembered("module", app.queries[name], app, partial(_module, app, name, found), variant=tuple(found))
        for name, found in asked.items()
    ]
    modules = [_shown(app, name, asked[name]) for name in sorted(asked)]
    text = render(
        "elements/queries.py.j2",
        package=app.name,
        modules=[module for module in modules if module.functions],
        reads=sorted(joined),
        names=sorted([*(name for module in modules for name in module.functions), *joined]),
    )
    return [File(path=f"{app.name}/queries/__init__.py", content=text.encode()), *files]


def _shown(app: Application, name: str, forms: list[QueryForm]) -> ModuleView:
    return ModuleView(name=name, functions=tuple(form.name(app) for form in forms if form.form != "row"))


def _module(app: Application, name: str, forms: list[QueryForm]) -> File:
    query, analysis = app.queries[name], analyze(app).queries[name]
    views = [function_view(app, query, analysis, form) for form in forms if form.form != "row"]
    with_rows = any(form.form not in _WITHOUT_ROWS for form in forms)
    fields = [
        FieldView(name=column.name, annotation=annotation(column.type, app), comment="") for column in analysis.columns
    ]
    text = render(
        "elements/query.py.j2",
        package=app.name,
        name=name,
        title=f"{name}: {query.doc or 'a query.'}",
        row=f"{class_name(name)}Row",
        fields=fields if with_rows else [],
        texts=[text for view in views for text in view.texts],
        functions=views,
        readers=readers_of(app, analysis.entities) if views else [],
        imports=standard_imports(_used(fields if with_rows else [], views)),
    )
    return File(path=f"{app.name}/queries/{name}.py", content=text.encode(), element=f"query:{name}")


def _used(fields: list[FieldView], views: list[FunctionView]) -> set[str]:
    return words(" ".join([*(field.annotation for field in fields), *(view.parameters for view in views)]))


def readers_of(app: Application, entities: Iterable[str]) -> list[Readers]:
    """Return the roles that must be asked for, once for each entity that restricts its readers."""
    found = []
    for name in entities:
        entity = app.entities.get(name)
        if entity and entity.access and entity.access.read:
            found.append(Readers(entity=snake_case(name), name=name, roles=roles_literal(entity.access.read)))
    return found
