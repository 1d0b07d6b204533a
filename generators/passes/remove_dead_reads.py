"""A read whose value is never used is not made; nor is what only served to compute it.

    rows = open_orders(customer=customer)        (removed: `total` is never read)
    total = 0
    for row in rows:
        total += 1
    log("done")

By data flow, not by names: a value that is assigned over before it is read counts as unused, as does one that only
a branch reads which is never run (`if False:`), or another removed statement. A read goes only where it can't fail and
can't be refused: `Entity.get` raises NotFound, so that it stays unless the row is known to be there. Queries that
nothing uses afterwards are removed by the next rule.
"""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from lowcode_kernel.findings import Finding
from lowcode_kernel.generators.passes.flow_changes import change_bodies, flow_in
from lowcode_kernel.generators.passes.reading import all_blocks, bodies, evaluated, walk
from lowcode_kernel.generators.passes.rewriting import origin_place, text_of
from lowcode_kernel.generators.passes.safety import called_actions, is_list, is_quiet_node, may_write, why_not_free
from lowcode_kernel.liveness import dead_statements

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.flow import Read as FlowRead
    from lowcode_kernel.generators.passes.reading import Body, Read
    from lowcode_kernel.generators.passes.rewriting import Rewriting

RULE = "remove_dead_reads"
_MOST_ROUNDS = 8


def remove_dead_reads(app: Application) -> tuple[Application, tuple[Finding, ...]]:
    """Remove reads that nothing uses, and branches with reads that are never run. What is too large for this rule, and
    for all others that look into bodies, is told here.
    """
    after, findings = change_bodies(
        app, lambda body, reads, change: _Dead(body, change).findings(reads), rounds=_MOST_ROUNDS
    )
    return after, (*findings, *(_too_large(body) for body in bodies(after) if not body.is_small))


def _too_large(body: Body) -> Finding:
    return Finding(
        rule=RULE,
        element=body.element.id,
        place=body.element.place,
        what=f"{body.element.kind} {body.element.name} stays as it is",
        why="its body is too large to be looked into: make several of it",
        acted=False,
    )


