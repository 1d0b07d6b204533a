"""Fixes of a notebook's file: the cells that change change, and nothing else of the file does."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lowcode_kernel.checks.fixing import Fixed, difference, fix
from lowcode_kernel.notebook import code_cells, read_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lowcode_kernel.problems import Problem


def fix_notebook(path: Path, choose: Callable[[Problem], bool]) -> tuple[Fixed, str]:
    """Make all certain fixes in a notebook's file; returns them, and the difference in its cells.

    The file is replaced at once or not at all; without a fix it is not touched. Raises LowcodeError where it is not a
    notebook.
    """
    before = {number: text for number, _, text in code_cells(path)}
    fixed = fix(before, lambda cells: read_cells(sorted(cells.items()), path.parent, path), choose)
    if fixed.cells != before:
        _replace(path, _with_cells(path.read_text("utf-8"), fixed.cells))
    return fixed, difference(before, fixed.cells)


def _with_cells(raw: str, cells: Mapping[int, str]) -> str:
    """Return a notebook's JSON with other texts in its code cells, laid out as it was."""
    document: Any = json.loads(raw)
    layout = _layout(raw, document)
    number = 0
    for cell in document["cells"]:
        text = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        if not text.strip():
            continue
        number += 1
        if cells[number] != text:
            listed = isinstance(cell["source"], list)
            cell["source"] = cells[number].splitlines(keepends=True) if listed else cells[number]
    return _dumped(document, layout) + raw[len(raw.rstrip()) :]


_Layout = tuple[int | str | None, bool]


def _layout(raw: str, document: object) -> _Layout:
    """Return the indentation and the escaping that give the file as it is, or what comes next to it."""
    indents: list[int | str | None] = [1, 2, 4, "\t", None]
    for indent in indents:
        for escaped in (False, True):
            if _dumped(document, (indent, escaped)) == raw.rstrip():
                return indent, escaped
    second = raw.splitlines()[1] if "\n" in raw.strip() else ""
    return len(second) - len(second.lstrip()) or None, raw.isascii()


def _dumped(document: object, layout: _Layout) -> str:
    indent, escaped = layout
    return json.dumps(document, indent=indent, ensure_ascii=escaped)


def _replace(path: Path, text: str) -> None:
    """Write a file beside the notebook and put it in its place, so that a reader sees the old or the new one."""
    target = path.resolve()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False, newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh = Path(file.name)
    fresh.chmod(target.stat().st_mode)
    fresh.replace(target)
