"""The door to ruff: all generated Python is formatted in a few calls, so that it reads as if a person had laid it out.

What was formatted once in this process is known by its text, and is not formatted again.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
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
_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
_MOST = 100_000  # paths that are known; an application of 1,000 entities has 16,000
_VERSIONS = 3  # texts that are known of one path
_known: dict[tuple[str, str], dict[File, File]] = {}


def format_files(files: Iterable[File], package: str) -> list[File]:
    """Return the files with all Python formatted and its imports sorted; the others as they are.

    Raises LowcodeError where the disk is full; a text that is no Python is a bug of a template and raises RuntimeError.
    """
    return Formatting(files, package).result()


class Formatting:
    """The formatting of some files, which goes on beside what this thread does until its `result` is asked for."""

    def __init__(self, files: Iterable[File], package: str) -> None:
        self._files, self._package = list(files), package
        python = [file for file in self._files if file.path.endswith(".py")]
        self._done = {file.path: done for file in python if (done := _known.get((package, file.path), {}).get(file))}
        self._new = [file for file in python if file.path not in self._done]
        self._error: BaseException | None = None
        self._thread = Thread(target=self._format, name="formatting")
        if self._new:
            _ruff()  # before there are two threads: `sysconfig` is not made for that
            self._thread.start()

    def result(self) -> list[File]:
        """Return the files, formatted; raises as `format_files`."""
        if self._new:
            self._thread.join()
        if self._error is not None:
            raise self._error
        return [self._done.get(file.path, file) for file in self._files]

    def _format(self) -> None:
        try:
            for file, formatted in zip(self._new, _formatted(self._new, self._package), strict=True):
                self._done[file.path] = formatted
                _keep(self._package, file, formatted)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error


class AsItIs:
    """Files that are not formatted."""

    def __init__(self, files: Iterable[File], package: str) -> None:
        del package
        self._files = list(files)

    def result(self) -> list[File]:
        """Return the files."""
        return self._files


def forget() -> None:
    """Forget what was formatted."""
    _known.clear()


def _keep(package: str, file: File, formatted: File) -> None:
    if len(_known) > _MOST:
        _known.clear()
    versions = _known.setdefault((package, file.path), {})
    versions[file] = formatted
    if len(versions) > _VERSIONS:
        del versions[next(iter(versions))]


def _formatted(files: list[File], package: str) -> list[File]:
    """Format in memory where there is a file system of it with room: a file is made there in a fifth of the time."""
    if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK):
        with suppress(LowcodeError):
            return _formatted_in(_MEMORY, files, package)
    return _formatted_in(None, files, package)


def _formatted_in(place: str | None, files: list[File], package: str) -> list[File]:
    with TemporaryDirectory(prefix="lowcode-", dir=place) as name:
        try:
            for folder in {file.path.rpartition("/")[0] for file in files}:
                Path(name, folder).mkdir(parents=True, exist_ok=True)
            for file in files:
                _write(f"{name}/{file.path}", file.content)
            _write(f"{name}/ruff.toml", _CONFIGURATION.replace("{package}", package).encode())
        except OSError as error:
            raise LowcodeError.of(
                f"{name} can't be written: {error.strerror}", "free some disk, or set TMPDIR", code="LK005"
            ) from None
        _run(name, "check", "--fix", "--quiet")
        _run(name, "format", "--quiet")
        return [replace(file, content=_read(f"{name}/{file.path}")) for file in files]


def _write(path: str, content: bytes) -> None:
    """Write a new file; half the time of `Path.write_bytes`, which counts with thousands."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(file, 1 << 20), b""))
    finally:
        os.close(file)


def _run(folder: str, *words: str) -> None:
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