class _Dead:
    def __init__(self, body: Body, change: Rewriting) -> None:
        self.body, self.change = body, change
        self.removed: set[ast.AST] = set()

    def findings(self, reads: tuple[FlowRead, ...]) -> list[Finding]:
        found = [] if self.body.is_screen else list(self._unreached())
        if not found:
            found = self._unused()
        gone = {part for statement in self.removed for part in ast.walk(statement)}
        return [*found, *(self._kept(read) for read in reads if self._is_unused(read) and read.node not in gone)]

    # what is never run

    def _unreached(self) -> list[Finding]:
        reached = flow_in(self.body).reached
        found = []
        for block in all_blocks(self.body.analysis.tree.body):
            for number, statement in enumerate(block):
                if statement not in reached:
                    if number and block[number - 1] in reached:
                        found += self._drop(block[number:], "what stands before always leaves")
                    break
                if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant | ast.UnaryOp):
                    found += self._branch(statement, reached)
        return found

    def _branch(self, statement: ast.If, reached: set[ast.AST]) -> list[Finding]:
        """Put the branch that is run in the place of an `if` whose condition is known."""
        for dead, live in ((statement.body, statement.orelse), (statement.orelse, statement.body)):
            if dead and dead[0] not in reached and (not live or live[0] in reached) and self._reads(dead):
                self.change.replace_statement(statement, *live)
                self.removed |= set(dead)
                return [self._finding(dead, f"`{ast.unparse(statement.test)}` never lets it run")]
        return []

    def _drop(self, statements: list[ast.stmt], why: str) -> list[Finding]:
        if not self._reads(statements):
            return []
        for statement in statements:
            self.change.replace_statement(statement)
        self.removed |= set(statements)
        return [self._finding(statements, why)]

    def _reads(self, statements: list[ast.stmt]) -> bool:
        return bool(self._reads_in(statements))

    def _reads_in(self, statements: list[ast.stmt]) -> list[Read]:
        return [self.body.reads[node] for node in walk(*statements) if node in self.body.reads]

    # what is never used

    def _unused(self) -> list[Finding]:
        if not any(self._reads([node]) for node in self._candidates()):
            return []
        dead = dead_statements(self.body.analysis.tree.body, self.removable)
        if self.body.is_screen:
            dead = tuple(statement for statement in dead if self._may_leave_screen(statement))
        if not self._reads(list(dead)):
            return []
        for statement in dead:
            self.change.replace_statement(statement)
        self.removed |= set(dead)
        return [self._finding([statement], "its value is never used") for statement in dead]

    def _candidates(self) -> list[ast.stmt]:
        """Return the statements that may be for nothing; a screen's components never are."""
        top = self.body.analysis.tree.body
        if self.body.is_screen:
            return [statement for statement in top if isinstance(statement, ast.Assign)]
        return [statement for statement in top if not isinstance(statement, ast.Return)]

    def _may_leave_screen(self, statement: ast.stmt) -> bool:
        """A screen's block is never left empty, and its components are counted: only values at its top go."""
        return isinstance(statement, ast.Assign) and statement in self.body.analysis.tree.body

    def removable(self, node: ast.expr) -> bool:
        """Say whether an expression need not be evaluated: it has no effect, can't fail and can't be refused."""
        return all(self._is_nothing(part) for part, _ in evaluated(node))

    def _is_nothing(self, part: ast.expr) -> bool:
        read = self.body.reads.get(part)
        if read is not None:
            return not self._why_kept(read)
        match part:
            case ast.ListComp(generators=generators) | ast.GeneratorExp(generators=generators):
                named = all(isinstance(each.target, ast.Name) for each in generators)
                return named and all(is_list(self.body, each.iter) for each in generators)
            case ast.BinOp(left=ast.Name(ctx=ast.Store())):
                return self._adds(part)
        return is_quiet_node(self.body, part)

    def _adds(self, node: ast.BinOp) -> bool:
        """Say whether `total += row.amount` adds whole numbers."""
        name = node.left.id if isinstance(node.left, ast.Name) else ""
        given = [value for value in self.body.assigned.get(name, []) if value is not None]
        types = [self.body.type_of(value) for value in [*given, node.right]]
        whole = all(type_ is not None and type_.name == "Integer" and not type_.optional for type_ in types)
        return bool(given) and whole and isinstance(node.op, ast.Add | ast.Sub)

    def _why_kept(self, read: Read) -> str:
        """Return why a read must be made, or ""."""
        if read.method == "get" and not self._is_there(read):
            return f"{read.name}.get raises NotFound where there is no such row"
        return why_not_free(self.body, read)

    def _is_there(self, read: Read) -> bool:
        """Say whether the row of a key is there: a row's own key, or what a row that may be seen refers to."""
        entity = self.body.app.entities.get(read.name)
        if may_write(self.body) or (entity is not None and entity.access is not None and entity.access.rows):
            return False
        key = read.arguments.get("key")
        given = {part.id for part in ast.walk(key) if isinstance(part, ast.Name)} if key is not None else set()
        if given & self.body.parameters and self.body.element.name in called_actions(self.body.app):
            return False  # whoever calls the action may have deleted the row
        if not isinstance(key, ast.Attribute) or key in self.body.reads:
            type_ = self.body.type_of(key) if key is not None else None
            own = type_ is not None and type_.kind == "entity" and type_.loaded and type_.name == read.name
            return own and not (type_ is None or type_.optional or type_.many)
        owner, type_ = self.body.type_of(key.value), self.body.type_of(key)
        known = owner is not None and owner.kind == "entity" and owner.loaded and not owner.optional
        refers = type_ is not None and type_.kind == "entity" and type_.name == read.name
        return known and refers and (read.form == "follow" or not (type_ is None or type_.optional))

    # what is told

    def _finding(self, statements: list[ast.stmt], why: str) -> Finding:
        names = list(dict.fromkeys(read.words for read in self._reads_in(statements)))
        one = "the value of" if not names else " and ".join(names)
        subject = _target(statements[0]) if not names else one
        return Finding(
            rule=RULE,
            element=self.body.element.id,
            place=origin_place(self.body.element, statements[0]),
            what=f"{subject} is no longer {'read' if names else 'computed'}",
            why=why,
            before=text_of(*statements),
            saved=f"{len(names)} round trip{'s' if len(names) > 1 else ''} per run" if names else "",
        )

    def _is_unused(self, read: FlowRead) -> bool:
        """Say whether an assignment is all that happens to what is read."""
        return not read.uses and not read.crosses and read.node in self._assigned

    @cached_property
    def _assigned(self) -> set[ast.expr]:
        every = walk(*self.body.analysis.tree.body)
        return {node.value for node in every if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}

    def _kept(self, read: FlowRead) -> Finding:
        known = self.body.reads.get(read.node)
        why = self._why_kept(known) if known is not None else "it is one of several that are read together"
        return Finding(
            rule=RULE,
            element=self.body.element.id,
            place=origin_place(self.body.element, read.node),
            what=f"`{ast.unparse(read.node)}` is read, and its value is never used",
            why=why or "what stands around it can't be removed",
            acted=False,
        )


def _target(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(targets=[target, *_]) | ast.AugAssign(target=target):
            return ast.unparse(target)
        case ast.FunctionDef(name=name):
            return f"function {name}"
    return f"`{ast.unparse(statement).splitlines()[0]}`"
