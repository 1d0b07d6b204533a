"""Entities to modules: the row's class, and a function with static SQL for each access that some action, screen or job
makes. What nothing uses isn't there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.columns import columns_of
from lowcode_kernel.elements import Attribute, Entity
from lowcode_kernel.generators.layers.entity_functions import EntityWriter
from lowcode_kernel.generators.layers.python_types import annotation, standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.memo import remembered
from lowcode_kernel.places import Place
from lowcode_kernel.relational import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.layers.access import EntityFunction
    from lowcode_kernel.generators.layers.entity_functions import FunctionView
    from lowcode_kernel.schema import Schema, Table
    from lowcode_kernel.types import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """A field of the row's class."""

    name: str
    annotation: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A smaller class of rows, for functions that read some attributes alone."""

    name: str
    doc: str
    fields: tuple[FieldView, ...]


def entity_files(app: Application, schema: Schema, functions: Iterable[EntityFunction]) -> list[File]:
    """Return the package `entities`: one module for each entity that has an access function, and the package's
    `__init__`.
    """
    by_entity: dict[str, list[EntityFunction]] = {}
    for function in sorted(functions):
        by_entity.setdefault(function.entity, []).append(function)
    files = [_remembered(app, schema, name, tuple(found)) for name, found in by_entity.items()]
    modules = sorted(snake_case(name) for name in by_entity)
    text = render(
        "elements/package.py.j2",
        doc="The entities, one module each.",
        package=app.name,
        folder="entities",
        modules=modules,
    )
    return [File(path=f"{app.name}/entities/__init__.py", content=text.encode()), *files]


def _remembered(app: Application, schema: Schema, name: str, functions: tuple[EntityFunction, ...]) -> File:
    if (entity := app.entities.get(name)) is None:
        return _module(app, schema, name, functions)

    def written() -> File:
        tables_of(entity, app)  # what is remembered of the tables holds as long as what is remembered here
        return _module(app, schema, name, functions)

    return remembered("module", entity, app, written, variant=functions)


def _module(app: Application, schema: Schema, name: str, functions: Sequence[EntityFunction]) -> File:
    entity = app.entities.get(name) or _user_entity()
    columns = columns_of(name, app) or {}
    table = table_of(name, app, schema)
    writer = EntityWriter(app, entity, schema, table, columns)
    views = [writer.view(function) for function in functions if function.method != "row"]
    fields = [_field(entity, key, type_, app) for key, type_ in columns.items()]
    by_key = any(function.method == "get_many" for function in functions)
    access = entity.access
    text = render(
        "elements/entity.py.j2",
        package=app.name,
        name=name,
        title=f"{name}: {entity.doc}" if entity.doc else f"{name}.",
        doc=entity.doc or name,
        fields=fields,
        rows=_smaller_rows(functions, fields),
        key=annotation(columns[entity.key[0]], app) if by_key else "",
        functions=_with_own_constants(views),
        raises=by_key or any("NotFound" in line for view in views for line in view.body),
        imports=standard_imports(_words(fields, views)),
        readers=roles_literal(access.read if access else ()),
        writers=roles_literal(access.write if access else ()),
        removers=roles_literal(access.delete if access else ()),
    )
    return File(path=f"{app.name}/entities/{snake_case(name)}.py", content=text.encode(), element=f"entity:{name}")


def _words(fields: Sequence[FieldView], views: Sequence[FunctionView]) -> set[str]:
    """Return the names of types that a module uses; the name of a parameter is none."""
    texts = [field.annotation for field in fields]
    texts += [re.sub(r"\b\w+:", "", f"{view.parameters} -> {view.returns}") for view in views]
    made = {"uuid4"} if any("uuid4()" in line for view in views for line in view.body) else set()
    return {*re.findall(r"\w+", " ".join(texts)), *made}


def _smaller_rows(functions: Sequence[EntityFunction], fields: Sequence[FieldView]) -> list[RowView]:
    """Return the classes that functions with `only` give, each once."""
    wanted = {function.row: function for function in functions if function.only}
    return [
        RowView(
            name=name,
            doc=f"{function.entity}, with some of its attributes.",
            fields=tuple(field for field in fields if field.name in function.only),
        )
        for name, function in sorted(wanted.items())
    ]


def _with_own_constants(views: Sequence[FunctionView]) -> list[FunctionView]:
    """Leave a statement that several functions run to the first."""
    seen: set[str] = set()
    found = []
    for view in views:
        own = tuple(constant for constant in view.constants if constant.name not in seen)
        seen |= {constant.name for constant in own}
        found.append(replace(view, constants=own))
    return found


def table_of(entity: str, app: Application, schema: Schema) -> Table:
    """Return the table of an entity, or what stands for it of the users."""
    return schema.table(snake_case(entity)) if entity in app.entities else _user_table()


def roles_literal(roles: Iterable[str]) -> str:
    """Return a set of role names as Python."""
    names = ", ".join(f'"{role}"' for role in sorted(set(roles)))
    return f"frozenset({{{names}}})" if names else "frozenset()"


def _field(entity: Entity, name: str, type_: Type, app: Application) -> FieldView:
    attribute = entity.attribute(name)
    return FieldView(name=name, annotation=annotation(type_, app), comment=attribute.doc if attribute else "")


def _user_entity() -> Entity:
    place = Place(cell=0)
    from lowcode_kernel.columns import USER_COLUMNS

    attributes = tuple(Attribute(name=name, type=type_, place=place) for name, type_ in USER_COLUMNS.items())
    return Entity(name="User", doc="Who may sign in.", attributes=attributes, place=place)


def _user_table() -> Table:
    from lowcode_kernel.columns import USER_COLUMNS
    from lowcode_kernel.schema import Column, Table

    columns = tuple(Column(name=name, type="bigint" if name == "id" else "text") for name in USER_COLUMNS)
    return Table(name="user", entity="User", columns=columns, key=("id",))
