"""`%%query`, `%%action`, `%%screen`, `%%job` and `%%test`: a header with a signature, and a body in SQL or Python."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, cast, get_args

from lowcode_kernel.cron import never_runs, schedule_fault
from lowcode_kernel.elements import Action, Job, Method, Parameter, Query, Screen, Test
from lowcode_kernel.language.bodies import UNSTORED, check_size, check_texts, documentation, parse_body
from lowcode_kernel.language.headers import Header, read_header, read_name, read_signature
from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.types import TEXT, Type

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

_PATH = re.compile(r"/[A-Za-z0-9_\-./{}]*\Z")
_BRACED = re.compile(r"\{([A-Za-z_]\w*)\}")
_OWN_PATHS = ("/session", "/sign-in", "/livez", "/readyz", "/version", "/openapi.json")
_PRIORITIES = ("low", "normal", "high")


def read_query(header: str, body: str, place: Place) -> Query:
    """Read a `%%query` cell: the SQL's own mistakes are found when the entities are known."""
    head = read_header(header, place, allowed=())
    signature = read_signature(head.subject, "query", place)
    if not body.strip():
        raise LowcodeError.of(
            f"query {signature.name} is empty", "write SELECT ... below it", code="LK011", place=place
        )
    doc = "\n".join(line.strip()[2:].strip() for line in body.splitlines() if _documents(line))
    return Query(
        name=signature.name,
        doc=doc,
        place=place,
        parameters=signature.parameters,
        sql=body.rstrip(),
        sql_place=place.shifted(1),
    )


def _documents(line: str) -> bool:
    """Say whether a line of SQL is a comment for people, and not one that allows a problem (`checks.allowing`)."""
    return line.strip().startswith("--") and "lowcode:" not in line


def read_action(header: str, body: str, place: Place) -> Action:
    """Read an `%%action` cell."""
    head = read_header(header, place, allowed=("role", "rest"))
    signature = read_signature(head.subject, "action", place)
    doc, _ = documentation(parse_body(body, place.shifted(1)))
    return Action(
        name=signature.name,
        doc=doc,
        place=place,
        parameters=signature.parameters,
        returns=signature.returns,
        roles=head.options.get("role", ()),
        rest=_rest(head),
        body=body.rstrip(),
        body_place=place.shifted(1),
    )


def _rest(head: Header) -> tuple[Method, str] | None:
    text = head.one("rest")
    if text is None:
        return None
    method, _, path = text.strip().partition(" ")
    if method not in get_args(Method) or not _PATH.match(path.strip()):
        raise LowcodeError.of(f'--rest is "{text}"', 'write --rest "POST /api/orders"', code="LK013", place=head.place)
    return cast("Method", method), path.strip()


def read_screen(header: str, body: str, place: Place) -> Screen:
    """Read a `%%screen` cell: `name "/path/{parameter}" (parameter: Type)`. A path's parameter without a type is typed
    when the entities are known.
    """
    head = read_header(header, place, allowed=("role",))
    match = re.match(r"""(\S++)\s++["']([^"']*)["']\s*+(\(.*\))?\s*\Z""", head.subject)
    if not match:
        raise LowcodeError.of(
            "a screen needs a name and a path", '%%screen orders "/orders/{customer}"', code="LK011", place=place
        )
    name, path = read_name(match[1], "screen", place), match[2]
    if (
        not _PATH.match(path)
        or path.count("{") != len(_BRACED.findall(path))
        or path in _OWN_PATHS
        or path.startswith(("/api/", "/assets/", "/session/"))
    ):
        hint = f"a path starts with / and may hold {{parameter}}; /api, /assets, {', '.join(_OWN_PATHS)} are taken"
        raise LowcodeError.of(f'screen {name}: path "{path}" can\'t be used', hint, code="LK013", place=place)
    typed = read_signature(f"{name}{match[3] or ''}", "screen", place).parameters
    parameters = _path_parameters(path, typed, place)
    doc, statements = documentation(parse_body(body, place.shifted(1)))
    for statement in statements if "\\" in body else ():
        check_texts(statement, place.shifted(1))
    return Screen(
        name=name,
        doc=doc,
        place=place,
        path=path,
        parameters=parameters,
        roles=head.options.get("role", ()),
        body=body.rstrip(),
        body_place=place.shifted(1),
    )


