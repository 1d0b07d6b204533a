"""Bodies that mean harm to any reader: long lines, many lines, brackets, strange characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.texts import filled

if TYPE_CHECKING:
    from collections.abc import Callable

ANYWHERE: dict[str, Callable[[], str]] = {
    "one line": lambda: filled("a"),
    "one line of words": lambda: filled("a "),
    "one line of digits": lambda: filled("7"),
    "one line of spaces": lambda: filled(" ") + "x",
    "lines": lambda: filled("a = 1\n"),
    "blank lines": lambda: filled("\n") + "a",
    "comments": lambda: filled("# a\n"),
    "allowances": lambda: filled("# lowcode: allow LK402 because x\n"),
    "allowance of spaces": lambda: "# lowcode: allow LK402" + filled(" ", 900_000) + "x",
    "allowance of codes": lambda: "# lowcode: allow " + filled("LK402, ", 900_000) + "x",
    "round": lambda: "(" * 100_000,
    "square": lambda: "[" * 100_000,
    "curly": lambda: "{" * 100_000,
    "balanced": lambda: "(" * 100_000 + "1" + ")" * 100_000,
    "f-strings": lambda: "x = f'" + "{" * 99_999 + "'",
    "nested f-strings": lambda: "x = " + "f'{" * 1000 + "1" + "}'" * 1000,
    "f-string formats": lambda: "x = f'" + "{a:" * 5000 + "}" * 5000 + "'",
    "if": lambda: "\n".join(" " * level + "if a:" for level in range(1300)),
    "if on one line": lambda: "if a: " * 50_000,
    "elif": lambda: "if a:\n pass\n" + "elif a:\n pass\n" * 3000,
    "open text": lambda: "'" + filled("a"),
    "open long text": lambda: '"""' + filled("a\n"),
    "quotes": lambda: filled("'a "),
    "many quotes": lambda: filled("'"),
    "escapes": lambda: "'" + filled("\\"),
    "nulls": lambda: filled("\0"),
    "nulls inside": lambda: "a\0b: Text\x00\nSELECT '\0' AS \0",
    "surrogate": lambda: "a\ud800: Text = '\udfff'\nSELECT '\ud800' AS \udc00",
    "surrogates": lambda: filled("\ud800"),
    "byte order marks": lambda: "\ufeff" + filled("\ufeffa\n", 1000),
    "byte order mark": lambda: "\ufeffa: Text",
    "carriage returns": lambda: filled("a: Text\r", 800),
    "carriage returns alone": lambda: filled("\r"),
    "form feeds": lambda: filled("\x0ca: Text\n", 800),
    "separators": lambda: "\u2028".join(["a: Text"] * 50) + "\x85b: Text\x1cc: Text\x0bd: Text",
    "non-characters": lambda: "\ufdd0\ufffe\U0010ffff: Text\nx = '\ufffe\U0001fffe'",
    "right to left": lambda: "a\u202e: Text\n\u200fx = '\u2067'\nlog('\u202e')",
    "other scripts": lambda: "имя: Text\n名前: Text = '値'\nاسم: Integer\nSELECT 1 AS имя, 2 AS 名前",
    "compatible forms": lambda: "ﬁ: Text\nfi: Integer\nﬃ = 1\nffi = ﬃ\nindex(ﬁ)\nSELECT 1 AS ﬁ, 2 AS fi",
    "combining": lambda: "e\u0301: Text\n\u00e9: Text\nindex(e\u0301)\nx = e\u0301\nSELECT 1 AS e\u0301, 2 AS \u00e9",
    "combining many": lambda: "e" + filled("\u0301", 40_000) + ": Text",
    "superscript": lambda: "a²: Text\nx = ²\nSELECT ² AS a",
    "digits of others": lambda: "x = ٣\na: Text(٣)\nSELECT ٣ AS a LIMIT ٣",
    "secrets": lambda: "# " + filled("eyJ", 900_000) + "\n# " + filled("a", 50_000) + "://",
    "hexadecimal text": lambda: "x = '" + filled("a1", 49_000) + "'",
    "words of URLs": lambda: "# " + filled("a:", 900_000),
    "dashed words": lambda: "# " + filled("a-", 49_000) + "\n# ://",
    "dashed tokens": lambda: "# " + filled("eyJ-", 49_000),
    "protocols": lambda: "# " + filled("a://b:", 900_000),
}  # fmt: skip
