"""The Python of a body as a syntax tree. Nothing here is ever executed."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import lru_cache
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.places import Place


@lru_cache(maxsize=4096)
def _tree(body: str) -> ast.Module:
    return ast.parse(body)


def parse_body(body: str, place: Place) -> ast.Module:
    """Return the tree of a body whose first line stands at `place`; raises LowcodeError at the line and column of a
    mistake.
    """
    try:
        return _tree(body)
    except SyntaxError as error:
        at = place.shifted((error.lineno or 1) - 1, error.offset or 1)
        raise LowcodeError.of(f"the Python can't be read: {error.msg}", "", code="LK010", place=at) from None
    except ValueError as error:
        raise LowcodeError.of(f"the Python can't be read: {error}", "", code="LK010", place=place) from None
    except (RecursionError, MemoryError):
        raise LowcodeError.of(
            "the Python is nested too deeply", "split it into steps", code="LK010", place=place
        ) from None


def place_of(node: ast.AST, place: Place) -> Place:
    """Return where a node of a body stands, given the place of the body's first line."""
    return place.shifted(getattr(node, "lineno", 1) - 1, getattr(node, "col_offset", 0) + 1)


def documentation(tree: ast.Module) -> tuple[str, list[ast.stmt]]:
    """Split a body into its docstring and the statements behind it."""
    match tree.body:
        case [ast.Expr(value=ast.Constant(value=str(text))), *rest]:
            return "\n".join(line.strip() for line in text.strip().splitlines()), rest
    return "", list(tree.body)


def trailing_comments(body: str) -> dict[int, str]:
    """Return the comment at the end of each line that has one, by line number: it documents the attribute on that
    line.
    """
    comments: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(body).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                comments[token.start[0]] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return comments
    return comments
