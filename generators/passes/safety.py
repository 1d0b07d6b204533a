"""What an expression or a read can do at worst: all answers err on the side of "don't act".

quiet       evaluating it has no effect and can't fail, however often and wherever it is evaluated
fits        its value can always be given to a statement: a text of a request may hold a NUL, a number may be too large
free        a read that can't fail or be refused, of quiet values that fit: it may run where it did not
"""

from __future__ import annotations

import ast
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.effects import effects_of, is_total, may_always_read
from lowcode_kernel.generators.passes.reading import Body, Read, evaluated
from lowcode_kernel.memo import noted
from lowcode_kernel.types import NUMERIC, item_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.types import Type

_MOST_INTEGER = 2**63 - 1
_LONGEST = 100_000  # of days: a span that leads out of the calendar would fail
_SAFE_TYPES = frozenset({"Boolean", "Date", "Uuid"})
_ORDERED = frozenset({"Date"})
INPUTS = frozenset({"text_input", "date_input", "number_input", "choice_input", "checkbox", "entity_input"})
_PLAIN = (
    ast.Constant
    | ast.Name
    | ast.List
    | ast.Tuple
    | ast.JoinedStr
    | ast.FormattedValue
    | ast.BoolOp
    | ast.IfExp
    | ast.Slice
)
_WRITING = frozenset({"create", "update", "delete"})
_CUTS: dict[str | None, frozenset[str]] = dict.fromkeys(("list", "top", "page"), frozenset({"limit", "start"}))
_CHANGING = re.compile(
    r"\b(random\w*|clock_timestamp|statement_timestamp|timeofday|gen_random_uuid|uuid\w*|\w+val|pg_\w+)\s*\(",
    re.IGNORECASE,
)


def is_quiet(body: Body, node: ast.expr) -> bool:
    """Say whether an expression can be evaluated anywhere, any number of times, or not at all."""
    return all(is_quiet_node(body, part) for part, _ in evaluated(node))


def is_quiet_node(body: Body, node: ast.expr) -> bool:
    """Say whether an expression itself has no effect and can't fail, once its parts are evaluated."""
    match node:
        case ast.Name(id="user"):
            return "user" in body.assigned or body.is_screen or not body.app.jobs
        case ast.FormattedValue(format_spec=spec):
            return spec is None
        case ast.UnaryOp(op=op):
            return isinstance(op, ast.Not) or isinstance(node.operand, ast.Constant)
        case ast.Attribute(value=owner):
            is_read = node in body.reads or (_is_many(body.type_of(node)) and not _is_user(owner))
            return not is_read and _has_attributes(body.type_of(owner), owner)
        case ast.Compare(ops=ops, left=left, comparators=comparators):
            return all(isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) for op in ops) or _comparable(
                [body.type_of(part) for part in (left, *comparators)]
            )
        case ast.Call():
            return _quiet_call(body, node)
        case ast.BinOp():
            return _total_arithmetic(body, node)
    return isinstance(node, _PLAIN)


def _quiet_call(body: Body, node: ast.Call) -> bool:
    found = body.analysis.calls.get(node)
    if found is None or found.kind != "builtin":
        return False
    values = [*node.args, *(word.value for word in node.keywords)]
    constants = [value.value for value in values if isinstance(value, ast.Constant)]
    match found.name:
        case "now" | "today":
            return True
        case "len":
            return all((type_ := body.type_of(value)) is not None and type_.many for value in values)
        case "date" | "Decimal" | "timedelta" if len(constants) == len(values):
            return _constructs(found.name, constants)
    return False


def _constructs(name: str, constants: Sequence[object]) -> bool:
    """Say whether constants make a value; a span is short enough to be added to any time."""
    try:
        if name == "date":
            date(*constants)  # type: ignore[arg-type]
        elif name == "Decimal":
            return Decimal(*constants).is_finite()  # type: ignore[arg-type]
        else:
            return all(isinstance(value, int | float) and abs(value) <= _LONGEST for value in constants)
    except (TypeError, ValueError, InvalidOperation):
        return False
    return True


