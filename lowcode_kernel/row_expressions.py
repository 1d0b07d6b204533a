"""Expressions over the attributes of one row, in Python, to SQL: computed attributes, constraints and row rules.

    net * (1 + rate)                     ->  {net} * (1 + {rate})
    ends_at > starts_at or ends_at is None   ->  ({ends_at} > {starts_at} OR {ends_at} IS NULL)

A column is written `{name}`, so that a view and a base table, which call it by two names, fill in their own (`filled`).
As in SQL, what is computed from nothing is nothing: a result is optional where a part of it is. What is divided by
zero is None, since a row that can't be read would hide all others.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from math import isfinite
from string import Formatter
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.quoting import literal
from lowcode_kernel.row_functions import ATTRIBUTES, DURATION, FUNCTIONS, METHODS, Compiled, Misfit, as_text, timedelta
from lowcode_kernel.types import BOOLEAN, DATE, DATETIME, DECIMAL, INTEGER, NONE, NUMERIC, TEXT, TEXTUAL, UNKNOWN, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lowcode_kernel.elements import Entity

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_CLOCK = {"now": Compiled("now()", DATETIME), "today": Compiled("(now() AT TIME ZONE 'UTC')::date", DATE)}
_LONGEST = 20_000  # characters of SQL: computed attributes that use each other twice double with each step
_MOMENTS = frozenset({"Date", "DateTime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What an expression may name: columns with their types, and how a column and a text are written.

    `computed` are the expressions of computed attributes, which stand where they are named. `special` reads what only
    some expressions know (`user.id` of a row rule); `clock` lets them ask for the time.
    """

    columns: Mapping[str, Type]
    computed: Mapping[str, ast.expr]
    key: Callable[[str], Type] = lambda _: UNKNOWN
    column: Callable[[str], str] = "{{{}}}".format
    text: Callable[[str], str] = lambda text: literal(text).replace("{", "{{").replace("}", "}}")
    special: Callable[[ast.expr], Compiled | None] = lambda _: None
    clock: bool = False
    known: dict[str, Compiled | LowcodeError] = field(default_factory=dict, init=False, compare=False, repr=False)
    """The computed attributes that are written out already, or that can't be: many may use one."""


def row_of(entity: Entity, key: Callable[[str], Type] = lambda _: UNKNOWN, *, clock: bool = False) -> Row:
    """Return what the expressions of an entity may name. `key` gives the type of another entity's key."""
    stored = {a.name: a.type for a in entity.attributes if not a.type.many and a.computed is None}
    implied = {"id": Type(name=entity.name, kind="entity")} if entity.key == ("id",) and "id" not in stored else {}
    computed = {a.name: expression(a.computed) for a in entity.attributes if a.computed is not None}
    return Row(columns={**implied, **stored}, computed=computed, key=key, clock=clock)


def expression(text: str) -> ast.expr:
    """Return the tree of an expression that was read before."""
    return ast.parse(text, mode="eval").body


def compiled(node: ast.expr, row: Row) -> Compiled:
    """Return the SQL and the type of an expression.

    Raises LowcodeError for what can't be said: its problems have a fact and a hint, and no place.
    """
    try:
        return _Compiler(row).read(node, frozenset())
    except RecursionError:
        raise LowcodeError.of("the expression is nested too deeply", "split it", code="LK010") from None


def names_of(text: str) -> tuple[str, ...]:
    """Return the names in an expression, in the order in which they stand: the attributes that it uses among them."""
    found = [node for node in ast.walk(expression(text)) if isinstance(node, ast.Name)]
    return tuple(dict.fromkeys(n.id for n in sorted(found, key=lambda n: (n.lineno, n.col_offset))))


def filled(template: str, names: Mapping[str, str]) -> str:
    """Return the SQL with its columns under the given names."""
    return template.format_map(names)


def columns_in(template: str) -> tuple[str, ...]:
    """Return the columns that the SQL names, each once, in order."""
    return tuple(dict.fromkeys(field for _, field, _, _ in Formatter().parse(template) if field is not None))


def numbered(template: str) -> str:
    """Return the SQL with numbers for names, so that it is the same whatever the columns are called."""
    numbers = {name: f"{{{number}}}" for number, name in enumerate(columns_in(template))}
    parts = [
        text.replace("{", "{{").replace("}", "}}") + (numbers[field] if field is not None else "")
        for text, field, _, _ in Formatter().parse(template)
    ]
    return "".join(parts)


