"""Completion in the bodies of definitions: what the model knows at the place of the cursor.

IPython completes Python. In a definition's body that is of little use, so this matcher answers first and the others
only where it has nothing to say. It reads the cell's text and the session's application, and runs nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lowcode_kernel.magics.completion_words import (
    COMPONENTS,
    ENTITY_LINES,
    FUNCTIONS,
    HEADER_OPTIONS,
    LOG_TABLES,
    MARKS,
    METHODS,
    OPTION_VALUES,
    PUBLIC,
    TYPES,
    USER_ATTRIBUTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lowcode_kernel.application import Application

_MAGIC = re.compile(r"\s*%%(\w+)[ \t]*([^\n]*)")
_LINE = re.compile(r"%(scaffold|impact|package|role|setting|use)[ \t]+([^\n]*)\Z")
_LONGEST = 200  # characters of a word: looking for its beginning takes the square of that
_MOST = 100_000  # characters of a cell in which something is suggested
_WORD = re.compile(r"(--[\w-]*|\w*)\Z")
_TABLES = re.compile(r"\b(?:from|join)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_NOT_ALIASES = frozenset(
    ["on", "where", "join", "left", "right", "inner", "cross", "full", "group", "order", "limit", "union", "using"]
)
_ATTRIBUTE = re.compile(r"^(\w+)\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One completion: the text that replaces the word at the cursor, and what it is ("entity", "attribute", "type")."""

    text: str
    kind: str


