"""The door to jinja2: templates of `generators/templates` filled with flat, ready records.

A name that a template uses and isn't given is an error. Filters write values as the language around them wants them:
`python`, `block`, `sql`, `identifier`, `json`.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from lowcode_kernel.quoting import identifier, literal

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **names: object) -> str:
    """Fill the template at `template` (a path under `generators/templates`) with names; the text ends in one line
    feed.
    """
    return _environment().get_template(template).render(**names).rstrip("\n") + "\n"


def python_literal(value: object) -> str:
    """Return a value as Python writes it, texts in double quotes as the formatter wants them: `("a", 1)`."""
    if isinstance(value, str):
        return _python_text(value)
    if isinstance(value, tuple | list):
        items = ", ".join(python_literal(item) for item in value)
        opening, closing = ("(", ",)" if len(value) == 1 else ")") if isinstance(value, tuple) else ("[", "]")
        return f"{opening}{items}{closing}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{python_literal(k)}: {python_literal(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _python_text(value: str) -> str:
    text = repr(value)
    if text[0] == '"' or '"' in value:
        return text
    return '"' + text[1:-1].replace("\\'", "'") + '"'


def block(text: str, spaces: int = 4) -> str:
    """Return a text as a Python literal in triple quotes whose lines are indented by `spaces`; white space at line
    starts must not matter in it.
    """
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{indent(escaped, " " * spaces)}\n{" " * spaces}"""'


def docstring(text: str) -> str:
    """Return a text on one line, fit to stand between triple quotes."""
    return re.sub(r"\s+", " ", text).strip().replace("\\", "\\\\").replace('"', "'")


def json_text(value: object) -> str:
    """Return a value as JSON that is safe inside of HTML and JavaScript too."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class _Compiled(FileSystemBytecodeCache):
    """Templates compiled by an earlier process, kept as Python keeps its own; where nothing can be kept, none are."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - it writes programs: each value goes through the filter of its language
        loader=FileSystemLoader(FOLDER),
        bytecode_cache=_Compiled(str(FOLDER.parent / "__pycache__"), "%s.jinja"),
        cache_size=-1,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "python": python_literal,
        "block": block,
        "docstring": docstring,
        "sql": literal,
        "identifier": identifier,
        "json": json_text,
    }
    return environment
