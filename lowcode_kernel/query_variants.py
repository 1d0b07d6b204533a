"""The texts of one query: a condition that an optional parameter switches off is in none where the parameter is None.

    WHERE o.customer = :customer AND (:since IS NULL OR o.placed_at >= :since)
      since is None:  WHERE o.customer = $1
      else:           WHERE o.customer = $1 AND o.placed_at >= $2

All texts are constants: which one runs is chosen by comparing with None, never by building a string.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from lowcode_kernel.query_compilation import finish
from lowcode_kernel.sql import exp, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lowcode_kernel.elements import Query

MOST_OPTIONAL = 4
"""Up to so many optional parameters there is a text for each choice of them: 2, 4, 8 or 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One text. `absent` are the optional parameters that are None where it runs; `arguments` are the names of the
    values that it takes, those of the context as `context.user_id`.
    """

    absent: tuple[str, ...]
    statement: str
    arguments: tuple[str, ...]


def optional_parameters(query: Query, tree: exp.Query) -> tuple[str, ...]:
    """Return the parameters that switch a condition of some WHERE off when they are None, in the query's order."""
    optional = {parameter.name for parameter in query.parameters if parameter.type.optional}
    if not optional:
        return ()
    wheres = [node for node in nodes_of(tree) if isinstance(node, exp.Where)]
    parts = [part for where in wheres for part in conjuncts(where.this)]
    switching = {name for part in parts for name in switches(part, optional)}
    return tuple(parameter.name for parameter in query.parameters if parameter.name in switching)


def compile_variants(tree: exp.Query, optional: tuple[str, ...], casts: Mapping[str, str]) -> tuple[Variant, ...]:
    """Return the texts of a prepared tree, the one with most parameters absent first and the one with all of them last.

    Where there are more optional parameters than `MOST_OPTIONAL`, the statement is one text with all its conditions.
    """
    if len(optional) > MOST_OPTIONAL:
        optional = ()
    return tuple(_variant(tree, optional, absent, casts) for absent in _choices(optional))


def _choices(optional: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(len(optional), -1, -1):
        yield from combinations(optional, size)


def _variant(tree: exp.Query, optional: tuple[str, ...], absent: tuple[str, ...], casts: Mapping[str, str]) -> Variant:
    chosen = tree.copy()
    present = frozenset(optional) - frozenset(absent)
    for where in list(chosen.find_all(exp.Where)):
        _choose(where, frozenset(absent), present)
    statement, arguments = finish(chosen, casts)
    return Variant(absent=absent, statement=statement, arguments=arguments)


def _choose(where: exp.Where, absent: frozenset[str], present: frozenset[str]) -> None:
    """Drop the conditions that hold because a parameter is None, and the questions whether a present one is."""
    kept, changed = [], False
    for part in conjuncts(where.this):
        if switches(part, absent):
            changed = True
            continue
        if switches(part, present):
            part, changed = _without_questions(part, present), True
        kept.append(part)
    if not changed:
        return
    if not kept and where.parent is not None:
        where.parent.set("where", None)
    elif kept:
        where.set("this", joined(kept, exp.And))


def _without_questions(part: exp.Expr, present: frozenset[str]) -> exp.Expr:
    rest = [item for item in disjuncts(part) if _asked(item) not in present]
    if not rest:
        return exp.false()
    alone = joined(rest, exp.Or)
    return exp.Paren(this=alone) if isinstance(alone, exp.Or) else alone


def conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """Return the conditions that an AND joins, in order."""
    return _flattened(condition, exp.And)


def disjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """Return the conditions that an OR joins, in order."""
    return _flattened(condition, exp.Or)


def _flattened(condition: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """Walk without recursion: a chain may be as long as the text."""
    found, waiting = [], [condition]
    while waiting:
        node = waiting.pop()
        inner = node.unnest() if isinstance(node, exp.Paren) else node
        if isinstance(inner, kind):
            waiting += [inner.args["expression"], inner.args["this"]]
        else:
            found.append(node)
    return found


def joined(conditions: Iterable[exp.Expr], kind: type[exp.Expr]) -> exp.Expr:
    """Return conditions joined by AND or OR, as a person would write them."""
    first, *others = conditions
    for other in others:
        first = kind(this=first, expression=other)
    return first


def switches(part: exp.Expr, names: Iterable[str]) -> set[str]:
    """Return those of the names that make a condition true by being None: `:p IS NULL OR ...`."""
    wanted = set(names)
    return {name for item in disjuncts(part) if (name := _asked(item)) in wanted} if wanted else set()


def _asked(item: exp.Expr) -> str:
    """Return the parameter of `:p IS NULL`, or ""."""
    inner = item.unnest()
    if not isinstance(inner, exp.Is) or not isinstance(inner.expression, exp.Null) or inner.args.get("negate"):
        return ""
    value = inner.this.unnest()
    while isinstance(value, exp.Cast):
        value = value.this.unnest()
    return value.name if isinstance(value, exp.Placeholder) else ""
