"""The one door to sqlglot: text to tree, tree to text, and where in the cell a part of the tree stands.

The library is loaded when the first statement is read (2026-11: 100 to 190 ms), so that an application without queries
never waits for it. `exp` stands for its module of expressions until then.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from lowcode_kernel.identifiers import needs_quotes
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.sql_limits import MOST_CHARACTERS, check_text, check_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlglot
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

    from lowcode_kernel.places import Place
else:

    class _Later:
        """A module that is loaded when something in it is asked for."""

        def __init__(self, name: str) -> None:
            self.__dict__["_name"] = name

        def __getattr__(self, name: str) -> Any:
            found = getattr(import_module(self._name), name)
            self.__dict__[name] = found
            return found

    sqlglot, exp = _Later("sqlglot"), _Later("sqlglot.expressions")

    def __getattr__(name: str) -> Any:
        if name == "Scope":
            return import_module("sqlglot.optimizer.scope").Scope
        raise AttributeError(name)


__all__ = [
    "Scope",
    "exp",
    "inner_of",
    "nodes_of",
    "parse_select",
    "parse_template",
    "parsed",
    "place_of",
    "render",
    "scopes",
    "unparse",
    "words",
    "written",
]

_DIALECT = "postgres"


def parse_select(sql: str, place: Place) -> exp.Query:
    """Return the tree of one SELECT (or UNION, or WITH ... SELECT), to be changed at will; raises LowcodeError with the
    places of all mistakes.
    """
    return parsed(sql, place).copy()


def parsed(sql: str, place: Place) -> exp.Query:
    """Return the tree of one SELECT, which all who ask share and nobody changes; raises LowcodeError as `parse_select`
    does. A text is read once.
    """
    check_text(sql, place)
    try:
        tree, count = _parsed(sql)
    except sqlglot.errors.ParseError as error:
        raise LowcodeError(*(_syntax_problem(detail, place) for detail in error.errors)) from None
    except sqlglot.errors.SqlglotError as error:
        raise LowcodeError.of(
            f"the SQL can't be read: {str(error).splitlines()[0]}", "close what is open", code="LK201", place=place
        ) from None
    except RecursionError:
        fact = "the SQL is nested too deeply"
        raise LowcodeError.of(fact, "put parts of the query into WITH", code="LK227", place=place) from None
    if tree is None:
        fact = f"there are {count} statements" if count else "there is no statement"
        raise LowcodeError.of(fact, "a query is one SELECT", code="LK202", place=place)
    check_tree(tree, place)
    if not isinstance(tree, exp.Query):
        fact, hint = f"{tree.key.upper()} is not a query", "a query reads; write data in an %%action"
        raise LowcodeError.of(fact, hint, code="LK202", place=place)
    return tree


@lru_cache(maxsize=1024)
def _parsed(sql: str) -> tuple[exp.Expr | None, int]:
    """Return the tree of the one statement of a text, and how many it has."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what isn't read is told as a problem
    trees = [tree for tree in sqlglot.parse(sql, dialect=_DIALECT) if tree is not None]
    if len(trees) != 1:
        return None, len(trees)
    return (_without_lambdas(trees[0]) if "->" in sql else trees[0]), 1


def nodes_of(root: exp.Expr) -> Iterator[exp.Expr]:
    """Give the nodes of a tree, each before what is in it; nobody may change it meanwhile."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += inner_of(node)


def inner_of(node: exp.Expr) -> list[exp.Expr]:
    """Return the parts of a node, the last one first: as a stack wants them."""
    kind, found = exp.Expr, []
    for value in node.args.values():
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, kind)]
        elif isinstance(value, kind):
            found.append(value)
    found.reverse()
    return found


def parse_template(text: str, query: exp.Query) -> exp.Query:
    """Return the tree of a text of our own, `query` standing where it says `(query)`."""
    tree = cast("exp.Query", sqlglot.parse_one(text.replace("(query)", "(SELECT 1 AS query)"), dialect=_DIALECT))
    place = next(select for select in tree.find_all(exp.Select) if select.named_selects == ["query"])
    place.replace(query)
    return tree


def _syntax_problem(detail: dict[str, object], place: Place) -> Problem:
    line, column = cast("int", detail.get("line") or 1), cast("int", detail.get("col") or 1)
    near = str(detail.get("highlight") or "").strip()
    fact = f'the SQL can\'t be read at "{near}"' if near else "the SQL ends too early"
    return Problem(
        code="LK201", fact=fact, hint=str(detail.get("description", "")).lower(), place=place.shifted(line - 1, column)
    )


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a statement's text: its kind ("NULL", "STAR", "VAR" ...), and where it starts and ends."""

    kind: str
    text: str
    start: int
    end: int


