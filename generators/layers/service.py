"""The service around the elements: configuration, database, sessions, events, routes. The same for all applications
but for names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.entities import roles_literal
from lowcode_kernel.generators.layers.parameters import words
from lowcode_kernel.generators.layers.python_types import annotation, standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.language.screen_model import label_of, path_order

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Screen, Setting
    from lowcode_kernel.schema import Schema

_MODULES = (
    "assets",
    "config",
    "context",
    "database",
    "errors",
    "events",
    "handlers",
    "integrations_client",
    "main",
    "middleware",
    "routes",
    "sessions",
    "users",
    "views",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """A setting, ready for the template."""

    name: str
    annotation: str
    default: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestView:
    """An action's own address."""

    path: str
    method: str
    action: str


def service_files(app: Application, schema: Schema) -> list[File]:
    """Return the modules that are the same in all applications, and the start script."""
    names = _names(app, schema)
    files = [
        File(path=f"{app.name}/{module}.py", content=render(f"service/{module}.py.j2", **names).encode())
        for module in _MODULES
    ]
    start = File(path="start", content=render("service/start.j2", **names).encode(), executable=True)
    return [File(path=f"{app.name}/__init__.py", content=render("service/init.py.j2", **names).encode()), start, *files]


def _names(app: Application, schema: Schema) -> dict[str, object]:
    settings = [_setting(setting, app) for setting in app.settings.values()]
    rest = [
        RestView(path=action.rest[1], method=action.rest[0], action=action.name)
        for action in app.actions.values()
        if action.rest
    ]
    return {
        "package": app.name,
        "title": app.title,
        "views": schema.views,
        "base": schema.application,
        "settings": settings,
        "conditions": {check.mark: check.message for table in schema.tables for check in table.checks},
        "imports": standard_imports(words(" ".join(setting.annotation for setting in settings)) - {"Any"}),
        "integrations": {integration.name: integration.base_url for integration in app.integrations.values()},
        "paths": {screen.name: screen.path for screen in _routed(app)},
        "rest": rest,
        "menu": [
            {"name": screen.name, "label": label_of(screen.name), "path": screen.path, "roles": list(screen.roles)}
            for screen in _offered_screens(app)
        ],
        "offered": roles_literal(offered_actions(app)),
        "role": next(iter(app.roles), "Role"),
    }


def offered_actions(app: Application) -> set[str]:
    """Return the actions that some screen has a button for: those that a browser may run by name."""
    return {item.action for model in analyze(app).screens.values() for item in model.components() if item.action}


def _routed(app: Application) -> list[Screen]:
    """Return the screens in the order in which an address is compared with their paths."""
    return sorted(app.screens.values(), key=lambda screen: (path_order(screen.path), screen.name))


def _offered_screens(app: Application) -> list[Screen]:
    """Return the screens that a menu shows, the root first: not those of one row, nor `/orders/new`, which /orders
    leads to.
    """
    paths = {screen.path for screen in app.screens.values()}
    shown = [
        screen
        for screen in app.screens.values()
        if "{" not in screen.path and not (screen.path.endswith("/new") and screen.path.removesuffix("/new") in paths)
    ]
    return sorted(shown, key=lambda screen: (screen.path != "/", screen.path))


def _setting(setting: Setting, app: Application) -> SettingView:
    default = setting.default
    if default is not None and setting.type.name == "Decimal":
        default = f'Decimal("{default}")'
    text = annotation(setting.type, app)
    return SettingView(
        name=setting.name, annotation=text, default=f" = {default}" if default is not None else "", comment=setting.doc
    )
