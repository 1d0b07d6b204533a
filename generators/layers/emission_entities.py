"""The calls of entities in a body, and rows and keys where the one stands for the other.

Order.list(customer=customer, order_by=-total, limit=5)
    ->
await entities.order.list_by_customer_ordered_by_total_descending_limited(context, customer=customer.id, limit=5)
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.body_entity_calls import FILTERS, is_searched, key_argument, named_attributes
from lowcode_kernel.columns import columns_of
from lowcode_kernel.generators.layers.access import EntityFunction
from lowcode_kernel.identifiers import snake_case
from lowcode_kernel.keys import key_names

if TYPE_CHECKING:
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.generators.layers.emission import Emitter
    from lowcode_kernel.types import Type


_PAGE = ("page_start", "page_rows")


class EntityEmission:
    """Writes the calls of entities for one emitter, whose `uses` it adds to."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.app = emitter, emitter.app
        self._rows = 0

    def function(self, function: EntityFunction) -> ast.expr:
        """Return an access function of an entity's module, which is there from now on."""
        self.emitter.uses.functions.add(function)
        self.emitter.uses.packages.add("entities")
        module = ast.Attribute(value=_name("entities"), attr=snake_case(function.entity), ctx=ast.Load())
        return ast.Attribute(value=module, attr=function.name, ctx=ast.Load())

    def load(self, type_: Type, key: ast.expr) -> ast.expr:
        """Return an expression that loads the row of a key; None stays None. Of a list, it loads each."""
        get = self.function(EntityFunction(entity=type_.name, method="get"))
        if type_.many:
            item = ast.comprehension(target=_name("key", ast.Store()), iter=key, ifs=[], is_async=0)
            return ast.ListComp(elt=self._awaited(get, [_name("key")]), generators=[item])
        loaded = self._awaited(get, [key])
        return ast.IfExp(test=_is_none(key), body=_none(), orelse=loaded) if type_.optional else loaded

    def key(self, node: ast.expr, *, required: bool = False) -> ast.expr:
        """Return an expression for the key of what an expression gives: a loaded row's key, or the key that it is
        already. Of a list of rows it is the list of their keys.

        With `required` the row is taken to be there: an access by key has no meaning without one.
        """
        type_ = self.emitter.body.types.get(node)
        value = self.emitter.value(node)
        if type_ is None or type_.kind != "entity" or not type_.loaded or type_.keyed:
            return value
        names = key_names(type_.name, self.app)
        if type_.many:
            item = ast.comprehension(target=_name("row", ast.Store()), iter=value, ifs=[], is_async=0)
            return ast.ListComp(elt=self._whole(_name("row"), names), generators=[item])
        whole = self._whole(value, names)
        if required or not type_.optional:
            return whole
        return ast.IfExp(test=_is_none(self.emitter.value(node)), body=_none(), orelse=whole)

    def _whole(self, row: ast.expr, names: tuple[str, ...]) -> ast.expr:
        parts = self._parts(row, names)
        return parts[0] if len(parts) == 1 else ast.Tuple(elts=parts, ctx=ast.Load())

    def held(self, owner: Type, node: ast.expr, name: str) -> ast.expr:
        """Return the keys that a `many` attribute of a row holds; the row is given, or its key."""
        whole = owner.kind == "entity" and owner.loaded
        key = self.key(node) if whole else self.emitter.value(node)
        function = EntityFunction(entity=owner.name, method="list_keys", attributes=(name,))
        found = self._awaited(self.function(function), [key])
        if not owner.optional:
            return found
        return ast.IfExp(test=_is_none(self.emitter.value(node)), body=_none(), orelse=found)

    def call(self, call: Call, *, page: tuple[ast.expr, ast.expr] | None = None) -> ast.expr:
        """Return the awaited call of the access function that a call of an entity needs. A list may be asked for a
        part of it: `page` is its first row and how many rows.
        """
        function, keys, keywords = self.resolved(call, page=page)
        return self._awaited(self.function(function), keys, keywords)

    def resolved(
        self, call: Call, *, page: tuple[ast.expr, ast.expr] | None = None
    ) -> tuple[EntityFunction, list[ast.expr], list[ast.keyword]]:
        """Return the access function that a call of an entity needs, the key, and the named arguments."""
        method, arguments = call.method or "", dict(call.arguments)
        keys = self._keys(call, arguments)
        order_by = tuple(name or "" for name, _ in named_attributes(arguments.pop("order_by", None)))
        wanted = {name for name, _ in named_attributes(arguments.pop("only", None))}
        limit = arguments.pop("limit", None) if method == "list" else None
        options = {"search": arguments.pop("search")} if is_searched(call, self.app) else {}
        function = EntityFunction(
            entity=call.name,
            method=method,
            attributes=self._attributes(call.name, method, arguments),
            order_by=order_by,
            limited=limit is not None,
            searched=bool(options),
            paged=page is not None,
            only=tuple(name for name in columns_of(call.name, self.app) or {} if name in wanted),
        )
        columns = columns_of(call.name, self.app) or {}
        keywords = [
            ast.keyword(arg=name, value=self.given(columns.get(name), value)) for name, value in arguments.items()
        ]
        options |= {"limit": limit} if limit is not None else {}
        keywords += [ast.keyword(arg=name, value=self.emitter.value(value)) for name, value in options.items()]
        keywords += [ast.keyword(arg=name, value=value) for name, value in zip(_PAGE, page or (), strict=False)]
        return function, keys, keywords

    def given(self, wanted: Type | None, node: ast.expr) -> ast.expr:
        """Return the value of an attribute; a whole number for a Decimal becomes one."""
        type_, value = self.emitter.body.types.get(node), self.key(node)
        if wanted is None or type_ is None or (wanted.name, type_.name) != ("Decimal", "Integer") or type_.optional:
            return value
        self.emitter.uses.names.add("Decimal")
        return ast.Call(func=_name("Decimal"), args=[value], keywords=[])

    def _attributes(self, entity: str, method: str, arguments: dict[str, ast.expr]) -> tuple[str, ...]:
        """Return the attributes that make a function of its own. One that creates takes all columns, and the lists
        that are given.
        """
        if method == "create":
            columns = columns_of(entity, self.app) or {}
            return tuple(name for name in arguments if name not in columns)
        return tuple(arguments) if method in {*FILTERS, "update"} else ()

    def _keys(self, call: Call, arguments: dict[str, ast.expr]) -> list[ast.expr]:
        """Take from the arguments what says which row is meant, and return the values of its key's attributes."""
        names = key_names(call.name, self.app)
        if "keys" in arguments and call.method == "get_many":
            return [self._all_keys(arguments.pop("keys"))]
        if call.method not in {"get", "update", "delete"}:
            return []
        if not call.node.args:
            return [self.key(arguments.pop(name), required=True) for name in names if name in arguments]
        row = arguments.pop(key_argument(columns_of(call.name, self.app) or {}))
        if len(names) == 1:
            return [self.key(row, required=True)]
        return self._parts(self.emitter.value(row), names)

    def _all_keys(self, node: ast.expr) -> ast.expr:
        """Return the keys of a list of rows or keys; what is None stays None, and is left out when they are read."""
        if isinstance(node, ast.List | ast.Tuple):
            return ast.List(elts=[self.key(item) for item in node.elts], ctx=ast.Load())
        return self.key(node)

    def _parts(self, value: ast.expr, names: tuple[str, ...]) -> list[ast.expr]:
        """Return the parts of a row's key; what isn't a plain name is evaluated once, with the first part."""
        if isinstance(value, ast.Name) or len(names) == 1:
            return [_attribute(value, name) for name in names]
        self._rows += 1
        kept = f"row_{self._rows}"
        first = ast.NamedExpr(target=_name(kept, ast.Store()), value=value)
        return [_attribute(first, names[0]), *(_attribute(_name(kept), name) for name in names[1:])]

    def _awaited(
        self, function: ast.expr, positional: list[ast.expr], keywords: list[ast.keyword] | None = None
    ) -> ast.expr:
        arguments = [_name(self.emitter.access), *positional]
        return ast.Await(value=ast.Call(func=function, args=arguments, keywords=keywords or []))


def _name(text: str, context: ast.expr_context | None = None) -> ast.Name:
    return ast.Name(id=text, ctx=context or ast.Load())


def _attribute(owner: ast.expr, attribute: str) -> ast.Attribute:
    return ast.Attribute(value=owner, attr=attribute, ctx=ast.Load())


def _none() -> ast.Constant:
    return ast.Constant(value=None)


def _is_none(node: ast.expr) -> ast.Compare:
    return ast.Compare(left=node, ops=[ast.Is()], comparators=[_none()])
