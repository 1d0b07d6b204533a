"""The door to ruff: all generated Python is formatted in one call, so that it reads as if a person had laid it out."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lowcode_kernel.bundle import File

_CONFIGURATION = """
line-length = 120
target-version = "py311"
[lint]
select = ["F401", "I"]
[lint.isort]
known-first-party = ["{package}"]
"""


def format_files(files: Iterable[File], package: str) -> list[File]:
    """Return the files with all Python formatted and its imports sorted; the others as they are.

    Raises LowcodeError where the disk is full; a text that is no Python is a bug of a template and raises RuntimeError.
    """
    given = list(files)
    with TemporaryDirectory(prefix="lowcode-") as name:
        folder = Path(name)
        try:
            for file in given:
                if file.path.endswith(".py"):
                    target = folder / file.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(file.content)
            (folder / "ruff.toml").write_text(_CONFIGURATION.replace("{package}", package), "utf-8")
        except OSError as error:
            raise LowcodeError.of(
                f"{folder} can't be written: {error.strerror}", "free some disk, or set TMPDIR", code="LK005"
            ) from None
        _run(folder, "check", "--fix", "--quiet")
        _run(folder, "format", "--quiet")
        return [
            replace(file, content=(folder / file.path).read_bytes()) if file.path.endswith(".py") else file
            for file in given
        ]


def _run(folder: Path, *words: str) -> None:
    environment = {**os.environ, "RUFF_NO_CACHE": "true"}
    done = subprocess.run(
        [_ruff(), *words, "."], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode != 0:
        raise RuntimeError(f"generated code can't be formatted:\n{done.stdout}{done.stderr}")


@cache
def _ruff() -> str:
    from ruff import find_ruff_bin

    return str(find_ruff_bin())
