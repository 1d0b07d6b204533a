"""OpenAPI 3.1 of an application: its actions, with their own addresses where they have one, and its screens' data."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from lowcode_kernel.analysis import analyze
from lowcode_kernel.columns import columns_of
from lowcode_kernel.generators.layers.indented import Part, indented
from lowcode_kernel.generators.layers.python_types import class_name
from lowcode_kernel.generators.layers.service import offered_actions
from lowcode_kernel.keys import key_of
from lowcode_kernel.memo import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Action, Parameter, Screen
    from lowcode_kernel.types import Type

Schema = dict[str, Any]
_FORMATS: dict[str, Schema] = {
    "Integer": {"type": "integer"},
    "Boolean": {"type": "boolean"},
    "Decimal": {"type": "string", "format": "decimal"},
    "Date": {"type": "string", "format": "date"},
    "Time": {"type": "string", "format": "time"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Uuid": {"type": "string", "format": "uuid"},
    "Email": {"type": "string", "format": "email"},
    "Url": {"type": "string", "format": "uri"},
    "Json": {},
}
_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: Application) -> Schema:
    """Return the description of an application's addresses. What one element gives to it is laid out already, for the
    level at which it stands.
    """
    paths: Schema = {}
    offered = offered_actions(app)
    for action in app.actions.values():
        if action.name in offered:
            paths[f"/api/actions/{action.name}"] = {"post": _described(action, app)}
        if action.rest:
            method, path = action.rest
            paths.setdefault(path, {})[method.lower()] = _described(action, app, path)
    for screen in app.screens.values():
        paths[f"/api/screens/{screen.name}"] = {
            "get": remembered("openapi", screen, app, partial(_screen_text, screen, app))
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": app.title, "version": "0"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(app),
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": f"{app.name}_session"}},
        },
        "security": [{"session": []}],
    }


def _described(action: Action, app: Application, path: str = "") -> Part:
    """Return the operation of an action: under its name, or at its own address."""

    def described() -> Part:
        if not path:
            return indented(_operation(action, app, ()), 3)
        operation = _operation(
            action, app, tuple(re.findall(r"\{(\w+)\}", path)), action.rest[0] if action.rest else ""
        )
        return indented(operation | {"operationId": f"{action.name}_at_its_address"}, 3)

    return remembered("openapi", action, app, described, variant=path)


def _screen_text(screen: Screen, app: Application) -> Part:
    return indented(_screen(screen, app), 3)


def _operation(action: Action, app: Application, in_path: tuple[str, ...], method: str = "POST") -> Schema:
    """Return the operation. A GET has no body: what does not stand in its path stands in its query."""
    others = [parameter for parameter in action.parameters if parameter.name not in in_path]
    query, body = (others, []) if method == "GET" else ([], others)
    found: Schema = {
        "operationId": action.name,
        "summary": action.doc or action.name,
        "parameters": [_parameter(p, app, "path") for p in action.parameters if p.name in in_path]
        + [_parameter(p, app, "query") for p in query]
        + [{"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "200": _answer(schema_of_type(action.returns, app, loaded=True) if action.returns else {"type": "null"}),
            "default": _PROBLEM,
        },
    }
    if body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _object(body, app)}}}
    return found


def _screen(screen: Screen, app: Application) -> Schema:
    model = analyze(app).screens[screen.name]
    parameters = [_parameter(parameter, app, "query") for parameter in screen.parameters]
    parameters += [
        {"name": item.name, "in": "query", "required": False, "schema": schema_of_type(item.type.required(), app)}
        for item in model.inputs
    ]
    parameters += [
        {"name": f"{item.id}.start", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}}
        for item in model.components()
        if item.page
    ]
    answer = _answer({"$ref": "#/components/schemas/View"})
    return {
        "operationId": f"show_{screen.name}",
        "summary": screen.doc or f"The data of the screen {screen.path}",
        "parameters": parameters,
        "responses": {"200": answer, "default": _PROBLEM},
    }


def _parameter(parameter: Parameter, app: Application, place: str) -> Schema:
    return {
        "name": parameter.name,
        "in": place,
        "required": _is_required(parameter),
        "schema": schema_of_type(parameter.type, app),
    }


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is None and not parameter.type.optional


def _answer(schema: Schema) -> Schema:
    return {"description": "Well", "content": {"application/json": {"schema": schema}}}


def _object(parameters: Iterable[Parameter], app: Application) -> Schema:
    listed = list(parameters)
    return {
        "type": "object",
        "properties": {parameter.name: schema_of_type(parameter.type, app) for parameter in listed},
        "required": [parameter.name for parameter in listed if _is_required(parameter)],
        "additionalProperties": False,
    }


def schema_of_type(type_: Type, app: Application, *, loaded: bool = False) -> Schema:
    """Return the JSON schema of a type; a reference is its key, or the row where it is `loaded`."""
    if type_.kind == "entity":
        found: Schema = (
            {"$ref": f"#/components/schemas/{type_.name}"} if loaded else schema_of_type(key_of(type_.name, app), app)
        )
    elif type_.kind == "struct":
        found = {"$ref": f"#/components/schemas/{type_.name}"}
    elif type_.kind == "query":
        found = {"$ref": f"#/components/schemas/{class_name(type_.name)}Row"}
    else:
        found = dict(_FORMATS.get(type_.name, {"type": "string"}))
    if type_.length:
        found["maxLength"] = type_.length
    if type_.choices:
        found["enum"] = list(type_.choices)
    if type_.many:
        found = {"type": "array", "items": found}
    return {"anyOf": [found, {"type": "null"}]} if type_.optional and found else found


def _row_text(entity: str, app: Application) -> Part:
    columns = columns_of(entity, app) or {}
    properties = {key: schema_of_type(value, app) for key, value in columns.items()}
    return indented({"type": "object", "properties": properties, "required": list(columns)}, 3)


def _schemas(app: Application) -> Schema:
    found: Schema = {
        "Problem": {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "fields": {"type": "object", "additionalProperties": {"type": "string"}},
                "trace": {"type": "string"},
            },
            "required": ["title", "status", "detail"],
        },
        "View": {
            "type": "object",
            "properties": {key: {"type": "object"} for key in ("inputs", "components", "options")}
            | {"screen": {"type": "string"}},
            "required": ["screen", "inputs", "components", "options"],
        },
    }
    for name, entity in app.entities.items():
        found[name] = remembered("openapi", entity, app, partial(_row_text, name, app))
    for name, struct in app.structs.items():
        found[name] = {
            "type": "object",
            "properties": {item.name: schema_of_type(item.type, app) for item in struct.attributes},
        }
    for name, query in analyze(app).queries.items():
        properties = {column.name: schema_of_type(column.type, app) for column in query.columns}
        found[f"{class_name(name)}Row"] = {"type": "object", "properties": properties, "required": list(properties)}
    return dict(sorted(found.items()))
