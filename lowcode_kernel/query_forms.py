"""The forms of a query as SQL: whether it has rows, how many, the first, some of them, and the rows for each of many
arguments in one statement.

Each is made of the query's prepared tree, so that row rules and optional parameters hold in all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.query_variants import Variant, compile_variants
from lowcode_kernel.sql import exp, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.queries import QueryAnalysis

LIMIT, START = "limit", "start"
_NUMBERS = {LIMIT: "bigint", START: "bigint"}
_CUTS = ("limit", "offset")
_BATCH = """SELECT {items}.{number}, {columns} FROM UNNEST({lists}) WITH ORDINALITY AS {items}({names})
CROSS JOIN LATERAL """
_ANY = "(query) AS q"
_ORDERED = """(SELECT q.*, ROW_NUMBER() OVER () AS {place} FROM (query) AS q) AS q
ORDER BY {items}.{number}, q.{place}"""


def compile_form(
    analysis: QueryAnalysis, form: str | None, varying: tuple[str, ...] = (), *, plain: bool = False
) -> tuple[Variant, ...]:
    """Return the texts of a form; `varying` are the parameters of a batch that are lists. None is the query itself.
    With `plain`, it is one text with all conditions.

    `top` and `page` take `limit` and `start` behind the query's own parameters. The rows of a batch begin with the
    number of the result that they belong to, from 1.
    """
    tree, casts = analysis.prepared(), dict(analysis.casts)
    optional = tuple(name for name in analysis.optional if name not in varying and not plain)
    match form:
        case "exists":
            tree = exp.select(exp.Exists(this=_unordered(tree)), copy=False)
        case "count":
            tree = parse_template("SELECT COUNT(*) FROM (query) AS q", _unordered(tree))
        case "first":
            tree = _cuttable(tree)
            tree.set("limit", exp.Limit(expression=exp.Literal.number(1)))
        case "top" | "page":
            tree, casts = _page(_cuttable(tree), start=form == "page"), casts | _NUMBERS
        case "batch":
            tree = _batch(tree, analysis, varying)
            casts |= {name: f"{casts[name]}[]" for name in varying}
    return compile_variants(tree, optional, casts)


def _unordered(tree: exp.Query) -> exp.Query:
    """Return a query without its order, where that doesn't say which rows there are."""
    if not any(tree.args.get(cut) for cut in _CUTS):
        tree.set("order", None)
    return tree


def _cuttable(tree: exp.Query) -> exp.Query:
    """Return a query that has no LIMIT of its own."""
    if any(tree.args.get(cut) for cut in _CUTS):
        return parse_template("SELECT * FROM (query) AS q", tree)
    return tree


def _page(tree: exp.Query, *, start: bool) -> exp.Query:
    tree.set("limit", exp.Limit(expression=exp.Placeholder(this=LIMIT)))
    if start:
        tree.set("offset", exp.Offset(expression=exp.Placeholder(this=START)))
    return tree


def _batch(tree: exp.Query, analysis: QueryAnalysis, varying: tuple[str, ...]) -> exp.Query:
    """Return one statement for a list of arguments: unnested beside the query, which sees one item at a time."""
    taken = {alias.name for alias in tree.find_all(exp.TableAlias)} | {table.name for table in tree.find_all(exp.Table)}
    items = free_name("batch", taken)
    number = free_name("item", varying)
    for placeholder in list(tree.find_all(exp.Placeholder)):
        if placeholder.name in varying:
            placeholder.replace(exp.column(placeholder.name, table=items))
    names = [column.name for column in analysis.columns]
    place = free_name("place", names)
    head = _BATCH.format(
        items=items,
        number=number,
        columns=", ".join(f'q."{name}"' for name in names),
        lists=", ".join(f":{name}" for name in varying),
        names=", ".join(f'"{name}"' for name in [*varying, number]),
    )
    rest = _ORDERED.format(items=items, number=number, place=place) if tree.args.get("order") else _ANY
    return parse_template(head + rest, tree)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: the one wanted, or it with a line below."""
    used = set(taken)
    while wanted in used:
        wanted += "_"
    return wanted
