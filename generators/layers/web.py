"""The browser side of an application: one page, the modules that every application has, and a module for each screen.

Comes in: the application, and its screens as `ScreenView`. Goes out: files under `<app>/web/`. What the page loads is
named `assets/<digest>/<path>`, with one digest of all of it: modules name each other by relative paths, and browsers
keep them for ever. The server replaces `<base href="/">` in index.html where it is reached under another path.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.javascript import Call, names_of, written
from lowcode_kernel.generators.templating import FOLDER, render
from lowcode_kernel.language.screen_model import label_of, path_order
from lowcode_kernel.language.screens import screen_model
from lowcode_kernel.memo import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Parameter, Screen
    from lowcode_kernel.language.screen_model import ColumnView, Component, Input, ScreenModel
    from lowcode_kernel.types import Type

# where a screen's module imports each name from
_MODULES = {
    **dict.fromkeys(("title", "text", "section", "metric", "details", "link"), "../components/content.js"),
    **dict.fromkeys(("barChart", "lineChart"), "../components/chart.js"),
    **dict.fromkeys(("field", "input"), "../components/fields.js"),
    "button": "../components/action.js",
    "form": "../components/form.js",
    "column": "../components/columns.js",
    "table": "../components/table.js",
    "to": "../router.js",
}
_KINDS = {
    "Integer": "integer",
    "Decimal": "decimal",
    "Boolean": "boolean",
    "Date": "date",
    "Time": "time",
    "DateTime": "dateTime",
    "Email": "email",
    "Url": "url",
    "Json": "json",
    "None": "any",
}
_LONG = 120  # characters from which a text is asked for in several lines
_ON_DEMAND = ("screens/", "components/chart.js")  # loaded by who needs them


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """What the browser has to know of a screen: inputs and components (by id), as calls of `web/components`."""

    name: str
    path: str
    doc: str = ""
    inputs: tuple[Call, ...] = ()
    components: tuple[tuple[str, Call], ...] = ()


def screen_views(app: Application) -> tuple[ScreenView, ...]:
    """Return all screens of an application as the browser shows them."""
    return tuple(remembered("view", screen, app, partial(_view, screen, app)) for screen in app.screens.values())


def _view(screen: Screen, app: Application) -> ScreenView:
    return screen_view(screen, screen_model(screen, app), app)


def screen_view(screen: Screen, model: ScreenModel, app: Application) -> ScreenView:
    """Return what the browser has to know of one screen."""
    return ScreenView(
        name=screen.name,
        path=screen.path,
        doc=screen.doc,
        inputs=tuple(_input(item) for item in model.inputs),
        components=tuple((item.id, _component(item, model, app)) for item in model.components()),
    )


def web_files(app: Application, screens: Iterable[ScreenView]) -> list[File]:
    """Return index.html, the assets and one module per screen, sorted by path."""
    screens = tuple(screens)
    folder = f"{app.name}/web"
    assets = _common_assets() | {
        "icon.svg": render("web/icon.svg.jinja", letter=app.title[:1]).encode(),
        "screens.js": _table_of_screens(app, screens).encode(),
    }
    files = [File(path=f"{folder}/{path}", content=content) for path, content in assets.items()]
    files += [remembered("script", screen, app, partial(_script, app, screen)) for screen in screens]
    paths = sorted(file.path.removeprefix(f"{folder}/") for file in files)
    index = render(
        "web/index.html.jinja",
        application=app.name,
        title=app.title,
        assets=f"assets/{_digest(files, folder)}",
        modules=[path for path in paths if path.endswith(".js") and not path.startswith(_ON_DEMAND)],
    )
    files.append(File(path=f"{folder}/index.html", content=index.encode()))
    return sorted(files, key=lambda file: file.path)


def _common_assets() -> dict[str, bytes]:
    """Return the files that are the same in all applications, by path."""
    root = FOLDER / "web"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix in {".js", ".css"}
    }


def _digest(assets: list[File], folder: str) -> str:
    digest = hashlib.sha256()
    for file in sorted(assets, key=lambda file: file.path):
        digest.update(f"{file.path.removeprefix(folder)[1:]}\0{file.sha256}\n".encode())
    return digest.hexdigest()[:12]


def _table_of_screens(app: Application, screens: tuple[ScreenView, ...]) -> str:
    """Return the module that says where each screen is, in the order in which addresses are compared with them."""
    ordered = sorted(screens, key=lambda screen: (path_order(screen.path), screen.name))
    entry = '  {{ name: "{0}", path: {1}, load: () => import("./screens/{0}.js") }},\n'
    lines = [entry.format(screen.name, written(screen.path)) for screen in ordered]
    return (
        f"// Generated by Low-code Kernel from the screens of {app.name}.\n\n"
        f"export const title = {written(app.title)};\n\n"
        '/** @type {import("./router.js").Route[]} */\n'
        f"export const screens = [\n{''.join(lines)}];\n"
    )


def _script(app: Application, screen: ScreenView) -> File:
    path = f"{app.name}/web/screens/{screen.name}.js"
    return File(path=path, content=screen_module(screen).encode(), element=f"screen:{screen.name}")


def screen_module(screen: ScreenView) -> str:
    """Return the ES module of one screen."""
    parts: dict[str, object] = {"inputs": screen.inputs, "components": dict(screen.components)}
    doc = re.sub(r"\s+", " ", screen.doc).strip().replace("*/", "* /")
    about = f"{screen.path}: {doc}" if doc else screen.path
    return (
        f"// Generated by Low-code Kernel from screen {screen.name}.\n"
        f"{_imports(names_of(parts))}\n"
        f"/** {about} @type {{import('../router.js').Screen}} */\n"
        f"export default {written(parts, 0, 0)};\n"
    )


def _imports(names: set[str]) -> str:
    by_module: dict[str, list[str]] = {}
    for name in sorted(names):
        by_module.setdefault(_MODULES[name], []).append(name)
    return "".join(f'import {{ {", ".join(found)} }} from "{module}";\n' for module, found in sorted(by_module.items()))


# components


def _component(item: Component, model: ScreenModel, app: Application) -> Call:
    match item.kind:
        case "metric":
            return Call("metric", item.label or "", _metric_options(item, model))
        case "table":
            return _table(item)
        case "details":
            attributes = tuple(map(_column, item.columns))
            return Call("details", _given(label=item.label) | {"attributes": attributes})
        case "chart":
            axes = {"x": _column(item.x), "y": _column(item.y)} if item.x and item.y else {}
            return Call(f"{item.chart}Chart", _given(label=item.label) | axes)
        case "button":
            ask = tuple(_field(parameter, app) for parameter in item.ask)
            options = _given(ask=ask, confirm=item.confirm) | _then(item)
            return Call("button", item.label or "", item.action or "", options)
        case "form":
            fields = tuple(_field(parameter, app) for parameter in item.ask)
            return Call("form", item.label or "", item.action or "", {"fields": fields} | _then(item))
        case "link":
            return Call("link", item.label or "", item.screen or "")
    return Call(item.kind)


def _given(**options: object) -> dict[str, object]:
    """Return the options that say something."""
    return {name: value for name, value in options.items() if value not in (None, (), "", False)}


def _metric_options(item: Component, model: ScreenModel) -> dict[str, object]:
    found = model.body.types.get(item.value) if item.value is not None else None
    kind = _kind(found) if found else "any"
    return _given(type=kind if kind != "any" else None, unit=item.unit)


def _table(item: Component) -> Call:
    options = _given(label=item.label) | {"columns": tuple(map(_column, item.columns))}
    if item.row:
        options["row"] = Call("to", item.row.screen, dict(item.row.arguments))
    return Call("table", options | _given(empty=item.empty, page=item.page))


def _then(item: Component) -> dict[str, object]:
    """Return where an action leads: what the server gives for it has `=` before its name, so that it is no result's."""
    if item.then is None:
        return {}
    result = {name: column or "result" for name, column in item.then.result}
    given = {name: f"={name}" for name, _ in item.then.given}
    return {"then": Call("to", item.then.screen, result | given)}


