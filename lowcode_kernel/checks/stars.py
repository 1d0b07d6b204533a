"""`SELECT *`: a query that names no columns changes with the entity, and fetches what nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import warning
from lowcode_kernel.columns import columns_of
from lowcode_kernel.fixes import Edit, Fix, span
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Query
    from lowcode_kernel.problems import Problem
    from lowcode_kernel.sql import Word, exp

_BEFORE = frozenset({"SELECT", "COMMA", "DOT", "DISTINCT", "ALL"})


def check_stars(facts: Facts) -> Iterator[Problem]:
    """A query names the columns of its result. Stars inside of it, as in EXISTS (SELECT * ...), are all the same."""
    for query in facts.app.queries.values():
        if "*" not in query.sql:
            continue
        from lowcode_kernel.sql import words  # the SQL parser, only where it has something to say

        for star in _stars(words(query.sql)):
            start, _ = span(query.sql_place, star.start, star.end, query.sql)
            fact = f"query {query.name} selects every column there is, and will be"
            fix = _fix(query, facts.app)
            yield warning("LK207", query, fact, "name the columns that are used", place=start, fix=fix)
            break


def _stars(found: list[Word]) -> list[Word]:
    """Return the stars among what the outermost SELECT selects."""
    stars: list[Word] = []
    depth, selecting = 0, False
    for before, word in zip([None, *found], found, strict=False):
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(word.kind, 0)
        if depth == 0 and word.kind in {"SELECT", "FROM"}:
            selecting = word.kind == "SELECT"
        if depth == 0 and selecting and word.kind == "STAR" and before is not None and before.kind in _BEFORE:
            stars.append(word)
    return stars


def _fix(query: Query, app: Application) -> Fix | None:
    """Name the columns of each star; None where they come from a query inside, or names would meet."""
    from lowcode_kernel.sql import exp, parse_select, words

    try:
        tree = parse_select(query.sql, query.sql_place)
    except LowcodeError:
        return None
    if not isinstance(tree, exp.Select) or tree.args.get("with_"):
        return None
    sources = _sources(tree, app)
    found = words(query.sql)
    stars = _stars(found)
    if sources is None or len(stars) > len(sources):  # their names would meet
        return None
    edits = [_edit(star, found, sources, query) for star in stars]
    if any(edit is None for edit in edits):
        return None
    return Fix(what=f"name the columns of query {query.name}", edits=tuple(edit for edit in edits if edit))


def _sources(tree: exp.Select, app: Application) -> dict[str, list[str]] | None:
    """Return the columns of each entity in FROM by the name that it has there, in order, or None where not all are
    entities.
    """
    from lowcode_kernel.sql import exp

    tables = [tree.args["from_"].this] if tree.args.get("from_") else []
    tables += [join.this for join in tree.args.get("joins") or []]
    found: dict[str, list[str]] = {}
    for table in tables:
        columns = columns_of(table.name, app) if isinstance(table, exp.Table) else None
        if columns is None:
            return None
        found[table.alias_or_name] = list(columns)
    return found or None


def _edit(star: Word, found: list[Word], sources: dict[str, list[str]], query: Query) -> Edit | None:
    at = found.index(star)
    first = star
    if found[at - 1].kind == "DOT":
        first = found[at - 2]
        chosen = {first.text: sources[first.text]} if first.text in sources else {}
    else:
        chosen = sources
    plain = len(sources) == 1 and first is star
    names = [name if plain else f"{alias}.{name}" for alias, columns in chosen.items() for name in columns]
    if not names:
        return None
    start, end = span(query.sql_place, first.start, star.end, query.sql)
    return Edit(start=start, end=end, text=", ".join(names))
