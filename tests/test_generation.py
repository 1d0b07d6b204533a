"""Generated code: what each kind of element becomes (folders in golden/generation), that it is ordinary code, and that
the same model gives the same bytes.

A case is a folder: `model.txt` holds cells with `---` between them, the other files are what the element that the
folder is named for becomes.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import Bundle, File
from lowcode_kernel.generators.formatting import format_files
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.layers.pins import LOCK, locked_names
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.relational import schema_of
from tests.browser.shop import bundle_of_the_shop
from tests.cases import model_of
from tests.generated_application import bundle_of_the_tour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).parent / "golden" / "generation"
ROOT = Path(__file__).parents[1]
OWN = {
    "setting": ("shop/config.py",),
    "role": ("shop/routes.py",),
    "struct": ("shop/structs.py",),
    "rest": ("shop/routes.py",),
}
"""Elements that have no file of their own: where they show."""


@pytest.fixture(scope="module")
def tour() -> Bundle:
    return bundle_of_the_tour()


def shown(bundle: Bundle, kind: str) -> dict[str, str]:
    """Return the files that a kind of element becomes, by path."""
    wanted = OWN.get(kind, ())
    found = [file for file in bundle.files if file.path in wanted or (file.element or "").startswith(f"{kind}:")]
    return {file.path: file.content.decode() for file in found}


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in GOLDEN.glob("*/model.txt")), ids=lambda folder: folder.name
)
def test_an_element_becomes_what_its_folder_shows(folder: Path) -> None:
    cells = (folder / "model.txt").read_text("utf-8").split("\n---\n")
    model = model_of(*cells)
    assert [str(problem) for problem in model.problems] == []
    found = shown(generate(optimize(model.application).application), folder.name.partition("-")[0])
    expected = {
        p.relative_to(folder).as_posix(): p.read_text("utf-8")
        for p in folder.rglob("*")
        if p.is_file() and p.name != "model.txt"
    }
    if os.environ.get("LOWCODE_UPDATE"):
        for path in expected.keys() - found.keys():
            (folder / path).unlink()
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    else:
        assert found == expected


def test_the_same_model_gives_the_same_bytes_in_another_process(tour: Bundle) -> None:
    program = "from tests.generated_application import bundle_of_the_tour; print(bundle_of_the_tour().version)"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LANG": "C"}
    done = subprocess.run(
        (sys.executable, "-c", program), cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == tour.version


def test_no_path_host_or_time_is_in_a_generated_file(tour: Bundle) -> None:
    for file in tour.files:
        assert str(ROOT).encode() not in file.content, file.path
        assert b"/tmp/" not in file.content, file.path


def test_formatting_what_is_formatted_changes_nothing(tour: Bundle) -> None:
    assert tuple(format_files(tour.files, "flightdesk")) == tour.files


def imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_generated_code_never_imports_the_platform(tour: Bundle) -> None:
    for file in tour.files:
        if file.path.endswith(".py"):
            assert not [name for name in imported(file.content) if name.startswith("lowcode")], file.path
        elif file.path.endswith(".ipynb"):
            assert b"lowcode_kernel" not in file.content, file.path


@pytest.mark.parametrize("made", [bundle_of_the_tour, bundle_of_the_shop], ids=["tour", "scaffold"])
def test_generated_code_is_strictly_typed(made: Callable[[], Bundle], tmp_path: Path) -> None:
    bundle = made()
    write_bundle(bundle, tmp_path)
    words = (
        "--strict",
        "--no-error-summary",
        "--ignore-missing-imports",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(tmp_path / bundle.application),
    )
    done = subprocess.run(
        (sys.executable, "-m", "mypy", *words), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


def test_a_job_is_a_notebook_with_parameters(tour: Bundle) -> None:
    (job,) = tour.jobs
    notebook = nbformat.reads(tour.file(job.notebook).content.decode(), as_version=4)
    nbformat.validate(notebook)
    assert [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert any("nightly_summary" in cell.source for cell in notebook.cells)
    (spec,) = json.loads(tour.file("jobs.json").content)
    assert (spec["name"], spec["schedule"], spec["timeout"], spec["retries"]) == (
        "nightly_summary",
        "30 4 * * *",
        300.0,
        2,
    )


def test_openapi_describes_every_address_and_names_only_what_it_defines(tour: Bundle) -> None:
    found = json.loads(tour.file("openapi.json").content)
    assert found["openapi"] == "3.1.0"
    assert {"/api/notes", "/api/actions/write_note", "/api/screens/departures"} <= set(found["paths"])
    named = set(re.findall(r'"#/components/schemas/(\w+)"', tour.file("openapi.json").content.decode()))
    assert named <= set(found["components"]["schemas"])
    operations = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(operations) == len(set(operations))


def test_the_model_leads_from_an_element_back_to_its_cell(tour: Bundle) -> None:
    elements = json.loads(tour.file("model.json").content)["elements"]
    assert elements["action:write_note"]["cell"] > elements["entity:Note"]["cell"] > 0


def test_the_readme_names_every_variable_that_the_configuration_reads(tour: Bundle) -> None:
    readme = tour.file("README.md").content.decode()
    names = (
        "DATABASE_URL",
        "NATS_URL",
        "RELEASE",
        "ENVIRONMENT",
        "HOST_NAME",
        "SPOOL_DIRECTORY",
        "COOKIE_SECURE",
        "POOL_SIZE",
        "SESSION_HOURS",
    )
    for name in (*names, "SETTING_LATE_AFTER", "INTEGRATION_WEATHER_URL", "./start", "alembic"):
        assert name in readme


def test_pins_and_their_hashes_are_those_of_our_own_lock(tour: Bundle) -> None:
    packages = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]}
    text = LOCK.read_text("utf-8")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.replace("# --- jobs\n", "")):
        name, version, marker = re.match(r"([A-Za-z0-9_.-]+)==([^ ;\\]+)([^\\]*)", block).groups()
        if "win32" in marker and name not in packages:
            continue
        assert packages[name]["version"] == version, name
        files = [*packages[name].get("wheels", ()), *([packages[name]["sdist"]] if "sdist" in packages[name] else ())]
        # our lock is for Linux and macOS; the application's has the files of every system
        assert {file["hash"] for file in files} <= set(re.findall(r"sha256:[0-9a-f]{64}", block)), name
    assert {"starlette", "asyncpg", "granian", "ipykernel"} <= locked_names(
        tour.file("requirements.txt").content.decode()
    )


def test_the_kernel_is_required_only_where_there_are_jobs() -> None:
    bundle = generate(model_of("(shop)", '%%screen home "/"\ntitle("Home")').application)
    assert "ipykernel" not in locked_names(bundle.file("requirements.txt").content.decode())


# writing


def bundle_of(files: dict[str, bytes]) -> Bundle:
    schema = schema_of(model_of("(shop)").application)
    return Bundle(
        application="shop",
        title="",
        files=tuple(File(path=path, content=files[path]) for path in sorted(files)),
        schema=schema,
    )


def test_only_what_changed_is_written_and_only_our_own_is_deleted(tmp_path: Path) -> None:
    write_bundle(bundle_of({"a.py": b"1", "b.py": b"1", "old/c.py": b"1"}), tmp_path)
    (tmp_path / "mine.py").write_bytes(b"by hand")
    before = (tmp_path / "a.py").stat().st_mtime_ns
    done = write_bundle(bundle_of({"a.py": b"1", "b.py": b"2"}), tmp_path)
    assert (done.written, done.deleted, done.kept) == (("b.py",), ("old/c.py",), ())
    assert (tmp_path / "a.py").stat().st_mtime_ns == before
    assert (tmp_path / "mine.py").read_bytes() == b"by hand"


def test_an_edit_by_hand_is_kept_and_told_each_time(tmp_path: Path) -> None:
    write_bundle(bundle_of({"a.py": b"1"}), tmp_path)
    (tmp_path / "a.py").write_bytes(b"by hand")
    for content in (b"1", b"2", b"3"):
        done = write_bundle(bundle_of({"a.py": content}), tmp_path)
        assert (done.written, done.kept) == ((), ("a.py",))
        assert "kept because they were changed by hand: a.py" in str(done)
    assert (tmp_path / "a.py").read_bytes() == b"by hand"
    assert write_bundle(bundle_of({}), tmp_path).kept == ("a.py",)


def test_a_file_that_was_there_before_us_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"mine")
    assert write_bundle(bundle_of({"README.md": b"generated"}), tmp_path).kept == ("README.md",)
    assert (tmp_path / "README.md").read_bytes() == b"mine"


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b/c", "b/d"]), st.binary(max_size=2)), min_size=1, max_size=4))
def test_a_folder_ends_as_the_last_bundle_written(
    tmp_path_factory: pytest.TempPathFactory, versions: list[dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("written")
    for files in versions:
        write_bundle(bundle_of(files), folder)
    there = {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.name.startswith(".")
    }
    assert there == versions[-1]


def test_an_action_that_no_screen_offers_can_not_be_run_by_its_name() -> None:
    app = model_of(
        "(shop)",
        '%%action clear() --role Manager\nlog("cleared")',
        '%%action count_it() --role Manager\nlog("counted")',
        '%%job nightly "0 2 * * *"\nclear()',
        '%%screen home "/" --role Manager\nbutton("Count", count_it)',
    ).application
    bundle = generate(app)
    assert b'OFFERED: frozenset[str] = frozenset({"count_it"})' in bundle.file("shop/handlers.py").content
    assert b"/api/actions/clear" not in bundle.file("openapi.json").content


def test_what_a_condition_found_present_is_not_asked_for_again(tour: Bundle) -> None:
    text = tour.file("flightdesk/screens/notes.py").content.decode()
    assert "if note is not None and (not (await entities.note.get(context, note)).resolved):" in text


def test_what_is_emitted_leaves_the_analyzed_trees_as_they_are() -> None:
    cells = (GOLDEN / "action-control" / "model.txt").read_text("utf-8").split("\n---\n")
    app = model_of(*cells).application
    body = analyze(app).actions["settle"]
    before = ast.dump(body.tree, include_attributes=True)
    first = generate(app).file("shop/actions/settle.py")
    assert ast.dump(body.tree, include_attributes=True) == before
    assert generate(app).file("shop/actions/settle.py") == first