def words(sql: str) -> list[Word]:
    """Return the words of a statement, without comments; nothing where they can't be told apart, or are too many."""
    if len(sql) > MOST_CHARACTERS:
        return []
    try:
        tokens = sqlglot.tokenize(sql, dialect=_DIALECT)
    except sqlglot.errors.SqlglotError:
        return []
    return [Word(token.token_type.name, token.text, token.start, token.end + 1) for token in tokens]


def scopes(tree: exp.Query) -> list[Scope]:
    """Return the scopes of a query, inner ones first."""
    from sqlglot.optimizer.scope import traverse_scope

    return traverse_scope(tree)


def place_of(node: exp.Expr, sql: str, place: Place) -> Place:
    """Return where a node stands, given the text and the place of its first line."""
    start = next((part.meta["start"] for part in node.walk() if "start" in part.meta), None)
    if not isinstance(start, int):
        return place
    before = sql[:start]
    return place.shifted(before.count("\n"), start - before.rfind("\n"))


def unparse(tree: exp.Query) -> str:
    """Return the text of a tree in the words of a cell, with `:name` for parameters."""
    return written(tree, pretty=True)


def written(node: exp.Expr, *, pretty: bool = False) -> str:
    """Return an expression as a cell writes it, on one line unless it is `pretty`."""
    around = exp.Paren(this=node.copy())
    for placeholder in list(around.find_all(exp.Placeholder)):
        placeholder.replace(exp.Var(this=f":{placeholder.name}"))
    return str(around.this.sql(dialect=_DIALECT, pretty=pretty, comments=False))


def _without_lambdas(tree: exp.Expr) -> exp.Expr:
    """The parser takes `f(extra -> 'a')` for a function of `extra`; here it is a part of a Json."""
    while (found := tree.find(exp.Lambda)) is not None:
        found.replace(sqlglot.parse_one(f"({found.sql(dialect=_DIALECT)})", dialect=_DIALECT).unnest())
    return tree


def render(tree: exp.Query) -> str:
    """Return the text of a compiled tree (tables, columns and `$1` in place), laid out for reading. The tree is used
    up.
    """
    casts = []
    for node in nodes_of(tree):
        if isinstance(node, exp.Identifier):
            node.set("quoted", needs_quotes(node.this))
        elif isinstance(node, exp.Cast | exp.Literal):
            casts.append(node)
    for node in reversed(casts):
        if (text := _as_people_write(node)) is not None:
            node.replace(exp.Var(this=text))
    return str(tree.sql(dialect=_DIALECT, copy=False, pretty=True, comments=False, max_text_width=100))


def _as_people_write(node: exp.Expr) -> str | None:
    """Return a cast as `$1::date`, and a text of several lines on one, so that laying a statement out leaves it as it
    is; None for what the library writes so. A subclass of its writer would do, but not of the compiled one.
    """
    if isinstance(node, exp.Literal):
        text = str(node.this)
        if not node.is_string or not {"\n", "\r"} & set(text):
            return None
        for char, escaped in (("\\", "\\\\"), ("'", "''"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(char, escaped)
        return f"E'{text}'"
    if not isinstance(node, exp.Cast) or node.find(exp.Query) is not None:
        return None
    value = node.this
    inner = f"${value.name}" if isinstance(value, exp.Parameter) else str(value.sql(dialect=_DIALECT, copy=False))
    if isinstance(value, exp.Binary | exp.Unary | exp.Predicate | exp.Case | exp.AtTimeZone | exp.Collate):
        inner = f"({inner})"
    kind = node.args["to"]
    return f"{inner}::{_type_name(kind.this) if not kind.expressions else kind.sql(dialect=_DIALECT).lower()}"


@lru_cache(maxsize=256)
def _type_name(kind: object) -> str:
    return str(exp.DataType(this=kind).sql(dialect=_DIALECT).lower())
