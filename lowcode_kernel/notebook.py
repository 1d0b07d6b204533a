"""A saved notebook to the same model that running its cells gives."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowcode_kernel.assembly import Model, assemble
from lowcode_kernel.language import CellReading, read_cell
from lowcode_kernel.language.use import UsedNotebook
from lowcode_kernel.places import Place
from lowcode_kernel.problems import LowcodeError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lowcode_kernel.language.use import Use


def code_cells(path: Path) -> Iterator[tuple[int, str, str]]:
    """Give each code cell that is not empty: its number from 1, its id ("" if it has none), its text.

    Raises LowcodeError where the file is not a notebook. Source: the notebook format, version 4
    (nbformat.readthedocs.io).
    """
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        cells = document["cells"]
        texts = [(str(cell.get("id", "")), "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    except FileNotFoundError:
        raise LowcodeError.of(f"there is no notebook {path}", "check the path", code="LK002") from None
    except OSError as error:
        raise LowcodeError.of(f"{path} can't be read: {error.strerror}", "", code="LK002") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise LowcodeError.of(f"{path} is not a notebook", "give a .ipynb file of format 4", code="LK002") from None
    number = 0
    for cell_id, text in texts:
        if text.strip():
            number += 1
            yield number, cell_id, text


def read_notebook(path: Path) -> Model:
    """Read the application that a notebook defines, without running it."""
    return read_cells(((number, text) for number, _, text in code_cells(path)), path.parent, path)


def read_cells(cells: Iterable[tuple[int, str]], folder: Path, path: Path | None = None) -> Model:
    """Read the application that numbered cells define; `folder` is where their notebook is, `path` itself if known."""
    readings = [read_cell(text, Place(cell=number)) for number, text in cells]
    used, problems = used_notebooks(readings, folder, path)
    model = assemble(readings, used)
    return replace(model, problems=(*model.problems, *problems)) if problems else model


def used_notebooks(
    readings: Iterable[CellReading], folder: Path, notebook: Path | None
) -> tuple[tuple[UsedNotebook, ...], tuple[Problem, ...]]:
    """Read the notebooks that `%use` lines name, and those that these name, each once; circles are fine.

    Paths are relative to the notebook that names them. Those that can't be read are told at the line.
    """
    walk = _Walk(folder.resolve(), notebook.resolve() if notebook else None)
    walk.follow(None, walk.folder, readings)
    found = [
        UsedNotebook(name=name, readings=walk.readings[name], users=tuple(walk.users[name])) for name in walk.readings
    ]
    return tuple(sorted(found, key=lambda used: used.name)), tuple(walk.problems)


class _Walk:
    """The way through the notebooks that use each other. A notebook's name is its path from the first one's folder."""

    def __init__(self, folder: Path, start: Path | None) -> None:
        self.folder, self.start = folder, start
        self.readings: dict[str, tuple[CellReading, ...]] = {}
        self.users: dict[str, list[tuple[str | None, Use]]] = {}
        self.problems: list[Problem] = []

    def follow(self, user: str | None, folder: Path, readings: Iterable[CellReading]) -> None:
        """Read what the `%use` lines of a notebook name."""
        waiting = [(user, folder, use) for reading in readings for use in reading.uses]
        while waiting:
            name, beside, use = waiting.pop(0)
            path = (beside / use.path).resolve()
            if path == self.start:
                continue
            found = Path(os.path.relpath(path, self.folder)).as_posix()
            if found not in self.users and not self._read(found, path, use):
                continue
            if not self.users.setdefault(found, []):
                waiting += [(found, path.parent, more) for reading in self.readings[found] for more in reading.uses]
            self.users[found].append((name, use))

    def _read(self, name: str, path: Path, use: Use) -> bool:
        try:
            state = path.stat()
            self.readings[name] = _readings(path, name, state.st_mtime_ns, state.st_size)
        except OSError:
            fact, hint = f"there is no notebook {use.path}", "the path is relative to the notebook that says %use"
            self.problems.append(Problem(code="LK125", fact=fact, hint=hint, place=use.place))
        except LowcodeError as error:
            self.problems.extend(replace(problem, code="LK125", place=use.place) for problem in error.problems)
        return name in self.readings


@lru_cache(maxsize=64)
def _readings(path: Path, name: str, *_state: int) -> tuple[CellReading, ...]:
    """Read a used notebook again only when its file has changed."""
    cells = code_cells(path)
    return tuple(read_cell(text, Place(cell=number, notebook=name)) for number, _, text in cells)
