"""Writes generators/requirements.lock: what a generated application runs on, pinned with hashes to the versions in
uv.lock, which are those that are tested; after a line, what the kernel adds that runs jobs.

    the service: its pins and hashes
    # --- jobs
    what ipykernel adds to them

`make requirements` runs it after uv.lock has changed; a test says where the two do not agree.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "generators" / "requirements.lock"
UV = Path(sys.executable).with_name("uv")
PYTHON = "3.11"  # the oldest that an application may run on
SERVICE = (
    "starlette",
    "msgspec",
    "asyncpg",
    "granian",
    "argon2-cffi",
    "nats-py",
    "httpx",
    "alembic",
    "sqlalchemy[asyncio]",
)
JOBS = ("ipykernel",)
DIVISION = "# --- jobs\n"
CONSTRAINTS = "constraints.txt"


def uv(directory: Path, *words: str, given: str = "") -> str:
    """Run uv in a directory; return what it says."""
    done = subprocess.run((UV, *words), cwd=directory, input=given, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def compile_pins(names: tuple[str, ...], directory: Path) -> list[str]:
    """Return a block of text for each distribution that the names need, on any machine: its pin and its hashes.

    The directory, which has the constraints, is not the repository's: there uv would narrow the pins to the machines
    that pyproject.toml names, and an application may run on others.
    """
    quiet = ("--quiet", "--no-header", "--no-annotate")
    words = ("--universal", "--python-version", PYTHON, "--generate-hashes", "--constraints", CONSTRAINTS)
    text = uv(directory, "pip", "compile", *quiet, *words, "-", given="\n".join(names))
    return re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]


def requirements() -> str:
    """Return the text of the lock."""
    everything = ("--all-groups", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate")
    with tempfile.TemporaryDirectory(prefix="lowcode-requirements-") as name:
        folder = Path(name)
        (folder / CONSTRAINTS).write_text(uv(ROOT, "export", "--quiet", "--frozen", *everything))
        service = compile_pins(SERVICE, folder)
        added = [block for block in compile_pins((*SERVICE, *JOBS), folder) if block not in service]
    return "".join([*service, DIVISION, *added])


def main() -> int:
    """Write the lock, and say whether it changed."""
    before, after = LOCK.read_text("utf-8"), requirements()
    LOCK.write_text(after, "utf-8")
    sys.stdout.write(f"{LOCK.relative_to(ROOT)} {'is as it was' if after == before else 'changed'}\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
