"""The Python of a body as a syntax tree. Nothing here is ever executed."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.places import Place


MAX_BODY = 50_000  # characters: what is larger is data, and would take more than a second to understand
_MAX_NESTING = 90  # of brackets or blocks; Python's own limits are 200 and 100
_MAX_SHOWN = 80
UNSTORED = re.compile("[\\0\\ud800-\\udfff]")
_OPENING, _CLOSING = "([{", ")]}"
_SAFE = 2_000  # characters that the parser's stack has room for, whatever they are
_SHORTEST_NUMBER = 250
_LONG_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]{250}|0[oO][0-7_]{333}|0[bB][01_]{1000}")
_RUN = re.compile(r"(?:[-+~]\s*){90}|(?:\bnot\s+){90}|(?:\blambda\b[^:\n]{0,40}:\s*){30}|(?:\*\*[^*\n]{0,20}){90}")


@lru_cache(maxsize=4096)
def _tree(body: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a text is a matter of taste
        return ast.parse(body)


def parse_body(body: str, place: Place) -> ast.Module:
    """Return the tree of a body whose first line stands at `place`; raises LowcodeError at the line and column of a
    mistake.
    """
    check_size(body, place)
    return parse_again(body, place)


def parse_again(body: str, place: Place) -> ast.Module:
    """Return the tree of a body that was read before, or that a pass made of one: it may be larger."""
    try:
        return _tree(body)
    except SyntaxError as error:
        at = place.shifted((error.lineno or 1) - 1, error.offset or 1)
        raise LowcodeError.of(f"the Python can't be read: {error.msg}", "", code="LK010", place=at) from None
    except ValueError as error:
        raise LowcodeError.of(f"the Python can't be read: {error}", "", code="LK010", place=place) from None
    except (RecursionError, MemoryError):
        raise _too_deep(place) from None


def _too_deep(place: Place) -> LowcodeError:
    return LowcodeError.of("the Python is nested too deeply", "split it into steps", code="LK010", place=place)


def check_size(body: str, place: Place) -> None:
    """Raise LowcodeError for what would keep the parser busy, or use up its stack, before it begins."""
    if len(body) > MAX_BODY:
        fact = f"the body has {len(body):,} characters"
        raise LowcodeError.of(fact, f"split it: a body has {MAX_BODY:,} at most", code="LK347", place=place)
    if len(body) > _SHORTEST_NUMBER and _LONG_NUMBER.search(body):
        raise LowcodeError.of("a number has more than 1,000 bits", "write a smaller one", code="LK346", place=place)
    if sum(map(body.count, _OPENING)) > _MAX_NESTING and _nesting(body) > _MAX_NESTING:
        raise _too_deep(place)
    if len(body) > _SAFE and _RUN.search(body):
        raise _too_deep(place)


def _nesting(body: str) -> int:
    """Return the depth of brackets; those in texts count too, which does no harm where so many are needed."""
    depth = deepest = 0
    for char in body:
        if char in _OPENING:
            depth += 1
            deepest = max(depth, deepest)
        elif char in _CLOSING:
            depth = max(depth - 1, 0)
    return deepest


def shown(node: ast.AST) -> str:
    """Return a part of a body as a message shows it: on one line, and not too long."""
    try:
        text = " ".join(ast.unparse(node).split())
    except (ValueError, RecursionError):  # a number of thousands of digits; a tree as deep as Python's stack
        return "..."
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def place_of(node: ast.AST, place: Place) -> Place:
    """Return where a node of a body stands, given the place of the body's first line."""
    return place.shifted(getattr(node, "lineno", 1) - 1, getattr(node, "col_offset", 0) + 1)


def documentation(tree: ast.Module) -> tuple[str, list[ast.stmt]]:
    """Split a body into its docstring and the statements behind it."""
    match tree.body:
        case [ast.Expr(value=ast.Constant(value=str(text))), *rest]:
            plain = UNSTORED.sub("", text)
            return "\n".join(line.strip() for line in plain.strip().splitlines()), rest
    return "", list(tree.body)


def check_texts(tree: ast.AST, place: Place) -> None:
    """Raise LowcodeError where a text has a character that neither a file nor the database can keep."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and UNSTORED.search(node.value):
            fact = "the text has a character that can't be stored"
            hint, at = "remove \\0, \\ud800 and the like", place_of(node, place)
            raise LowcodeError.of(fact, hint, code="LK346", place=at)


def trailing_comments(body: str) -> dict[int, str]:
    """Return the comment at the end of each line that has one, by line number: it documents the attribute on that
    line.
    """
    comments: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(body).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                # what allows a problem (`checks.allowing`) is not about the attribute
                comments[token.start[0]] = token.string.partition("# lowcode:")[0].lstrip("# ").strip()
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return comments
    return comments