def register_completion(shell: Any, application: Callable[[], Application]) -> None:
    """Add the matcher to a shell.

    `application` is asked at each completion; it gives what could be read, whatever is wrong with the rest.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher()  # type: ignore[untyped-decorator]
    def lowcode_matcher(context: Any) -> Any:
        lines = context.full_text.split("\n")
        cursor = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        found = suggest(context.full_text, cursor, application())
        completions = [SimpleCompletion(text=one.text, type=one.kind) for one in found]
        return {
            "completions": completions,
            "matched_fragment": word_at(context.full_text, cursor),
            "suppress": bool(found),
            "ordered": True,
        }

    shell.Completer.custom_matchers.append(lowcode_matcher)


def word_at(text: str, cursor: int) -> str:
    """Return the word before the cursor, with the dashes of an option."""
    match = _WORD.search(text[max(cursor - _LONGEST, 0) : cursor])
    return match[1] if match else ""


def suggest(text: str, cursor: int, app: Application) -> tuple[Suggestion, ...]:
    """Return what may stand at the cursor in a cell, the likely first; nothing outside of definitions, or where a cell
    is too large to be one.
    """
    if len(text) > _MOST:
        return ()
    word = word_at(text, cursor)
    found = _at(text, cursor - len(word), app)
    begins = (one for one in found if one.text.lower().startswith(word.lower()) and one.text != word)
    return tuple(dict.fromkeys(begins))


def _at(text: str, start: int, app: Application) -> list[Suggestion]:
    before = text[:start]
    magic = _MAGIC.match(text)
    if magic is None:
        line = _LINE.match(before.rpartition("\n")[2])
        return _in_line(line[1], line[2], app) if line else []
    if start < magic.start(1):
        return []
    if "\n" not in before[magic.start(1) :]:
        return _in_header(magic[1], before[magic.end(1) :], app)
    body = before[magic.end() :]
    if magic[1] in {"entity", "struct"}:
        return _in_entity(body, text[magic.end() :], app)
    if magic[1] in {"query", "logs", "data"}:
        return _in_sql(magic[1], magic[2], body, text[magic.end() :], app)
    return _in_python(magic[1], magic[2], body, app) if magic[1] in {"action", "screen", "job", "test"} else []


def _in_line(magic: str, before: str, app: Application) -> list[Suggestion]:
    if before.strip():
        return _in_header(magic, before, app)
    return _names(app, ("entity",) if magic == "scaffold" else ()) if magic in {"scaffold", "impact"} else []


def _all(words: Iterable[str], kind: str) -> list[Suggestion]:
    return [Suggestion(word, kind) for word in words]


def _names(app: Application, kinds: tuple[str, ...] = ()) -> list[Suggestion]:
    return [Suggestion(element.name, element.kind) for element in app.elements if not kinds or element.kind in kinds]


def _types(app: Application) -> list[Suggestion]:
    return [*_names(app, ("entity", "struct")), Suggestion("User", "entity"), *_all(TYPES, "type")]


def _in_header(magic: str, before: str, app: Application) -> list[Suggestion]:
    option = re.search(r"--([\w-]+)[ =]\Z", before[-_LONGEST:])
    if option and option[1] == "role":
        return _names(app, ("role",))
    if option and option[1] in OPTION_VALUES:
        return _all(OPTION_VALUES[option[1]], "value")
    if re.search(r"(:|->|\|)\s*\Z", before[-_LONGEST:]):
        return _types(app)
    if magic == "data" and not before.strip():
        return _names(app, ("entity",))
    options = (*HEADER_OPTIONS.get(magic, ()), *(("--public",) if magic in PUBLIC else ()))
    return _all(options, "option") if before.endswith((" ", "\t")) and before.strip() else []


def _in_entity(before: str, body: str, app: Application) -> list[Suggestion]:
    line = before.rpartition("\n")[2]
    if re.search(r"\b(read|write|delete)=[(\[]?(\w+\s*,\s*)*\Z", line[-_LONGEST:]):
        return _names(app, ("role",))
    if re.match(r"\s*access\(", line):
        return _all(("read=", "write=", "delete=", "rows="), "argument")
    if re.match(r"\s*(index|unique|key)\(", line):
        return _all(_ATTRIBUTE.findall(body), "attribute")
    if re.match(r"\w+\s*:.*=\s*\Z", line):
        return _all(MARKS, "function")
    if re.match(r"\w+\s*:", line):
        return _types(app)
    return [] if line.strip() else _all(ENTITY_LINES, "function")


def _in_sql(magic: str, header: str, before: str, body: str, app: Application) -> list[Suggestion]:
    if match := re.search(r"(\w+)\.\Z", before[-_LONGEST:]):
        return _attributes(_aliases(body, app).get(match[1], match[1]), app)
    if before.endswith(":") and not before.endswith("::"):
        return _all(_parameters_of(header), "parameter")
    if re.search(r"\b(from|join)\s+\Z", before[-_LONGEST:], re.IGNORECASE):
        return (
            _all(LOG_TABLES, "table") if magic == "logs" else [*_names(app, ("entity",)), Suggestion("User", "entity")]
        )
    if magic != "query":
        return []
    aliases = _aliases(body, app)
    attributes = [one for entity in dict.fromkeys(aliases.values()) for one in _attributes(entity, app)]
    return [
        *attributes,
        *_all((alias for alias in aliases if alias not in app.entities), "alias"),
        *_names(app, ("entity",)),
    ]


def _aliases(sql: str, app: Application) -> dict[str, str]:
    """Return the entity behind each name that the query gives one."""
    found: dict[str, str] = {}
    for entity, alias in _TABLES.findall(sql):
        if entity in app.entities or entity == "User":
            found[entity] = entity
            if alias and alias.lower() not in _NOT_ALIASES:
                found[alias] = entity
    return found


def _attributes(entity: str, app: Application) -> list[Suggestion]:
    if entity == "User":
        return _all(USER_ATTRIBUTES, "attribute")
    if entity not in app.entities:
        return []
    found = app.entities[entity]
    names = [attribute.name for attribute in found.attributes]
    return _all([*(key for key in found.key if key not in names), *names], "attribute")


def _parameters_of(header: str) -> list[str]:
    return re.findall(r"[(,]\s*(\w+)\s*:", header)


def _in_python(magic: str, header: str, before: str, app: Application) -> list[Suggestion]:
    if match := re.search(r"(\w+)\.\Z", before[-_LONGEST:]):
        return _members(match[1], header, app)
    names = [
        *_all(_parameters_of(header) + re.findall(r"{(\w+)}", header), "parameter"),
        *(_all(COMPONENTS, "component") if magic == "screen" else []),
        *_names(app, ("query", "action", "integration", "setting", "entity")),
        *(_names(app, ("screen",)) if magic == "screen" else []),
        *_all(FUNCTIONS, "function"),
    ]
    return [*_arguments(before, app), *names]


def _members(name: str, header: str, app: Application) -> list[Suggestion]:
    if name in app.entities or name == "User":
        return _all(METHODS, "method")
    if integration := app.integrations.get(name):
        return _all((operation.name for operation in integration.operations), "operation")
    if name == "user":
        return _all((*USER_ATTRIBUTES, "roles"), "attribute")
    typed = re.search(rf"\b{name}\s*:\s*(\w+)", header)
    entity = (
        typed[1] if typed else "".join(part.capitalize() for part in name.split("_")) if f"{{{name}}}" in header else ""
    )
    return _attributes(entity, app)


def _arguments(before: str, app: Application) -> list[Suggestion]:
    """Return the names of the arguments of the call that the cursor stands in, if they may stand here."""
    callee = _open_call(before)
    if callee is None or not before.rstrip().endswith(("(", ",")):
        return []
    entity, dot, method = callee.partition(".")
    if dot and entity in app.entities and method in METHODS:
        return [Suggestion(f"{one.text}=", "argument") for one in _attributes(entity, app)]
    if dot and (integration := app.integrations.get(entity)) and (operation := integration.operation(method)):
        return _all((f"{parameter.name}=" for parameter in operation.parameters), "argument")
    called = app.queries.get(callee) or app.actions.get(callee) or app.screens.get(callee)
    return _all((f"{parameter.name}=" for parameter in called.parameters), "argument") if called else []


def _open_call(before: str) -> str | None:
    """Return the name before the innermost bracket that is open at the cursor."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        if before[at] in ")]}":
            depth += 1
        elif before[at] in "([{":
            depth -= 1
        if depth < 0:
            match = re.search(r"([\w.]+)\Z", before[max(at - _LONGEST, 0) : at])
            return match[1] if match and before[at] == "(" else None
    return None
