"""A resolved query to the static SQL that runs: views for entities, `$1` for parameters, row rules as conditions.

In between stands the *prepared* tree: all of that but the numbers. Placeholders in it are the query's parameters by
name and, as `context.user_id`, what a row rule asks of the request. Variants and forms are made of it; `finish` numbers
what is left, so that a statement takes no value that it doesn't use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import column_type
from lowcode_kernel.rules import RuleParameter, compile_rule
from lowcode_kernel.sql import exp, nodes_of, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.types import Type

CONTEXT = "context."
"""What the names of placeholders begin with that a row rule has put into a statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """One column of a query's result. `source` is the entity and attribute that it shows unchanged, if it does; `cast`
    is the PostgreSQL type that it has to be cast to, where it is computed in another.
    """

    name: str
    type: Type
    source: tuple[str, str] | None = None
    cast: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What resolving has found in a tree, by the identity of its nodes: the typed columns of each SELECT, what each `*`
    stands for as (name in FROM, column), which entity each table is, by which columns each SELECT groups besides
    those that it names, and which arguments of functions have to be cast.
    """

    columns: dict[int, tuple[ResultColumn, ...]]
    stars: dict[int, tuple[tuple[str, str], ...]]
    tables: dict[int, str]
    groups: dict[int, tuple[tuple[str, str], ...]]
    casts: dict[int, str]


def prepare_query(tree: exp.Query, rules: dict[str, str], resolved: Resolved) -> exp.Query:
    """Return a copy of a tree in the words of the database, without the numbers of its parameters. `rules` are the row
    rules of its entities.
    """
    prepared = tree.copy()
    pairs = list(zip(nodes_of(tree), nodes_of(prepared), strict=True))
    for original, node in pairs:
        if isinstance(node, exp.TableAlias | exp.Table):
            _fold(node.this)
        elif isinstance(node, exp.Column):
            _fold(node.args.get("table"))
        elif isinstance(node, exp.Select):
            _compile_items(original, node, resolved)
            _add_groups(node, resolved.groups.get(id(original), ()))
    for original, node in pairs:
        if id(original) in resolved.casts:
            node.replace(exp.cast(node.copy(), resolved.casts[id(original)], dialect="postgres"))
        elif (entity := resolved.tables.get(id(original))) is not None:
            _place_view(node, entity, rules.get(entity, ""))
    return prepared


def _fold(identifier: object) -> None:
    """Tables and their aliases are written in small letters, unless they are quoted."""
    if isinstance(identifier, exp.Identifier) and not identifier.args.get("quoted"):
        identifier.set("this", identifier.this.lower())


def _add_groups(select: exp.Select, columns: tuple[tuple[str, str], ...]) -> None:
    """Group by what depends on a key that is grouped by: PostgreSQL knows that of tables, and these are views."""
    group = select.args.get("group")
    if group is not None and columns:
        added = [exp.column(name, table=source) for source, name in columns]
        group.set("expressions", [*group.expressions, *added])


def _place_view(table: exp.Expr, entity: str, rule: str) -> None:
    """Put a view in the place of an entity; where it has a row rule, only the rows that the rule lets through."""
    alias = table.alias or table.name
    plain = exp.Table(this=exp.to_identifier(snake_case(entity)))
    if rule:
        kept = exp.Subquery(this=exp.select("*").from_(plain).where(_condition(rule), copy=False))
        found: exp.Expr = exp.alias_(kept, alias, table=True, copy=False)
    else:
        found = exp.alias_(plain, alias, table=True) if alias != snake_case(entity) else plain
    if table.args.get("joins"):
        found.set("joins", table.args["joins"])
    table.replace(found)


def _condition(rule: str) -> exp.Expr:
    """Return a row rule with its parameters marked as the context's."""
    condition: exp.Expr = exp.condition(rule, dialect="postgres")
    for placeholder in condition.find_all(exp.Placeholder):
        placeholder.set("this", CONTEXT + placeholder.name)
    return condition


def rules_of(entities: Iterable[str], app: Application) -> dict[str, str]:
    """Return the conditions of the entities that have a row rule; raises LowcodeError where one can't be compiled."""
    texts = {}
    for entity in entities:
        parameters: list[RuleParameter] = []
        if text := compile_rule(app.entities.get(entity), app, parameters, None):
            texts[entity] = text
    return texts


def _compile_items(original: exp.Expr, select: exp.Select, resolved: Resolved) -> None:
    """Write out what a SELECT gives: a `*` becomes the names of its columns, whatever their order in the database, and
    what PostgreSQL gives in another type than the language promises is cast.
    """
    columns = resolved.columns.get(id(original), ())
    several = bool(original.args.get("joins"))
    items: list[exp.Expr] = []
    for item, copied in zip(original.args["expressions"], list(select.selects), strict=True):
        if is_star(item):
            stars = resolved.stars.get(id(item), ())
            items += [exp.column(name, table=source if several else None) for source, name in stars]
        else:
            items.append(_in_type(copied, columns[len(items)].cast) if len(items) < len(columns) else copied)
    select.set("expressions", items)


def is_star(item: exp.Expr) -> bool:
    """Say whether an item of a SELECT is `*` or `o.*`."""
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def _in_type(item: exp.Expr, wanted: str) -> exp.Expr:
    """PostgreSQL sums bigint to numeric and extracts numeric: cast back to Integer, as the language promises."""
    if not wanted:
        return item
    inner = item.this if isinstance(item, exp.Alias) else item
    cast = exp.cast(inner.copy(), wanted, dialect="postgres")
    if isinstance(item, exp.Alias):
        item.set("this", cast)
        return item
    return cast


def parameter_casts(query: Query, app: Application) -> dict[str, str]:
    """Return the PostgreSQL type of each parameter of a query."""
    return {parameter.name: column_type(parameter.type, app) for parameter in query.parameters}


@cache
def _data_type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="postgres")


def finish(tree: exp.Query, casts: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the text of a prepared tree and the names of the values that it takes as `$1`, `$2` ...

    `casts` has the names in the order of their numbers, with their types; the context's come behind them. The tree is
    used up.
    """
    placeholders = [node for node in nodes_of(tree) if isinstance(node, exp.Placeholder)]
    used = dict.fromkeys(placeholder.name for placeholder in placeholders)
    rules = [name for name in used if name.startswith(CONTEXT)]
    arguments = (*(name for name in casts if name in used), *rules)
    positions = {name: number for number, name in enumerate(arguments, 1)}
    for placeholder in placeholders:
        value: exp.Expr = exp.Parameter(this=exp.Literal.number(positions[placeholder.name]))
        if placeholder.name in casts:
            value = exp.Cast(this=value, to=_data_type(casts[placeholder.name]).copy())
        placeholder.replace(value)
    return render(tree), arguments
