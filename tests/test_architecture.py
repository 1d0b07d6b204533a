"""The laws that hold everywhere: who imports whom, one door for each third party, how long things are, what loads.

Everything is read from the source with `ast`; nothing is imported here but in processes of its own.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = "lowcode_kernel"
FOLDERS = (CORE, "generators", "farm", "widgets", "magics")

# who may import whom; each may import itself
ALLOWED = {
    CORE: set(),
    "generators": {CORE},
    "farm": {CORE},
    "widgets": {CORE},
    "magics": {CORE, "generators", "farm", "widgets"},
}
# the one exception: IPython calls it in the package that `%load_ext` names
ENTRY_POINT = ("lowcode_kernel/__init__.py", "load_ipython_extension")

# third parties that are used everywhere, as the standard library is
EVERYWHERE = {"msgspec", "lowcode_kernel", "__future__"}
# one door per folder and third party: a library that isn't named here may be imported by one module of a folder, and
# naming it says which. Where there are two doors, a comment says why
DOORS: dict[tuple[str, str], tuple[str, ...]] = {
    (CORE, "networkx"): ("lowcode_kernel/graph.py",),
    (CORE, "sqlglot"): ("lowcode_kernel/sql.py",),
    ("generators", "jinja2"): ("generators/templating.py",),
    ("farm", "alembic"): ("farm/upgrade_process.py",),
    # the lake of events in one, files of rows (`%%data`) in the other
    ("farm", "duckdb"): ("farm/lake.py", "farm/files_reader.py"),
    ("farm", "fabric"): ("farm/ssh.py",),
    ("farm", "nats"): ("farm/queue.py",),
    ("farm", "papermill"): ("farm/run_notebook.py",),
    ("farm", "paramiko"): ("farm/ssh.py",),
    # statements and their results in one, COPY in the other
    ("farm", "psycopg"): ("farm/databases.py", "farm/loading.py"),
    # the tables in one, the statements of a deployment's journal in the other
    ("farm", "sqlalchemy"): ("farm/metadata.py", "farm/journal.py"),
    # what a cell does, what it shows, and what the Tab key offers in it
    ("magics", "IPython"): ("magics/notebook.py", "magics/showing.py", "magics/completion.py"),
    ("widgets", "ipycytoscape"): ("widgets/graph_view.py",),
    ("widgets", "ipywidgets"): ("widgets/controls.py",),
    # showing a view, and showing one that changes in place
    ("widgets", "IPython"): ("widgets/view.py", "widgets/progress_view.py"),
}

# never loaded by `import lowcode_kernel`, and never by `%load_ext lowcode_kernel`
HEAVY = set(
    [
        "networkx",
        "sqlglot",
        "duckdb",
        "fabric",
        "paramiko",
        "papermill",
        "ipywidgets",
        "ipycytoscape",
        "pandas",
        "sqlalchemy",
        "numpy",
        "pyarrow",
        "matplotlib",
        "jinja2",
        "alembic",
        "nats",
        "asyncpg",
        "psycopg",
        "starlette",
        "httpx",
        "jupyterlab",
        "nbconvert",
        "nbclient",
        "jupyter_server",
    ]
)

MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_MODULE = 400
MEDIAN, NINE_OF_TEN = 8, 25
FEW = 10  # of which a median says nothing


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement: which file, which absolute module, inside which function, only for type checkers or not."""

    file: str
    line: int
    module: str
    function: str
    typing_only: bool

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def sources(*folders: str) -> list[Path]:
    """Return the Python files of the folders, in order; templates are not ours to judge."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not {"templates", "golden", "__pycache__"} & set(path.parts)]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def dotted(path: Path) -> str:
    """Return the name under which a file is imported: `farm/hosts.py` is `lowcode_kernel.farm.hosts`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == CORE else (CORE, *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the absolute module of a `from` import."""
    if not node.level:
        return node.module or ""
    package = dotted(path).split(".")
    levels_up = node.level - (path.name == "__init__.py")
    base = package[: len(package) - levels_up]
    return ".".join([*base, node.module] if node.module else base)


class Walker(ast.NodeVisitor):
    """Collects the imports of one file, with the function and the TYPE_CHECKING block around each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[Import] = []
        self.functions: list[str] = []
        self.typing = 0

    def add(self, line: int, module: str) -> None:
        around = self.functions[0] if self.functions else ""
        name = self.path.relative_to(ROOT).as_posix()
        self.found.append(Import(name, line, module, around, bool(self.typing)))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = absolute(node, self.path)
        if module == CORE:  # `from lowcode_kernel import farm` names a folder
            for alias in node.names:
                self.add(node.lineno, f"{module}.{alias.name}")
        else:
            self.add(node.lineno, module)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.functions.append(node.name)
        self.generic_visit(node)
        self.functions.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        only = "TYPE_CHECKING" in ast.unparse(node.test)
        self.typing += only
        for child in node.body:
            self.visit(child)
        self.typing -= only
        for child in node.orelse:
            self.visit(child)


@cache
def imports() -> tuple[Import, ...]:
    """Return every import of the product."""
    found: list[Import] = []
    for path in sources(*FOLDERS):
        walker = Walker(path)
        walker.visit(tree(path))
        found += walker.found
    return tuple(found)


def folder_of(module: str) -> str | None:
    """Return the folder that an imported module lies in, None for a third party."""
    parts = module.split(".")
    if parts[0] != CORE:
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else CORE


def functions(*folders: str) -> list[tuple[str, int]]:
    """Return (place and name, lines) of each function; its docstring is not counted."""
    measured = []
    for path in sources(*folders):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                measured.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines))
    return measured


