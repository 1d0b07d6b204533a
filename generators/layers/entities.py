"""Entities to modules: the row's class, and a function with static SQL for each access that some action, screen or job
makes. What nothing uses isn't there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.elements import Attribute, Entity
from lowcode_kernel.generators.layers import statements
from lowcode_kernel.generators.layers.access import EntityFunction, label_attribute
from lowcode_kernel.generators.layers.python_types import annotation, standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.places import Place
from lowcode_kernel.queries import columns_of
from lowcode_kernel.rules import compile_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.layers.statements import Statement
    from lowcode_kernel.rules import RuleParameter
    from lowcode_kernel.schema import Schema, Table
    from lowcode_kernel.types import Type

_RULE_VALUES = {
    "unrestricted": "context.unrestricted",
    "user_id": "context.user_id",
    "user_roles": "context.user_roles",
}
_RIGHTS = {
    "create": ("WRITERS", "create"),
    "update": ("WRITERS", "change"),
    "touch": ("WRITERS", "change"),
    "delete": ("REMOVERS", "delete"),
}
_MOST_OPTIONS = 500  # what a person can choose from in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldView:
    """A field of the row's class."""

    name: str
    annotation: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """An access function, ready for the template."""

    name: str
    constant: str
    sql: str
    parameters: str
    returns: str
    doc: str
    roles: str
    right: str
    body: tuple[str, ...]


def entity_files(app: Application, schema: Schema, functions: Iterable[EntityFunction]) -> list[File]:
    """Return the package `entities`: one module for each entity that has an access function, and the package's
    `__init__`.
    """
    by_entity: dict[str, list[EntityFunction]] = {}
    for function in sorted(functions):
        by_entity.setdefault(function.entity, []).append(function)
    files = [_module(app, schema, name, found) for name, found in by_entity.items()]
    modules = sorted(snake_case(name) for name in by_entity)
    text = render(
        "elements/package.py.j2",
        doc="The entities, one module each.",
        package=app.name,
        folder="entities",
        modules=modules,
    )
    return [File(path=f"{app.name}/entities/__init__.py", content=text.encode()), *files]


def _module(app: Application, schema: Schema, name: str, functions: Sequence[EntityFunction]) -> File:
    entity = app.entities.get(name) or _user_entity()
    columns = columns_of(name, app) or {}
    table = schema.table(snake_case(name)) if name in app.entities else _user_table()
    views = [_Writer(app, entity, table, columns, function).view() for function in functions]
    fields = [_field(entity, key, type_, app) for key, type_ in columns.items()]
    access = entity.access
    used = " ".join([*(field.annotation for field in fields), *(f"{view.parameters} {view.returns}" for view in views)])
    text = render(
        "elements/entity.py.j2",
        package=app.name,
        name=name,
        title=f"{name}: {entity.doc}" if entity.doc else f"{name}.",
        doc=entity.doc or name,
        fields=fields,
        functions=views,
        raises=any("NotFound" in line for view in views for line in view.body),
        imports=standard_imports(
            set(used.replace("[", " ").replace("]", " ").replace(",", " ").replace(":", " ").split())
        ),
        readers=roles_literal(access.read if access else ()),
        writers=roles_literal(access.write if access else ()),
        removers=roles_literal(access.delete if access else ()),
    )
    return File(path=f"{app.name}/entities/{snake_case(name)}.py", content=text.encode(), element=f"entity:{name}")


def roles_literal(roles: Iterable[str]) -> str:
    """Return a set of role names as Python."""
    names = ", ".join(f'"{role}"' for role in sorted(set(roles)))
    return f"frozenset({{{names}}})" if names else "frozenset()"


def _field(entity: Entity, name: str, type_: Type, app: Application) -> FieldView:
    attribute = entity.attribute(name)
    return FieldView(name=name, annotation=annotation(type_, app), comment=attribute.doc if attribute else "")


