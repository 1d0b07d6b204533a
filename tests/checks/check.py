"""What CI runs first, and `make check` alone: format, lint, types, architecture, packaging; a line and a time for each.

All steps run even when one fails, so that one run shows all that is wrong. What a step prints is shown when it fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKS = ROOT / "build" / "types" / "lowcode_kernel"
FOLDERS = ("magics", "widgets", "generators", "farm")
PYTHON = sys.executable


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of the check; `shown` output is printed also when all is well."""

    name: str
    command: tuple[str, ...]
    directory: Path = ROOT
    shown: bool = False


STEPS = (
    Step(name="format", command=(PYTHON, "-m", "ruff", "format", "--quiet", "--diff", ".")),
    Step(name="lint", command=(PYTHON, "-m", "ruff", "check", "--quiet", ".")),
    Step(
        name="types",
        command=(PYTHON, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "lowcode_kernel"),
        directory=LINKS.parent,
    ),
    Step(
        name="test-types",
        command=(
            "env",
            f"MYPYPATH={LINKS.parent}",  # where the tests' imports of the packages are found, as in the step before
            PYTHON,
            "-m",
            "mypy",
            "tests/checks",
            "tests/farm",
            "tests/bench",
            "tests/postgres.py",
        ),
    ),
    Step(
        name="architecture",
        command=(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-s", "tests/test_architecture.py"),
        shown=True,
    ),
    Step(name="packaging", command=(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_packaging.py")),
)


def link_types() -> None:
    """Lay out the packages as they are imported: type checkers don't see setuptools' mapping of folders."""
    LINKS.mkdir(parents=True, exist_ok=True)
    wanted = {entry.name: entry for entry in (ROOT / "lowcode_kernel").iterdir() if entry.name != "__pycache__"}
    wanted |= {folder: ROOT / folder for folder in FOLDERS}
    for link in LINKS.iterdir():
        if link.name not in wanted or link.readlink() != wanted[link.name]:
            link.unlink()
    for name, target in wanted.items():
        if not (LINKS / name).is_symlink():
            (LINKS / name).symlink_to(target)


def run(step: Step) -> bool:
    """Run one step, print its line, and say whether it passed."""
    began = time.monotonic()
    done = subprocess.run(
        step.command, cwd=step.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    sys.stdout.write(f"check: {step.name:<14} {verdict:<6} {time.monotonic() - began:5.1f} s\n")
    if done.returncode or step.shown:
        sys.stdout.write(done.stdout.rstrip() + "\n")
    sys.stdout.flush()
    return done.returncode == 0


def main() -> int:
    """Run the steps, or those that are named: `check.py lint types`."""
    names = sys.argv[1:]
    link_types()
    passed = [run(step) for step in STEPS if not names or step.name in names]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
