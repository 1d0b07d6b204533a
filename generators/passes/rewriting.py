"""Changes to the body of an action, a job or a screen, made by passes: a changed tree becomes text again.

    change = Rewriting(action, body, app)
    rows = change.fresh("orders")
    change.insert_before(loop, assignment(rows, moved(loop.iter)))
    change.replace(loop.iter, name(rows))
    action = change.element()

Changes are told by nodes of the analyzed tree, which stays as it is: trees are cached, and analyses are keyed by their
nodes. The `lines` of the new element say for each line of its body which line of the user's cell it comes from, over
any number of passes. A pass never adds, drops or reorders components of a screen: their ids count them.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from lowcode_kernel.elements import Action, Job, Screen
from lowcode_kernel.language.bodies import parse_again, place_of
from lowcode_kernel.memo import noted
from lowcode_kernel.unparsing import text_of_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lowcode_kernel.application import Application
    from lowcode_kernel.places import Place

Rewritable = Action | Job | Screen
E = TypeVar("E", bound=Rewritable)
# names that the language or the generated modules give a meaning
_TAKEN = frozenset(
    "user now today date datetime timedelta Decimal require log refused Refused NotFound Unavailable refusal together"
    " row context entities queries actions"
    " integrations config components arguments options View msgspec asyncio Any title text section metric table details"
    " chart button link form column".split()
)
_RESERVED = _TAKEN | frozenset(dir(builtins)) | frozenset(keyword.kwlist)


def name(text: str) -> ast.Name:
    """Return a name that is read."""
    return ast.Name(id=text, ctx=ast.Load())


def assignment(target: str, value: ast.expr) -> ast.Assign:
    """Return `target = value`."""
    return ast.Assign(targets=[ast.Name(id=target, ctx=ast.Store())], value=value)


def attribute(owner: ast.expr, attr: str) -> ast.Attribute:
    """Return `owner.attr`."""
    return ast.Attribute(value=owner, attr=attr, ctx=ast.Load())


def item(owner: ast.expr, index: ast.expr) -> ast.Subscript:
    """Return `owner[index]`."""
    return ast.Subscript(value=owner, slice=index, ctx=ast.Load())


def call(function: ast.expr, *arguments: ast.expr, **keywords: ast.expr) -> ast.Call:
    """Return `function(*arguments, **keywords)`."""
    given = [ast.keyword(arg=key, value=value) for key, value in keywords.items()]
    return ast.Call(func=function, args=list(arguments), keywords=given)


def moved(node: ast.expr) -> ast.expr:
    """Return an expression to put elsewhere while it is replaced where it stands; changes inside of it go along."""
    return cast("ast.expr", _same(node))


def text_of(*nodes: ast.AST) -> str:
    """Return statements or expressions as a finding shows them."""
    return "\n".join(text_of_tree(copied(node)) for node in nodes)


def copied(node: ast.AST) -> ast.AST:
    """Return a copy of a tree that shares no node with it."""
    return _Changer({}, {}, {}, {}, lambda _: False).visit(node)


class Rewriting:
    """The changes to one body, made all at once by `element`. A replacement may hold parts of what it replaces: changes
    to these are made too.
    """

    def __init__(self, element: Rewritable, tree: ast.Module, app: Application) -> None:
        self._element, self._tree, self._app = element, tree, app
        self._expressions: dict[ast.expr, ast.expr] = {}
        self._before: dict[ast.stmt, list[ast.stmt]] = {}
        self._statements: dict[ast.stmt, tuple[ast.stmt, ...]] = {}
        self._conditions: dict[ast.comprehension, list[ast.expr]] = {}
        self._names: tuple[set[str], frozenset[str]] | None = None

    @property
    def changed(self) -> bool:
        """Say whether any change was told."""
        return bool(self._expressions or self._before or self._statements or self._conditions)

    def fresh(self, word: str) -> str:
        """Return a name that means nothing yet, in this body or in the application: `word`, or `word_2` ..."""
        if self._names is None:
            self._names = _names(self._element, self._app)
        used, elements = self._names
        found, number = word, 2
        while found in used or found in elements or found in _RESERVED:
            found, number = f"{word}_{number}", number + 1
        used.add(found)
        return found

    def replace(self, node: ast.expr, by: ast.expr) -> None:
        """Put an expression in the place of another."""
        self._expressions[node] = by

    def is_replaced(self, node: ast.expr) -> bool:
        """Say whether an expression was replaced already."""
        return node in self._expressions

    def insert_before(self, statement: ast.stmt, *added: ast.stmt) -> None:
        """Put statements before another, behind those that were put there earlier."""
        self._before.setdefault(statement, []).extend(added)

    def replace_statement(self, statement: ast.stmt, *by: ast.stmt) -> None:
        """Put statements in the place of another; none take it away. A block left empty gets `pass`."""
        self._statements[statement] = by

    def replace_conditions(self, generator: ast.comprehension, conditions: list[ast.expr]) -> None:
        """Give a part of a comprehension other conditions."""
        self._conditions[generator] = conditions

    def tree(self) -> ast.Module:
        """Return the changed tree; it shares no node with the old one."""
        return cast("ast.Module", self._changer().visit(self._tree))

    def _changer(self) -> _Changer:
        return _Changer(self._expressions, self._before, self._statements, self._conditions, self._asks)

    def _asks(self, node: ast.AST) -> bool:
        """Say whether a node that is replaced asked the database: a call of an element, or a reference followed."""
        match node:
            case ast.Call(func=ast.Name(id=text)):
                return text in self._app.queries or text in self._app.actions
            case ast.Call(func=ast.Attribute(value=ast.Name(id=text))):
                return text in self._app.queries or text in self._app.entities or text == "User"
        return isinstance(node, ast.Attribute) and node in self._expressions

    def around(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return a statement as it is now, with what was put before it: what a finding shows."""
        return list(self._changer().statement(statement))

    def element(self) -> Rewritable:
        """Return the element with the changed body, or the same object where nothing changed."""
        return rewritten(self._element, self.tree()) if self.changed else self._element