def _column(column: ColumnView) -> Call:
    return Call(f"column.{_kind(column.type)}", column.name, column.label)


def _kind(type_: Type) -> str:
    if type_.kind == "entity":
        return "reference"
    return _KINDS.get(type_.name, "text") if type_.kind == "scalar" else "any"


# what users fill in


def _input(item: Input) -> Call:
    required = item.default is not None and item.kind != "checkbox"
    return Call(f"input.{item.kind}", item.name, item.label, _given(required=required, choices=item.choices))


def _field(parameter: Parameter, app: Application) -> Call:
    type_ = parameter.type
    default = _default(parameter.default)
    required = not type_.optional and type_.name != "Boolean" and (parameter.default is None) is (default is None)
    limits = _given(required=required, maxLength=type_.length, scale=type_.scale, choices=type_.choices)
    if default is not None:
        limits["value"] = default
    return Call(f"field.{_field_kind(type_, app)}", parameter.name, label_of(parameter.name), limits)


def _field_kind(type_: Type, app: Application) -> str:
    if type_.many and type_.kind == "entity":
        return "many"
    if type_.many or type_.kind not in {"scalar", "entity"}:
        return "json"
    if type_.kind == "entity":
        return _key_kind(type_, app)
    if type_.choices:
        return "choice"
    return "longText" if (type_.length or 0) > _LONG else _KINDS.get(type_.name, "text")


def _key_kind(type_: Type, app: Application) -> str:
    """Return how the key of an entity is typed in, where the server gives no choice."""
    entity = app.entities.get(type_.name)
    attribute = entity.attribute(entity.key[0]) if entity else None
    return _field_kind(attribute.type, app) if attribute else "integer"


def _default(text: str | None) -> object:
    """Return the value of a default that is a literal or a date; what is computed stays with the server."""
    if text is None:
        return None
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return _default_date(text)
    return str(value) if isinstance(value, float) else value


def _default_date(text: str) -> str | None:
    found = re.fullmatch(r"date\((\d+), *(\d+), *(\d+)\)", text)
    return date(*map(int, found.groups())).isoformat() if found else None
