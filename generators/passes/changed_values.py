"""Which lists and dictionaries a body changes in place. Two names may hold one list only as long as nothing changes it,
and what is computed of a list is something else once the list was changed:

    keys.append(3)            len(keys), and lines(orders=keys), are others now
    rows = listed()           two reads that are equal could be one, but for what pop would do to both
    rows.pop()
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.generators.passes.reading import evaluated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.generators.passes.reading import Body, Read
    from lowcode_kernel.types import Type

_MUTATING = frozenset(
    "append extend insert remove pop clear sort reverse add discard update setdefault popitem appendleft".split()
)
_FRESH_CALLS = frozenset({"list", "sorted", "dict", "set"})
_MADE = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp


def is_shareable(body: Body, read: Read) -> bool:
    """Say whether what a read gives may be had under two names: nothing changes it, nor a list in one of its rows."""
    return is_steady_list(body) or not (read.is_list or _has_lists(body, read))


def is_steady_list(body: Body) -> bool:
    """Say whether the body changes no list that it did not make itself: then two names may hold one result."""
    found = body.__dict__.get("_steady_list")
    if found is None:
        found = body.__dict__["_steady_list"] = all(_is_own(body, owner) for owner in _changed(body).values())
    return bool(found)


def changes(body: Body, *nodes: ast.AST) -> bool:
    """Say whether running some nodes may change a list or a dictionary, whoever made it."""
    return bool(_owners(body, *nodes))


def changed_names(body: Body, *nodes: ast.AST) -> frozenset[str]:
    """Return the names of what running some nodes may change in place."""
    return frozenset(
        part.id for owner in _owners(body, *nodes) for part in ast.walk(owner) if isinstance(part, ast.Name)
    )


def _owners(body: Body, *nodes: ast.AST) -> list[ast.expr]:
    """Return what running some nodes may change; a local function that they call may change all that any does."""
    changed = _changed(body)
    if not changed:
        return []
    parts = [part for top in nodes for part in ast.walk(top)]
    calls = (body.analysis.calls.get(part) for part in parts if isinstance(part, ast.Call))
    if any(call is not None and call.kind == "function" for call in calls):
        return list(changed.values())
    return [changed[part] for part in parts if part in changed]


def is_lasting(body: Body, values: Iterable[ast.expr]) -> bool:
    """Say whether values are computed of nothing that could be changed in place."""
    return all(_is_whole(body.type_of(part)) for value in values for part, _ in evaluated(value))


def _is_whole(type_: Type | None) -> bool:
    if type_ is None or type_.many or type_.keyed:
        return False
    return type_.kind in {"entity", "query", "struct", "none"} or (type_.kind == "scalar" and type_.name != "Json")


def _has_lists(body: Body, read: Read) -> bool:
    """Say whether a row of a read holds lists."""
    if read.method in {"count", "exists"}:
        return False
    if read.form == "query":
        types = analyze(body.app).queries[read.name].row.values()
        return any(type_.name == "Json" or type_.many for type_ in types)
    entity = body.app.entities.get(read.name)
    return entity is None or any(item.type.name == "Json" or item.type.many for item in entity.attributes)


# what is changed


def _changed(body: Body) -> dict[ast.AST, ast.expr]:
    """Return every node of a body that changes a list or a dictionary, with what it changes."""
    found: dict[ast.AST, ast.expr] | None = body.__dict__.get("_changed_values")
    if found is None:
        every = ((node, _changed_by(body, node)) for node in ast.walk(body.analysis.tree))
        found = body.__dict__["_changed_values"] = {node: owner for node, owner in every if owner is not None}
    return found


def _changed_by(body: Body, node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _MUTATING:
            call = body.analysis.calls.get(node)
            return owner if call is not None and call.kind == "method" else None
        case ast.AugAssign(target=target):
            return None if _is_plain(body, target) else target
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return owner
        case ast.Call():
            call = body.analysis.calls.get(node)
            return node if call is not None and call.kind == "action" and _gives_list(body, node) else None
    return None


def _is_own(body: Body, owner: ast.expr) -> bool:
    """A name that only ever holds lists and dictionaries that the body makes, and no local function has for its own."""
    if not isinstance(owner, ast.Name) or owner.id in body.parameters | _names_of_functions(body):
        return False
    given = body.assigned.get(owner.id, [])
    made = [value for value in given if value is not None and _is_made(body, value)]
    return bool(made) and len(made) + _added_to(body).count(owner.id) == len(given)


def _added_to(body: Body) -> list[str]:
    """Return the names of all `name += value`, which give no other list to the name."""
    every = ast.walk(body.analysis.tree)
    return [node.target.id for node in every if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)]


def _names_of_functions(body: Body) -> frozenset[str]:
    found: frozenset[str] | None = body.__dict__.get("_names_of_functions")
    if found is None:
        inner = [node for node in ast.walk(body.analysis.tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
        found = body.__dict__["_names_of_functions"] = frozenset(
            name for function in inner for part in ast.walk(function) for name in _bound(part)
        )
    return found


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
            return [name]
    return []


def _is_made(body: Body, node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        call = body.analysis.calls.get(node)
        return call is not None and call.kind == "builtin" and node.func.id in _FRESH_CALLS
    return isinstance(node, _MADE)


def _is_plain(body: Body, target: ast.expr) -> bool:
    """`total += 1` makes a new value; `rows += others` changes the list itself."""
    if not isinstance(target, ast.Name):
        return _is_single(body.type_of(target))
    given = [value for value in body.assigned.get(target.id, []) if value is not None]
    if target.id in body.parameters or not given:
        return False
    return all(_is_single(body.type_of(value)) for value in given)


def _is_single(type_: Type | None) -> bool:
    return type_ is not None and type_.kind == "scalar" and not type_.many and type_.name != "Json"


def _gives_list(body: Body, node: ast.Call) -> bool:
    """Say whether an action is given a list that is held elsewhere too, be it within another."""
    return any(_holds_list(body, value) for value in [*node.args, *(word.value for word in node.keywords)])


def _holds_list(body: Body, node: ast.expr) -> bool:
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return any(_holds_list(body, part) for part in parts)
    return not _is_whole(body.type_of(node))
