"""The access functions of an entity's module: static SQL, and the lines of Python around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.body_entity_calls import searched
from lowcode_kernel.generators.layers import statements
from lowcode_kernel.generators.layers.access import label_attribute
from lowcode_kernel.generators.layers.python_types import annotation
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.relational import pair_table_name
from lowcode_kernel.rules import compile_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Entity
    from lowcode_kernel.generators.layers.access import EntityFunction
    from lowcode_kernel.generators.layers.statements import Statement
    from lowcode_kernel.rules import RuleParameter
    from lowcode_kernel.schema import Schema, Table
    from lowcode_kernel.types import Type

_RULE_VALUES = {
    "unrestricted": "context.unrestricted",
    "user_id": "context.user_id",
    "user_roles": "context.user_roles",
}
_RIGHTS = {"create": ("WRITERS", "create"), "update": ("WRITERS", "change"), "delete": ("REMOVERS", "delete")}
_MADE = {"now()": "context.now()", "today()": "context.now().date()", "uuid()": "uuid4()"}
_MOST_OPTIONS = 500  # what a person can choose from in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A statement as a constant of the module."""

    name: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """An access function, ready for the template. `needed` lines come before the role is asked for."""

    name: str
    constants: tuple[Constant, ...]
    parameters: str
    returns: str
    doc: str
    roles: str
    right: str
    needed: tuple[str, ...] = ()
    body: tuple[str, ...]


class EntityWriter:
    """Writes the access functions of one entity."""

    def __init__(
        self, app: Application, entity: Entity, schema: Schema, table: Table, columns: dict[str, Type]
    ) -> None:
        self.app, self.entity, self.schema, self.table, self.columns = app, entity, schema, table, columns
        rules: list[RuleParameter] = []
        self.rule = compile_rule(entity if entity.name in app.entities else None, app, rules, None)
        self.key = entity.key
        self.lists = {a.name: a.type for a in entity.attributes if a.type.many and a.type.kind == "entity"}

    def view(self, function: EntityFunction) -> FunctionView:
        """Return one function."""
        return _Function(self, function).view()

    def computed(self) -> set[str]:
        """Return the names of the attributes that the database computes."""
        return {attribute.name for attribute in self.entity.attributes if attribute.computed}

    @property
    def noun(self) -> str:
        """What a row is called in a sentence."""
        return snake_case(self.entity.name).replace("_", " ")


