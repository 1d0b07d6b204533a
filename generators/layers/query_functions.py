"""The functions of a query's module, one for each form: which text runs, with which values, and what is made of what it
gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lowcode_kernel.body_query_calls import FORMS
from lowcode_kernel.generators.layers.parameters import parameter_text
from lowcode_kernel.generators.layers.python_types import annotation, class_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Query
    from lowcode_kernel.generators.layers.access import QueryForm
    from lowcode_kernel.queries import QueryAnalysis
    from lowcode_kernel.query_variants import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class TextView:
    """A constant with a text of SQL."""

    constant: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """A function of a query's module, ready for the template. `guard` stands before the roles are asked for."""

    name: str
    parameters: str
    returns: str
    doc: str
    texts: tuple[TextView, ...]
    guard: tuple[str, ...]
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How a form is asked and what it gives: the context's method, the name of what that returns, and the lines that
    make the result of it.
    """

    fetch: str
    found: str
    returns: str
    result: tuple[str, ...]
    doc: str


_SHAPES: dict[str, _Shape] = {
    "": _Shape(
        fetch="fetch",
        found="rows",
        returns="list[{row}]",
        result=("return [{row}(*row) for row in {found}]",),
        doc="{doc}",
    ),
    "exists": _Shape(
        fetch="fetchval",
        found="found",
        returns="bool",
        result=("return bool({found})",),
        doc="Say whether {query} has a row.",
    ),
    "count": _Shape(
        fetch="fetchval",
        found="found",
        returns="int",
        result=("return int({found})",),
        doc="Count the rows of {query}.",
    ),
    "first": _Shape(
        fetch="fetchrow",
        found="found",
        returns="{row} | None",
        result=("return None if {found} is None else {row}(*{found})",),
        doc="Return the first row of {query}, or None.",
    ),
    "batch": _Shape(
        fetch="fetch",
        found="rows",
        returns="list[list[{row}]]",
        result=(
            "{results}: list[list[{row}]] = [[] for _ in {varying}]",
            "for row in {found}:",
            "    {results}[row[0] - 1].append({row}(*row[1:]))",
            "return {results}",
        ),
        doc="Return the rows of {query} for each item of {lists}, in the order of the items.",
    ),
}
_SHAPES["top"] = replace(_SHAPES[""], doc="Return the first rows of {query}, at most `limit`.")
_SHAPES["page"] = replace(_SHAPES[""], doc="Return the rows of {query} behind the first `start`, at most `limit`.")


def function_view(app: Application, query: Query, analysis: QueryAnalysis, form: QueryForm) -> FunctionView:
    """Return the function of one form."""
    shape = _SHAPES[form.form]
    from lowcode_kernel.query_forms import compile_form, free_name  # the SQL parser, only where there are queries

    variants = compile_form(analysis, form.form or None, form.varying)
    name = form.name(app)
    constants = [constant_name(name.removeprefix(query.name), variant.absent) for variant in variants]
    taken = {parameter.name for parameter in query.parameters}
    words = {
        "row": f"{class_name(query.name)}Row",
        "found": free_name(shape.found, taken),
        "results": free_name("results", taken),
        "varying": next(iter(form.varying), ""),
        "lists": " and ".join(form.varying),
        "query": query.name,
        "doc": query.doc or f"Run the query {query.name}.",
    }
    run = f'{words["found"]} = await context.{shape.fetch}({{}}, name="{query.name}")'
    return FunctionView(
        name=name,
        parameters=_parameters(app, query, form),
        returns=shape.returns.format(**words),
        doc=shape.doc.format(**words),
        texts=tuple(
            TextView(constant=constant, sql=variant.statement)
            for constant, variant in zip(constants, variants, strict=True)
        ),
        guard=tuple(_guard(form)),
        body=(
            *chosen(variants, _calls(variants, constants, form), run),
            *(line.format(**words) for line in shape.result),
        ),
    )


def constant_name(form: str, absent: tuple[str, ...]) -> str:
    """Return `SQL`, `EXISTS_SQL` or `SQL_WITHOUT_SINCE_AND_CUSTOMER`."""
    without = f"_without_{'_and_'.join(absent)}" if absent else ""
    return f"{form.strip('_')}_sql{without}".strip("_").upper()


def _parameters(app: Application, query: Query, form: QueryForm) -> str:
    numbers = [f"{name}: int" for name in FORMS.get(form.form, ())]
    lists = [
        f"{parameter.name}: list[{annotation(parameter.type, app)}]"
        for parameter in query.parameters
        if parameter.name in form.varying
    ]
    own = [parameter_text(parameter, app) for parameter in query.parameters if parameter.name not in form.varying]
    every = [*numbers, *lists, *own]
    return f", *, {', '.join(every)}" if every else ""


def _guard(form: QueryForm) -> Iterator[str]:
    """A batch of nothing asks nothing; lists of two lengths can't be one batch."""
    if not form.varying:
        return
    first, *others = form.varying
    for other in others:
        yield f"if len({other}) != len({first}):"
        yield f'    raise ValueError("{first} and {other} are as long as each other")'
    yield f"if not {first}:"
    yield "    return []"


def _calls(variants: tuple[Variant, ...], constants: list[str], form: QueryForm) -> list[str]:
    """Return what each text is run with: `SQL, customer, max(limit, 0)`."""
    numbers = FORMS.get(form.form, ())
    return [
        ", ".join([constant, *(f"max({name}, 0)" if name in numbers else name for name in variant.arguments)])
        for constant, variant in zip(constants, variants, strict=True)
    ]


def chosen(variants: tuple[Variant, ...], calls: list[str], run: str) -> Iterator[str]:
    """Give the lines that run the text for the parameters that are None: each is `run` with its call put in."""
    if len(variants) == 1:
        yield run.format(calls[0])
        return
    for index, (variant, call) in enumerate(zip(variants, calls, strict=True)):
        test = " and ".join(f"{name} is None" for name in variant.absent)
        yield f"{'elif' if index else 'if'} {test}:" if test else "else:"
        yield f"    {run.format(call)}"