def listing(found: list[str]) -> str:
    return "\n  ".join(["", *found])


def test_folders_import_only_what_they_may() -> None:
    wrong = [
        f"{one.place} imports {one.module}"
        for one in imports()
        if (target := folder_of(one.module)) is not None
        and target != (own := one.file.split("/")[0])
        and target not in ALLOWED[own]
        and (one.file, one.function) != ENTRY_POINT
    ]
    assert not wrong, listing(wrong)


def test_the_folders_are_only_imported_under_the_package_name() -> None:
    """`import magics` finds a notebook's own file of that name, or nothing once installed."""
    bare = {"generators", "farm", "widgets", "magics"}
    wrong = [f"{one.place} imports {one.module}" for one in imports() if one.module.split(".")[0] in bare]
    for path in sources("tests"):
        walker = Walker(path)
        walker.visit(tree(path))
        wrong += [f"{one.place} imports {one.module}" for one in walker.found if one.module.split(".")[0] in bare]
    assert not wrong, listing(wrong)


def test_the_entry_point_is_the_only_way_up_from_the_core() -> None:
    """The exception stays one: the extension's loader imports `magics`, inside the function."""
    ups = [one for one in imports() if one.file == ENTRY_POINT[0] and folder_of(one.module) not in (CORE, None)]
    assert [(one.module, one.function) for one in ups] == [("lowcode_kernel.magics", ENTRY_POINT[1])]


def libraries() -> dict[tuple[str, str], set[str]]:
    """Return (folder, third party) -> the files that import it when they run."""
    used: dict[tuple[str, str], set[str]] = {}
    for one in imports():
        library = one.module.split(".")[0]
        if library not in sys.stdlib_module_names | EVERYWHERE and not one.typing_only:
            used.setdefault((one.file.split("/")[0], library), set()).add(one.file)
    return used


def test_each_third_party_has_one_door_in_each_folder() -> None:
    wrong = []
    for (folder, library), files in sorted(libraries().items()):
        doors = DOORS.get((folder, library))
        strangers = sorted(files.difference(doors or files))
        wrong += [f"{file} imports {library}; its door in {folder} is {' or '.join(doors or ())}" for file in strangers]
        if doors is None and len(files) > 1:
            wrong.append(f"{library} has {len(files)} doors in {folder}: {', '.join(sorted(files))}")
    assert not wrong, listing(wrong)


def test_the_table_of_doors_names_what_is_there() -> None:
    used = libraries()
    unused = [f"{door}: {key[1]}" for key, doors in DOORS.items() for door in doors if door not in used.get(key, set())]
    assert not unused, listing(unused)


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{name}: {lines} lines" for name, lines in functions(*FOLDERS, "tests") if lines > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long, listing(long)


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_are_short_as_a_rule(folder: str) -> None:
    """Median 8 lines, nine of ten within 25; the longest are printed, for whoever reads on."""
    measured = sorted(functions(folder), key=lambda one: one[1])
    lines = [count for _, count in measured]
    if len(lines) < FEW:
        return
    median, tenth = statistics.median(lines), lines[int(len(lines) * 0.9)]
    sys.stdout.write(
        f"\n{folder}: {len(lines)} functions, median {median:g} lines, nine of ten within {tenth}; longest: "
    )
    sys.stdout.write(", ".join(f"{name} {count}" for name, count in measured[:-4:-1]))
    assert (median <= MEDIAN, tenth <= NINE_OF_TEN) == (True, True)


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in sources(*FOLDERS)
        if (lines := path.read_text().count("\n")) > MOST_LINES_OF_A_MODULE
    ]
    assert not long, listing(long)


def test_names_say_what_a_thing_is() -> None:
    """No module for what had no place, and no class that manages."""
    modules = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    wrong = [str(path.relative_to(ROOT)) for path in sources(*FOLDERS, "tests") if path.stem in modules]
    for path in sources(*FOLDERS):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Manager", "Helper", "Util", "Utils", "Info")):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} class {node.name}")
    assert not wrong, listing(wrong)


def test_libraries_do_not_print() -> None:
    """What a user sees is a result or an event. A service's own log, `print(..., file=...)`, says where it goes."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(CORE, "generators", "farm", "widgets")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "breakpoint")
        if not any(keyword.arg == "file" for keyword in node.keywords)
    ]
    assert not wrong, listing(wrong)


def test_comments_are_neither_banners_nor_promises() -> None:
    unwanted = re.compile(r"#\s*[-=*#~]{4,}|#.*\b(?:TODO|FIXME|XXX|HACK)\b")
    wrong = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:60]}"
        for path in sources(*FOLDERS, "tests")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unwanted.search(line) and path != Path(__file__)
    ]
    assert not wrong, listing(wrong)


def test_no_failure_is_swallowed_without_a_word() -> None:
    """`except: pass` with nothing to say why: `contextlib.suppress` names the error, a comment gives the reason."""
    wrong = []
    for path in sources(*FOLDERS):
        lines = path.read_text().splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
                text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                if "#" not in text:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, listing(wrong)


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh process has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    third_parties = loaded_after("import lowcode_kernel") & (HEAVY | {"IPython", "msgspec"})
    assert not third_parties


def test_loading_the_extension_loads_nothing_heavy() -> None:
    """Magics import what they need when they run; the budget of `%load_ext` is half a second."""
    shell = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
    before = loaded_after(shell)
    after = loaded_after(shell + "import lowcode_kernel\nlowcode_kernel.load_ipython_extension(shell)")
    assert not (after - before) & HEAVY