class _Function:
    """Writes one access function."""

    def __init__(self, entity: EntityWriter, function: EntityFunction) -> None:
        self.entity, self.function = entity, function
        self.app, self.table, self.columns, self.rule = entity.app, entity.table, entity.columns, entity.rule
        self.key, self.noun = entity.key, entity.noun
        self.given = [name for name in function.attributes if name not in entity.lists]
        self.lists = [name for name in function.attributes if name in entity.lists]
        self.constants: list[Constant] = []

    def view(self) -> FunctionView:
        found: FunctionView = getattr(self, f"_{self.function.method}")()
        return found

    def _make(
        self, parameters: str, returns: str, doc: str, body: Iterable[str], *, needed: tuple[str, ...] = ()
    ) -> FunctionView:
        roles, right = _RIGHTS.get(self.function.method, ("READERS", "read"))
        return FunctionView(
            name=self.function.name,
            constants=tuple(self.constants),
            parameters=parameters,
            returns=returns,
            doc=doc,
            roles=roles,
            right=right,
            needed=needed,
            body=tuple(body),
        )

    def _run(self, fetch: str, statement: Statement, values: dict[str, str] | None = None, name: str = "") -> str:
        """Return the call that runs a statement: its parameters in order, the rule's from the context. `values` are
        texts for parameters that are not given as they are.
        """
        constant = (name or self.function.name).upper()
        self.constants.append(Constant(name=constant, sql=statement.sql))
        known = {**_RULE_VALUES, **(values or {})}
        arguments = [known.get(parameter, parameter) for parameter in statement.parameters]
        label = f'name="{snake_case(self.entity.entity.name)}.{name or self.function.name}"'
        return f"await context.{fetch}({', '.join([constant, *arguments, label])})"

    def _typed(self, names: Sequence[str]) -> str:
        return ", ".join(f"{name}: {annotation(self.columns[name], self.app)}" for name in names)

    def _keyed(self) -> str:
        return ", " + self._typed(self.key)

    def _named(self, *parameters: str) -> str:
        """Return parameters that are given by name, behind those before."""
        return f", *, {', '.join(parameters)}" if parameters else ""

    def _given(self) -> list[str]:
        return [self._typed([name]) for name in self.given]

    def _list_typed(self, name: str, default: str = "") -> str:
        key = annotation(self.entity.lists[name], self.app)
        return f"{name}: {key}{default}"

    def _missing(self) -> tuple[str, ...]:
        shown = self.key[0] if len(self.key) == 1 else "(" + ", ".join(self.key) + ")"
        return ("if row is None:", f'    raise NotFound("{self.entity.entity.name}", {shown})')

    # reading

    def _get(self) -> FunctionView:
        statement = statements.select_by_key(self.table, self.rule, only=self.function.only)
        row = self.function.row
        body = (f"row = {self._run('fetchrow', statement)}", *self._missing(), f"return {row}(*row)")
        return self._make(self._keyed(), row, f"Return one {self.noun}; raises NotFound.", body)

    def _get_many(self) -> FunctionView:
        name, key = self.entity.entity.name, annotation(self.columns[self.key[0]], self.app)
        statement = statements.select_many(self.table, self.rule)
        read = self._run("fetch", statement, {"keys": "wanted"})
        needed = (
            "wanted = list(dict.fromkeys(key for key in keys if key is not None))",
            "if not wanted:",
            f"    return {name}ByKey()",
        )
        body = (
            f"rows = [{name}(*row) for row in {read}]",
            f"return {name}ByKey({{row.{self.key[0]}: row for row in rows}})",
        )
        doc = f"Return the rows of {self.noun} that have these keys. Asking for another one raises NotFound."
        return self._make(f", keys: Iterable[{key} | None]", f"{name}ByKey", doc, body, needed=needed)

    def _find(self) -> FunctionView:
        statement = statements.find(self.table, self.given, self.rule, only=self.function.only)
        row = self.function.row
        body = (f"row = {self._run('fetchrow', statement)}", f"return None if row is None else {row}(*row)")
        doc = f"Return the first {self.noun} that has these values, or None."
        return self._make(self._named(*self._given()), f"{row} | None", doc, body)

    def _list(self) -> FunctionView:
        function, row = self.function, self.function.row
        statement = statements.list_rows(
            self.table,
            self.given,
            self.rule,
            order_by=function.order_by,
            limit=function.limited,
            only=function.only,
            search=searched(self.columns) if function.searched else (),
            page=function.paged,
        )
        options = (
            *(["search: str | None"] if function.searched else []),
            *(["limit: int"] if function.limited else []),
            *(["page_start: int", "page_rows: int"] if function.paged else []),
        )
        parameters = self._named(*self._given(), *options)
        body = (f"return [{row}(*row) for row in {self._run('fetch', statement)}]",)
        doc = f"Return the rows of {self.noun}" + (" that have these values." if self.given else ".")
        return self._make(parameters, f"list[{row}]", doc, body)

    def _count(self) -> FunctionView:
        statement = statements.count(self.table, self.given, self.rule)
        body = (f"return int({self._run('fetchval', statement)})",)
        return self._make(self._named(*self._given()), "int", f"Count the rows of {self.noun}.", body)

    def _exists(self) -> FunctionView:
        statement = statements.exists(self.table, self.given, self.rule)
        body = (f"return bool({self._run('fetchval', statement)})",)
        doc = f"Say whether there is a row of {self.noun}" + (" that has these values." if self.given else ".")
        return self._make(self._named(*self._given()), "bool", doc, body)

    def _list_keys(self) -> FunctionView:
        """A `many` attribute is read as the keys of what it holds."""
        (name,) = self.lists
        statement = statements.select_pairs(self._pairs(name))
        rows = self._run("fetch", statement, {statement.parameters[0]: self.key[0]})
        body = (f"return [row[0] for row in {rows}]",)
        returns = annotation(self.entity.lists[name], self.app)
        return self._make(self._keyed(), returns, f"Return the keys of the {name} of one {self.noun}.", body)

    def _list_each(self) -> FunctionView:
        """A `many` attribute of several rows is read at once."""
        (name,) = self.lists
        statement = statements.select_pairs_of_many(self._pairs(name))
        key, held = annotation(self.columns[self.key[0]], self.app), annotation(self.entity.lists[name], self.app)
        body = (
            f"found: dict[{key}, {held}] = {{key: [] for key in keys}}",
            f"for owner, other in {self._run('fetch', statement, {'keys': 'list(found)'})}:",
            "    found[owner].append(other)",
            "return found",
        )
        doc = f"Return the keys of the {name} of each {self.noun}."
        return self._make(f", keys: Iterable[{key}]", f"dict[{key}, {held}]", doc, body)

    def _options(self) -> FunctionView:
        key, label = self.key[0], label_attribute(self.entity.entity.name, self.app) or self.key[0]
        found = statements.list_rows(self.table, (), self.rule, order_by=(label,), only=("value", "label"))
        columns = f"{statements.identifier(key)} AS value, {statements.identifier(label)}::text AS label"
        sql = found.sql.replace("SELECT value, label", f"SELECT {columns}", 1) + f"\nLIMIT {_MOST_OPTIONS}"
        statement = statements.Statement(sql=sql, parameters=found.parameters)
        body = (f"return [dict(row) for row in {self._run('fetch', statement)}]",)
        doc = f"Return the first {_MOST_OPTIONS} rows of {self.noun} to choose from, by label."
        return self._make("", "list[dict[str, object]]", doc, body)

    def _labels(self) -> FunctionView:
        """Names for keys. Who may not read the rows gets none, and sees keys."""
        key, label = self.key[0], label_attribute(self.entity.entity.name, self.app) or self.key[0]
        statement = statements.select_many(self.table, self.rule, only=(key, label))
        typed = annotation(self.columns[key], self.app)
        needed = (
            "wanted = list(dict.fromkeys(key for key in keys if key is not None))",
            "if not wanted or not context.has_role(*READERS):",
            "    return {}",
        )
        rows = self._run("fetch", statement, {"keys": "wanted"})
        body = (f"return {{row[0]: row[1] for row in {rows} if row[1] is not None}}",)
        doc = f"Return the names of the rows of {self.noun} that have these keys, as far as the user may see them."
        return self._make(f", keys: Iterable[{typed} | None]", f"dict[{typed}, str]", doc, body, needed=needed)

    # writing

    def _create(self) -> FunctionView:
        entity, computed = self.entity.entity, self.entity.computed()
        given = [name for name in self.columns if (name != "id" or entity.attribute("id")) and name not in computed]
        statement = statements.insert(self.table, given)
        needed = [name for name in given if not self._has_default(name)]
        parameters = [
            *(self._typed([name]) for name in needed),
            *(self._defaulted(name) for name in given if name not in needed),
            *(self._list_typed(name) for name in self.lists),
        ]
        made = {name: f"{name} or {_MADE[default]}" for name in given if (default := self._default(name)) in _MADE}
        body = [
            f"row = {self._run('fetch_one', statement, made)}",
            *(line for name in self.lists for line in self._added(name, f'row["{self.key[0]}"]')),
            f"return {entity.name}(*row)",
        ]
        return self._make(self._named(*parameters), entity.name, f"Write a new {self.noun} and return it.", body)

    def _default(self, name: str) -> str | None:
        attribute = self.entity.entity.attribute(name)
        return attribute.default if attribute else None

    def _has_default(self, name: str) -> bool:
        return self.columns[name].optional or self._default(name) is not None

    def _defaulted(self, name: str) -> str:
        default = self._default(name)
        if default is None or default in _MADE:
            return f"{name}: {annotation(self.columns[name].maybe(), self.app)} = None"
        value = f'Decimal("{default}")' if self.columns[name].name == "Decimal" else default
        return f"{self._typed([name])} = {value}"

    def _update(self) -> FunctionView:
        if self.given:
            statement = statements.update(self.table, self.given, self.rule)
        else:  # only lists change: the row is looked for, and nobody else changes it meanwhile
            statement = statements.select_by_key(self.table, self.rule, lock=True)
        body = [f"row = {self._run('fetchrow', statement)}", *self._missing()]
        for name in self.lists:
            body += [self._removed(name, self.key[0]), *self._added(name, self.key[0])]
        name = self.entity.entity.name
        changed = [*self._given(), *(self._list_typed(name) for name in self.lists)]
        doc = f"Change one {self.noun} and return it; raises NotFound."
        return self._make(f"{self._keyed()}{self._named(*changed)}", name, doc, [*body, f"return {name}(*row)"])

    def _delete(self) -> FunctionView:
        statement = statements.delete(self.table, self.rule)
        body = (f"row = {self._run('fetchrow', statement)}", *self._missing())
        return self._make(self._keyed(), "None", f"Delete one {self.noun}; raises NotFound.", body)

    # lists of other rows

    def _pairs(self, name: str) -> Table:
        return self.entity.schema.table(pair_table_name(self.entity.entity.name, name))

    def _added(self, name: str, owner: str) -> list[str]:
        statement = statements.insert_pairs(self._pairs(name))
        values = dict(zip(statement.parameters, (owner, name), strict=True))
        return [f"if {name}:", f"    {self._run('fetch', statement, values, f'add_{name}')}"]

    def _removed(self, name: str, owner: str) -> str:
        statement = statements.delete_pairs(self._pairs(name))
        values = dict(zip(statement.parameters, (owner, name), strict=True))
        return self._run("fetch", statement, values, f"remove_{name}")