def _has_attributes(type_: Type | None, owner: ast.expr) -> bool:
    if type_ is None or type_.many or type_.keyed or type_.optional:
        return False
    return type_.kind in {"entity", "query", "struct"} or (isinstance(owner, ast.Name) and owner.id == "user")


def _comparable(types: Sequence[Type | None]) -> bool:
    known = {type_.name for type_ in types if type_ is not None and type_.kind == "scalar"}
    plain = all(type_ is not None and not type_.optional and not type_.many for type_ in types)
    return plain and (known <= NUMERIC or (len(known) == 1 and known <= _ORDERED))


def _total_arithmetic(body: Body, node: ast.BinOp) -> bool:
    """Sums of whole numbers can't fail, nor can a time not far from now."""
    left, right = body.type_of(node.left), body.type_of(node.right)
    if left is None or right is None or not isinstance(node.op, ast.Add | ast.Sub):
        return False
    if left.name == right.name == "Integer":
        return not (left.optional or right.optional or left.many or right.many)
    match node.left, node.right:
        case ast.Call(func=ast.Name(id="now" | "today")), ast.Call(func=ast.Name(id="timedelta")):
            return True
    return False


def fits(body: Body, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
    """Say whether every value of an expression can be a statement's parameter."""
    type_ = body.type_of(node)
    if _is_row(type_) or node in body.reads or (type_ is not None and _always_fits(type_)):
        return True
    match node:
        case ast.Constant(value=value):
            return _constant_fits(value)
        case ast.Name(id=name):
            return (_is_zoned(type_) or name not in body.parameters) and _name_fits(body, name, seen)
        case ast.Attribute(value=owner):
            known = _is_user(owner) or _is_row(body.type_of(owner))
            return known or (_is_key(body, node) and fits(body, owner, seen))
        case ast.Starred(value=rows):
            return _items_fit(body, rows, seen)
    return _computed_fits(body, node, seen)


def _is_zoned(type_: Type | None) -> bool:
    """A time that a request gives may have no time zone."""
    return type_ is None or type_.name not in {"DateTime", "Time"}


def _is_key(body: Body, node: ast.Attribute) -> bool:
    owner = body.type_of(node.value)
    return owner is not None and owner.kind == "entity" and node not in body.reads


def _computed_fits(body: Body, node: ast.expr, seen: frozenset[str]) -> bool:
    match node:
        case ast.IfExp(body=first, orelse=other):
            return fits(body, first, seen) and fits(body, other, seen)
        case ast.Call(func=ast.Name(id=name)):
            return name in {"now", "today", "len", "date", "Decimal"} or (body.is_screen and name in INPUTS)
        case ast.BinOp(left=ast.Call(func=ast.Name(id="now" | "today"))):
            return True
    return False


def _items_fit(body: Body, rows: ast.expr, seen: frozenset[str]) -> bool:
    """Say whether every item of a list fits."""
    type_ = body.type_of(rows)
    if rows in body.reads or (type_ is not None and type_.many and _is_row(item_of(type_))):
        return True
    match rows:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return all(fits(body, each, seen) for each in items)
        case ast.ListComp(elt=each) | ast.GeneratorExp(elt=each):
            return fits(body, each, seen)
        case ast.Attribute(value=owner):
            return _is_row(body.type_of(owner))
        case ast.Name(id=name) if name in body.parameters and name not in body.assigned:
            return body.is_screen or body.element.name not in called_actions(body.app)
        case ast.Name(id=name) if name not in seen and body.assigned.get(name):
            return all(value is not None and _items_fit(body, value, seen | {name}) for value in body.assigned[name])
    return False


def _always_fits(type_: Type) -> bool:
    return type_.kind == "scalar" and not type_.many and (type_.name in _SAFE_TYPES or bool(type_.choices))


def _is_row(type_: Type | None) -> bool:
    if type_ is None or type_.many or type_.keyed:
        return False
    return type_.kind == "query" or (type_.kind == "entity" and type_.loaded)


def _constant_fits(value: object) -> bool:
    match value:
        case None | bool() | float():
            return True
        case int():
            return abs(value) <= _MOST_INTEGER
        case str():
            return "\0" not in value
    return False


def _name_fits(body: Body, name: str, seen: frozenset[str]) -> bool:
    """What a request gives was looked at when it came; what another action gives was computed."""
    given = body.assigned.get(name, [])
    if name in seen or (not given and name not in body.parameters):
        return name in body.app.settings and name not in seen
    if name in body.parameters and not (body.is_screen or body.element.name not in called_actions(body.app)):
        return False
    return all(value is not None and fits(body, value, seen | {name}) for value in given)


def called_actions(app: Application) -> frozenset[str]:
    """Return the names of actions that other bodies call."""
    return noted(app.__dict__, "_called_actions", lambda: _called_actions(app))


def _called_actions(app: Application) -> frozenset[str]:
    calls = (call for body in analyze(app).bodies.values() for call in body.calls.values())
    return frozenset(call.name for call in calls if call.kind == "action")


def is_steady(read: Read, app: Application) -> bool:
    """Say whether a read gives the same again as long as nothing is written."""
    return read.form != "query" or not _CHANGING.search(app.queries[read.name].sql)


def is_permitted(body: Body, read: Read) -> bool:
    """Say whether whoever runs the body may read what a read reads."""
    return may_always_read(body.element.id, body.entities(read), body.app)


def why_not_free(body: Body, read: Read, ignoring: frozenset[str] = frozenset()) -> str:
    """Return why a read can't run where it did not, or "". The values of the arguments `ignoring` are somebody else's
    business.
    """
    if not is_permitted(body, read):
        return f"reading {' and '.join(sorted(body.entities(read)))} may be refused"
    if read.form == "query" and not is_total(body.app.queries[read.name], body.app):
        return f"the statement of {read.name} may fail"
    for name, value in read.arguments.items():
        if name in {*ignoring, "order_by", "only"}:
            continue
        if name in _CUTS.get(read.method, ()) and not _is_natural(value):
            return "a negative number of rows is refused"
        if not is_quiet(body, value):
            return f"`{ast.unparse(value)}` may fail, or does more than compute"
        if not fits(body, value):
            return f"`{ast.unparse(value)}` may hold what the database refuses"
    return ""


def _is_natural(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def writes(body: Body, *nodes: ast.AST) -> frozenset[str]:
    """Return the entities that some statements or expressions may write."""
    return effects_of(nodes, body.analysis, body.app).writes if may_write(body) else frozenset()


def is_harmless(body: Body, part: ast.expr) -> bool:
    """Say whether what is evaluated behind a part of an expression may as well be evaluated before it."""
    read = body.reads.get(part)
    if read is not None:
        return read.method != "get" and not why_not_free(body, read)
    return part not in body.analysis.types or is_quiet_node(body, part)


def may_write(body: Body) -> bool:
    """Say whether a body calls anything that could write."""
    found = body.__dict__.get("_may_write")
    if found is None:
        calls = body.analysis.calls.values()
        found = body.__dict__["_may_write"] = any(
            call.kind == "action" or (call.kind == "entity" and call.method in _WRITING) for call in calls
        )
    return bool(found)


def is_list(body: Body, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
    """Say whether an expression gives a list, which can be walked over twice (a generator can't)."""
    read = body.reads.get(node)
    if read is not None:
        return read.is_list
    match node:
        case ast.List() | ast.ListComp():
            return True
        case ast.Call(func=ast.Name(id="list" | "sorted")):
            return body.analysis.calls.get(node) is not None and body.analysis.calls[node].kind == "builtin"
        case ast.Subscript(value=owner, slice=ast.Slice()):
            return is_list(body, owner, seen)
        case ast.Starred(value=rows):  # one of what a batch gives
            type_ = body.type_of(rows)
            return type_ is not None and type_.nested
        case ast.Attribute(value=owner):
            return _is_many(body.type_of(node)) and _is_row(body.type_of(owner)) and not _is_user(owner)
        case ast.Name(id=name) if name not in seen:
            given = body.assigned.get(name, [])
            parameter = name in body.parameters and _is_many(body.type_of(node))
            return (bool(given) or parameter) and all(
                value is not None and is_list(body, value, seen | {name}) for value in given
            )
    return False


def _is_user(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "user"


def _is_many(type_: Type | None) -> bool:
    return type_ is not None and type_.many
