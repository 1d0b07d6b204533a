"""`%%entity` and `%%struct`: attributes as annotated names, then `key`, `index`, `unique`, `check` and `access`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lowcode_kernel.elements import Access, Attribute, Constraint, Entity, Struct
from lowcode_kernel.language.bodies import check_texts, documentation, parse_body, place_of, shown, trailing_comments
from lowcode_kernel.language.entity_values import value_problems, with_optionality
from lowcode_kernel.language.headers import read_header, read_name
from lowcode_kernel.language.types import type_of
from lowcode_kernel.problems import LowcodeError, Problem, did_you_mean

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

_CLAUSES = ("key", "index", "unique", "check", "access")
_OPTIONS = ("default", "unique", "was", "on_delete", "computed")
_MOST = 1_000  # attributes and clauses: PostgreSQL's tables have 1,600 columns at most
_MOST_PROBLEMS = 100
_ON_DELETE = {"restrict": "restrict", "cascade": "cascade", "set_null": "set null", "set null": "set null"}


@dataclass
class _Parts:
    """What the statements of one body add up to."""

    place: Place
    escapes: bool = False  # there is a backslash, and so perhaps a character that can't be written otherwise
    attributes: list[Attribute] = field(default_factory=list)
    key: tuple[str, ...] = ()
    indexes: list[tuple[str, ...]] = field(default_factory=list)
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    access: Access | None = None
    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)  # attributes that are there, and wrong in themselves


def read_entity(header: str, body: str, place: Place) -> Entity:
    """Read a `%%entity` cell; raises LowcodeError with all its problems."""
    head = read_header(header, place, allowed=("was",))
    name = _type_name(head.subject, "entity", place)
    doc, parts = _read_parts(body, place.shifted(1))
    problems = _name_problems(name, parts)
    entity = _entity(name, doc, parts, place, head.one("was"))
    try:
        problems += value_problems(entity, expressions=not problems)
        if not problems:
            return with_optionality(entity)
    except RecursionError:
        problems.append(Problem(code="LK010", fact="the Python is nested too deeply", place=place))
    raise LowcodeError(*problems)


def _entity(name: str, doc: str, parts: _Parts, place: Place, was: str | None) -> Entity:
    return Entity(
        name=name,
        doc=doc,
        place=place,
        attributes=tuple(parts.attributes),
        key=parts.key or ("id",),
        indexes=tuple(parts.indexes),
        uniques=tuple(parts.uniques),
        constraints=tuple(parts.constraints),
        access=parts.access,
        was=was,
    )


def read_struct(header: str, body: str, place: Place) -> Struct:
    """Read a `%%struct` cell; raises LowcodeError with all its problems."""
    name = _type_name(read_header(header, place, allowed=()).subject, "struct", place)
    doc, parts = _read_parts(body, place.shifted(1))
    clauses = (parts.key, parts.indexes, parts.uniques, parts.constraints, parts.access)
    if any(clauses) or any(attribute.computed for attribute in parts.attributes):
        parts.problems.append(
            Problem(
                code="LK022",
                fact=f"struct {name} has clauses of an entity",
                hint="a struct has attributes alone",
                place=place,
            )
        )
    if problems := _name_problems(name, parts):
        raise LowcodeError(*problems)
    return Struct(name=name, doc=doc, place=place, attributes=tuple(parts.attributes))


def _type_name(text: str, what: str, place: Place) -> str:
    name = read_name(text, what, place)
    if not name[0].isupper():
        raise LowcodeError.of(
            f'{what} "{name}" starts with a small letter',
            f"write {name[0].upper()}{name[1:]}",
            code="LK011",
            place=place,
        )
    return name


def _read_parts(body: str, place: Place) -> tuple[str, _Parts]:
    doc, statements = documentation(parse_body(body, place))
    if len(statements) > _MOST:
        fact, hint = f"there are {len(statements):,} attributes and clauses", f"split it: {_MOST:,} are the most"
        raise LowcodeError.of(fact, hint, code="LK118", place=place)
    parts, comments = _Parts(place, escapes="\\" in body), trailing_comments(body)
    for statement in statements:
        try:
            _read_statement(statement, parts, comments.get(statement.lineno, ""))
        except LowcodeError as error:
            parts.problems.extend(error.problems)
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                parts.unread.add(statement.target.id)
        except RecursionError:
            at = place_of(statement, parts.place)
            parts.problems.append(Problem(code="LK010", fact="the Python is nested too deeply", place=at))
        if len(parts.problems) >= _MOST_PROBLEMS:
            raise LowcodeError(*parts.problems, _too_many(parts.place))
    return doc, parts


def _read_statement(statement: ast.stmt, parts: _Parts, comment: str) -> None:
    at = place_of(statement, parts.place)
    if parts.escapes:
        check_texts(statement, parts.place)
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            parts.attributes.append(_attribute(name, annotation, value, comment, at))
        case ast.Expr(value=ast.Call(func=ast.Name(id=clause)) as call) if clause in _CLAUSES:
            _read_clause(clause, call, parts, at)
        case ast.Expr(value=ast.Call(func=ast.Name(id=clause))):
            raise LowcodeError.of(
                f'"{clause}" is not a clause of an entity', did_you_mean(clause, _CLAUSES), code="LK021", place=at
            )
        case ast.Assign(targets=[ast.Name(id=name)]):
            raise LowcodeError.of(
                f'attribute "{name}" has no type', f"write {name}: Type = ...", code="LK021", place=at
            )
        case _:
            text = shown(statement)
            raise LowcodeError.of(
                f"`{text}` is not part of an entity",
                "write name: Type, or key, index, unique, check, access",
                code="LK021",
                place=at,
            )


def _attribute(name: str, annotation: ast.expr, value: ast.expr | None, comment: str, place: Place) -> Attribute:
    read_name(name, "attribute", place)
    options = _attribute_options(name, value, place)
    return Attribute(name=name, type=type_of(annotation, place), doc=comment, place=place, **options)


def _attribute_options(name: str, value: ast.expr | None, place: Place) -> dict[str, Any]:
    """Return `default`, `unique`, `was`, `on_delete` and `computed` from what stands behind the `=`: `0`, `unique()`,
    `was("old", default=0)`, `field(...)`, `computed(net * 2)`.
    """
    match value:
        case None:
            return {}
        case ast.Call(func=ast.Name(id="computed"), args=[node], keywords=[]):
            return {"computed": ast.unparse(node)}
        case ast.Call(func=ast.Name(id="unique" | "was" | "field" as how), args=arguments, keywords=keywords):
            options = {keyword.arg or "": keyword.value for keyword in keywords}
            if how == "unique":
                options["unique"] = ast.Constant(value=True)
            if arguments:
                options["was" if how == "was" else "default"] = arguments[0]
            return {key: _option(name, key, node, place) for key, node in options.items()}
    return {"default": _default(name, value, place)}


def _option(name: str, key: str, node: ast.expr, place: Place) -> object:
    if key == "default":
        return _default(name, node, place)
    if key == "computed":
        return ast.unparse(node)
    text = node.id if isinstance(node, ast.Name) else node.value if isinstance(node, ast.Constant) else None
    match key, text:
        case "unique", bool():
            return text
        case "was", str():
            return text
        case "on_delete", str() if text in _ON_DELETE:
            return _ON_DELETE[text]
    hint = (
        did_you_mean(key, _OPTIONS)
        if key not in _OPTIONS
        else "on_delete is restrict, cascade or set_null; was is a former name in quotation marks"
    )
    raise LowcodeError.of(f"attribute {name}: {key}={shown(node)} has no meaning", hint, code="LK021", place=place)


def _default(name: str, node: ast.expr, place: Place) -> str | None:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant() | ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
            return ast.unparse(node)
        case ast.Call(func=ast.Name(id="now" | "today" | "uuid"), args=[], keywords=[]):
            return ast.unparse(node)
    raise LowcodeError.of(
        f"the default of {name} is `{shown(node)}`",
        "a default is a constant, now(), today() or uuid(); an expression is computed(...)",
        code="LK021",
        place=place,
    )


def _read_clause(clause: str, call: ast.Call, parts: _Parts, place: Place) -> None:
    if clause == "access":
        parts.access = _access(call, place)
        return
    if clause == "check":
        parts.constraints.append(_constraint(call, place))
        return
    names = tuple(argument.id for argument in call.args if isinstance(argument, ast.Name))
    if not names or len(names) != len(call.args) or call.keywords:
        raise LowcodeError.of(
            f"`{shown(call)}` can't be read", f"write {clause}(attribute, ...)", code="LK021", place=place
        )
    match clause:
        case "key":
            parts.key = names
        case "index":
            parts.indexes.append(names)
        case "unique":
            parts.uniques.append(names)


def _constraint(call: ast.Call, place: Place) -> Constraint:
    match call:
        case ast.Call(args=[condition, ast.Constant(value=str(message))], keywords=[]) if message.strip():
            return Constraint(condition=ast.unparse(condition), message=message, place=place)
    raise LowcodeError.of(
        f"`{shown(call)}` can't be read", 'write check(condition, "what is wrong")', code="LK021", place=place
    )


def _access(call: ast.Call, place: Place) -> Access:
    if call.args:
        raise LowcodeError.of(
            "access takes names",
            "write access(read=Role, write=Role, delete=Role, rows=condition)",
            code="LK021",
            place=place,
        )
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        match keyword.arg:
            case "rows":
                options["rows"] = ast.unparse(keyword.value)
            case "read" | "write" | "delete":
                options[keyword.arg] = _roles(keyword.value, place)
            case other:
                raise LowcodeError.of(
                    f'access has no "{other}"',
                    did_you_mean(other or "", ("read", "write", "delete", "rows")),
                    code="LK021",
                    place=place,
                )
    return Access(place=place, **options)


def _roles(node: ast.expr, place: Place) -> tuple[str, ...]:
    items = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]
    names = tuple(item.id for item in items if isinstance(item, ast.Name))
    if len(names) != len(items):
        raise LowcodeError.of(
            f"`{shown(node)}` is not a role", "write Role or [Role, Other]", code="LK021", place=place
        )
    return names


def _too_many(place: Place) -> Problem:
    fact = f"there are more than {_MOST_PROBLEMS} problems"
    return Problem(code="LK010", fact=fact, hint="put these right first", place=place)


def _name_problems(name: str, parts: _Parts) -> list[Problem]:
    """Return everything that is wrong with the parts of one entity and their names."""
    problems = list(parts.problems)
    seen: dict[str, Attribute] = {}
    for attribute in parts.attributes:
        if attribute.name in seen:
            fact = f"{name} has two attributes {attribute.name}"
            problems.append(Problem(code="LK023", fact=fact, hint="rename one", place=attribute.place))
        seen[attribute.name] = attribute
    if "id" in seen and parts.key != ("id",):
        hint = "leave it out (an id is implied), or say key(id)"
        problems.append(Problem(code="LK023", fact=f"{name} declares id", hint=hint, place=seen["id"].place))
    for used in dict.fromkeys(used for names in [parts.key, *parts.indexes, *parts.uniques] for used in names):
        if len(problems) >= _MOST_PROBLEMS:
            problems.append(_too_many(parts.place))
            break
        if used not in seen and used not in parts.unread and used != "id":
            fact, hint = f'{name} has no attribute "{used}"', did_you_mean(used, seen)
            problems.append(Problem(code="LK101", fact=fact, hint=hint, place=parts.place))
    if not parts.attributes and not problems:
        fact = f"{name} has no attributes"
        problems.append(Problem(code="LK021", fact=fact, hint="write name: Type", place=parts.place))
    return problems
