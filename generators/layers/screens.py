"""Screens to modules: `load` gathers the data of all components for one view of the screen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import EntityFunction, Uses, label_attribute
from lowcode_kernel.generators.layers.actions import lines, load_text
from lowcode_kernel.generators.layers.emission import Emitter, found_present
from lowcode_kernel.generators.layers.entities import FieldView, roles_literal
from lowcode_kernel.generators.layers.python_types import class_name, decoded, standard_imports
from lowcode_kernel.generators.layers.queries import words
from lowcode_kernel.generators.templating import python_literal, render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.language.screen_model import ColumnView, Component, Condition, Input, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Screen
    from lowcode_kernel.language.screen_model import Node, ScreenModel
    from lowcode_kernel.types import Type


def screen_files(app: Application, functions: set[EntityFunction]) -> list[File]:
    """Return the package `screens`; the access functions that they use are added to `functions`."""
    files = [_module(app, screen, functions) for screen in app.screens.values()]
    text = render("elements/screens.py.j2", package=app.name, modules=sorted(app.screens))
    return [File(path=f"{app.name}/screens/__init__.py", content=text.encode()), *files]


def _module(app: Application, screen: Screen, functions: set[EntityFunction]) -> File:
    model, uses = analyze(app).screens[screen.name], Uses()
    writer = _Writer(app, screen, model, uses)
    body = list(writer.body())
    functions |= uses.functions
    fields = [FieldView(name=p.name, annotation=decoded(p.type, app), comment="") for p in screen.parameters]
    fields += [FieldView(name=i.name, annotation=decoded(i.type.maybe(), app), comment=" = None") for i in model.inputs]
    given = ", ".join(field.name for field in fields) or "nothing"
    text = render(
        "elements/screen.py.j2",
        package=app.name,
        name=screen.name,
        title=f"{screen.name}: {screen.doc or screen.path}",
        doc=screen.doc or f"Gather the data of the screen {screen.name}.",
        arguments=f"{class_name(screen.name)}Arguments",
        fields=fields,
        given=given,
        roles=roles_literal(screen.roles),
        body=body,
        packages=sorted(uses.packages),
        imports=standard_imports(words(" ".join(field.annotation for field in fields)) | uses.names),
    )
    return File(path=f"{app.name}/screens/{screen.name}.py", content=text.encode(), element=screen.id)


class _Writer:
    """Writes the body of one screen's `load`."""

    def __init__(self, app: Application, screen: Screen, model: ScreenModel, uses: Uses) -> None:
        self.app, self.screen, self.model, self.uses = app, screen, model, uses
        self.emitter = Emitter(app, model.body, uses)

    def body(self) -> Iterator[str]:
        """Give the lines: parameters, inputs, then components in the author's order."""
        for parameter in self.screen.parameters:
            value = f"arguments.{parameter.name}"
            loads = load_text(self.app, parameter.type, value, self.uses) if parameter.type.kind == "entity" else value
            yield f"{parameter.name} = {loads}"
        for item in self.model.inputs:
            yield from self._input(item)
        yield "components: dict[str, object] = {}"
        yield from self._nodes(self.model.nodes)
        inputs = ", ".join(f'"{item.name}": {item.name}' for item in self.model.inputs)
        options = ", ".join(f'"{item.name}": {self._choices(item.entity)}' for item in self.model.inputs if item.entity)
        name = f'screen="{self.screen.name}"'
        yield f"return View({name}, inputs={{{inputs}}}, components=components, options={{{options}}})"

    def _input(self, item: Input) -> Iterator[str]:
        if item.default is None:
            yield (
                f"{item.name} = bool(arguments.{item.name})"
                if item.kind == "checkbox"
                else f"{item.name} = arguments.{item.name}"
            )
            return
        default = self.emitter.expression(item.default)
        yield f"{item.name} = {default} if arguments.{item.name} is None else arguments.{item.name}"

    def _choices(self, entity: str) -> str:
        self.uses.functions.add(EntityFunction(entity=entity, method="options"))
        self.uses.packages.add("entities")
        return f"await entities.{snake_case(entity)}.options(context)"

    def _nodes(self, nodes: Iterable[Node]) -> Iterator[str]:
        for node in nodes:
            match node:
                case Value():
                    target = ast.Name(id=node.name, ctx=ast.Store())
                    yield from lines([ast.Assign(targets=[target], value=self.emitter.value(node.value))])
                case Condition():
                    yield from self._condition(node)
                case Component():
                    yield f'components["{node.id}"] = {self._component(node)}'

    def _condition(self, node: Condition) -> Iterator[str]:
        yield f"if {self.emitter.expression(node.test)}:"
        outer = set(self.emitter.present)
        self.emitter.present |= found_present(node.test)
        yield from (f"    {line}" for line in list(self._nodes(node.body)) or ["pass"])
        self.emitter.present = outer
        if node.orelse:
            yield "else:"
            yield from (f"    {line}" for line in self._nodes(node.orelse))

    def _component(self, component: Component) -> str:
        match component.kind:
            case "title" | "text" | "section":
                return f'{{"text": {self._shown(component.value)}}}'
            case "metric":
                return f'{{"value": {self._value(component.value)}}}'
            case "table" | "chart":
                return f'{{"rows": {self._rows(component)}}}'
            case "details":
                return self._details(component)
            case "button":
                return self._button(component)
        return f'{{"arguments": {self._arguments(component)}}}'

    def _button(self, component: Component) -> str:
        """A button has its arguments, whether the user may use it, and what can be chosen for entities that it asks."""
        roles = ", ".join(map(python_literal, self.app.actions[component.action or ""].roles))
        asked = [
            (parameter.name, parameter.type.name) for parameter in component.ask if parameter.type.kind == "entity"
        ]
        choices = ", ".join(f'"{name}": {self._choices(entity)}' for name, entity in asked)
        more = f', "options": {{{choices}}}' if choices else ""
        return f'{{"arguments": {self._arguments(component)}, "allowed": context.has_role({roles}){more}}}'

    def _value(self, node: ast.expr | None) -> str:
        return self.emitter.expression(node) if node is not None else "None"

    def _shown(self, node: ast.expr | None) -> str:
        """A text is shown as a text, whatever it is."""
        value = self._value(node)
        return (
            value
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
            else f"str({value})"
        )

    def _rows(self, component: Component) -> str:
        """Rows go out as they are where every column is shown; else only what is shown, and what a row's link needs."""
        value = self._value(component.value)
        type_ = self.model.body.types.get(component.value) if component.value is not None else None
        links = [name for _, name in component.row.arguments] if component.row else []
        columns = component.columns or tuple(axis for axis in (component.x, component.y) if axis)
        shown = list(dict.fromkeys([*(column.name for column in columns), *links]))
        if type_ is not None and type_.kind == "query" and set(shown) == set(analyze(self.app).queries[type_.name].row):
            return value
        fields = ", ".join(f'"{name}": row.{name}' for name in shown)
        return f"[{{{fields}}} for row in {value}]"

    def _details(self, component: Component) -> str:
        row = self._value(component.value)
        attributes = ", ".join(f'"{column.name}": {self._attribute(row, column)}' for column in component.columns)
        return f'{{"attributes": {{{attributes}}}}}'

    def _attribute(self, row: str, column: ColumnView) -> str:
        """A reference is shown by the name of what it refers to."""
        type_: Type = column.type
        label = label_attribute(type_.name, self.app) if type_.kind == "entity" else None
        if label is None or column.name == "id":
            return f"{row}.{column.name}"
        self.uses.functions.add(EntityFunction(entity=type_.name, method="get"))
        self.uses.packages.add("entities")
        found = f"(await entities.{snake_case(type_.name)}.get(context, {row}.{column.name})).{label}"
        return f"None if {row}.{column.name} is None else {found}" if type_.optional else found

    def _arguments(self, component: Component) -> str:
        pairs = ", ".join(
            f'"{name}": {ast.unparse(ast.fix_missing_locations(self.emitter.key(value)))}'
            for name, value in component.arguments
        )
        return f"{{{pairs}}}"