class _Compiler:
    def __init__(self, row: Row) -> None:
        self.row = row
        self.open: list[str] = []  # the computed attributes that are being read

    def read(self, node: ast.expr, present: frozenset[str]) -> Compiled:
        """Compile an expression; `present` are the names that a condition around found to be not None."""
        if (special := self.row.special(node)) is not None:
            return special
        try:
            return self._read(node, present)
        except Misfit as misfit:
            raise self._error(str(misfit.fact or f"`{ast.unparse(node)}` can't be computed"), misfit.hint) from None

    def _read(self, node: ast.expr, present: frozenset[str]) -> Compiled:
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(name, present)
            case ast.BoolOp(op=op, values=values):
                return self._bool(op, values, present)
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(op, self.read(operand, present))
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.read(left, present), self.read(right, present), node)
            case ast.Compare():
                return self._compare(node, present)
            case ast.IfExp():
                return self._conditional(node, present)
        return self._call(node, present)

    def _call(self, node: ast.expr, present: frozenset[str]) -> Compiled:
        match node:
            case ast.JoinedStr(values=values):
                parts = [self._piece(value, present) for value in values] or [Compiled("''", TEXT)]
                return Compiled(" || ".join(part.atom for part in parts), _like(TEXT, parts))
            case ast.Call(func=ast.Name(id="timedelta"), args=[], keywords=keywords):
                return timedelta({keyword.arg or "": keyword.value for keyword in keywords})
            case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in _CLOCK:
                return self._clock(name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return _function(name, [self.read(argument, present) for argument in arguments])
            case ast.Call(func=ast.Attribute(value=owner, attr=name), args=arguments, keywords=[]):
                return _method(name, [self.read(part, present) for part in (owner, *arguments)])
            case ast.Attribute(value=owner, attr=name):
                return _attribute(name, self.read(owner, present))
        raise self._error(
            f"`{ast.unparse(node)}` can't be said over one row", "use its attributes, + - * /, comparisons"
        )

    def _error(self, fact: str, hint: str = "") -> LowcodeError:
        return LowcodeError.of(fact, hint, code="LK111")

    # values

    def _constant(self, value: object) -> Compiled:
        match value:
            case None:
                return Compiled("NULL", NONE)
            case bool():
                return Compiled("TRUE" if value else "FALSE", BOOLEAN)
            case int():
                return Compiled(str(value), INTEGER)
            case float() if isfinite(value):
                return Compiled(repr(value), DECIMAL)
            case str():
                return Compiled(self.row.text(value), TEXT, constant=value)
        raise Misfit(f"`{value!r}` is no value of a row")

    def _name(self, name: str, present: frozenset[str]) -> Compiled:
        if name in self.row.columns:
            type_ = self.row.columns[name]
            return Compiled(self.row.column(name), type_.required() if name in present else type_)
        if name not in self.row.computed:
            raise Misfit(f'there is no attribute "{name}"', did_you_mean(name, [*self.row.columns, *self.row.computed]))
        found = self.row.known.get(name) or self._written_out(name)
        if isinstance(found, LowcodeError):
            raise found
        return replace(found, type=found.type.required()) if name in present else found

    def _written_out(self, name: str) -> Compiled | LowcodeError:
        """Compile a computed attribute, and remember what came of it."""
        if name in self.open:
            circle = " -> ".join([*self.open[self.open.index(name) :], name])
            raise LowcodeError.of(f"computed attributes need each other: {circle}", "write one of them", code="LK112")
        self.open.append(name)
        try:
            read = self.read(self.row.computed[name], frozenset())
            found: Compiled | LowcodeError = Compiled(f"({read.sql})", read.type)
            if len(read.sql) > _LONGEST:
                fact = f"{name} is too long once all that it uses is written out"
                found = self._error(fact, "store a part of it")
        except LowcodeError as error:
            found = error
        self.open.pop()
        self.row.known[name] = found
        return found

    def _clock(self, name: str) -> Compiled:
        if not self.row.clock:
            raise Misfit(
                f"{name}() is another each time, and a condition has to hold always", "compare attributes alone"
            )
        return _CLOCK[name]

    def _piece(self, node: ast.expr, present: frozenset[str]) -> Compiled:
        match node:
            case ast.Constant():
                return self.read(node, present)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return as_text(self.read(value, present))
        raise Misfit(f"`{ast.unparse(node)}` has a format", "write round(value, 2), or upper(text)")

    # operations

    def _bool(self, op: ast.boolop, values: list[ast.expr], present: frozenset[str]) -> Compiled:
        parts = []
        for value in values:
            parts.append(_condition(self.read(value, present), value))
            present |= _found(value, holds=isinstance(op, ast.And))
        word = " AND " if isinstance(op, ast.And) else " OR "
        return Compiled(f"({word.join(part.sql for part in parts)})", _like(BOOLEAN, parts))

    def _unary(self, op: ast.unaryop, operand: Compiled) -> Compiled:
        if isinstance(op, ast.Not):
            return replace(operand, sql=f"NOT ({operand.sql})", type=_like(BOOLEAN, [operand]))
        if operand.type.name not in NUMERIC or isinstance(op, ast.Invert):
            raise Misfit(f"{operand.type} has no sign")
        return replace(operand, sql=f"-{operand.atom}")

    def _binary(self, op: ast.operator, left: Compiled, right: Compiled, node: ast.expr) -> Compiled:
        names = {left.type.name, right.type.name}
        if names <= NUMERIC and left.type.kind == right.type.kind == "scalar":
            return _computed(op, left, right, DECIMAL if "Decimal" in names else INTEGER)
        if isinstance(op, ast.Add) and names <= TEXTUAL:
            return Compiled(f"{left.atom} || {right.atom}", _like(TEXT, [left, right]))
        if isinstance(op, ast.Sub) and len(names) == 1 and names <= _MOMENTS:
            cast = "::timestamp" if left.type.name == "Date" else ""
            return Compiled(f"{left.atom}{cast} - {right.atom}{cast}", _like(DURATION, [left, right]))
        if left.type.name in _MOMENTS and right.type.name == DURATION.name and type(op) in _ARITHMETIC:
            sql = f"{left.atom} {_ARITHMETIC[type(op)]} {right.atom}"
            return Compiled(f"({sql})::date" if left.type.name == "Date" else sql, _like(left.type, [left, right]))
        hint = 'write f"{...}"' if names & TEXTUAL else ""
        raise Misfit(f"`{ast.unparse(node)}` computes with {left.type} and {right.type}", hint)

    def _compare(self, node: ast.Compare, present: frozenset[str]) -> Compiled:
        parts, left = [], node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._compared(left, op, right, present))
            left = right
        return (
            parts[0]
            if len(parts) == 1
            else Compiled(f"({' AND '.join(part.sql for part in parts)})", _like(BOOLEAN, parts))
        )

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, present: frozenset[str]) -> Compiled:
        first = self.read(left, present)
        is_none = isinstance(right, ast.Constant) and right.value is None
        if isinstance(op, ast.Is | ast.IsNot) and is_none:
            return Compiled(f"{first.atom} IS {'NOT ' if isinstance(op, ast.IsNot) else ''}NULL", BOOLEAN)
        if isinstance(op, ast.In | ast.NotIn):
            return self._contained(first, right, present, negated=isinstance(op, ast.NotIn))
        if type(op) not in _COMPARE or is_none or first.type.kind == "none":
            raise Misfit(
                f"`{ast.unparse(left)}` is compared with {ast.unparse(right)}", "write is None, or is not None"
            )
        second = self.read(right, present)
        self._check_comparable(first, second)
        return Compiled(f"{first.atom} {_COMPARE[type(op)]} {second.atom}", _like(BOOLEAN, [first, second]))

    def _contained(self, value: Compiled, holder: ast.expr, present: frozenset[str], *, negated: bool) -> Compiled:
        word = "NOT IN" if negated else "IN"
        if isinstance(holder, ast.List | ast.Tuple | ast.Set) and holder.elts:
            items = [self.read(item, present) for item in holder.elts]
            for item in items:
                self._check_comparable(value, item)
            sql = f"{value.atom} {word} ({', '.join(item.sql for item in items)})"
            return Compiled(sql, _like(BOOLEAN, [value, *items]))
        text = self.read(holder, present)
        if not {text.type.name, value.type.name} <= TEXTUAL:
            raise Misfit(f"`in` looks into {text.type}", 'write in ("a", "b")')
        return Compiled(f"strpos({text.sql}, {value.sql}) {'=' if negated else '>'} 0", _like(BOOLEAN, [text, value]))

    def _check_comparable(self, left: Compiled, right: Compiled) -> None:
        first, second = (self._key_type(part.type) for part in (left, right))
        if "unknown" in (first.kind, second.kind) or first.name == second.name:
            pass
        elif not ({first.name, second.name} <= NUMERIC or {first.name, second.name} <= TEXTUAL):
            raise Misfit(f"{first.required()} is compared with {second.required()}", "compare values of one type")
        for type_, constant in ((first, right.constant), (second, left.constant)):
            if type_.choices and constant is not None and constant not in type_.choices:
                raise Misfit(f"{type_.required()} has no choice {constant!r}", did_you_mean(constant, type_.choices))

    def _key_type(self, type_: Type) -> Type:
        """Return the type that a value has in the database; of a reference it is that of the key."""
        return self.row.key(type_.name) if type_.kind == "entity" else type_

    def _conditional(self, node: ast.IfExp, present: frozenset[str]) -> Compiled:
        test = _condition(self.read(node.test, present), node.test)
        first = self.read(node.body, present | _found(node.test, holds=True))
        second = self.read(node.orelse, present | _found(node.test, holds=False))
        type_ = _common(first, second)
        return Compiled(f"CASE WHEN {test.sql} THEN {first.sql} ELSE {second.sql} END", type_)