def _same(node: ast.AST) -> ast.AST:
    """Return a node with the very parts of another; `copy.copy` takes three times as long."""
    found = node.__class__.__new__(node.__class__)
    found.__dict__.update(node.__dict__)
    return found


class _Changer:
    """Copies a tree with the changes told. What is added stands in the line of what it was added to.

    A generator that asks the database is made at once, as a list is; where it no longer asks, it becomes that list.
    """

    def __init__(
        self,
        expressions: dict[ast.expr, ast.expr],
        before: dict[ast.stmt, list[ast.stmt]],
        statements: dict[ast.stmt, tuple[ast.stmt, ...]],
        conditions: dict[ast.comprehension, list[ast.expr]],
        asks: Callable[[ast.AST], bool],
    ) -> None:
        self.expressions, self.before, self.statements = dict(expressions), dict(before), dict(statements)
        self.conditions, self.asks = conditions, asks
        self.asked = {node for node in expressions if asks(node)}

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and node in self.expressions:
            by = self.expressions.pop(node)  # what replaces it may hold it
            found = self.visit(by)
            self.expressions[node] = by
            return found if hasattr(found, "lineno") else ast.copy_location(found, node)
        changed = _same(node)
        if isinstance(node, ast.comprehension) and node in self.conditions:
            node = ast.comprehension(node.target, node.iter, self.conditions[node], node.is_async)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(changed, field, self._listed(value, node, field))
            elif isinstance(value, ast.AST):
                setattr(changed, field, self.visit(value))
        if isinstance(changed, ast.GeneratorExp) and self._asked_once(node, changed):
            return ast.copy_location(ast.ListComp(elt=changed.elt, generators=changed.generators), changed)
        return changed

    def _asked_once(self, before: ast.AST, after: ast.AST) -> bool:
        asked = bool(self.asked) and any(part in self.asked for part in ast.walk(before))
        return asked and not any(isinstance(part, ast.Call) and self.asks(part) for part in ast.walk(after))

    def _listed(self, values: list[object], parent: ast.AST, field: str) -> list[object]:
        found: list[object] = []
        for value in values:
            if isinstance(value, ast.stmt):
                found += self.statement(value)
            else:
                found.append(self.visit(value) if isinstance(value, ast.AST) else value)
        if values and not found and field == "body" and not isinstance(parent, ast.Module):
            found.append(ast.copy_location(ast.Pass(), cast("ast.stmt", values[0])))
        return found

    def statement(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        before, by = self.before.pop(statement, []), self.statements.pop(statement, (statement,))
        for new in [*before, *by]:  # what is put there may hold the statement itself
            found = cast("ast.stmt", self.visit(new))
            yield found if hasattr(found, "lineno") else ast.copy_location(found, statement)


def rewritten(element: E, tree: ast.Module) -> E:
    """Return the element with the text of a changed tree as its body; its docstring is kept.

    Statements without a line of their own take that of the statement before.
    """
    old = parse_again(element.body, element.body_place)
    statements = list(tree.body)
    match old.body:
        case [ast.Expr(value=ast.Constant(value=str())) as doc, *_] if not _is_text(statements[:1]):
            statements = [doc, *statements]
    lines = [getattr(statement, "lineno", None) for statement in _statements(statements)]
    body = text_of_tree(ast.Module(body=statements, type_ignores=[]))
    new = parse_again(body, element.body_place)
    return replace(element, body=body, lines=tuple(_lines(new, body.count("\n") + 1, lines, element.lines)))


def origin_place(element: Rewritable, node: ast.AST) -> Place:
    """Return where in the user's cell a node of the element's body comes from."""
    line = getattr(node, "lineno", 1)
    if not element.lines:
        return place_of(node, element.body_place)
    return element.body_place.shifted(element.lines[min(line, len(element.lines)) - 1] - 1)


def _is_text(statements: Sequence[ast.stmt]) -> bool:
    match statements:
        case [ast.Expr(value=ast.Constant(value=str()))]:
            return True
    return False


def _lines(new: ast.Module, count: int, old: list[int | None], before: tuple[int, ...]) -> Iterator[int]:
    """Give for each line of a new body the line of the user's cell that its statement comes from."""
    starts: dict[int, int] = {}
    last = 1
    for statement, line in zip(_statements(new.body), old, strict=True):
        last = last if line is None else line
        starts.setdefault(statement.lineno, before[min(last, len(before)) - 1] if before else last)
    found = 1
    for number in range(1, count + 1):
        found = starts.get(number, found)
        yield found


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Give statements in the order of the text."""
    for node in body:
        if isinstance(node, ast.stmt):
            yield node
        for field in ("body", "handlers", "orelse", "finalbody"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                yield from _statements(inner)


def _names(element: Rewritable, app: Application) -> tuple[set[str], frozenset[str]]:
    """Return all names that a body uses, and those of the application."""
    tree = parse_again(element.body, element.body_place)
    elements = noted(app.__dict__, "_names_of_elements", lambda: frozenset(each.name for each in app.elements))
    found: set[str] = set()
    found |= {parameter.name for parameter in getattr(element, "parameters", ())}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=text) | ast.arg(arg=text) | ast.FunctionDef(name=text):
                found.add(text)
            case ast.alias(name=text, asname=other):
                found.add(other or text.partition(".")[0])
            case ast.ExceptHandler(name=str(text)):
                found.add(text)
    return found, elements
