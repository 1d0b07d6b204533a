"""What the passes ask of a body: which reads it makes, in which order things are evaluated, and what names hold.

A read is a call of a query or of one of its forms, an `Entity.get/find/list/count/exists`, or a reference that is
followed (`order.customer.name` gets the customer).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, cast

from lowcode_kernel.analysis import analyze
from lowcode_kernel.application import Application
from lowcode_kernel.bodies import analyze_body
from lowcode_kernel.elements import Action, Screen
from lowcode_kernel.flow import is_followed
from lowcode_kernel.generators.passes.each import of_each
from lowcode_kernel.language.screens import screen_model
from lowcode_kernel.memo import noted, remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.elements import Element
    from lowcode_kernel.findings import Finding
    from lowcode_kernel.generators.passes.rewriting import Rewritable
    from lowcode_kernel.types import Type

Form = Literal["query", "entity", "follow"]
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
_MOST_ROUNDS = 12
_METHODS = frozenset({"get", "find", "list", "count", "exists"})
_FORMS = frozenset({None, "exists", "count", "first", "top", "page"})
OPTIONS = frozenset({"order_by", "only"})  # arguments of `Entity.list` that name attributes: they are never evaluated


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One read: its node, the element that it reads (a query, or an entity), and its arguments by parameter.

    The key of a `get` that stands alone, and that of a reference which is followed, is the argument "key".
    """

    node: ast.expr
    form: Form
    name: str
    method: str | None
    arguments: dict[str, ast.expr]

    @property
    def is_list(self) -> bool:
        """Say whether it gives a list, which a body could change."""
        return self.method in {None, "top", "page"} if self.form == "query" else self.method == "list"

    @property
    def words(self) -> str:
        """Say what is read, as a finding names it."""
        return f"query {self.name}" if self.form == "query" else f"{self.name}.{self.method}"

    @property
    def values(self) -> list[ast.expr]:
        """The arguments that are evaluated."""
        return [value for name, value in self.arguments.items() if name not in OPTIONS]


@dataclass(eq=False)
class Body:
    """One body that a pass looks at."""

    element: Rewritable
    analysis: BodyAnalysis
    app: Application
    parameters: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = frozenset(parameter.name for parameter in getattr(self.element, "parameters", ()))

    @property
    def is_screen(self) -> bool:
        """Say whether it is a screen's."""
        return isinstance(self.element, Screen)

    def type_of(self, node: ast.expr) -> Type | None:
        """Return the type of an expression of the analyzed tree."""
        return self.analysis.types.get(node)

    @property
    def reads(self) -> dict[ast.expr, Read]:
        """Every read by its node, in the order of the text; those that `together` joins are left out."""
        return noted(self.__dict__, "_reads", self._find_reads)

    def _find_reads(self) -> dict[ast.expr, Read]:
        joined = {part for node, call in self.analysis.calls.items() if call.kind == "together" for part in node.args}
        found: dict[ast.expr, Read] = {}
        for node in self._candidates():
            read = self._called(node) if isinstance(node, ast.Call) else self._followed(node)
            if read is not None and node not in joined:
                found[node] = read
        return found

    def _candidates(self) -> list[ast.Call | ast.Attribute]:
        """Return what may be a read, in the order of the text. What local functions do is not done here."""
        if "def " in self.element.body or "lambda" in self.element.body:
            return [node for node in walk(*self.analysis.tree.body) if isinstance(node, ast.Call | ast.Attribute)]
        followed = [node for node in self.analysis.types if isinstance(node, ast.Attribute)]
        return sorted([*self.analysis.calls, *followed], key=lambda node: (node.lineno, node.col_offset))

    @property
    def is_small(self) -> bool:
        """Say whether the passes look into it: a body of a thousand statements stays as it is."""
        return is_followed(self.element.body, self.analysis.tree)

    @cached_property
    def has_loops(self) -> bool:
        """Say whether anything in the body is evaluated more than once."""
        text = self.element.body
        if "for " not in text and "while " not in text:
            return False
        kinds = ast.For | ast.While | ast.comprehension
        return any(isinstance(node, kinds) for node in ast.walk(self.analysis.tree))

    def reads_in(self, *nodes: ast.AST) -> Iterator[Read]:
        """Give the reads in some nodes."""
        return (self.reads[node] for node in walk(*nodes) if node in self.reads)

    def _called(self, node: ast.Call) -> Read | None:
        found = self.analysis.calls.get(node)
        if found is not None and found.kind == "query" and found.method in _FORMS:
            return Read(node, "query", found.name, found.method, found.arguments)
        if found is not None and found.kind == "entity" and found.method in _METHODS:
            arguments = {"key" if name == "(key)" else name: value for name, value in found.arguments.items()}
            return Read(node, "entity", found.name, found.method, arguments)
        return None

    def _followed(self, node: ast.Attribute) -> Read | None:
        owner = self.analysis.types.get(node.value)
        if owner is None or owner.kind != "entity" or owner.loaded or owner.many or owner.keyed:
            return None
        if not isinstance(node.ctx, ast.Load) or node.attr in self.keys(owner.name):
            return None
        return Read(node, "follow", owner.name, "get", {"key": node.value})

    def keys(self, entity: str) -> tuple[str, ...]:
        """Return the names of an entity's key."""
        found = self.app.entities.get(entity)
        return found.key if found else ("id",)

    def entities(self, read: Read) -> frozenset[str]:
        """Return the entities that a read reads."""
        if read.form != "query":
            return frozenset({read.name})
        return frozenset(analyze(self.app).queries[read.name].entities)

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr | None]]:
        """Everything that each name is given in the body: `*rows` by a loop over rows, None where it can't be told."""
        found: dict[str, list[ast.expr | None]] = {}
        for node in walk(*self.analysis.tree.body):
            for target, value in _targets(node):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(value)
                else:
                    for name in stored(target):
                        found.setdefault(name, []).append(None)
        return found