def _condition(found: Compiled, node: ast.expr) -> Compiled:
    if found.type.name not in {"Boolean", "unknown"}:
        raise Misfit(f"`{ast.unparse(node)}` is {found.type}, not a condition", "compare it with something")
    return found


def _found(test: ast.expr, *, holds: bool) -> frozenset[str]:
    """Return the names that are not None where a condition holds, or where it doesn't."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=None)]):
            return frozenset({name}) if isinstance(op, ast.IsNot if holds else ast.Is) else frozenset()
        case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And if holds else ast.Or):
            return frozenset().union(*(_found(value, holds=holds) for value in values))
    return frozenset()


def _computed(op: ast.operator, left: Compiled, right: Compiled, type_: Type) -> Compiled:
    if type(op) in _ARITHMETIC:
        if left.sql.isdigit() and right.sql.isdigit():
            left = replace(left, sql=f"{left.sql}::bigint")  # two constants would be computed in 32 bits
        return Compiled(f"{left.atom} {_ARITHMETIC[type(op)]} {right.atom}", _like(type_, [left, right]))
    sure = right.sql.lstrip("-").replace(".", "").strip("0").isdigit()  # a number that is not zero
    divisor = right.atom if sure else f"nullif({right.sql}, 0)"
    like = _like(type_, [left, right])
    like = like if sure else like.maybe()
    match op:
        case ast.Div():
            return Compiled(f"{left.atom}::numeric / {divisor}", replace(like, name="Decimal"))
        case ast.FloorDiv():
            cast = "::bigint" if type_ == INTEGER else ""
            return Compiled(f"floor({left.atom}::numeric / {divisor}){cast}", like)
        case ast.Mod():
            rest = f"{left.atom} - {divisor} * floor({left.atom}::numeric / {divisor})"
            return Compiled(f"({rest})::bigint" if type_ == INTEGER else rest, like)
    raise Misfit("only + - * / // and % are computed with numbers")


def _function(name: str, values: list[Compiled]) -> Compiled:
    if name not in FUNCTIONS:
        raise Misfit(f'there is no function "{name}" of a row', did_you_mean(name, FUNCTIONS))
    return FUNCTIONS[name](values)


def _method(name: str, values: list[Compiled]) -> Compiled:
    if name not in METHODS:
        raise Misfit(f'there is no method "{name}" of a row\'s value', did_you_mean(name, METHODS))
    return METHODS[name](values)


def _attribute(name: str, owner: Compiled) -> Compiled:
    if name not in ATTRIBUTES or owner.type.kind == "entity":
        hint = "an expression sees the attributes of its own row alone" if owner.type.kind == "entity" else ""
        raise Misfit(f"{owner.type} has no {name} here", hint or did_you_mean(name, ATTRIBUTES))
    return ATTRIBUTES[name](owner)


def _common(first: Compiled, second: Compiled) -> Type:
    """Return the type of a value that is one or the other."""
    if "none" in (first.type.kind, second.type.kind):
        return (second if first.type.kind == "none" else first).type.maybe()
    names = {first.type.name, second.type.name}
    if len(names) > 1 and not (names <= NUMERIC or names <= TEXTUAL):
        raise Misfit(f"it is {first.type} here and {second.type} there", "give both one type")
    base = DECIMAL if names <= NUMERIC and "Decimal" in names else TEXT if len(names) > 1 else first.type
    return _like(base, [first, second])


def _like(type_: Type, parts: Iterable[Compiled]) -> Type:
    """Return a type, optional where a part of the value is."""
    optional = any(part.type.optional or part.type.kind == "none" for part in parts)
    return Type(name=type_.name, kind=type_.kind, optional=optional)