class _Writer:
    """Writes one access function."""

    def __init__(
        self, app: Application, entity: Entity, table: Table, columns: dict[str, Type], function: EntityFunction
    ) -> None:
        self.app, self.entity, self.table, self.columns, self.function = app, entity, table, columns, function
        self.rules: list[RuleParameter] = []
        self.rule = compile_rule(entity if entity.name in app.entities else None, app, self.rules, None)
        self.key = entity.key

    def view(self) -> FunctionView:
        method = self.function.method
        build = getattr(self, f"_{method}")
        roles, right = _RIGHTS.get(method, ("READERS", "read"))
        found: FunctionView = build(roles, right)
        return found

    def _make(
        self, statement: Statement, parameters: str, returns: str, doc: str, access: tuple[str, str], *body: str
    ) -> FunctionView:
        roles, right = access
        return FunctionView(
            name=self.function.name,
            constant=self.function.name.upper(),
            sql=statement.sql,
            parameters=parameters,
            returns=returns,
            doc=doc,
            roles=roles,
            right=right,
            body=body,
        )

    def _call(self, fetch: str, statement: Statement) -> str:
        """Return the call that runs a statement: its parameters in order, the rule's from the context."""
        arguments = [_RULE_VALUES.get(name, name) for name in statement.parameters]
        label = f'name="{snake_case(self.entity.name)}.{self.function.name}"'
        return f"await context.{fetch}({', '.join([self.function.name.upper(), *arguments, label])})"

    def _typed(self, names: Sequence[str], *, optional: bool = False) -> str:
        return ", ".join(
            f"{name}: {annotation(self.columns[name].maybe() if optional else self.columns[name], self.app)}"
            for name in names
        )

    def _keyed(self) -> str:
        return ", " + self._typed(self.key)

    def _missing(self) -> tuple[str, ...]:
        shown = self.key[0] if len(self.key) == 1 else "(" + ", ".join(self.key) + ")"
        return ("if row is None:", f'    raise NotFound("{self.entity.name}", {shown})')

    def _get(self, *access: str) -> FunctionView:
        statement = statements.select_by_key(self.table, self.rule)
        body = (f"row = {self._call('fetchrow', statement)}", *self._missing(), f"return {self.entity.name}(*row)")
        return self._make(
            statement,
            self._keyed(),
            self.entity.name,
            f"Return one {self._noun()}; raises NotFound.",
            (access[0], access[1]),
            *body,
        )

    def _noun(self) -> str:
        return snake_case(self.entity.name).replace("_", " ")

    def _find(self, *access: str) -> FunctionView:
        given = self.function.attributes
        statement = statements.find(self.table, given, self.rule)
        body = (
            f"row = {self._call('fetchrow', statement)}",
            f"return None if row is None else {self.entity.name}(*row)",
        )
        doc = f"Return the first {self._noun()} that has these values, or None."
        return self._make(
            statement, self._given(given), f"{self.entity.name} | None", doc, (access[0], access[1]), *body
        )

    def _given(self, given: Sequence[str]) -> str:
        return f", *, {self._typed(given)}" if given else ""

    def _list(self, *access: str) -> FunctionView:
        given = self.function.attributes
        statement = statements.list_rows(
            self.table, given, self.rule, order_by=self.function.order_by, limit=self.function.limited
        )
        parameters = self._given(given)
        if self.function.limited:
            parameters += ", limit: int" if given else ", *, limit: int"
        body = f"return [{self.entity.name}(*row) for row in {self._call('fetch', statement)}]"
        doc = f"Return the rows of {self._noun()}" + (" that have these values." if given else ".")
        return self._make(statement, parameters, f"list[{self.entity.name}]", doc, (access[0], access[1]), body)

    def _count(self, *access: str) -> FunctionView:
        given = self.function.attributes
        statement = statements.count(self.table, given, self.rule)
        body = f"return int({self._call('fetchval', statement)})"
        return self._make(
            statement, self._given(given), "int", f"Count the rows of {self._noun()}.", (access[0], access[1]), body
        )

    def _create(self, *access: str) -> FunctionView:
        given = [name for name in self.columns if name != "id" or self.entity.attribute("id")]
        statement = statements.insert(self.table, given)
        needed = [name for name in given if not self._has_default(name)]
        parameters = ", ".join(
            [
                *(self._typed([name]) for name in needed),
                *(self._defaulted(name) for name in given if name not in needed),
            ]
        )
        call = self._call("fetch_one", statement)
        for name in given:
            if (attribute := self.entity.attribute(name)) and attribute.default in {"now()", "today()"}:
                clock = "context.now()" if attribute.default == "now()" else "context.now().date()"
                call = call.replace(f" {name},", f" {name} or {clock},")
        body = (f"row = {call}", f"return {self.entity.name}(*row)")
        doc = f"Write a new {self._noun()} and return it."
        return self._make(
            statement, f", *, {parameters}" if parameters else "", self.entity.name, doc, (access[0], access[1]), *body
        )

    def _has_default(self, name: str) -> bool:
        attribute = self.entity.attribute(name)
        return self.columns[name].optional or bool(attribute and attribute.default is not None)

    def _defaulted(self, name: str) -> str:
        attribute = self.entity.attribute(name)
        default = attribute.default if attribute else None
        if default in {None, "now()", "today()", "uuid()"}:
            return f"{name}: {annotation(self.columns[name].maybe(), self.app)} = None"
        value = f'Decimal("{default}")' if self.columns[name].name == "Decimal" else default
        return f"{self._typed([name])} = {value}"

    def _update(self, *access: str) -> FunctionView:
        given = self.function.attributes
        statement = statements.update(self.table, given, self.rule)
        body = (f"row = {self._call('fetchrow', statement)}", *self._missing(), f"return {self.entity.name}(*row)")
        doc = f"Change one {self._noun()} and return it; raises NotFound."
        return self._make(
            statement, f"{self._keyed()}{self._given(given)}", self.entity.name, doc, (access[0], access[1]), *body
        )

    def _delete(self, *access: str) -> FunctionView:
        statement = statements.delete(self.table, self.rule)
        body = (f"row = {self._call('fetchrow', statement)}", *self._missing())
        return self._make(
            statement,
            self._keyed(),
            "None",
            f"Delete one {self._noun()}; raises NotFound.",
            (access[0], access[1]),
            *body,
        )

    def _options(self, *access: str) -> FunctionView:
        key, label = self.key[0], label_attribute(self.entity.name, self.app) or self.key[0]
        found = statements.list_rows(self.table, (), self.rule, order_by=(label,))
        everything = ", ".join(statements.identifier(name) for name in self.columns)
        columns = f"{statements.identifier(key)} AS value, {statements.identifier(label)}::text AS label"
        sql = found.sql.replace(f"SELECT {everything}", f"SELECT {columns}", 1) + f"\nLIMIT {_MOST_OPTIONS}"
        statement = statements.Statement(sql=sql, parameters=found.parameters)
        body = f"return [dict(row) for row in {self._call('fetch', statement)}]"
        doc = f"Return the first {_MOST_OPTIONS} rows of {self._noun()} to choose from, by label."
        return self._make(statement, "", "list[dict[str, object]]", doc, (access[0], access[1]), body)


def _user_entity() -> Entity:
    place = Place(cell=0)
    from lowcode_kernel.queries import USER_COLUMNS

    attributes = tuple(Attribute(name=name, type=type_, place=place) for name, type_ in USER_COLUMNS.items())
    return Entity(name="User", doc="Who may sign in.", attributes=attributes, place=place)


def _user_table() -> Table:
    from lowcode_kernel.queries import USER_COLUMNS
    from lowcode_kernel.schema import Column, Table

    columns = tuple(Column(name=name, type="bigint" if name == "id" else "text") for name in USER_COLUMNS)
    return Table(name="user", entity="User", columns=columns, key=("id",))