def _targets(node: ast.AST) -> Iterator[tuple[ast.AST, ast.expr | None]]:
    """Give what a node assigns, with the value where it is one."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case (
            ast.For(target=ast.Tuple(elts=targets), iter=ast.Call(func=ast.Name(id="zip"), args=lists))
            | ast.comprehension(target=ast.Tuple(elts=targets), iter=ast.Call(func=ast.Name(id="zip"), args=lists))
        ) if len(targets) == len(lists):
            pairs = zip(targets, lists, strict=True)
            yield from ((target, ast.Starred(value=rows, ctx=ast.Load())) for target, rows in pairs)
        case ast.For(target=target, iter=rows) | ast.comprehension(target=target, iter=rows):
            yield target, ast.Starred(value=rows, ctx=ast.Load())
        case ast.AugAssign(target=target):
            yield target, None
        case ast.ExceptHandler(name=str(name)) | ast.FunctionDef(name=name):
            yield ast.Name(id=name, ctx=ast.Store()), None


def walk(*nodes: ast.AST) -> Iterator[ast.AST]:
    """Give nodes and what is in them in the order of the text; a local function's own body is left out."""
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def stored(*nodes: ast.AST) -> set[str]:
    """Return the names that nodes assign, those of comprehensions included."""
    found: set[str] = set()
    for node in walk(*nodes):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.FunctionDef) and node.name:
            found.add(node.name)
    return found


