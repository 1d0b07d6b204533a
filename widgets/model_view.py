"""An element after its cell ran: what the platform understood, so that the author sees it before anything is
generated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowcode_kernel.elements import Action, Data, Entity, Integration, Job, Query, Screen, Setting, Struct
from lowcode_kernel.widgets.markup import Markup, joined, page, tag
from lowcode_kernel.widgets.panel import kind_chip
from lowcode_kernel.widgets.problems_view import problems_html, problems_text
from lowcode_kernel.widgets.table_view import element_cell, rows_html
from lowcode_kernel.widgets.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lowcode_kernel.elements import Attribute, Element, Operation, Parameter
    from lowcode_kernel.widgets.records import ModelView


def model_view(model: ModelView) -> View:
    """Show one element: its head, its parts, who uses it, its problems. Its code stands in the cell above."""
    element = model.element
    parts = joined(_doc(element), *_parts(model), _used("Uses", model.uses), _used("Used by", model.used_by))
    problems = tag("div", problems_html(model.problems)) if model.problems else Markup()
    body = [tag("div", problems, parts, class_="lowcode-body")] if problems or parts else []
    card = tag("div", _head(element), *body, class_="lowcode-card")
    return View(model_text(model), page(card))


def model_text(model: ModelView) -> str:
    """Return the element as lines."""
    element = model.element
    lines = [f"{element.kind} {element.name}{_signature(element)} {_facts(element)}".rstrip()]
    lines += [f"  {line}" for line in _part_lines(model)]
    lines += [f"  used by {', '.join(model.used_by)}"] if model.used_by else []
    return "\n".join([*lines, *([problems_text(model.problems)] if model.problems else [])])


def _head(element: Element) -> Markup:
    signature = tag("span", _signature(element), class_="lowcode-mono")
    facts = tag("span", _facts(element), class_="lowcode-quiet")
    place = tag("span", str(element.place), class_="lowcode-quiet lowcode-end")
    return tag("div", kind_chip(element.kind), tag("b", element.name), signature, facts, place, class_="lowcode-head")


def _doc(element: Element) -> Markup:
    return tag("p", element.doc) if element.doc else Markup()


def _signature(element: Element) -> str:
    match element:
        case Query() | Screen():
            return f"({_parameters(element.parameters)})" if element.parameters else ""
        case Action():
            returns = f" -> {element.returns}" if element.returns else ""
            return f"({_parameters(element.parameters)}){returns}"
        case Setting():
            return f": {element.type}" + (f" = {element.default}" if element.default is not None else "")
    return ""


def _parameters(parameters: Iterable[Parameter]) -> str:
    return ", ".join(f"{p.name}: {p.type}" + (f" = {p.default}" if p.default is not None else "") for p in parameters)


def _facts(element: Element) -> str:
    match element:
        case Entity():
            return f"key {', '.join(element.key)}"
        case Action():
            rest = f"{' '.join(element.rest)}" if element.rest else ""
            return " · ".join(filter(None, [_roles(element.roles), rest]))
        case Screen():
            return " · ".join(filter(None, [element.path, _roles(element.roles)]))
        case Job():
            limit = _seconds(element.timeout.total_seconds())
            return f"{element.schedule} UTC · {element.priority} priority · time-out {limit}"
        case Integration():
            return f"{element.base_url} · time-out {_seconds(element.timeout.total_seconds())}"
        case Data():
            return f"fills {element.entity}" + (f" from {element.file}" if element.file else "")
    return ""


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _roles(roles: Sequence[str]) -> str:
    return f"for {', '.join(roles)}" if roles else ""


def _parts(model: ModelView) -> list[Markup]:
    match model.element:
        case Entity() as entity:
            return [_attributes(entity.attributes), *_entity_rules(entity)]
        case Struct() as struct:
            return [_attributes(struct.attributes)]
        case Query():
            return [_columns(model)]
        case Integration() as integration:
            return [_operations(integration.operations)]
    return []


def _attributes(attributes: Iterable[Attribute]) -> Markup:
    rows = [(tag("b", a.name), tag("code", str(a.type)), joined(*_marks(a), by=" "), a.doc) for a in attributes]
    return rows_html(("attribute", "type", "", ""), rows)


def _marks(attribute: Attribute) -> list[Markup]:
    marks = [
        f"= {attribute.default}" if attribute.default is not None else "",
        f"computed: {attribute.computed}" if attribute.computed is not None else "",
        "unique" if attribute.unique else "",
        f"was {attribute.was}" if attribute.was else "",
        f"on delete {attribute.on_delete}" if attribute.on_delete != "restrict" else "",
    ]
    return [tag("span", mark, class_="lowcode-tag") for mark in marks if mark]


def _entity_rules(entity: Entity) -> list[Markup]:
    rows = [(tag("span", label, class_="lowcode-quiet"), tag("code", text)) for label, text in _rule_lines(entity)]
    return [rows_html((), rows)] if rows else []


def _rule_lines(entity: Entity) -> list[tuple[str, str]]:
    lines = [("index", ", ".join(columns)) for columns in entity.indexes]
    lines += [("unique", ", ".join(columns)) for columns in entity.uniques]
    lines += [("check", f"{one.condition}: {one.message}") for one in entity.constraints]
    if access := entity.access:
        pairs = (("read", access.read), ("write", access.write), ("delete", access.delete))
        lines += [(f"may {verb}", ", ".join(roles)) for verb, roles in pairs if roles]
        lines += [("rows", access.rows)] if access.rows else []
    return lines


def _columns(model: ModelView) -> Markup:
    if not model.columns:
        return Markup()
    pairs = (joined(tag("b", column.name), " ", tag("code", column.type)) for column in model.columns)
    return tag("div", tag("span", "Result ", class_="lowcode-quiet"), joined(*pairs, by=", "))


def _operations(operations: Iterable[Operation]) -> Markup:
    rows = [
        (
            tag("b", o.name),
            tag("code", f"{o.method} {o.path}"),
            _code(_parameters(o.parameters)),
            _code(str(o.returns or "")),
        )
        for o in operations
    ]
    return rows_html(("operation", "request", "parameters", "returns"), rows)


def _code(text: str) -> Markup:
    return tag("code", text) if text else Markup()


def _used(title: str, ids: Sequence[str]) -> Markup:
    if not ids:
        return Markup()
    shown = joined(*(tag("span", element_cell(id_), style="white-space:nowrap") for id_ in ids), by="  ")
    return tag("div", tag("span", f"{title} ", class_="lowcode-quiet"), shown, style="margin-top:6px;line-height:1.9")


def _part_lines(model: ModelView) -> list[str]:
    match model.element:
        case Entity() | Struct() as shaped:
            lines = [_attribute_line(attribute) for attribute in shaped.attributes]
            return lines + (
                [f"{label}: {text}" for label, text in _rule_lines(shaped)] if isinstance(shaped, Entity) else []
            )
        case Query():
            return (
                [f"-> {', '.join(f'{column.name}: {column.type}' for column in model.columns)}"]
                if model.columns
                else []
            )
        case Integration() as integration:
            return [f"{o.name}({_parameters(o.parameters)}): {o.method} {o.path}" for o in integration.operations]
    return []


def _attribute_line(attribute: Attribute) -> str:
    default = f" = {attribute.default}" if attribute.default is not None else ""
    computed = f" = computed({attribute.computed})" if attribute.computed is not None else ""
    deleting = f" on delete {attribute.on_delete}" if attribute.on_delete != "restrict" else ""
    unique = " unique" if attribute.unique else ""
    return f"{attribute.name}: {attribute.type}{default}{computed}{unique}{deleting}"
