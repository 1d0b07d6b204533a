"""The calls of entities in bodies: `Order.get(key)`, `Order.list(customer=c, order_by=-total)`, `Order.create(...)`.

What a call gives is typed by what it asks for: `only=[number, total]` gives rows that have these attributes alone,
`get_many(keys)` gives rows by their key. In `Call.arguments` the row or key that stands alone is called `key` (see
`key_argument`), the list of `get_many` is `keys`, and `order_by`, `only` and `limit` keep their names; all else are
attributes.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from lowcode_kernel.columns import columns_of
from lowcode_kernel.keys import key_names, key_of
from lowcode_kernel.language.bodies import shown
from lowcode_kernel.problems import did_you_mean
from lowcode_kernel.types import BOOLEAN, INTEGER, NONE, TEXT, UNKNOWN, Type, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import Analyzer
    from lowcode_kernel.body_calls import Call, CallReader
    from lowcode_kernel.elements import Attribute

ENTITY_METHODS = ("get", "get_many", "find", "list", "count", "exists", "create", "update", "delete")
FILTERS = frozenset({"find", "list", "count", "exists"})
"""Methods whose arguments are the values that rows have."""
_WITH_ROW = frozenset({"get", "update", "delete"})
_OPTIONS: dict[str, tuple[str, ...]] = {
    "get": ("only",),
    "find": ("only",),
    "list": ("only", "order_by", "limit", "search"),
}
_UNORDERED = frozenset({"Json"})


def key_argument(attributes: Iterable[str]) -> str:
    """Return the name under which `Call.arguments` has the row or key that stands alone in `Entity.get(...)`."""
    return "(key)" if "key" in attributes else "key"


def searched(known: dict[str, Type]) -> tuple[str, ...]:
    """Return the attributes that `Entity.list(search=...)` looks into."""
    return tuple(name for name, type_ in known.items() if type_.name in {"Text", "Email"} and not type_.many)


def is_searched(call: Call, app: Application) -> bool:
    """Say whether a call looks for a text; an attribute called search has that name for itself."""
    return call.method == "list" and "search" in call.arguments and "search" not in (columns_of(call.name, app) or {})


def named_attributes(node: ast.expr | None) -> Iterator[tuple[str | None, ast.expr]]:
    """Give the attributes that `only=[a, b]` or `order_by=[a, -b, "-c"]` names, each with its node; None for what
    names none. A descending one begins with `-`.
    """
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node] if node is not None else []
    for item in items:
        match item:
            case ast.Name(id=name) | ast.Constant(value=str(name)):
                yield name, item
            case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name) | ast.Constant(value=str(name))):
                yield f"-{name}", item
            case _:
                yield None, item


class EntityCallReader:
    """Reads the calls of entities in one body; what it finds goes into the body's analyzer."""

    def __init__(self, calls: CallReader, body: Analyzer) -> None:
        self.calls, self.body, self.app = calls, body, body.app
        self._row_given = False

    def read(self, owner: str, method: str, node: ast.Call) -> Type:
        """Resolve a call of an entity, analyze its arguments, and return the type of what it gives."""
        from lowcode_kernel.body_calls import Call

        self.body.uses.add(f"entity:{owner}")
        if method not in ENTITY_METHODS:
            hint = did_you_mean(method, ENTITY_METHODS)
            self.body.problem("LK101", f'entity {owner} has no method "{method}"', hint, node)
            return UNKNOWN
        arguments = self._arguments(owner, method, node)
        self.body.calls[node] = Call(kind="entity", name=owner, node=node, method=method, arguments=arguments)
        return self._result(owner, method, arguments)

    def _result(self, owner: str, method: str, arguments: dict[str, ast.expr]) -> Type:
        known = columns_of(owner, self.app) or {}
        wanted = {name for name, _ in named_attributes(arguments.get("only"))}
        row = replace(entity_type(owner, loaded=True), only=tuple(name for name in known if name in wanted))
        match method:
            case "get_many":
                return replace(row, keyed=True)
            case "list":
                return replace(row, many=True)
            case "count":
                return INTEGER
            case "exists":
                return BOOLEAN
            case "delete":
                return NONE
            case "find":
                return row.maybe()
        return row

    def _arguments(self, owner: str, method: str, node: ast.Call) -> dict[str, ast.expr]:
        arguments = self._positional(owner, method, node)
        self._row_given = bool(node.args)
        written = self._written(owner) if method in {"create", "update"} else columns_of(owner, self.app) or {}
        for keyword in node.keywords:
            name = keyword.arg or ""
            if name in _OPTIONS.get(method, ()) and not (name == "search" and name in written):
                self._option(owner, name, keyword.value)
            else:
                self._attribute(owner, method, written, name, keyword.value)
            arguments[name] = keyword.value
        if method == "create":
            self._check_required(owner, arguments, node)
        elif method in _WITH_ROW and not node.args:
            self._check_key(owner, method, arguments, node)
        return {name: value for name, value in arguments.items() if name in {*written, *_NAMES} or "key" in name}

    def _positional(self, owner: str, method: str, node: ast.Call) -> dict[str, ast.expr]:
        types = [self.body.expression(argument) for argument in node.args]
        most = 1 if method in _WITH_ROW or method == "get_many" else 0
        if len(types) > most or (method == "get_many" and not types):
            fact = f"{owner}.{method} is called with {len(types)} unnamed arguments"
            self.body.problem("LK308", fact, _shape(owner, method, key_names(owner, self.app)), node)
        if not types or not most:
            return {}
        if method == "get_many":
            self._check_keys(owner, types[0], node)
            return {"keys": node.args[0]}
        self._check_row(owner, method, types[0], node)
        return {key_argument(columns_of(owner, self.app) or {}): node.args[0]}

    def _check_row(self, owner: str, method: str, given: Type, node: ast.Call) -> None:
        """A row or a key says which row is meant; a key of several attributes has to be said by their names."""
        keys = key_names(owner, self.app)
        is_row = given.kind == "entity" and given.name == owner and given.loaded and not given.many
        if is_row or given.kind == "unknown":
            self.check_has_key(given, node.args[0])
        elif len(keys) > 1:
            fact = f"{owner}.{method}: the key of {owner} is {' and '.join(keys)}"
            self.body.problem("LK114", fact, _shape(owner, method, keys), node.args[0])
        elif given.kind != "none" and not self.calls.fits(entity_type(owner, optional=True), given):
            fact = f"{owner}.{method} takes a row or a key ({key_of(owner, self.app)}), not {given}"
            self.body.problem("LK309", fact, "", node.args[0])

    def _check_keys(self, owner: str, given: Type, node: ast.Call) -> None:
        if len(keys := key_names(owner, self.app)) > 1:
            fact = f"{owner}.get_many: the key of {owner} is {' and '.join(keys)}"
            self.body.problem("LK114", fact, f"write {owner}.list({keys[0]}=...)", node)
        elif given.kind != "unknown" and not self.calls.fits(entity_type(owner, many=True), given.required()):
            fact = f"{owner}.get_many takes a list of keys ({key_of(owner, self.app)}), not {given}"
            self.body.problem("LK309", fact, "", node.args[0])
        self.check_has_key(given, node.args[0])

    def check_has_key(self, given: Type, node: ast.expr) -> None:
        """Report a row without its key (`only=`) where the key is needed."""
        if given.kind != "entity" or not given.loaded or not given.only:
            return
        if missing := [name for name in key_names(given.name, self.app) if name not in given.only]:
            fact = f"`{shown(node)}` has {', '.join(given.only)} alone, and its key is needed here"
            self.body.problem("LK115", fact, f"add {', '.join(missing)} to only=[...]", node)

    def _option(self, owner: str, name: str, node: ast.expr) -> None:
        if name == "limit":
            given = self.body.expression(node)
            if given.kind != "unknown" and given != INTEGER:
                self.body.problem("LK309", f"{owner}.list: limit is Integer, not {given}", "", node)
            return
        known = columns_of(owner, self.app) or {}
        if name == "search":
            self._search(owner, known, node)
            return
        found = list(named_attributes(node))
        if name == "only" and (not found or not isinstance(node, ast.List | ast.Tuple)):
            self.body.problem("LK308", f"only={shown(node)} names no attributes", "write only=[name, ...]", node)
        for text, item in found:
            self._named(owner, name, text, item, known)

    def _search(self, owner: str, known: dict[str, Type], node: ast.expr) -> None:
        """`search=text` finds the rows of which some text has these letters; None finds all."""
        self.calls.check_argument(f"{owner}.list", "search", TEXT.maybe(), node)
        names = searched(known)
        self.body.reads.update((owner, name) for name in names)
        if not names:
            self.body.problem("LK354", f"{owner} has no text to search in", "remove search=...", node)

    def _named(self, owner: str, option: str, text: str | None, item: ast.expr, known: dict[str, Type]) -> None:
        plain = (text or "").removeprefix("-")
        if text is None or (option == "only" and text != plain):
            hint = f"write {option}=[name, ...]" if option == "only" else "write order_by=name, or -name for descending"
            self.body.problem("LK308", f"`{shown(item)}` is not an attribute of {owner}", hint, item)
        elif plain not in known:
            self.body.problem("LK101", f'{owner} has no attribute "{plain}"', did_you_mean(plain, known), item)
        elif option == "order_by" and known[plain].name in _UNORDERED:
            self.body.problem("LK308", f"{owner} can't be sorted by {plain}, which is {known[plain]}", "", item)
        else:
            self.body.reads.add((owner, plain))

    def _attribute(self, owner: str, method: str, known: dict[str, Type], name: str, value: ast.expr) -> None:
        if method in {"get", "delete"} and name in known and name not in key_names(owner, self.app):
            keys = key_names(owner, self.app)
            self.body.problem("LK308", f"{owner}.{method}: {name} is not the key", _shape(owner, method, keys), value)
        if method == "update" and name in key_names(owner, self.app) and self._row_given:
            fact = f"{owner}.update: {name} is the key, and a row keeps its key"
            self.body.problem("LK116", fact, f"create a new {owner}, and delete this one", value)
        if name not in known:
            self.body.expression(value)
            self._unknown(owner, name, known, value)
            return
        target = known[name].maybe() if method in FILTERS else known[name]
        self.calls.check_argument(f"{owner}.{method}", name, target, value)
        (self.body.writes if method in {"create", "update"} else self.body.reads).add((owner, name))

    def _unknown(self, owner: str, name: str, known: dict[str, Type], node: ast.expr) -> None:
        attribute = self._declared(owner, name)
        if attribute is not None and attribute.computed:
            fact = f"{owner}.{name} is computed: it can't be written"
            self.body.problem("LK110", fact, f"write the attributes of `{attribute.computed}`", node)
        elif attribute is not None:
            fact, hint = f"{owner}.{name} is a list, and rows are not found by it", f"read row.{name}"
            self.body.problem("LK308", fact, hint, node)
        else:
            self.body.problem("LK101", f'{owner} has no attribute "{name}"', did_you_mean(name, known), node)

    def _declared(self, owner: str, name: str) -> Attribute | None:
        entity = self.app.entities.get(owner)
        return entity.attribute(name) if entity else None

    def _written(self, owner: str) -> dict[str, Type]:
        """Return what a row is written with: its columns that are not computed, and its lists of other rows."""
        columns = columns_of(owner, self.app) or {}
        entity = self.app.entities.get(owner)
        if entity is None:
            return columns
        lists = {a.name: a.type for a in entity.attributes if a.type.many}
        computed = {a.name for a in entity.attributes if a.computed}
        return {name: type_ for name, type_ in {**columns, **lists}.items() if name not in computed}

    def _check_key(self, owner: str, method: str, arguments: dict[str, ast.expr], node: ast.Call) -> None:
        keys = key_names(owner, self.app)
        if missing := [name for name in keys if name not in arguments]:
            fact = f"{owner}.{method} needs the key: {', '.join(missing)}"
            self.body.problem("LK308", fact, _shape(owner, method, keys), node)

    def _check_required(self, owner: str, arguments: dict[str, ast.expr], node: ast.Call) -> None:
        if (entity := self.app.entities.get(owner)) is None:
            self.body.problem("LK310", f"{owner} can't be created in an action", "users are added with %user", node)
            return
        for attribute in entity.attributes:
            if attribute.name not in arguments and _must_be_given(attribute):
                fact = f"{owner}.create needs {attribute.name}: {attribute.type}"
                self.body.problem("LK308", fact, f"write {attribute.name}=...", node)


_NAMES = frozenset({"order_by", "only", "limit", "search", "keys"})


def _must_be_given(attribute: Attribute) -> bool:
    return (
        attribute.default is None
        and attribute.computed is None
        and not attribute.type.optional
        and not attribute.type.many
    )


def _shape(owner: str, method: str, keys: tuple[str, ...]) -> str:
    named = ", ".join(f"{key}=..." for key in keys)
    if method == "get_many":
        return f"write {owner}.get_many(keys)"
    if method in {"get", "delete"}:
        return f"write {owner}.{method}({named if len(keys) > 1 else 'key'})"
    if method == "update":
        return f"write {owner}.update({named if len(keys) > 1 else 'row'}, attribute=...)"
    return f"write {owner}.{method}(attribute=...)"
