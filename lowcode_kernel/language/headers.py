"""The first line of a definition: `%%action place_order(customer: Customer) -> Order --role Sales --rest "POST
/api/orders"`.

A header is a name, an optional signature in Python's own syntax, and options that start with `--`.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lowcode_kernel.elements import Parameter
from lowcode_kernel.language.bodies import check_size
from lowcode_kernel.language.types import DEFAULT_NODES, type_of
from lowcode_kernel.problems import LowcodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lowcode_kernel.places import Place
    from lowcode_kernel.types import Type

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST_NAME = 100  # characters: names become names of files, and of columns
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header in parts. `subject` is what stands before the options, `options` maps each option to the values it was
    given, in order.
    """

    subject: str
    options: Mapping[str, tuple[str, ...]]
    place: Place

    def one(self, name: str) -> str | None:
        """Return the value of an option that is given at most once; raises LowcodeError where it is repeated."""
        values = self.options.get(name, ())
        if len(values) > 1:
            raise LowcodeError.of(f"--{name} stands {len(values)} times", "keep one", code="LK012", place=self.place)
        return values[0] if values else None

    def duration(self, name: str, default: timedelta) -> timedelta:
        """Return an option like `3s`, `250ms` or `10m` as a timedelta."""
        text = self.one(name)
        if text is None:
            return default
        if not (match := _DURATION.match(text)):
            raise LowcodeError.of(
                f'--{name} is "{text}"', "write a duration such as 250ms, 3s, 10m or 1h", code="LK013", place=self.place
            )
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`name(parameters) -> returns` of a header."""

    name: str
    parameters: tuple[Parameter, ...] = field(default=())
    returns: Type | None = None


def read_header(text: str, place: Place, *, allowed: tuple[str, ...]) -> Header:
    """Split a header into its subject and its options; raises LowcodeError for an option that is not `allowed`."""
    subject, tail = _split_options(text)
    try:
        words = shlex.split(tail)
    except ValueError as error:
        raise LowcodeError.of(
            f"the options can't be read: {error}", "close the quotation mark", code="LK011", place=place
        ) from None
    options: dict[str, tuple[str, ...]] = {}
    index = 0
    while index < len(words):
        name, value, index = _read_option(words, index, place)
        if name not in allowed:
            known = [f"--{option}" for option in allowed]
            raise LowcodeError.of(
                f"--{name} is not an option here", did_you_mean(f"--{name}", known), code="LK012", place=place
            )
        options[name] = (*options.get(name, ()), value)
    return Header(subject=subject.strip(), options=options, place=place)


def _read_option(words: list[str], index: int, place: Place) -> tuple[str, str, int]:
    word = words[index]
    if not word.startswith("--"):
        raise LowcodeError.of(
            f'"{word}" stands among the options',
            "an option's value with spaces needs quotation marks",
            code="LK011",
            place=place,
        )
    name, equals, value = word[2:].partition("=")
    if equals:
        return name, value, index + 1
    if index + 1 >= len(words) or words[index + 1].startswith("--"):
        raise LowcodeError.of(f"--{name} has no value", f"write --{name} VALUE", code="LK011", place=place)
    return name, words[index + 1], index + 2


def _split_options(text: str) -> tuple[str, str]:
    """Split at the first ` --` that stands outside of quotation marks and brackets."""
    depth, quote = 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith("--", index) and (index == 0 or text[index - 1].isspace()):
            return text[:index], text[index:]
    return text, ""


def read_name(text: str, what: str, place: Place) -> str:
    """Return `text` if it is a name; raises LowcodeError that says which `what` needs one."""
    if not text:
        raise LowcodeError.of(f"this {what} has no name", f"write %%{what} NAME", code="LK011", place=place)
    if not _NAME.match(text) or text.startswith("_"):
        raise LowcodeError.of(
            f'"{text}" is not a name',
            "a name has letters, digits and _, and starts with a letter",
            code="LK011",
            place=place,
        )
    if len(text) > _LONGEST_NAME:
        fact, hint = f"the name of this {what} has {len(text):,} characters", f"it has {_LONGEST_NAME} at most"
        raise LowcodeError.of(fact, hint, code="LK011", place=place)
    return text


def read_signature(text: str, what: str, place: Place) -> Signature:
    """Read `name(a: Type, b: Type | None = None) -> Type`; brackets may be missing where nothing is in them."""
    head, arrow, result = text.partition("->") if "(" not in text else _after_brackets(text)
    name, bracket, _ = head.partition("(")
    read_name(name.strip(), what, place)
    source = f"def {head if bracket else head.strip() + '()'}: pass"
    check_size(text, place)
    try:
        node = ast.parse(source).body[0]
        returns = ast.parse(result.strip(), mode="eval").body if arrow else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LowcodeError.of(
            f'"{text}" can\'t be read',
            f"write {what} as name(parameter: Type, other: Type | None = None) -> Type",
            code="LK011",
            place=place,
        ) from None
    if not isinstance(node, ast.FunctionDef):
        raise LowcodeError.of(f'"{text}" is not a name with parameters', "", code="LK011", place=place)
    returns = node.returns or returns  # `-> many(Text)` has brackets of its own
    parameters = _parameters(node.args, place)
    return Signature(
        name=node.name, parameters=parameters, returns=type_of(returns, place) if returns is not None else None
    )


def _after_brackets(text: str) -> tuple[str, str, str]:
    """Partition at the `->` behind the signature's own brackets."""
    end = text.rfind(")")
    before, arrow, after = text[end + 1 :].partition("->")
    return text[: end + 1] + before, arrow, after


def _parameters(arguments: ast.arguments, place: Place) -> tuple[Parameter, ...]:
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        raise LowcodeError.of("*, ** and / have no meaning here", "name each parameter", code="LK011", place=place)
    plain = list(zip(arguments.args, _padded(arguments), strict=True))
    named = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return tuple(_parameter(argument, default, place) for argument, default in [*plain, *named])


def _padded(arguments: ast.arguments) -> list[ast.expr | None]:
    missing = len(arguments.args) - len(arguments.defaults)
    return [*([None] * missing), *arguments.defaults]


def _parameter(argument: ast.arg, default: ast.expr | None, place: Place) -> Parameter:
    if argument.annotation is None:
        raise LowcodeError.of(
            f'parameter "{argument.arg}" has no type', f"write {argument.arg}: Text", code="LK014", place=place
        )
    if default is not None and not isinstance(default, DEFAULT_NODES):
        raise LowcodeError.of(f'the default of "{argument.arg}" is not a constant', "", code="LK014", place=place)
    return Parameter(
        name=argument.arg,
        type=type_of(argument.annotation, place),
        default=ast.unparse(default) if default is not None else None,
        place=place,
    )
