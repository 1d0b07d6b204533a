"""One read of several in one statement: its texts, its values, and how its result is made of what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.body_entity_calls import searched
from lowcode_kernel.body_query_calls import FORMS
from lowcode_kernel.columns import columns_of
from lowcode_kernel.generators.layers import statements
from lowcode_kernel.generators.layers.parameters import default_text
from lowcode_kernel.generators.layers.python_types import annotation, class_name
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import key_names
from lowcode_kernel.query_forms import compile_form
from lowcode_kernel.rules import compile_rule

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.generators.layers.access import EntityFunction, QueryForm, ReadPart
    from lowcode_kernel.generators.layers.statements import Statement
    from lowcode_kernel.rules import RuleParameter
    from lowcode_kernel.schema import Table

_RESULTS = {
    "many": "[{row}(*row) for row in {value}]",
    "one": "{row}(*{value}[0]) if {value} else None",
    "there": "{row}(*{value}[0])",
    "exists": "bool({value})",
    "count": "int({value})",
}
_RETURNS = {"many": "list[{row}]", "one": "{row} | None", "there": "{row}", "exists": "bool", "count": "int"}
_GIVES = {"": "many", "top": "many", "page": "many", "list": "many", "first": "one", "find": "one", "get": "there"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A statement of a part, and the Python that gives the value of each `$n`."""

    sql: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A class and the module that holds it."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A read, ready to be joined. `texts` are by the parameters of the whole that are None; `optional` names those.
    `columns` is empty where it gives one value. `missing` are lines for a row that has to be there.
    """

    texts: dict[frozenset[str], Text]
    optional: tuple[str, ...]
    columns: tuple[str, ...]
    parameters: dict[str, str]
    gives: str
    symbols: tuple[Symbol, ...]
    entities: tuple[str, ...]
    missing: str = ""

    @property
    def row(self) -> str:
        """The class of its rows, "" where it gives one value."""
        return self.symbols[0].name if self.symbols else ""

    @property
    def returns(self) -> str:
        """The annotation of its result."""
        return _RETURNS[self.gives].format(row=self.row)

    def result(self, value: str) -> str:
        """Return the expression of its result, given that of its value in the database's row."""
        return _RESULTS[self.gives].format(row=self.row, value=value)


def query_part(app: Application, part: ReadPart, form: QueryForm, *, plain: bool) -> Part:
    """Return the part that a form of a query is; with `plain`, all its conditions are in one text."""
    query, analysis = app.queries[form.query], analyze(app).queries[form.query]
    given = dict(part.given)
    switched_off = {name for name in analysis.optional if name not in given and _default(query, name) == "None"}
    gives = _GIVES.get(form.form, form.form)
    texts = {}
    for variant in compile_form(analysis, form.form or None, plain=plain):
        if plain or (switched_off <= set(variant.absent) and set(variant.absent) - switched_off <= set(given)):
            values = tuple(_value(query, form, given, name) for name in variant.arguments)
            absent = frozenset(given[name] for name in variant.absent if name in given)
            texts[absent] = Text(sql=variant.statement, values=values)
    types = {parameter.name: annotation(parameter.type, app) for parameter in query.parameters}
    rows = gives not in {"exists", "count"}
    symbol = Symbol(module=f"queries.{query.name}", name=f"{class_name(query.name)}Row")
    return Part(
        texts=texts,
        optional=() if plain else tuple(given[name] for name in analysis.optional if name in given),
        columns=tuple(column.name for column in analysis.columns) if rows else (),
        parameters={target: types.get(name, "int") for name, target in given.items()},
        gives=gives,
        symbols=(symbol,) if rows else (),
        entities=analysis.entities,
    )


def _default(query: Query, name: str) -> str:
    parameter = next(parameter for parameter in query.parameters if parameter.name == name)
    return default_text(parameter).removeprefix(" = ")


def _value(query: Query, form: QueryForm, given: dict[str, str], name: str) -> str:
    if name in FORMS.get(form.form, ()):
        return f"max({given[name]}, 0)"
    return name if name.startswith("context.") else given.get(name) or _default(query, name)


def entity_part(app: Application, part: ReadPart, function: EntityFunction, table: Table) -> Part:
    """Return the part that an access of an entity is."""
    given, gives = dict(part.given), _GIVES.get(function.method, function.method)
    statement = _statement(app, function, table)
    columns = columns_of(function.entity, app) or {}
    values = tuple(given.get(name, f"context.{name}") for name in statement.parameters)
    rows = gives not in {"exists", "count"}
    own = {"search": "str | None"}
    symbols = [Symbol(module=f"entities.{snake_case(function.entity)}", name=function.row)] if rows else []
    if gives == "there":
        symbols.append(Symbol(module="errors", name="NotFound"))
    keys = [given[name] for name in key_names(function.entity, app) if name in given]
    shown = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
    return Part(
        texts={frozenset(): Text(sql=statement.sql, values=values)},
        optional=(),
        columns=(function.only or tuple(columns)) if rows else (),
        parameters={
            target: annotation(columns[name], app) if name in columns else own.get(name, "int")
            for name, target in given.items()
        },
        gives=gives,
        symbols=tuple(symbols),
        entities=(function.entity,),
        missing=f'raise NotFound("{function.entity}", {shown})' if gives == "there" else "",
    )


def _statement(app: Application, function: EntityFunction, table: Table) -> Statement:
    rules: list[RuleParameter] = []
    rule = compile_rule(app.entities.get(function.entity), app, rules, None)
    match function.method:
        case "get":
            return statements.select_by_key(table, rule, only=function.only)
        case "find":
            return statements.find(table, function.attributes, rule, only=function.only)
        case "count":
            return statements.count(table, function.attributes, rule)
        case "exists":
            return statements.exists(table, function.attributes, rule)
    return statements.list_rows(
        table,
        function.attributes,
        rule,
        order_by=function.order_by,
        limit=function.limited,
        only=function.only,
        search=searched(columns_of(function.entity, app) or {}) if function.searched else (),
    )
