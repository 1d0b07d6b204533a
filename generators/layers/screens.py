"""Screens to modules: `load` gathers the data of all components for one view of the screen."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, cast

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import EntityFunction, Uses, label_attribute
from lowcode_kernel.generators.layers.actions import lines, load_text
from lowcode_kernel.generators.layers.emission import Emitter
from lowcode_kernel.generators.layers.entities import FieldView, roles_literal
from lowcode_kernel.generators.layers.modules import module_of
from lowcode_kernel.generators.layers.parameters import words
from lowcode_kernel.generators.layers.python_types import class_name, decoded, standard_imports
from lowcode_kernel.generators.templating import python_literal, render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import key_names
from lowcode_kernel.language.screen_model import ColumnView, Component, Condition, Input, Value
from lowcode_kernel.types import UNKNOWN
from lowcode_kernel.unparsing import text_of_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Screen
    from lowcode_kernel.language.screen_model import Node, ScreenModel
    from lowcode_kernel.types import Type

_START = "Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None"


def screen_files(app: Application, needed: Uses) -> list[File]:
    """Return the package `screens`; what they use of entities and queries is added to `needed`."""
    files = [module_of(app, screen, needed, _module) for screen in app.screens.values()]
    text = render("elements/screens.py.j2", package=app.name, modules=sorted(app.screens))
    return [File(path=f"{app.name}/screens/__init__.py", content=text.encode()), *files]


def _module(app: Application, screen: Screen, needed: Uses) -> File:
    model, uses = analyze(app).screens[screen.name], Uses(element=screen.id)
    writer = _Writer(app, screen, model, uses)
    body = list(writer.body())
    needed.add(uses)
    fields = [FieldView(name=p.name, annotation=decoded(p.type, app), comment="") for p in screen.parameters]
    fields += [FieldView(name=i.name, annotation=decoded(i.type.maybe(), app), comment=" = None") for i in model.inputs]
    given = ", ".join(field.name for field in fields) or "nothing"
    paged = [item.id for item in model.components() if item.page]
    fields += [FieldView(name=f"{name}_start", annotation=_START, comment=_start_field(name)) for name in paged]
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
        views=sorted({"View", *({"Page"} if paged else ()), *(uses.names & {"labelled", "named"})}, key=str.lower),
        imports=standard_imports(words(" ".join(field.annotation for field in fields)) | uses.names),
    )
    return File(path=f"{app.name}/screens/{screen.name}.py", content=text.encode(), element=screen.id)


def _start_field(component: str) -> str:
    """Return how the place of a paged table is read from the address: it is called `c4.start` there."""
    return f' = msgspec.field(default=None, name="{component}.start")'


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
                    value = self.emitter.value(node.value)
                    yield from lines([ast.Assign(targets=[self.emitter.value(node.target)], value=value)])
                case Condition():
                    yield from self._condition(node)
                case Component():
                    yield from self._prepared(node)
                    yield f'components["{node.id}"] = {self._component(node)}'

    def _condition(self, node: Condition) -> Iterator[str]:
        yield f"if {self.emitter.expression(node.test)}:"
        yield from (f"    {line}" for line in list(self._nodes(node.body)) or ["pass"])
        if node.orelse:
            yield "else:"
            yield from (f"    {line}" for line in self._nodes(node.orelse))

    def _component(self, component: Component) -> str:
        match component.kind:
            case "title" | "text" | "section":
                return f'{{"text": {self._shown(component.value)}}}'
            case "metric":
                return f'{{"value": {self._value(component.value)}}}'
            case "table" if component.page:
                return f"{component.id}.of({self._rows(component)})"
            case "table" | "chart":
                return f'{{"rows": {self._rows(component)}}}'
            case "details":
                return self._details(component)
            case "button" | "form":
                return self._button(component)
        return self._link(component)

    def _link(self, component: Component) -> str:
        """A link has its arguments, and where its screen is not for all who see this one, whether the user may go."""
        roles = self.app.screens[component.screen or ""].roles
        is_open = not roles or (self.screen.roles and set(self.screen.roles) <= set(roles))
        allowed = "" if is_open else f', "allowed": context.has_role({", ".join(map(python_literal, roles))})'
        return f'{{"arguments": {_pairs(self._arguments(component.arguments))}{allowed}}}'

    def _button(self, component: Component) -> str:
        """A button and a form have their arguments, whether the user may use them, what can be chosen for entities
        that they ask, what a form is filled with, and what is known of where they lead.
        """
        roles = ", ".join(map(python_literal, self.app.actions[component.action or ""].roles))
        asked = [item for item in component.ask if item.type.kind == "entity"]
        then = self._arguments(component.then.given) if component.then else {}
        filled = self._value(component.values) if isinstance(component.values, ast.Name) else component.id
        parts = {
            "arguments": _pairs(self._arguments(component.arguments)),
            "allowed": f"context.has_role({roles})",
            "options": _pairs({item.name: self._choices(item.type.name) for item in asked}),
            "values": _pairs({name: self._filling(filled, name, component) for name in component.filled}),
            "then": _pairs({f"={name}": value for name, value in then.items()}),
        }
        always = ("arguments", "allowed")
        return _pairs({name: text for name, text in parts.items() if name in always or text != "{}"})

    def _filling(self, row: str, name: str, component: Component) -> str:
        """Return what fills a field: a list of other rows is read for it."""
        owner = self.model.body.types.get(component.values, UNKNOWN) if component.values is not None else UNKNOWN
        entity = self.app.entities.get(owner.name) if owner.kind == "entity" else None
        attribute = entity.attribute(name) if entity else None
        if attribute is None or not attribute.type.many or attribute.type.kind != "entity":
            return f"{row}.{name}"
        return self._keys_held(row, ColumnView(name=name, label=name, type=attribute.type), owner)

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

    def _prepared(self, component: Component) -> Iterator[str]:
        """Give the lines before a component: which page a table is at, and the row that fills a form."""
        if component.page:
            yield f"{component.id} = Page(arguments.{component.id}_start or 0, {component.page})"
        if component.filled and not isinstance(component.values, ast.Name):
            yield f"{component.id} = {self._value(component.values)}"
        references, lists = self._references(component), self._lists(component)
        if component.kind == "table" and (references or lists):
            yield f"{component.id}_rows = {self._fetched(component)}"
            for column in references:
                yield f"{component.id}_{column.name} = {self._labels(component, column)}"
            for column in lists:
                yield from self._held(component, column)

    def _references(self, component: Component) -> list[ColumnView]:
        """Return the columns of a table of an entity's rows that refer to others: those are shown by name."""
        type_ = self._row_type(component)
        if type_ is None or type_.kind != "entity":
            return []
        references = [c for c in component.columns if c.type.kind == "entity" and not c.type.many]
        return [c for c in references if label_attribute(c.type.name, self.app)]

    def _lists(self, component: Component) -> list[ColumnView]:
        return [c for c in component.columns if c.type.kind == "entity" and c.type.many]

    def _held(self, component: Component, column: ColumnView) -> Iterator[str]:
        """Give the lines that read a list of other rows for all rows of a table at once."""
        owner, name = cast("Type", self._row_type(component)).name, f"{component.id}_{column.name}"
        self.uses.functions.add(EntityFunction(entity=owner, method="list_each", attributes=(column.name,)))
        self.uses.packages.add("entities")
        keys = f"[row.{key_names(owner, self.app)[0]} for row in {component.id}_rows]"
        yield f"{name} = await entities.{snake_case(owner)}.{column.name}_of_each(context, {keys})"
        if label_attribute(column.type.name, self.app):
            yield f"{name}_names = {self._names(column, f'[key for keys in {name}.values() for key in keys]')}"

    def _names(self, column: ColumnView, keys: str) -> str:
        self.uses.functions.add(EntityFunction(entity=column.type.name, method="labels"))
        return f"await entities.{snake_case(column.type.name)}.labels(context, {keys})"

    def _listed(self, component: Component, column: ColumnView) -> str:
        """A list of other rows is shown as their names in one text; as their keys where they have no names."""
        owner, name = cast("Type", self._row_type(component)).name, f"{component.id}_{column.name}"
        held = f"{name}[row.{key_names(owner, self.app)[0]}]"
        if label_attribute(column.type.name, self.app) is None:
            return f'", ".join(map(str, {held}))'
        return f'", ".join({name}_names[key] for key in {held} if key in {name}_names)'

    def _labels(self, component: Component, column: ColumnView) -> str:
        self.uses.functions.add(EntityFunction(entity=column.type.name, method="labels"))
        self.uses.packages.add("entities")
        keys = f"[row.{column.name} for row in {component.id}_rows]"
        return f"await entities.{snake_case(column.type.name)}.labels(context, {keys})"

    def _row_type(self, component: Component) -> Type | None:
        return self.model.body.types.get(component.value) if component.value is not None else None

    def _fetched(self, component: Component) -> str:
        """Return the expression for a table's rows; of a paged one, those of the page and one more."""
        if not component.page:
            return self._value(component.value)
        call = self.model.body.calls.get(component.value) if isinstance(component.value, ast.Call) else None
        page = ast.Name(id=component.id, ctx=ast.Load())
        part = tuple(ast.Attribute(value=page, attr=name, ctx=ast.Load()) for name in ("start", "rows"))
        if call and call.method == "page":
            return self._value(component.value)
        if call and (call.kind, call.method) == ("entity", "list") and "limit" not in call.arguments:
            return ast.unparse(self.emitter.entities.call(call, page=(part[0], part[1])))
        return f"({self._value(component.value)})[{component.id}.part]"

    def _rows(self, component: Component) -> str:
        """Rows go out as they are where every column is shown; else only what is shown, and what a row's link needs."""
        labelled = {column.name for column in self._references(component)} if component.kind == "table" else set()
        lists = {c.name: self._listed(component, c) for c in self._lists(component)}
        value = f"{component.id}_rows" if labelled or lists else self._fetched(component)
        type_ = self._row_type(component)
        links = [name for _, name in component.row.arguments] if component.row else []
        columns = component.columns or tuple(axis for axis in (component.x, component.y) if axis)
        shown = list(dict.fromkeys([*(column.name for column in columns), *links]))
        if type_ is not None and type_.kind == "query" and set(shown) == set(analyze(self.app).queries[type_.name].row):
            return value
        fields = {
            name: f"labelled(row.{name}, {component.id}_{name})" if name in labelled else f"row.{name}"
            for name in shown
        } | lists
        if labelled:
            self.uses.names.add("labelled")
        return f"[{_pairs(fields)} for row in {value}]"

    def _details(self, component: Component) -> str:
        row = self._value(component.value)
        owner = self._row_type(component) or UNKNOWN
        attributes = ", ".join(f'"{c.name}": {self._attribute(row, c, owner)}' for c in component.columns)
        return f'{{"attributes": {{{attributes}}}}}'

    def _attribute(self, row: str, column: ColumnView, owner: Type) -> str:
        """A reference is shown by the name of what it refers to, or by its key to those who may not see that; a list of
        other rows by their names in one text.
        """
        type_: Type = column.type
        key, has_name = f"{row}.{column.name}", type_.kind == "entity" and label_attribute(type_.name, self.app)
        if type_.kind == "entity" and type_.many:
            held = self._keys_held(row, column, owner)
            return f'", ".join(({self._names(column, held)}).values())' if has_name else f'", ".join(map(str, {held}))'
        if column.name == "id" or not has_name:
            return key
        self.uses.packages.add("entities")
        self.uses.names.add("named")
        return f"named({key}, {self._names(column, f'[{key}]')})"

    def _keys_held(self, row: str, column: ColumnView, owner: Type) -> str:
        self.uses.functions.add(EntityFunction(entity=owner.name, method="list_keys", attributes=(column.name,)))
        self.uses.packages.add("entities")
        keys = ", ".join(f"{row}.{name}" for name in key_names(owner.name, self.app))
        return f"await entities.{snake_case(owner.name)}.{column.name}_of(context, {keys})"

    def _arguments(self, arguments: Iterable[tuple[str, ast.expr]]) -> dict[str, str]:
        return {name: text_of_tree(self.emitter.key(value)) for name, value in arguments}


def _pairs(values: dict[str, str]) -> str:
    """Return a dictionary as Python: its values are expressions."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"
