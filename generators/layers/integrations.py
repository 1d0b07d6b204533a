"""Integrations to modules of typed operations, and structs to classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.entities import FieldView
from lowcode_kernel.generators.layers.parameters import parameter_text, words
from lowcode_kernel.generators.layers.python_types import annotation, standard_imports
from lowcode_kernel.generators.templating import render

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Integration, Operation

_NO_BODY = frozenset({"GET", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """An operation, ready for the template."""

    name: str
    method: str
    path: str
    path_text: str
    parameters: str
    arguments: str
    returns: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StructView:
    """A struct, ready for the template."""

    name: str
    doc: str
    fields: tuple[FieldView, ...]


def integration_files(app: Application) -> list[File]:
    """Return the package `integrations` and the module `structs`."""
    files = [_module(app, integration) for integration in app.integrations.values()]
    doc = "Other services, one module each."
    text = render(
        "elements/package.py.j2", doc=doc, package=app.name, folder="integrations", modules=sorted(app.integrations)
    )
    return [File(path=f"{app.name}/integrations/__init__.py", content=text.encode()), *files, _structs(app)]


def _module(app: Application, integration: Integration) -> File:
    views = [_operation(integration, operation, app) for operation in integration.operations]
    returned = [operation.returns for operation in integration.operations if operation.returns]
    used = words(" ".join(f"{view.parameters} {view.returns}" for view in views))
    text = render(
        "service/integration.py.j2",
        package=app.name,
        name=integration.name,
        title=f"{integration.name}: {integration.doc or integration.base_url}",
        operations=views,
        timeout=integration.timeout.total_seconds(),
        imports=standard_imports(used),
        structs=sorted({type_.name for type_ in returned if type_.kind == "struct"}),
    )
    return File(path=f"{app.name}/integrations/{integration.name}.py", content=text.encode(), element=integration.id)


def _operation(integration: Integration, operation: Operation, app: Application) -> OperationView:
    in_path = re.findall(r"\{(\w+)\}", operation.path)
    given = ", ".join(f'"{p.name}": {p.name}' for p in operation.parameters if p.name not in in_path)
    way = "query" if operation.method in _NO_BODY else "body"
    returns = annotation(operation.returns, app, stored=False) if operation.returns else "Any"
    path_text = (
        'f"' + re.sub(r"\{(\w+)\}", r'{quote(str(\1), safe="")}', operation.path) + '"'
        if in_path
        else f'"{operation.path}"'
    )
    parameters = ", ".join(parameter_text(parameter, app) for parameter in operation.parameters)
    return OperationView(
        name=operation.name,
        method=operation.method,
        path=operation.path,
        path_text=path_text.replace('safe=""', "safe=''"),
        parameters=f", *, {parameters}" if parameters else "",
        arguments=f", {way}={{{given}}}" if given else "",
        returns=returns,
        result=f'decode("{integration.name}", content, {returns})',
    )


def _structs(app: Application) -> File:
    views = [
        StructView(
            name=struct.name,
            doc=struct.doc or struct.name,
            fields=tuple(
                FieldView(
                    name=a.name,
                    annotation=annotation(a.type, app) + _default(a.type.optional),
                    comment=a.doc,
                )
                for a in struct.attributes
            ),
        )
        for struct in app.structs.values()
    ]
    used = words(" ".join(field.annotation for view in views for field in view.fields))
    text = render("service/structs.py.j2", structs=views, imports=standard_imports(used))
    return File(path=f"{app.name}/structs.py", content=text.encode())


def _default(optional: bool) -> str:  # noqa: FBT001 - private
    return " = None" if optional else ""
