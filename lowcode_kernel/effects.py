"""What a part of a body does at worst: what it reads and writes, whether it calls other services, logs, may raise or
leaves the block that it stands in. Actions and local functions that it calls count with all that they do.

    effects_of(statement, body, app).writes      {"Order"}

The answers err on the side of doing: `may_raise` is False only for what certainly can't.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.memo import noted
from lowcode_kernel.totality import is_total as is_total  # where passes look for it
from lowcode_kernel.totality import is_total_expression as is_total_expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.application import Application
    from lowcode_kernel.bodies import BodyAnalysis
    from lowcode_kernel.body_calls import Call
    from lowcode_kernel.types import Type

WRITING = frozenset({"create", "update", "delete"})
_QUIET_CALLS = frozenset({"now", "today"})
_QUIET = (
    ast.Constant
    | ast.Name
    | ast.List
    | ast.Tuple
    | ast.JoinedStr
    | ast.BoolOp
    | ast.IfExp
    | ast.expr_context
    | ast.boolop
    | ast.unaryop
    | ast.cmpop
    | ast.operator
    | ast.keyword
    | ast.Assign
    | ast.Expr
    | ast.If
    | ast.Pass
    | ast.Module
    | ast.FunctionDef
    | ast.arguments
    | ast.arg
)
_LEAVING = ast.Return | ast.Raise | ast.Break | ast.Continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What is done at worst. `reads` and `writes` are names of entities; `terminates` says that a return, raise, break
    or continue is in it.
    """

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    integrations: bool = False
    logs: bool = False
    may_raise: bool = False
    terminates: bool = False

    @property
    def nothing(self) -> bool:
        """Say whether nothing but computing is done: no write, no call of a service, no log."""
        return not (self.writes or self.integrations or self.logs)

    def joined(self, other: Effects) -> Effects:
        """Return what either does."""
        return Effects(
            reads=self.reads | other.reads,
            writes=self.writes | other.writes,
            integrations=self.integrations or other.integrations,
            logs=self.logs or other.logs,
            may_raise=self.may_raise or other.may_raise,
            terminates=self.terminates or other.terminates,
        )


NOTHING = Effects()
_RAISES = Effects(may_raise=True)


def effects_of(node: ast.AST | Iterable[ast.AST], body: BodyAnalysis, app: Application) -> Effects:
    """Return what a node, or nodes, of a body do at worst."""
    nodes = [node] if isinstance(node, ast.AST) else list(node)
    return _Reader(body, app).of(nodes)


class _Reader:
    def __init__(self, body: BodyAnalysis, app: Application) -> None:
        self.body, self.app = body, app
        self.functions: dict[str, ast.FunctionDef] | None = None
        self.inside: list[str] = []

    def of(self, nodes: Iterable[ast.AST]) -> Effects:
        found = NOTHING
        for node in nodes:
            for part in _running(node):
                own = self._own(part)
                if own is not NOTHING:
                    found = found.joined(own)
        return found

    def _own(self, node: ast.AST) -> Effects:
        """Return what a node does itself, without its parts."""
        match node:
            case ast.Call():
                return self._called(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Compare(ops=ops):
                return (
                    NOTHING if all(isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) for op in ops) else _RAISES
                )
            case ast.FormattedValue(format_spec=spec):
                return NOTHING if spec is None else _RAISES
            case ast.UnaryOp(op=op, operand=operand):
                return NOTHING if isinstance(op, ast.Not) or isinstance(operand, ast.Constant) else _RAISES
        if isinstance(node, _LEAVING):
            return Effects(terminates=True, may_raise=isinstance(node, ast.Raise))
        return NOTHING if isinstance(node, _QUIET) else _RAISES

    def _attribute(self, node: ast.Attribute) -> Effects:
        owner = self.body.types.get(node.value)
        if owner is None or owner.optional or owner.many:
            return _RAISES
        if follows(node, owner, self.app):
            return Effects(reads=frozenset({owner.name}), may_raise=True)
        given = self.body.types.get(node)
        if owner.kind == "entity" and given is not None and given.many and owner.name in self.app.entities:
            return Effects(
                reads=frozenset({owner.name}), may_raise=True
            )  # other rows' keys are in a table of their own
        known = owner.kind in {"entity", "query", "struct"}
        return NOTHING if known else _RAISES

    def _called(self, node: ast.Call) -> Effects:
        call = self.body.calls.get(node)
        if call is None:
            return self._local(node)
        match call.kind:
            case "query":
                analysis = analyze(self.app).queries.get(call.name)
                return Effects(reads=frozenset(analysis.entities if analysis else ()), may_raise=True)
            case "entity":
                names = frozenset({call.name})
                return (
                    Effects(writes=_written(call, self.app), reads=names, may_raise=True)
                    if call.method in WRITING
                    else Effects(reads=names, may_raise=True)
                )
            case "action":
                return _action_effects(call.name, self.app).joined(_RAISES)
            case "integration":
                return Effects(integrations=True, may_raise=True)
            case "log":
                return Effects(logs=True)
        quiet = call.kind == "together" or (call.kind == "builtin" and call.name in _QUIET_CALLS)
        return NOTHING if quiet else self._local(node)

    def _local(self, node: ast.Call) -> Effects:
        """A local function does what is in it; functions that are given as arguments may be called as well."""
        found = _RAISES
        names = [node.func, *node.args, *(word.value for word in node.keywords)]
        for name in [part.id for part in names if isinstance(part, ast.Name)]:
            function = self._functions().get(name)
            if function is not None and name not in self.inside:
                self.inside.append(name)
                inner = self.of(function.body)
                self.inside.pop()
                found = found.joined(_within(inner))
        return found

    def _functions(self) -> dict[str, ast.FunctionDef]:
        if self.functions is None:
            every = ast.walk(self.body.tree)
            self.functions = {node.name: node for node in every if isinstance(node, ast.FunctionDef)}
        return self.functions


