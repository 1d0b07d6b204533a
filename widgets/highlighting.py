"""Code as highlighted HTML: the door to Pygments. Colours are those of JupyterLab's editor, so that a cell's output
reads as the cell does.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lowcode_kernel.widgets.markup import Markup, joined, tag

if TYPE_CHECKING:
    from pygments.lexer import Lexer  # type: ignore[import-untyped]

_CLASSES = (
    ("Keyword.Constant", "atom"),
    ("Keyword", "keyword"),
    ("Literal.String", "string"),
    ("Literal.Number", "number"),
    ("Comment", "comment"),
    ("Operator.Word", "keyword"),
    ("Operator", "operator"),
    ("Name.Builtin", "builtin"),
    ("Name.Variable", "variable"),
)


def highlighted(code: str, language: str) -> Markup:
    """Return code in "sql" or "python" as a `<pre>`; any other language as plain text."""
    lexer = _lexer(language)
    if lexer is None:
        return tag("pre", code.strip("\n"), class_="lowcode-code")
    # PostgreSQL has 700 words that are keywords somewhere ("name", "day"): of a query with capitals, those alone count
    capitals = language == "sql" and "SELECT" in code
    tokens = ((str(kind).removeprefix("Token."), text) for kind, text in lexer.get_tokens(code.strip("\n")))
    spans = (
        joined(text) if capitals and kind.startswith("Keyword") and not text.isupper() else _span(kind, text)
        for kind, text in tokens
    )
    return tag("pre", joined(*spans), class_="lowcode-code")


@cache
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
    from pygments.lexers.sql import PostgresLexer  # type: ignore[import-untyped]

    lexers: dict[str, type[Lexer]] = {"sql": PostgresLexer, "python": PythonLexer}
    return lexers[language]() if language in lexers else None


def _span(kind: str, text: str) -> Markup:
    name = next((name for prefix, name in _CLASSES if kind.startswith(prefix)), None)
    return tag("span", text, class_=f"lowcode-{name}") if name else joined(text)
