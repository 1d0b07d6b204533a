"""The one door to sqlglot: text to tree, tree to text, and where in the cell a part of the tree stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from lowcode_kernel.identifiers import needs_quotes
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

__all__ = ["Scope", "exp", "parse_select", "place_of", "render", "scopes", "unparse"]

_DIALECT = "postgres"


def parse_select(sql: str, place: Place) -> exp.Query:
    """Return the tree of one SELECT (or UNION, or WITH ... SELECT); raises LowcodeError with the places of all
    mistakes.
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=_DIALECT) if tree is not None]
    except ParseError as error:
        raise LowcodeError(*(_syntax_problem(detail, place) for detail in error.errors)) from None
    except SqlglotError as error:
        raise LowcodeError.of(
            f"the SQL can't be read: {str(error).splitlines()[0]}", "close what is open", code="LK201", place=place
        ) from None
    except RecursionError:
        raise LowcodeError.of("the SQL is nested too deeply", "use WITH", code="LK201", place=place) from None
    if len(trees) != 1:
        fact = f"there are {len(trees)} statements" if trees else "there is no statement"
        raise LowcodeError.of(fact, "a query is one SELECT", code="LK202", place=place)
    if not isinstance(trees[0], exp.Query):
        raise LowcodeError.of(
            f"{trees[0].key.upper()} is not a query",
            "a query reads; write data in an %%action",
            code="LK202",
            place=place,
        )
    return trees[0]


def _syntax_problem(detail: dict[str, object], place: Place) -> Problem:
    line, column = cast("int", detail.get("line") or 1), cast("int", detail.get("col") or 1)
    near = str(detail.get("highlight") or "").strip()
    fact = f'the SQL can\'t be read at "{near}"' if near else "the SQL ends too early"
    return Problem(
        code="LK201", fact=fact, hint=str(detail.get("description", "")).lower(), place=place.shifted(line - 1, column)
    )


def scopes(tree: exp.Query) -> list[Scope]:
    """Return the scopes of a query, inner ones first."""
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
    copy = tree.copy()
    for placeholder in list(copy.find_all(exp.Placeholder)):
        placeholder.replace(exp.Var(this=f":{placeholder.name}"))
    return copy.sql(dialect=_DIALECT, pretty=True)


class _Generator(Postgres.Generator):  # type: ignore[misc, valid-type]
    """PostgreSQL as people write it: `$1::date`, and conditions on one line where they fit."""

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:  # noqa: ARG002 - sqlglot's signature
        """Write a cast with `::`."""
        inner = self.sql(expression, "this")
        if isinstance(expression.this, exp.Binary | exp.Unary | exp.Predicate | exp.Case):
            inner = f"({inner})"
        return f"{inner}::{str(self.sql(expression, 'to')).lower()}"


def render(tree: exp.Query) -> str:
    """Return the text of a compiled tree (tables, columns and `$1` in place), laid out for reading."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", needs_quotes(identifier.this))
    generator = _Generator(dialect=_DIALECT, pretty=True, comments=False, max_text_width=100)
    return str(generator.generate(tree))
