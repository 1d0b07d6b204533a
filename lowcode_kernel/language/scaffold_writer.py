"""The text of a scaffold: the screens and actions of one entity, written as a person would."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from lowcode_kernel.elements import Action, Attribute, Entity, Parameter, Screen
from lowcode_kernel.identifiers import label_of, snake_case
from lowcode_kernel.keys import naming_attribute
from lowcode_kernel.types import TEXT, Type, entity_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.elements import Element
    from lowcode_kernel.places import Place

_CLOCKS = frozenset({"now()", "today()", "uuid()"})  # defaults that the database or the clock gives
_MOST_COLUMNS = 7  # what a list shows of a row
_WIDTH = 120  # of a line
_LONG = 120  # characters from which a text is no column of a list
_PAGE, _RELATED_PAGE = 25, 10  # rows
_SEARCHED = frozenset({"Text", "Email"})


class Reference(NamedTuple):
    """Another entity's attribute that refers to the scaffolded one."""

    entity: Entity
    attribute: str
    linked: bool  # its rows have a screen of their own


class Writer:
    """Writes the definitions of one entity's scaffold, as text."""

    def __init__(
        self,
        entity: Entity,
        roles: tuple[str, ...],
        references: tuple[Reference, ...],
        key_parts: tuple[str, ...],
        place: Place,
    ) -> None:
        self.entity, self.references, self.key_parts = entity, references, key_parts
        self.place = replace(place, fixed=True)
        access = entity.access
        self.readers = roles or (access.read if access else ())
        self.writers = roles or (access.write if access else ())
        self.removers = roles or (access.delete if access else ())
        self.one, self.many = snake_case(entity.name), plural(snake_case(entity.name))
        self.path = "/" + self.many.replace("_", "-")
        self.label = name_of(entity)
        self.writable = [item for item in entity.attributes if not item.computed and not _is_list_of_values(item)]
        self.row = f"{self.one}_row" if len(entity.key) > 1 and self.one in entity.key else self.one

    def elements(self) -> Iterator[Element]:
        """Give the screens, then the actions."""
        changed = [item for item in self.writable if item.name not in self.entity.key]
        yield self._list()
        yield self._details(editable=bool(changed))
        yield self._new()
        if changed:
            yield self._edit()
        yield self._create()
        if changed:
            yield self._update(changed)
        yield self._delete()

    # screens

    def _list(self) -> Screen:
        order = self.label or self.entity.key[0]
        given = [f"order_by={order}"]
        lines = [f'"""{label_of(self.many)}."""']
        if _is_searched(self.entity):
            given.insert(0, "search=search")
            lines.append('search = text_input("Search")')
        rows = f"{self.entity.name}.list({', '.join(given)})"
        columns = f"columns=[{', '.join(_columns(self.entity))}]"
        options = (f"page={_PAGE}", f'empty="No {_words(self.many)}"')
        lines += [
            f'title("{label_of(self.many)}")',
            f'link("New {_words(self.one)}", new_{self.one})',
            *_table("", rows, columns, f"row={_row_link(self.entity)}", *options),
        ]
        return self._screen(self.many, self.path, self.readers, lines)

    def _details(self, *, editable: bool) -> Screen:
        attributes = ", ".join(item.name for item in self.entity.attributes if not _is_list_of_values(item))
        confirm = f'confirm="Delete this {_words(self.one)}?", then=link({self.many})'
        edit = f'link("Edit", edit_{self.one}, {self._key()})'
        lines = [
            f'"""One {_words(self.one)}."""',
            *self._load(),
            f"title({self._name()})",
            *([edit] if editable else []),
            f'button("Delete", delete_{self.one}, {self._key()}, {confirm})',
            f"details({self.row}, attributes=[{attributes}])",
            *(line for reference in self.references for line in self._related(reference)),
        ]
        return self._screen(self.one, self._row_path(), self.readers, lines, self._key_parameters())

    def _related(self, reference: Reference) -> Iterator[str]:
        """Give the table of the rows that refer to this one, for those who may read them."""
        other, name = reference.entity, reference.attribute
        readers = other.access.read if other.access else ()
        indent = ""
        if readers and not (self.readers and set(self.readers) <= set(readers)):
            yield "if " + " or ".join(f"{role} in user.roles" for role in readers) + ":"
            indent = "    "
        names = plural(snake_case(other.name))
        several = sum(item.entity is other for item in self.references) > 1
        label = f"{label_of(names)}: {_words(name)}" if several else label_of(names)
        columns = [column for column in _columns(other) if column != name] or [other.key[0]]
        order = name_of(other) or other.key[0]
        options = (f'label="{label}"', f"page={_RELATED_PAGE}", f'empty="No {_words(names)}"')
        row = [f"row={_row_link(other)}"] if reference.linked else []
        rows = f"{other.name}.list({name}={self.row}, order_by={order})"
        yield from _table(indent, rows, f"columns=[{', '.join(columns)}]", *row, *options)

    def _new(self) -> Screen:
        lines = [
            f'"""Enter a new {_words(self.one)}."""',
            f'title("New {_words(self.one)}")',
            f'form("Create", create_{self.one}, then={self._result_link()})',
        ]
        return self._screen(f"new_{self.one}", f"{self.path}/new", self.writers, lines)

    def _edit(self) -> Screen:
        given = self._key(row=self._row_parameter())
        lines = [
            f'"""Change one {_words(self.one)}."""',
            *self._load(),
            f"title({self._name()})",
            f'form("Save", update_{self.one}, {given}, values={self.row}, then={self._result_link()})',
        ]
        path = f"{self._row_path()}/edit"
        return self._screen(f"edit_{self.one}", path, self.writers, lines, self._key_parameters())

    def _screen(
        self, name: str, path: str, roles: tuple[str, ...], lines: list[str], parameters: tuple[Parameter, ...] = ()
    ) -> Screen:
        body = "\n".join(lines)
        return Screen(
            name=name,
            doc=lines[0].strip('"'),
            place=self.place,
            path=path,
            parameters=parameters,
            roles=roles,
            body=body,
            body_place=self.place,
        )

    # actions

    def _create(self) -> Action:
        asked = [item for item in self.writable if item.default not in _CLOCKS]
        given = ", ".join(f"{item.name}={item.name}" for item in asked)
        parameters = tuple(self._parameter(item.name, item.type, item.default) for item in asked)
        body = f"return {self.entity.name}.create({given})"
        return self._action("create", "Enter a new", parameters, self.writers, body, returns=True)

    def _update(self, changed: list[Attribute]) -> Action:
        row = self._row_parameter()
        given = ", ".join([self._key_given(row), *(f"{item.name}={item.name}" for item in changed)])
        parameters = (
            *self._key_parameters(row),
            *(self._parameter(item.name, item.type, None) for item in changed),
        )
        body = f"return {self.entity.name}.update({given})"
        return self._action("update", "Change one", parameters, self.writers, body, returns=True)

    def _delete(self) -> Action:
        body = f"{self.entity.name}.delete({self._key_given(self.one)})"
        return self._action("delete", "Delete one", self._key_parameters(), self.removers, body, returns=False)

    def _action(
        self,
        verb: str,
        doc: str,
        parameters: tuple[Parameter, ...],
        roles: tuple[str, ...],
        body: str,
        *,
        returns: bool,
    ) -> Action:
        text = f"{doc} {_words(self.one)}."
        return Action(
            name=f"{verb}_{self.one}",
            doc=text,
            place=self.place,
            parameters=parameters,
            returns=entity_type(self.entity.name) if returns else None,
            roles=roles,
            body=f'"""{text}"""\n{body}',
            body_place=self.place,
        )

    # one row

    def _parameter(self, name: str, type_: Type, default: str | None) -> Parameter:
        return Parameter(name=name, type=type_, default=default, place=self.place)

    def _row_parameter(self) -> str:
        """Return the name under which an action takes the row, which may not be that of an attribute."""
        names = {item.name for item in self.entity.attributes}
        return f"this_{self.one}" if self.one in names else self.one

    def _key_parameters(self, row: str = "") -> tuple[Parameter, ...]:
        if len(self.entity.key) == 1:
            return (self._parameter(row or self.one, entity_type(self.entity.name), None),)
        types = {item.name: item.type for item in self.entity.attributes}
        return tuple(self._parameter(name, types.get(name, TEXT), None) for name in self.entity.key)

    def _key_given(self, row: str) -> str:
        """Return the arguments that say which row an access of the entity is about."""
        return row if len(self.entity.key) == 1 else ", ".join(f"{name}={name}" for name in self.entity.key)

    def _key(self, row: str = "") -> str:
        """Return the arguments that say which row a screen or an action is about."""
        return (
            f"{row or self.one}={self.one}"
            if len(self.entity.key) == 1
            else ", ".join(f"{name}={name}" for name in self.entity.key)
        )

    def _load(self) -> list[str]:
        """Return the line that reads the row, where the path does not name it by one key."""
        if len(self.entity.key) == 1:
            return []
        return [f"{self.row} = {self.entity.name}.get({self._key_given('')})"]

    def _row_path(self) -> str:
        names = [self.one] if len(self.entity.key) == 1 else self.entity.key
        return "/".join([self.path, *(f"{{{name}}}" for name in names)])

    def _name(self) -> str:
        """Return the expression by which people know the row."""
        if self.label:
            return f"{self.row}.{self.label}"
        if self.key_parts:
            return 'f"' + ", ".join(f"{{{part}}}" for part in self.key_parts) + '"'
        return f'f"{label_of(self.one)} {{{self.row}.{self.entity.key[0]}}}"'

    def _result_link(self) -> str:
        return _link(self.entity, "result")


