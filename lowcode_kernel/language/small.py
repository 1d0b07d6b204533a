"""The definitions of one line or a short list: `%app`, `%role`, `%setting`, `%%integration`, `%%data`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lowcode_kernel.elements import Data, Integration, Method, Operation, Parameter, Role, Setting
from lowcode_kernel.language.bodies import check_texts, documentation, parse_body, place_of, trailing_comments
from lowcode_kernel.language.headers import read_header, read_name
from lowcode_kernel.language.types import type_of
from lowcode_kernel.problems import LowcodeError, Problem
from lowcode_kernel.types import TEXT

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

_APP = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_RESERVED = frozenset({"postgres", "lowcode", "lowcode_logs", "template0", "template1", "public", "test", "tests"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AppName:
    """What `%app shop --title "Web shop"` says."""

    name: str
    title: str
    place: Place


def read_app(line: str, place: Place) -> AppName:
    """Read an `%app` line."""
    head = read_header(line, place, allowed=("title",))
    name = head.subject
    if not _APP.match(name) or name in _RESERVED:
        hint = "small letters, digits and _, at most 40, not the name of a system database"
        raise LowcodeError.of(f'"{name}" can\'t name an application', hint, code="LK011", place=place)
    return AppName(name=name, title=head.one("title") or name.replace("_", " ").capitalize(), place=place)


def read_role(line: str, place: Place) -> Role:
    """Read a `%role Manager` line; what stands in quotation marks behind the name documents it."""
    match = re.match(r"""(\w++)\s*+(?:["'](.*)["'])?\s*\Z""", line.strip())
    if not match:
        raise LowcodeError.of(
            f'"{line.strip()}" is not a role', '%role Manager "who may ..."', code="LK011", place=place
        )
    name = read_name(match[1], "role", place)
    if not name[0].isupper():
        raise LowcodeError.of(
            f'role "{name}" starts with a small letter', f"write {name[0].upper()}{name[1:]}", code="LK011", place=place
        )
    return Role(name=name, doc=match[2] or "", place=place)


def read_setting(line: str, place: Place) -> Setting:
    """Read a `%setting tax_rate: Decimal = 0.2  # comment` line."""
    tree = parse_body(line.strip(), place)
    check_texts(tree, place)
    match tree.body:
        case [ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value)]:
            read_name(name, "setting", place)
        case _:
            raise LowcodeError.of(
                f'"{line.strip()}" is not a setting', "%setting name: Type = default", code="LK011", place=place
            )
    if value is not None and not isinstance(value, ast.Constant | ast.UnaryOp):
        raise LowcodeError.of(f"the default of setting {name} is not a constant", "", code="LK013", place=place)
    default = ast.unparse(value) if value is not None else None
    return Setting(
        name=name,
        doc=trailing_comments(line.strip()).get(1, ""),
        type=type_of(annotation, place),
        default=default,
        place=place,
    )


def read_integration(header: str, body: str, place: Place) -> Integration:
    """Read an `%%integration` cell; raises LowcodeError with all its problems."""
    head = read_header(header, place, allowed=("base-url", "timeout"))
    name, base_url = read_name(head.subject, "integration", place), head.one("base-url")
    if base_url is None or not _is_address(base_url):
        raise LowcodeError.of(
            f"integration {name} has no base URL", "--base-url https://rates.example.com", code="LK013", place=place
        )
    doc, statements = documentation(parse_body(arrows_to_tuples(body), place.shifted(1)))
    operations: list[Operation] = []
    problems: list[Problem] = []
    for statement in statements:
        try:
            operations.append(_operation(statement, place.shifted(1)))
        except LowcodeError as error:
            problems.extend(error.problems)
    if not operations and not problems:
        hint = 'latest = GET("/v1/latest", currency=Text) -> Rate'
        problems.append(Problem(code="LK021", fact=f"integration {name} has no operation", hint=hint, place=place))
    if problems:
        raise LowcodeError(*problems)
    timeout = head.duration("timeout", timedelta(seconds=5))
    return Integration(
        name=name, doc=doc, place=place, base_url=base_url.rstrip("/"), timeout=timeout, operations=tuple(operations)
    )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port of letters, a sign that only looks like a dot
        return False


_ARROW = re.compile(r"->[^\S\n]*+([^#\n]*[^#\s])[^\S\n]*+(#.*)?$", re.MULTILINE)  # linear in the length of a line


def arrows_to_tuples(body: str) -> str:
    """Make `name = GET(...) -> Rate` valid Python: `name = GET(...) , (Rate)`, with every line, and every column
    before the arrow, where it was.
    """
    return _ARROW.sub(lambda match: f", ({match[1]})", body)


def _operation(statement: ast.stmt, place: Place) -> Operation:
    at = place_of(statement, place)
    check_texts(statement, place)
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Tuple(
                elts=[ast.Call(func=ast.Name(id="GET" | "POST" | "PUT" | "PATCH" | "DELETE" as method)) as call, result]
            ),
        ):
            return _make_operation(name, method, call, result, at)
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="GET" | "POST" | "PUT" | "PATCH" | "DELETE" as method)) as call,
        ):
            return _make_operation(name, method, call, None, at)
    raise LowcodeError.of(
        "this is not an operation", 'latest = GET("/v1/latest", currency=Text) -> Rate', code="LK021", place=at
    )


def _make_operation(name: str, method: Method, call: ast.Call, result: ast.expr | None, place: Place) -> Operation:
    match call.args:
        case [ast.Constant(value=str(path))] if path.startswith("/"):
            pass
        case _:
            raise LowcodeError.of(
                f"operation {name} has no path", 'write GET("/path", parameter=Type)', code="LK021", place=place
            )
    typed = {keyword.arg: type_of(keyword.value, place) for keyword in call.keywords if keyword.arg}
    for braced in re.findall(r"\{(\w+)\}", path):
        typed.setdefault(braced, TEXT)
    parameters = tuple(Parameter(name=key, type=value, place=place) for key, value in typed.items())
    returns = type_of(result, place) if result is not None else None
    return Operation(name=name, method=method, path=path, parameters=parameters, returns=returns, place=place)


def read_data(header: str, body: str, place: Place) -> Data:
    """Read a `%%data Entity --file PATH` cell; its body, if any, is DuckDB's SQL over the table `source`."""
    head = read_header(header, place, allowed=("file",))
    entity, sql = read_name(head.subject, "data", place), body.strip()
    file = head.one("file")
    if file is None and not sql:
        raise LowcodeError.of(
            f"data for {entity} has no source", "--file customers.csv, or SQL in the cell", code="LK011", place=place
        )
    return Data(
        name=entity,
        place=place,
        entity=entity,
        file=file,
        sql=body.rstrip() if sql else None,
        sql_place=place.shifted(1),
    )
