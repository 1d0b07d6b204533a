"""Trees to text, also those whose nodes have no places."""

from __future__ import annotations

import ast

_BLOCKS = ("body", "orelse", "handlers", "finalbody")


def text_of_tree(node: ast.AST) -> str:
    """Return the text of a tree. Only statements are given places where they have none: that is all that `ast.unparse`
    asks for, and in expressions, which are most of a tree, `ast.fix_missing_locations` takes as long as writing them.
    """
    _place(node)
    return ast.unparse(node)


def _place(node: ast.AST) -> None:
    if isinstance(node, ast.stmt) and not hasattr(node, "lineno"):
        node.lineno = 1
    for name in _BLOCKS:
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            for part in inner:
                _place(part)
