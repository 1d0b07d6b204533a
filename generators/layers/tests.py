"""`%%test` cells to a module that runs them, each in a transaction that is rolled back.

What a test sets up goes around the rules of access; what it asks of actions and queries goes by the rules, as a user
who has the test's roles.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import Uses
from lowcode_kernel.generators.layers.actions import lines, symbols
from lowcode_kernel.generators.layers.emission import Emitter
from lowcode_kernel.generators.layers.emission_control import raised
from lowcode_kernel.generators.layers.python_types import standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.language.bodies import place_of

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Test


@dataclass(frozen=True, slots=True, kw_only=True)
class TestView:
    """A test, ready for the template."""

    __test__ = False  # pytest: not a test class

    function: str
    name: str
    roles: list[str]
    body: list[str]


def test_file(app: Application, needed: Uses) -> File:
    """Return the module `cell_tests`; what it uses of entities and queries is added to `needed`."""
    uses = Uses(element="test:cell_tests")
    views = [_view(app, test, number, uses) for number, test in enumerate(app.tests.values(), 1)]
    needed.add(uses)
    text = render(
        "service/cell_tests.py.j2",
        package=app.name,
        tests=views,
        packages=sorted(uses.packages),
        imports=standard_imports(uses.names),
        errors=sorted({"Problem", "Refused", *raised(uses.names)}),
        **symbols(uses.types, app),
    )
    return File(path=f"{app.name}/cell_tests.py", content=text.encode())


def _view(app: Application, test: Test, number: int, uses: Uses) -> TestView:
    analysis = analyze(app).tests[test.name]
    statements = _Testing(app, analysis, uses, access="setup", test=test).statements(analysis.tree.body)
    return TestView(function=f"test_{number}", name=test.name, roles=list(test.roles), body=lines(statements))


class _Testing(Emitter):
    """An assertion says where it stands and what it asked."""

    def __init__(self, *given: object, test: Test, access: str) -> None:
        super().__init__(*given, access=access)  # type: ignore[arg-type]
        self.test = test

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        """All tests are one module: what each imports is its own."""
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        """All tests are one module: what each imports is its own."""
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Add the message."""
        where = place_of(node, self.test.body_place)
        return ast.Assert(
            test=self.value(node.test), msg=ast.Constant(value=f"{where}: {ast.unparse(node.test)} does not hold")
        )
