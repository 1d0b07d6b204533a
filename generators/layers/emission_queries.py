"""The calls of queries in a body: each form is a function of the query's module.

open_orders.exists(customer=customer)
    ->
await queries.open_orders_exists(context, customer=customer.id)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.body_query_calls import FORMS, varies
from lowcode_kernel.columns import columns_of
from lowcode_kernel.generators.layers.access import EntityFunction, JoinedRead, QueryForm, ReadPart, reads_module
from lowcode_kernel.keys import column_type, key_names
from lowcode_kernel.types import INTEGER, UNKNOWN

if TYPE_CHECKING:
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.generators.layers.emission import Emitter
    from lowcode_kernel.types import Type


class QueryEmission:
    """Writes the calls of queries for one emitter, whose `uses` it adds to."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.app = emitter, emitter.app

    def call(self, call: Call) -> ast.expr:
        """Return the awaited call of the function that a call of a query needs."""
        form = self.form(call)
        self.emitter.uses.forms.add(form)
        self.emitter.uses.packages.add("queries")
        function = ast.Attribute(value=_name("queries"), attr=form.name(self.app), ctx=ast.Load())
        return ast.Await(value=ast.Call(func=function, args=[_name("context")], keywords=self.keywords(call)))

    def form(self, call: Call) -> QueryForm:
        """Return which form of its query a call asks for."""
        return QueryForm(query=call.name, form=call.method or "", varying=self._varying(call))

    def together(self, call: Call) -> ast.expr:
        """Return the awaited call of the one statement that several reads are."""
        uses, given = self.emitter.uses, _Given()
        parts = [self.emitter.body.calls[part] for part in call.node.args if isinstance(part, ast.Call)]
        read = JoinedRead(
            element=uses.element,
            module=reads_module(uses.element, self.app),
            name=f"read_{len(uses.reads) + 1}",
            parts=tuple(self._part(part, given) for part in parts),
        )
        uses.reads.append(read)
        uses.packages.add("queries")
        module = ast.Attribute(value=_name("queries"), attr=read.module, ctx=ast.Load())
        function = ast.Attribute(value=module, attr=read.name, ctx=ast.Load())
        return ast.Await(value=ast.Call(func=function, args=[_name("context")], keywords=given.keywords))

    def _part(self, call: Call, given: _Given) -> ReadPart:
        """Return one of the reads; its arguments are added to what is given to the whole."""
        if call.kind == "query":
            types = {parameter.name: parameter.type for parameter in self.app.queries[call.name].parameters}
            self.emitter.uses.forms.add(QueryForm(query=call.name, form="row"))
            pairs = [self._given(item, types, given) for item in self.keywords(call)]
            return ReadPart(read=self.form(call), given=tuple(pairs))
        function, keys, named = self.emitter.entities.resolved(call)
        self.emitter.uses.functions.add(EntityFunction(entity=function.entity, method="row", only=function.only))
        types = columns_of(call.name, self.app) or {}
        names = key_names(call.name, self.app)
        keywords = [*(ast.keyword(arg=name, value=key) for name, key in zip(names, keys, strict=False)), *named]
        return ReadPart(read=function, given=tuple(self._given(item, types, given) for item in keywords))

    def _given(self, item: ast.keyword, types: dict[str, Type], given: _Given) -> tuple[str, str]:
        name = item.arg or ""
        type_ = types.get(name, INTEGER)
        return name, given.name(name, f"{column_type(type_, self.app)} {type_.optional}", item.value)

    def keywords(self, call: Call) -> list[ast.keyword]:
        """Return the arguments of a query's function: keys where the body has rows."""
        numbers = FORMS.get(call.method or "", ())
        return [
            ast.keyword(arg=name, value=self.emitter.value(value) if name in numbers else self.emitter.key(value))
            for name, value in call.arguments.items()
        ]

    def _varying(self, call: Call) -> tuple[str, ...]:
        if call.method != "batch":
            return ()
        types, given = self.emitter.body.types, call.arguments
        return tuple(
            parameter.name
            for parameter in self.app.queries[call.name].parameters
            if parameter.name in given and varies(parameter, types.get(given[parameter.name], UNKNOWN))
        )


class _Given:
    """The arguments of a joined read: those of its parts, each under a name of its own. A value that two parts take is
    given once where that makes no difference.
    """

    def __init__(self) -> None:
        self.keywords: list[ast.keyword] = []
        self._known: dict[tuple[str, str, str], str] = {}

    def name(self, wanted: str, type_: str, value: ast.expr) -> str:
        """Return the parameter of the whole that takes a value."""
        key = (wanted, type_, ast.dump(value))
        if key in self._known and _is_simple(value):
            return self._known[key]
        taken = {item.arg for item in self.keywords}
        name, number = wanted, 1
        while name in taken or name in RESERVED:
            number += 1
            name = f"{wanted}_{number}"
        self.keywords.append(ast.keyword(arg=name, value=value))
        self._known[key] = name
        return name


RESERVED = frozenset({"context", "found"})
"""Names that the function of a joined read has for itself."""


def _is_simple(value: ast.expr) -> bool:
    return all(isinstance(part, ast.Name | ast.Attribute | ast.Constant | ast.expr_context) for part in ast.walk(value))


def _name(text: str) -> ast.Name:
    return ast.Name(id=text, ctx=ast.Load())