def name_of(entity: Entity) -> str | None:
    """Return the attribute that names a row, if every row has it."""
    name = naming_attribute(entity)
    attribute = entity.attribute(name) if name else None
    return attribute.name if attribute and not attribute.type.optional else None


def _link(entity: Entity, row: str) -> str:
    """Return the link to a row's screen."""
    one = snake_case(entity.name)
    if len(entity.key) == 1:
        return f"link({one}, {one}={row}.{entity.key[0]})"
    return f"link({one}, {', '.join(f'{name}={row}.{name}' for name in entity.key)})"


def _table(indent: str, *arguments: str) -> Iterator[str]:
    """Give the lines of a table: one where it fits, else one for each argument."""
    line = f"{indent}table({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{indent}table("
    yield from (f"{indent}    {argument}," for argument in arguments)
    yield f"{indent})"


def _row_link(entity: Entity) -> str:
    return _link(entity, "row")


def _columns(entity: Entity) -> list[str]:
    """Return what a list shows of an entity's rows: the name first, then the key, then what is short."""
    label = name_of(entity)
    short = [item.name for item in entity.attributes if _is_short(item)]
    first = [label] if label else list(entity.key)
    return list(dict.fromkeys([*first, *(name for name in entity.key if name != "id"), *short]))[:_MOST_COLUMNS]


def _is_list_of_values(attribute: Attribute) -> bool:
    """Say whether an attribute holds many values that are no entity's: there is no such thing in a form."""
    return attribute.type.many and attribute.type.kind != "entity"


def _is_short(attribute: Attribute) -> bool:
    type_ = attribute.type
    return not (type_.many or type_.name in {"Json", "File"} or (type_.length or 0) > _LONG)


def _is_searched(entity: Entity) -> bool:
    """Say whether rows can be found by a word. An attribute called search has that name for itself."""
    return entity.attribute("search") is None and any(
        item.type.name in _SEARCHED and not item.type.many for item in entity.attributes
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def plural(name: str) -> str:
    """Return the plural of an English noun by the small rule: `city` is `cities`, `box` is `boxes`, `order` is
    `orders`.
    """
    if re.search(r"[^aeiou]y\Z", name):
        return name[:-1] + "ies"
    return name + ("es" if re.search(r"(?:s|x|z|ch|sh)\Z", name) else "s")
