"""Queries to modules: the static SQL, the row's class, and a function with the query's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.entities import FieldView, roles_literal
from lowcode_kernel.generators.layers.python_types import annotation, class_name, standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.identifiers import snake_case

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter
    from lowcode_kernel.queries import QueryAnalysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The roles that may read an entity of the query."""

    entity: str
    name: str
    roles: str


def query_files(app: Application) -> list[File]:
    """Return the package `queries`: one module for each query, and an `__init__` that names their functions."""
    files = [_module(app, name, analysis) for name, analysis in analyze(app).queries.items()]
    text = render(
        "elements/functions.py.j2",
        doc="The queries, one module each.",
        package=app.name,
        folder="queries",
        modules=sorted(app.queries),
    )
    return [File(path=f"{app.name}/queries/__init__.py", content=text.encode()), *files]


def _module(app: Application, name: str, analysis: QueryAnalysis) -> File:
    query = app.queries[name]
    fields = [
        FieldView(name=column.name, annotation=annotation(column.type, app), comment="") for column in analysis.columns
    ]
    parameters = ", ".join(parameter_text(parameter, app) for parameter in query.parameters)
    values = [parameter.name for parameter in query.parameters] + [
        f"context.{rule}" for rule in analysis.rule_parameters
    ]
    used = " ".join([parameters, *(field.annotation for field in fields)])
    text = render(
        "elements/query.py.j2",
        package=app.name,
        name=name,
        title=f"{name}: {query.doc or 'a query.'}",
        doc=query.doc or f"Run the query {name}.",
        row=f"{class_name(name)}Row",
        fields=fields,
        sql=analysis.statement,
        parameters=f", *, {parameters}" if parameters else "",
        arguments=", ".join(["SQL", *values, f'name="{name}"']),
        readers=_readers(app, analysis),
        imports=standard_imports(words(used)),
    )
    return File(path=f"{app.name}/queries/{name}.py", content=text.encode(), element=f"query:{name}")


def _readers(app: Application, analysis: QueryAnalysis) -> list[Readers]:
    """Return the roles that must be asked for, once for each entity that restricts its readers."""
    found = []
    for name in analysis.entities:
        entity = app.entities.get(name)
        if entity and entity.access and entity.access.read:
            found.append(Readers(entity=snake_case(name), name=name, roles=roles_literal(entity.access.read)))
    return found


def parameter_text(parameter: Parameter, app: Application, *, stored: bool = True) -> str:
    """Return a parameter as Python writes it, with its default."""
    text = f"{parameter.name}: {annotation(parameter.type, app, stored=stored)}"
    return text + default_text(parameter)


def default_text(parameter: Parameter) -> str:
    """Return what follows a parameter's annotation: ` = 3`, or nothing where an argument is required."""
    if parameter.default is None:
        return " = None" if parameter.type.optional else ""
    is_decimal = parameter.type.name == "Decimal" and parameter.default != "None"
    return f' = Decimal("{parameter.default}")' if is_decimal else f" = {parameter.default}"


def words(text: str) -> set[str]:
    """Return the names that occur in annotations."""
    for char in "[](),:=|":
        text = text.replace(char, " ")
    return set(text.split())
