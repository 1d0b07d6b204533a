"""Reads that are one statement: a module for each element that has some.

a, b = together(open_orders(customer=c), Order.count())
    ->
SELECT ARRAY(SELECT ROW(q.number, q.total) FROM (SELECT ...) AS q), (SELECT count(*) FROM "order")

The roles of all parts are asked for first; rows come back in the classes that the parts alone would give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import EntityFunction
from lowcode_kernel.generators.layers.entities import table_of
from lowcode_kernel.generators.layers.joined_parts import Part, entity_part, query_part
from lowcode_kernel.generators.layers.joined_statements import joined_texts
from lowcode_kernel.generators.layers.parameters import words
from lowcode_kernel.generators.layers.python_types import standard_imports
from lowcode_kernel.generators.layers.queries import readers_of
from lowcode_kernel.generators.layers.query_functions import FunctionView, TextView, chosen, constant_name
from lowcode_kernel.generators.templating import render
from lowcode_kernel.query_variants import MOST_OPTIONAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.generators.layers.access import JoinedRead
    from lowcode_kernel.generators.layers.queries import Readers
    from lowcode_kernel.schema import Schema


def read_files(app: Application, schema: Schema, reads: Iterable[JoinedRead]) -> list[File]:
    """Return the modules with joined reads."""
    modules: dict[str, list[JoinedRead]] = {}
    for read in reads:
        modules.setdefault(read.module, []).append(read)
    return [_module(app, schema, name, found) for name, found in modules.items()]


def _module(app: Application, schema: Schema, name: str, reads: list[JoinedRead]) -> File:
    parts = [_parts(app, schema, read) for read in reads]
    functions = [_function(app, read, found) for read, found in zip(reads, parts, strict=True)]
    every = [part for found in parts for part in found]
    symbols = {symbol for part in every for symbol in part.symbols}
    text = render(
        "elements/reads.py.j2",
        package=app.name,
        element=name.rstrip("_").removesuffix("_reads"),
        symbols=sorted(symbols, key=lambda symbol: (symbol.module, symbol.name)),
        readers=_readers(app, every),
        functions=functions,
        imports=standard_imports(words(" ".join(function.parameters for function in functions))),
    )
    return File(path=f"{app.name}/queries/{name}.py", content=text.encode(), element=reads[0].element)


def _parts(app: Application, schema: Schema, read: JoinedRead) -> list[Part]:
    found = _compiled(app, schema, read, plain=False)
    optional = {name for part in found for name in part.optional}
    return _compiled(app, schema, read, plain=True) if len(optional) > MOST_OPTIONAL else found


def _compiled(app: Application, schema: Schema, read: JoinedRead, *, plain: bool) -> list[Part]:
    return [
        entity_part(app, part, part.read, table_of(part.read.entity, app, schema))
        if isinstance(part.read, EntityFunction)
        else query_part(app, part, part.read, plain=plain)
        for part in read.parts
    ]


def _readers(app: Application, parts: Iterable[Part]) -> list[Readers]:
    entities = tuple(dict.fromkeys(name for part in parts for name in part.entities))
    return readers_of(app, entities)


def _function(app: Application, read: JoinedRead, parts: list[Part]) -> FunctionView:
    variants = joined_texts(parts)
    constants = [constant_name(read.name, variant.absent) for variant in variants]
    calls = [", ".join([name, *variant.arguments]) for name, variant in zip(constants, variants, strict=True)]
    parameters = {name: text for part in parts for name, text in part.parameters.items()}
    texts = [TextView(constant=name, sql=variant.statement) for name, variant in zip(constants, variants, strict=True)]
    run = f'found = await context.fetchrow({{}}, name="{read.module}.{read.name}")'
    return FunctionView(
        name=read.name,
        parameters=f", *, {', '.join(f'{name}: {text}' for name, text in parameters.items())}" if parameters else "",
        returns=f"tuple[{', '.join(part.returns for part in parts)}]",
        doc=f"Read {len(parts)} things in one statement.",
        texts=tuple(texts),
        guard=(),
        body=(*_allowed(app, parts), *chosen(variants, calls, run), *_results(parts)),
    )


def _allowed(app: Application, parts: list[Part]) -> Iterator[str]:
    for roles in _readers(app, parts):
        yield f'context.allow(READERS_OF_{roles.entity.upper()}, "read {roles.name}")'


def _results(parts: list[Part]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if part.missing:
            yield f"if not found[{number}]:"
            yield f"    {part.missing}"
    yield f"return ({', '.join(part.result(f'found[{number}]') for number, part in enumerate(parts))})"
