"""What generation gives: the files of an application and the records that a deployment needs to know about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from lowcode_kernel.jobs import JobSpec
from lowcode_kernel.schema import Change, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file: a relative POSIX path, its bytes, whether it may be executed, and the id of the element it comes from
    (None: from the application).
    """

    path: str
    content: bytes
    executable: bool = False
    element: str | None = None
    _sha256: str = field(default="", init=False, compare=False, repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        if not self._sha256:
            object.__setattr__(self, "_sha256", hashlib.sha256(self.content).hexdigest())
        return self._sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A generated application: immutable, the same bytes for the same model on any machine. Files are sorted by path.

    `schema` is the database it expects and `changes` is what leads there from the history that it was generated with.
    """

    application: str
    title: str
    files: tuple[File, ...]
    schema: Schema
    changes: tuple[Change, ...] = ()
    jobs: tuple[JobSpec, ...] = ()
    version: str = field(init=False)

    def __post_init__(self) -> None:
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("the files of a bundle are sorted by path, each once")
        object.__setattr__(self, "version", self._digest()[:12])

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{int(file.executable)}\0{file.sha256}\n".encode())
        return digest.hexdigest()

    def file(self, path: str) -> File:
        """Return the file at `path`; raises KeyError."""
        for file in self.files:
            if file.path == path:
                return file
        raise KeyError(path)