def loaded(*nodes: ast.AST) -> set[str]:
    """Return the names that nodes read, also in local functions."""
    return {
        node.id
        for top in nodes
        for node in ast.walk(top)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def heads(statement: ast.stmt) -> list[ast.expr]:
    """Return the expressions that a statement evaluates itself, before any block of its own."""
    match statement:
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            return [test]
        case ast.For(iter=iterable):
            return [iterable]
        case ast.AugAssign(target=target, value=value):
            return [target, value]
        case ast.Assign(value=value) | ast.Expr(value=value):
            return [value]
        case ast.Return(value=ast.expr() as value):
            return [value]
        case ast.Raise(exc=ast.expr() as value):
            return [value]
    return []


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """Return the blocks of a statement in the order of the text; a local function is no block of what runs here."""
    if isinstance(statement, ast.FunctionDef):
        return []
    found = [getattr(statement, name, []) for name in ("body", "orelse")]
    found[1:1] = [handler.body for handler in getattr(statement, "handlers", [])]
    return [block for block in [*found, getattr(statement, "finalbody", [])] if block]


def leaves(*nodes: ast.AST) -> bool:
    """Say whether something in some nodes may leave the block that they stand in."""
    return any(isinstance(node, ast.Return | ast.Break | ast.Continue) for node in walk(*nodes))


def certain_parts(block: list[ast.stmt]) -> set[ast.expr]:
    """Return what is evaluated whenever a block is, unless something fails; what a loop in it does counts."""
    found: set[ast.expr] = set()
    for statement in block:
        found |= {part for head in heads(statement) for part, sure in evaluated(head) if sure}
        if isinstance(statement, ast.For):
            found |= certain_parts(statement.body)
        if leaves(statement):
            break
    return found


def in_each_turn(*turns: ast.AST) -> set[ast.expr]:
    """Return what parts of a comprehension evaluate in each turn of it."""
    parts = [
        part for turn in turns for part in ([turn.iter, *turn.ifs] if isinstance(turn, ast.comprehension) else [turn])
    ]
    return {part for each in parts if isinstance(each, ast.expr) for part, sure in evaluated(each) if sure}


def all_blocks(block: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Give a block and all blocks inside of it."""
    yield block
    for statement in block:
        for inner in blocks(statement):
            yield from all_blocks(inner)


def evaluated(node: ast.expr, *, sure: bool = True) -> Iterator[tuple[ast.expr, bool]]:
    """Give the parts of an expression in the order in which they are evaluated, itself last; with each, whether it is
    evaluated exactly once.
    """
    for part, certain in _parts(node):
        yield from evaluated(part, sure=sure and certain)
    yield node, sure


def _parts(node: ast.expr) -> Iterable[tuple[ast.expr, bool]]:
    match node:
        case ast.Lambda():
            return []
        case ast.BoolOp(values=[first, *others]):
            return [(first, True), *((other, False) for other in others)]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [(test, True), (body, False), (orelse, False)]
        case ast.Compare(left=left, comparators=[first, *others]):
            return [(left, True), (first, True), *((other, False) for other in others)]
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return _comprehended(node)
        case ast.Dict(keys=keys, values=values):
            return [(part, True) for pair in zip(keys, values, strict=True) for part in pair if part is not None]
        case ast.Call(func=func, args=args, keywords=keywords):
            owner = [func.value] if isinstance(func, ast.Attribute) else []
            return [(part, True) for part in [*owner, *args, *(keyword.value for keyword in keywords)]]
    return [(child, True) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _comprehended(node: Comprehension) -> list[tuple[ast.expr, bool]]:
    first, *others = node.generators
    inner = [*first.ifs]
    for generator in others:
        inner += [generator.iter, *generator.ifs]
    inner += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return [(first.iter, True), *((part, False) for part in inner)]


def body_of(element: Rewritable, app: Application) -> Body:
    """Return a changed element's body, analyzed within the application that it changes."""
    if isinstance(element, Screen):
        return Body(element, screen_model(element, app).body, app)
    parameters = element.parameters if isinstance(element, Action) else ()
    found = remembered(
        "body",
        element,
        app,
        lambda: analyze_body(element.body, element.body_place, app, parameters=parameters, element=element.id),
    )
    return Body(element, found, app)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a rule made of a body: the same element where it did nothing. `done` says that it would do nothing more."""

    element: Rewritable
    findings: list[Finding]
    done: bool = False


def rewrite_bodies(
    app: Application, chosen: Callable[[Body], bool], rule: Callable[[Body], Changed]
) -> tuple[Application, tuple[Finding, ...]]:
    """Apply a rule to the bodies that are chosen until it has nothing to do; what it could not do is told last."""
    changed: dict[str, Element] = {}
    findings: list[Finding] = []
    for body in small_bodies(app):
        element, found = of_each(body, chosen, rule, partial(_rewritten, body, chosen, rule))
        findings += found
        if element is not body.element:
            changed[element.id] = element
    if not changed:
        return app, tuple(findings)
    elements = [changed.get(element.id, element) for element in app.elements]
    return Application.of(app.name, app.title, elements), tuple(findings)


def _rewritten(
    body: Body, chosen: Callable[[Body], bool], rule: Callable[[Body], Changed]
) -> tuple[Rewritable, list[Finding]]:
    """Apply a rule to one body until it has nothing to do."""
    element, findings = body.element, cast("list[Finding]", [])
    if not chosen(body):
        return element, findings
    for _ in range(_MOST_ROUNDS):
        found = rule(body)
        done = found.done or found.element is body.element
        findings += [finding for finding in found.findings if finding.acted or done]
        element = found.element
        if done:
            break
        body = body_of(element, body.app)
    return element, findings


def bodies(app: Application) -> tuple[Body, ...]:
    """Return the bodies of actions, jobs and screens that can be read without a problem; the same objects each time."""
    cached: tuple[Body, ...] | None = app.__dict__.get("_bodies_to_optimize")
    if cached is None:
        found = analyze(app).bodies
        elements: list[Rewritable] = [*app.actions.values(), *app.jobs.values(), *app.screens.values()]
        cached = tuple(
            Body(element, found[element.id], app)
            for element in elements
            if element.id in found and is_sound(found[element.id])
        )
        app.__dict__["_bodies_to_optimize"] = cached
    return cached


def small_bodies(app: Application) -> tuple[Body, ...]:
    """Return those bodies that are not too large to be changed."""
    return tuple(body for body in bodies(app) if body.is_small)


def is_sound(analysis: BodyAnalysis) -> bool:
    """Say whether a body has something in it and no error."""
    return bool(analysis.tree.body) and not any(problem.severity == "error" for problem in analysis.problems)
