"""What the package declares is all that it needs: with the run-time dependencies alone, every module is imported.

An environment of its own, from the lock; the wheels are those that `make` fetched. The development group brings many
packages that would hide a missing one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"
IMPORT_ALL = """
import importlib, pkgutil
import lowcode_kernel
from sqlalchemy.util import greenlet_spawn  # what the upgrade of a database runs on; SQLAlchemy has it as an extra
for module in pkgutil.walk_packages(lowcode_kernel.__path__, "lowcode_kernel."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(greenlet_spawn.__name__)
"""


def test_every_module_imports_with_the_declared_dependencies_alone(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    environment["UV_PROJECT_ENVIRONMENT"] = str(tmp_path / "env")
    sync = (UV, "sync", "--frozen", "--no-default-groups", "--offline", "--quiet", "--python", sys.executable)
    made = subprocess.run(sync, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if made.returncode != 0 and "cache" in made.stderr:
        pytest.skip(f"the wheels are not in uv's cache: {made.stderr.splitlines()[-1]}")
    assert made.returncode == 0, made.stderr
    python = tmp_path / "env" / "bin" / "python"
    done = subprocess.run((python, "-c", IMPORT_ALL), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "greenlet_spawn"
