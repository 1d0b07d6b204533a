"""Actions to modules: the arguments' class, the action itself, and `call`, which loads what a request's arguments
refer to.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import EntityFunction, Uses
from lowcode_kernel.generators.layers.emission import Emitter
from lowcode_kernel.generators.layers.emission_control import raised
from lowcode_kernel.generators.layers.entities import FieldView, roles_literal
from lowcode_kernel.generators.layers.modules import module_of
from lowcode_kernel.generators.layers.parameters import default_text, parameter_text, words
from lowcode_kernel.generators.layers.python_types import annotation, class_name, decoded, standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.unparsing import text_of_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Action, Parameter
    from lowcode_kernel.types import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A class and the module that holds it."""

    name: str
    module: str


def action_files(app: Application, needed: Uses) -> list[File]:
    """Return the package `actions`; what they use of entities and queries is added to `needed`."""
    files = [module_of(app, action, needed, _module) for action in app.actions.values()]
    text = render("elements/actions.py.j2", package=app.name, modules=sorted(app.actions))
    return [File(path=f"{app.name}/actions/__init__.py", content=text.encode()), *files]


def _module(app: Application, action: Action, needed: Uses) -> File:
    uses = Uses(element=action.id)
    emitter = Emitter(app, analyze(app).actions[action.name], uses)
    body = lines(emitter.whole(action.returns))
    returns = annotation(action.returns, app, stored=False) if action.returns else "None"
    parameters = ", ".join(parameter_text(parameter, app, stored=False) for parameter in action.parameters)
    fields = [
        FieldView(name=p.name, annotation=decoded(p.type, app), comment=default_text(p)) for p in action.parameters
    ]
    loads, values = _loads(app, action.parameters, uses)
    call = f"{action.name}({', '.join(['context', *values])})"
    needed.add(uses)
    promised = [action.returns] if action.returns else []
    types = [*(parameter.type for parameter in action.parameters), *promised, *uses.types]
    used = words(" ".join([parameters, returns, *(field.annotation for field in fields)])) | uses.names
    text = render(
        "elements/action.py.j2",
        package=app.name,
        name=action.name,
        title=f"{action.name}: {action.doc or 'an action.'}",
        doc=action.doc or f"Run the action {action.name}.",
        arguments=f"{class_name(action.name)}Arguments",
        fields=fields,
        parameters=_star(parameters),
        returns=returns,
        body=body,
        roles=roles_literal(action.roles),
        loads=loads,
        call=f"return await {call}" if action.returns else f"await {call}",
        imports=[*standard_imports(used), *sorted(uses.imports)],
        packages=sorted(uses.packages),
        errors=raised(uses.names),
        **symbols(types, app),
    )
    return File(path=f"{app.name}/actions/{action.name}.py", content=text.encode(), element=action.id)


def _star(parameters: str) -> str:
    return f", *, {parameters}" if parameters else ""


def lines(statements: list[ast.stmt]) -> list[str]:
    """Return statements as lines of text; a body without any is `pass`."""
    return text_of_tree(ast.Module(body=statements, type_ignores=[])).splitlines() or ["pass"]


def _loads(app: Application, parameters: Iterable[Parameter], uses: Uses) -> tuple[list[str], list[str]]:
    """Return the lines that load referenced rows, and the arguments of the call."""
    loaded, values = [], []
    for parameter in parameters:
        if parameter.type.kind == "entity":
            loaded.append(f"{parameter.name} = {load_text(app, parameter.type, f'arguments.{parameter.name}', uses)}")
            values.append(f"{parameter.name}={parameter.name}")
        else:
            values.append(f"{parameter.name}=arguments.{parameter.name}")
    return loaded, values


def load_text(app: Application, type_: Type, key: str, uses: Uses) -> str:
    """Return the text that loads the row (or rows) of a key."""
    del app
    uses.functions.add(EntityFunction(entity=type_.name, method="get"))
    uses.packages.add("entities")
    get = f"await entities.{snake_case(type_.name)}.get(context, "
    if type_.many:
        return f"[{get}key) for key in {key}]"
    return f"None if {key} is None else {get}{key})" if type_.optional else f"{get}{key})"


def _parts(type_: Type) -> Iterable[Type]:
    return (part for item in type_.parts for part in _parts(item)) if type_.parts else (type_,)


def symbols(types: Iterable[Type], app: Application) -> dict[str, list[Symbol] | list[str]]:
    """Return the classes that annotations name: rows of entities and queries, and structs."""
    found = [part for type_ in types for part in _parts(type_)]
    classes = sorted({type_.name for type_ in found if type_.kind == "entity"})
    rows = sorted({type_.name for type_ in found if type_.kind == "query"})
    return {
        "classes": [Symbol(name=name, module=snake_case(name)) for name in classes],
        "rows": [Symbol(name=f"{class_name(name)}Row", module=name) for name in rows],
        "structs": sorted({type_.name for type_ in found if type_.kind == "struct" and type_.name in app.structs}),
    }
