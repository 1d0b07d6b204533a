"""A bundle to a folder: only what changed is written, only what was written by us is deleted, and what a person
changed is left alone and told.

The manifest beside the files has the digest of each as it was written. A file whose size and times are those that this
process saw when it last had that digest is not read again, as a version control system does.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.bundle import Bundle, File

MANIFEST = ".lowcode-generated.json"

_Stamp = tuple[int, int, int, int]
_seen: dict[str, tuple[_Stamp, str]] = {}
"""By path: size, number and times of a file, and the digest that it had then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What writing did: paths written, deleted, and kept because somebody had changed them."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{len(self.written)} files written, {len(self.deleted)} deleted"
        return said + (f"; kept because they were changed by hand: {', '.join(self.kept)}" if self.kept else "")


def write_bundle(bundle: Bundle, folder: Path) -> Written:
    """Write a bundle into a folder.

    Raises LowcodeError where the folder can't be written; then the manifest says what stands there, and writing again
    goes on.
    """
    before, root = _manifest(folder), str(folder.absolute())
    after = {file.path: file.sha256 for file in bundle.files}
    written: list[str] = []
    kept: list[str] = []
    try:
        _make_folders(root, bundle.files)
        for file in bundle.files:
            path = f"{root}/{file.path}"
            found = _sha256(path) if before or folder.exists() else None
            if found == file.sha256:
                continue
            if found is not None and found != before.get(file.path):
                kept.append(file.path)
                after[file.path] = before.get(file.path, "")
                continue
            _write(path, file.content, executable=file.executable)
            _see(path, file.sha256)
            written.append(file.path)
        deleted = _delete(root, before, set(after), kept)
        if after != before:
            _write(f"{root}/{MANIFEST}", json.dumps(after, indent=1, sort_keys=True).encode(), executable=False)
    except OSError as error:
        raise LowcodeError.of(
            f"{folder} can't be written: {error.strerror}", "free some disk, or choose another folder", code="LK005"
        ) from None
    return Written(written=tuple(written), deleted=tuple(deleted), kept=tuple(kept))


def _manifest(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _make_folders(root: str, files: tuple[File, ...]) -> None:
    for folder in {file.path.rpartition("/")[0] for file in files}:
        Path(root, folder).mkdir(parents=True, exist_ok=True)


def _sha256(path: str) -> str | None:
    """Return the digest of a file, read only where it may have changed since this process last knew it."""
    try:
        stamp = _stamp(path)
        known = _seen.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
    return found


def _stamp(path: str) -> _Stamp:
    found = os.lstat(path)
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _see(path: str, digest: str) -> None:
    if len(_seen) > 200_000:
        _seen.clear()
    _seen[path] = (_stamp(path), digest)


def _write(path: str, content: bytes, *, executable: bool) -> None:
    """Write a file so that it is there whole or not at all."""
    name = path.rpartition("/")
    draft = f"{name[0]}/.{name[2]}.draft"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        os.fchmod(file, 0o755 if executable else 0o644)
    finally:
        os.close(file)
    Path(draft).replace(path)


def _delete(root: str, before: dict[str, str], wanted: set[str], kept: list[str]) -> list[str]:
    deleted = []
    for path in sorted(set(before) - wanted):
        file = Path(root, path)
        if _sha256(str(file)) == before[path]:
            file.unlink()
            deleted.append(path)
        elif file.exists():
            kept.append(path)
    return deleted