def follows(node: ast.Attribute, owner: Type, app: Application) -> bool:
    """Say whether an attribute is asked of a key, so that its row is loaded."""
    if owner.kind != "entity" or owner.loaded or owner.many or owner.keyed:
        return False
    entity = app.entities.get(owner.name)
    return (node.attr,) != (entity.key if entity else ("id",))


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Give a node and the parts that run with it: a local function's body runs where it is called."""
    left = [node]
    while left:
        part = left.pop()
        yield part
        if isinstance(part, ast.FunctionDef):
            left.extend([*part.args.defaults, *(default for default in part.args.kw_defaults if default)])
        else:
            left.extend(ast.iter_child_nodes(part))


def _within(effects: Effects) -> Effects:
    """A function's return ends the function alone."""
    return Effects(
        reads=effects.reads,
        writes=effects.writes,
        integrations=effects.integrations,
        logs=effects.logs,
        may_raise=effects.may_raise,
    )


def _written(call: Call, app: Application) -> frozenset[str]:
    """Deleting a row deletes or changes the rows that refer to it, where their references say so."""
    if call.method != "delete":
        return frozenset({call.name})
    referring = noted(app.__dict__, "_referring", lambda: _referring(app))
    found, left = {call.name}, [call.name]
    while left:
        for other in referring.get(left.pop(), ()):
            if other not in found:
                found.add(other)
                left.append(other)
    return frozenset(found)


def _referring(app: Application) -> dict[str, list[str]]:
    """Return the entities whose rows a deletion touches, by the entity that is deleted from."""
    found: dict[str, list[str]] = {}
    for entity in app.entities.values():
        for attribute in entity.attributes:
            if attribute.type.kind == "entity" and (attribute.on_delete != "restrict" or attribute.type.many):
                found.setdefault(attribute.type.name, []).append(entity.name)
    return found


def _action_effects(name: str, app: Application) -> Effects:
    """Return what an action does; one that calls itself does what it does."""
    return noted(app.__dict__, f"_effects of {name}", lambda: _strongly_joined(name, app))


def _strongly_joined(name: str, app: Application) -> Effects:
    """Work out an action by its own parts, and those of all actions that it reaches."""
    bodies = analyze(app).actions
    found, left, effects = {name}, [name], NOTHING
    while left:
        body = bodies.get(left.pop())
        if body is None:
            continue
        reader = _Reader(body, app)
        for part in [part for statement in body.tree.body for part in _everything(statement)]:
            call = body.calls.get(part) if isinstance(part, ast.Call) else None
            if call is not None and call.kind == "action":
                if call.name not in found:
                    found.add(call.name)
                    left.append(call.name)
            else:
                effects = effects.joined(reader._own(part))  # noqa: SLF001 - its own class
    return _within(effects)


def _everything(node: ast.AST) -> Iterator[ast.AST]:
    return ast.walk(node)


# who may read


def may_always_read(element_id: str, entities: Iterable[str], app: Application) -> bool:
    """Say whether whoever reaches the element may read these entities, so that no read of them is ever refused.

    An action is reached with its own roles where a screen or the outside runs it, and with those of each caller where
    it is called. Jobs act for nobody and may all. Tests are not deployed and don't count.
    """
    asked = [access.read for name in entities if (entity := app.entities.get(name)) and (access := entity.access)]
    asked = [roles for roles in asked if roles]
    if not asked:
        return True
    screen = app.screens.get(element_id.removeprefix("screen:")) if element_id.startswith("screen:") else None
    paths = {frozenset(screen.roles)} if screen else _paths(app).get(element_id, frozenset())
    return all(path and path <= set(roles) for path in paths for roles in asked)


def _paths(app: Application) -> dict[str, frozenset[frozenset[str]]]:
    """Return with which roles each element that runs is reached: each set stands for who has one of these roles, an
    empty one for everybody. Jobs add none.
    """
    return noted(app.__dict__, "_paths", lambda: _find_paths(app))


def _find_paths(app: Application) -> dict[str, frozenset[frozenset[str]]]:
    analysis = analyze(app)
    offered = {item.action for model in analysis.screens.values() for item in model.components() if item.action}
    paths: dict[str, set[frozenset[str]]] = {screen.id: {frozenset(screen.roles)} for screen in app.screens.values()}
    for action in app.actions.values():
        outside = action.rest is not None or action.name in offered
        paths[action.id] = {frozenset(action.roles)} if outside else set()
    called: dict[str, set[str]] = {}
    for element, body in analysis.bodies.items():
        called[element] = {f"action:{call.name}" for call in body.calls.values() if call.kind == "action"}
    left = [element for element in paths if paths[element]]
    while left:
        element = left.pop()
        for target in called.get(element, ()):
            if not paths[element] <= paths.setdefault(target, set()):
                paths[target] |= paths[element]
                left.append(target)
    return {element: frozenset(roles) for element, roles in paths.items()}
