"""A bundle to a folder: only what changed is written, only what was written by us is deleted, and what a person
changed is left alone and told.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from pathlib import Path

    from lowcode_kernel.bundle import Bundle

MANIFEST = ".lowcode-generated.json"


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
    before = _manifest(folder)
    after = {file.path: file.sha256 for file in bundle.files}
    written, kept = [], []
    try:
        for file in bundle.files:
            found = _sha256(folder / file.path)
            if found == file.sha256:
                continue
            if found is not None and found != before.get(file.path):
                kept.append(file.path)
                after[file.path] = before.get(file.path, "")
                continue
            _write(folder / file.path, file.content, executable=file.executable)
            written.append(file.path)
        deleted = _delete(folder, before, set(after), kept)
        _write(folder / MANIFEST, json.dumps(after, indent=1, sort_keys=True).encode(), executable=False)
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


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _write(path: Path, content: bytes, *, executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.chmod(0o755 if executable else 0o644)
    draft.replace(path)


def _delete(folder: Path, before: dict[str, str], wanted: set[str], kept: list[str]) -> list[str]:
    deleted = []
    for path in sorted(set(before) - wanted):
        if _sha256(folder / path) == before[path]:
            (folder / path).unlink()
            deleted.append(path)
        elif (folder / path).exists():
            kept.append(path)
    return deleted
