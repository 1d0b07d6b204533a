"""The magics of one running shell: definitions go to the session, verbs to the workbench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lowcode_kernel.language.scaffold import read_scaffold
from lowcode_kernel.language.use import read_use
from lowcode_kernel.magics.lines import HELP, LINES, is_said
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.session import Session, notebook_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from lowcode_kernel.assembly import Model
    from lowcode_kernel.elements import Element
    from lowcode_kernel.language import CellReading
    from lowcode_kernel.magics.workbench import Workbench

DEFINITIONS = ("entity", "struct", "query", "action", "screen", "job", "integration", "data", "test")


class Notebook:
    """Joins a shell with a session. `session` is the model at hand."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.session = Session()

    def register(self) -> None:
        """Hook into the shell: every cell is read before it runs."""
        from lowcode_kernel.magics.verbs import MODULES

        register = cast("Any", self.shell.register_magic_function)  # its annotations know only its use as a decorator
        self.shell.events.register("pre_run_cell", self._before_cell)
        for name in DEFINITIONS:
            register(self._definition(name), "cell", name)
        for name in LINES:
            register(self._line(name), "line", name)
        for name in MODULES:
            if name not in DEFINITIONS:
                register(self._verb(name), "line", name)
        for name in ("data", "test"):
            register(self._verb(name), "line", name)
        self._complete()
        register(self._logs, "cell", "logs")

    def _complete(self) -> None:
        """Suggest names while one types; a plain shell without a completer has none."""
        from lowcode_kernel.magics.completion import register_completion

        if getattr(self.shell, "Completer", None) is not None:
            register_completion(self.shell, lambda: self.session.model.application)

    @property
    def workbench(self) -> Workbench:
        """The bench over the session's model, in the notebook's folder."""
        from lowcode_kernel.magics.workbench import Workbench

        path = notebook_path()
        return Workbench(self._model, (path.parent if path else Path()).resolve())

    def _model(self) -> Model:
        return self.session.model

    def _before_cell(self, info: ExecutionInfo) -> None:
        cell_id = getattr(info, "cell_id", None)
        count = self.shell.execution_count - int(bool(info.store_history))  # it counts the cell before it runs
        self.session.run_cell(str(info.raw_cell or ""), cell_id=cell_id, count=count)

    # definitions

    def _definition(self, kind: str) -> Callable[[str, str], None]:
        def define(line: str, cell: str) -> None:
            reading = self.session.current
            if reading is None or not (reading.problems or any(element.kind == kind for element in reading.elements)):
                text = f"%%{kind} {line}\n{cell}"  # called by a program, not by a cell
                reading = self.session.run_cell(text, cell_id=None, count=self.shell.execution_count)
            if reading.problems:
                raise LowcodeError(*reading.problems)
            self._show_elements(reading.elements)

        define.__doc__ = f"Define {'an' if kind[0] in 'aei' else 'a'} {kind}: see the language in README.md."
        return define

    def _line(self, kind: str) -> Callable[[str], None]:
        def define(line: str) -> None:
            if line.strip() in {"-h", "--help", "?"}:
                print(HELP[kind])  # noqa: T201 - what a magic prints is its output
                return
            reading = self.session.current
            if reading and reading.problems:
                raise LowcodeError(*reading.problems)
            if not (reading and is_said(kind, reading)):
                fact = f"%{kind} {line} does not stand at the start of a line"
                raise LowcodeError.of(fact, "a definition is not part of a block or an expression", code="LK016")
            self._show_line(kind, line, reading)

        define.__doc__ = f"Define the {kind}: `%{kind} -h` tells how."
        return define

    def _show_line(self, kind: str, line: str, reading: CellReading) -> None:
        """Show what a line brings that the cell does not say: a scaffold's elements, those of other notebooks."""
        from IPython.display import display

        from lowcode_kernel.magics.lines import scaffold_text, scaffold_view, use_view

        if kind == "scaffold":
            read = read_scaffold(line, reading.place)
            for scaffold in reading.scaffolds:
                if scaffold.entity != read.entity:
                    continue
                if scaffold.shown:
                    print(scaffold_text(scaffold, self.session.model))  # noqa: T201 - to copy into cells
                else:
                    display(scaffold_view(scaffold, self.session.model))
        elif kind == "use":
            path = read_use(line, reading.place).path
            for use in reading.uses:
                if use.path == path:
                    display(use_view(use, self.session.model))

    def _show_elements(self, elements: tuple[Element, ...]) -> None:
        from IPython.display import display

        from lowcode_kernel.magics.showing import element_view

        for element in elements:
            display(element_view(element, self.session.model))

    # verbs

    def _verb(self, name: str) -> Callable[[str], None]:
        def run(line: str) -> None:
            self._run_verb(name, line)

        run.__doc__ = f"%{name}: `%{name} -h` tells its arguments."
        return run

    def _logs(self, line: str, cell: str) -> None:
        """Query the logs of an environment: `%%logs dev` with DuckDB SQL below."""
        self._run_verb("logs", line, extra=["--sql", cell])

    def _run_verb(self, name: str, line: str, extra: list[str] | None = None) -> None:
        from IPython.display import display

        from lowcode_kernel.magics.verbs import find_verb
        from lowcode_kernel.magics.verbs.verb import Help, parse, split

        found = find_verb(name)
        try:
            arguments = parse(found, [*split(line, f"%{name}"), *(extra or [])], prefix="%")
        except Help as text:
            print(text)  # noqa: T201 - what a magic prints is its output
            return
        result = found.run(self.workbench, arguments, display)
        if arguments.output:
            self.shell.user_ns[arguments.output] = result.value
        if arguments.json:
            from lowcode_kernel.magics.showing import as_json

            print(as_json(result.value if result.json is None else result.json))  # noqa: T201 - as above
        elif result.view is not None:
            display(result.view)
        if result.status == 1 and name in {"check", "test"}:
            raise LowcodeError.of(f"%{name} found what has to be put right", "see above", code="LK004")
