"""The wheel holds everything, and works where nothing of the repository is.

Built from a copy of what git knows, so that no leftover of an earlier build (`build/lib` is put into wheels) can help.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("lowcode_kernel", "magics", "widgets", "generators", "farm")
UV = Path(sys.executable).parent / "uv"
EXTENSION = ROOT / "magics" / "labextension"
KERNEL_FILES = {"kernel.json", "logo-svg.svg", "logo-64x64.png"}


def installed_name(path: str) -> str:
    """Return where a file of the repository lands below site-packages."""
    return path if path.startswith("lowcode_kernel/") else f"lowcode_kernel/{path}"


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command that must succeed; return what it printed."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Every file of the product that git knows, or would add."""
    listed = run("git", "ls-files", "-co", "--exclude-standard", "--", *FOLDERS, cwd=ROOT).splitlines()
    return [path for path in listed if (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def wheel(tracked: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for path in [*tracked, "pyproject.toml", "README.md", "LICENSE"]:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    out = tmp_path_factory.mktemp("wheel")
    build = ("build", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable, "--quiet")
    run(UV, *build, "--out-dir", out, cwd=source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel alone in it."""
    environment = tmp_path_factory.mktemp("installed") / "env"
    run(UV, "venv", "--offline", "--quiet", "--python", sys.executable, environment, cwd=environment.parent)
    into = ("--offline", "--no-deps", "--quiet", "--python", environment / "bin" / "python")
    run(UV, "pip", "install", *into, wheel, cwd=environment.parent)
    return environment


def test_every_package_is_in_the_wheel(tracked: list[str], contents: set[str]) -> None:
    packages = {installed_name(path) for path in tracked if path.endswith("/__init__.py")}
    missing = sorted(packages - contents)
    assert not missing, f"add them to [tool.setuptools] packages: {missing}"


def test_every_folder_with_modules_is_a_package(tracked: list[str]) -> None:
    folders = {str(Path(path).parent) for path in tracked if path.endswith(".py") and "/templates/" not in path}
    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def test_every_module_template_and_data_file_is_in_the_wheel(tracked: list[str], contents: set[str]) -> None:
    missing = sorted({installed_name(path) for path in tracked} - contents)
    assert not missing, f"add them to [tool.setuptools.package-data]: {missing}"


def test_nothing_else_is_in_the_wheel(tracked: list[str], contents: set[str]) -> None:
    known = {installed_name(path) for path in tracked}
    extra = [name for name in contents - known if ".dist-info/" not in name and ".data/" not in name]
    assert extra == []


def test_one_name_is_put_into_site_packages(contents: set[str]) -> None:
    tops = {name.split("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"lowcode_kernel"}


def test_jupyter_finds_the_kernel_of_the_wheel(installed: Path) -> None:
    folder = installed / "share" / "jupyter" / "kernels" / "lowcode"
    assert {path.name for path in folder.iterdir()} >= KERNEL_FILES
    specification = json.loads((folder / "kernel.json").read_text())
    assert specification["argv"][:3] == ["python", "-m", "lowcode_kernel.kernel"]


def test_jupyterlab_finds_the_extension_of_the_wheel(installed: Path) -> None:
    folder = installed / "share" / "jupyter" / "labextensions" / "lowcode-kernel"
    entry = json.loads((folder / "package.json").read_text())["jupyterlab"]["_build"]["load"]
    assert (folder / entry).is_file()
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {path.relative_to(EXTENSION).as_posix() for path in EXTENSION.rglob("*") if path.is_file()}


def test_every_module_of_the_wheel_can_be_imported(installed: Path, contents: set[str]) -> None:
    """Third parties come from this environment, by PYTHONPATH: its editable finder is not followed there."""
    names = sorted(
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in contents
        if name.startswith("lowcode_kernel/") and name.endswith(".py") and "/templates/" not in name
    )
    script = f"""
import importlib, sys
for name in {[name for name in names if not name.endswith("__main__")]!r}:
    module = importlib.import_module(name)
    assert (module.__file__ or "").startswith({str(installed)!r}), (name, module.__file__)
print("imported", len(sys.modules) > 0)
"""
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    out = run(installed / "bin" / "python", "-P", "-c", script, cwd=installed, PYTHONPATH=libraries)
    assert out.startswith("imported")


def test_the_command_is_installed(installed: Path) -> None:
    assert (installed / "bin" / "lowcode").exists()