def _path_parameters(path: str, typed: tuple[Parameter, ...], place: Place) -> tuple[Parameter, ...]:
    """Return the path's parameters, typed by the signature, or left for linking: `{customer}` is an entity Customer if
    there is one, else a text.
    """
    by_name = {parameter.name: parameter for parameter in typed}
    names = list(dict.fromkeys([*_BRACED.findall(path), *by_name]))
    return tuple(by_name.get(name) or Parameter(name=name, type=_implied(name), place=place) for name in names)


def _implied(name: str) -> Type:
    return Type(name="".join(part.capitalize() for part in name.split("_")), kind="unknown")


def link_screen(screen: Screen, entities: frozenset[str]) -> Screen:
    """Give the types that only the whole application tells to a screen's untyped path parameters."""
    if all(parameter.type.kind != "unknown" for parameter in screen.parameters):
        return screen
    return replace(screen, parameters=tuple(_linked(parameter, entities) for parameter in screen.parameters))


def _linked(parameter: Parameter, entities: frozenset[str]) -> Parameter:
    if parameter.type.kind != "unknown":
        return parameter
    name = parameter.type.name
    return replace(parameter, type=Type(name=name, kind="entity") if name in entities else TEXT)


def read_job(header: str, body: str, place: Place) -> Job:
    """Read a `%%job` cell: `name "cron" --timeout 10m --retries 3 --priority high`, and a body or `--notebook PATH`."""
    head = read_header(header, place, allowed=("timeout", "retries", "priority", "notebook"))
    match = re.match(r"""(\S++)\s++["']([^"']*)["']\s*\Z""", head.subject)
    if not match:
        raise LowcodeError.of(
            "a job needs a name and a schedule", '%%job nightly_report "0 2 * * *"', code="LK011", place=place
        )
    name, schedule = read_name(match[1], "job", place), match[2]
    _check_schedule(name, schedule, place)
    notebook = head.one("notebook")
    doc, statements = documentation(parse_body(body, place.shifted(1)))
    if bool(statements) == bool(notebook):
        raise LowcodeError.of(
            f"job {name} needs a body or --notebook", "give one of the two", code="LK011", place=place
        )
    return Job(
        name=name,
        doc=doc,
        place=place,
        schedule=schedule,
        timeout=head.duration("timeout", timedelta(minutes=10)),
        retries=_retries(head),
        priority=_priority(head),
        notebook=notebook,
        body=body.rstrip(),
        body_place=place.shifted(1),
    )


def _check_schedule(name: str, schedule: str, place: Place) -> None:
    fault = schedule_fault(schedule)
    if fault and never_runs(schedule):
        fact = f'job {name} never runs: "{schedule}" names no day of the calendar'
        raise LowcodeError.of(fact, "change the day of month or the month", code="LK808", place=place)
    if fault:
        hint = 'five fields: minute, hour, day of month, month, day of week, as in "0 2 * * *"'
        raise LowcodeError.of(
            f'job {name}: schedule "{schedule}" can\'t be read ({fault})', hint, code="LK013", place=place
        )


def _retries(head: Header) -> int:
    text = head.one("retries") or "0"
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) > 100:
        raise LowcodeError.of(f'--retries is "{text}"', "write a number from 0 to 100", code="LK013", place=head.place)
    return int(text)


def _priority(head: Header) -> Literal["low", "normal", "high"]:
    text = head.one("priority") or "normal"
    if text not in _PRIORITIES:
        raise LowcodeError.of(
            f'--priority is "{text}"', did_you_mean(text, _PRIORITIES), code="LK013", place=head.place
        )
    return cast("Literal['low', 'normal', 'high']", text)


def read_test(header: str, body: str, place: Place) -> Test:
    """Read a `%%test "what must hold"` cell."""
    head = read_header(header, place, allowed=("role",))
    check_size(head.subject, place)
    try:
        title = ast.literal_eval(head.subject)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        title = None
    if not isinstance(title, str) or not title.strip() or UNSTORED.search(title):
        raise LowcodeError.of("a test needs a sentence", '%%test "one open order at a time"', code="LK011", place=place)
    _, statements = documentation(parse_body(body, place.shifted(1)))
    if (
        not any(isinstance(node, ast.Assert) for statement in statements for node in ast.walk(statement))
        and "refused(" not in body
    ):
        raise LowcodeError.of(
            f'test "{title}" asserts nothing', "write assert ... or refused(...)", code="LK024", place=place
        )
    return Test(
        name=title, place=place, roles=head.options.get("role", ()), body=body.rstrip(), body_place=place.shifted(1)
    )
