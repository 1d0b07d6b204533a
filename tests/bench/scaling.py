"""How generation grows with the application: entities with nine attributes and `%scaffold` screens each.

The command is measured as a shell runs it, in a process of its own; a change of one cell in a process that has the
application in memory, as a notebook has: the cell is read again, the model checked, optimized, generated, and what
changed is written. `python -m tests.bench.scaling 50 200` measures these sizes alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen
from time import perf_counter
from typing import TYPE_CHECKING

from lowcode_kernel import memo
from lowcode_kernel.checks import check, find_errors
from lowcode_kernel.generators import formatting
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.generators.writing import write_bundle
from lowcode_kernel.graph import build_graph
from lowcode_kernel.graph_parts import build_detailed_graph
from lowcode_kernel.session import Session
from tests.bench.plot import Series, plot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.assembly import Model

SIZES = (50, 100, 200, 500, 1000)
ELEMENTS = 625  # entities that make 5,000 elements
HEAD = """%app scaling --title "Scaling"
%role Clerk"""
ENTITY = """%%entity Part{number}
\"\"\"Parts of kind {number}.\"\"\"
name: Text(80)
code: Text(20) = unique()
contact: Email | None
amount: Decimal(12, 2) = 0
quantity: Integer = 1
active: Boolean = True
due: Date | None
grade: Choice("new", "used", "broken") = "new"
parent: Part{parent} | None
index(parent)
access(read=Clerk, write=Clerk, delete=Clerk)"""
HOME = '%%screen home "/" --role Clerk\ntitle("{title}")'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a size costs: seconds and megabytes of the command, its seconds of the processor, and the seconds of a change
    of a screen's and of an entity's cell.
    """

    entities: int
    elements: int
    files: int
    command: float
    processor: float
    megabytes: float
    screen: float
    entity: float


def cells(entities: int) -> Iterator[str]:
    """Give the cells of an application of this size."""
    yield HEAD
    yield HOME.format(title="Home")
    for number in range(entities):
        yield ENTITY.format(number=number, parent=max(0, number - 1))
        yield f"%scaffold Part{number}"


def write_notebook(path: Path, texts: list[str]) -> None:
    """Write cells as a notebook."""
    found = [{"cell_type": "code", "id": f"c{number}", "source": text} for number, text in enumerate(texts)]
    path.write_text(json.dumps({"nbformat": 4, "cells": found}))


def run_command(notebook: Path, out: Path) -> tuple[float, float, float]:
    """Run `lowcode generate` into a new folder; returns seconds, seconds of the processor, and megabytes."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = (sys.executable, "-m", "lowcode_kernel.magics.command", "generate", str(notebook), "--out", str(out))
    began = perf_counter()
    process = Popen(words, env=environment, stdout=DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"lowcode generate {notebook} answered {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def generated(session: Session, out: Path) -> tuple[Model, int]:
    """Do what a notebook does after a change; returns the model and how many files there are."""
    model = session.model
    if errors := find_errors(model):
        raise RuntimeError(str(errors[0]))
    bundle = generate(optimize(model.application).application)
    write_bundle(bundle, out)
    return model, len(bundle.files)


def time_change(session: Session, out: Path, cell: int, texts: tuple[str, str]) -> float:
    """Return the median seconds of changes of a cell, from one text to the other and back."""
    times = []
    for text in (*texts, *texts, *texts):
        began = perf_counter()
        session.run_cell(text, cell_id=f"c{cell}", count=cell + 1)
        generated(session, out)
        times.append(perf_counter() - began)
    return median(times[1:])


def measure(entities: int, folder: Path, rounds: int) -> Cost:
    """Measure one size."""
    texts = list(cells(entities))
    write_notebook(folder / "app.ipynb", texts)
    runs = [run_command(folder / "app.ipynb", folder / f"out{number}") for number in range(rounds)]
    session = Session()
    for number, text in enumerate(texts):
        session.run_cell(text, cell_id=f"c{number}", count=number + 1)
    model, files = generated(session, folder / "session")
    screen = time_change(session, folder / "session", 1, (HOME.format(title="Start"), HOME.format(title="Home")))
    middle = 2 + 2 * (entities // 2)
    entity = (texts[middle].replace("Text(80)", "Text(90)"), texts[middle])
    return Cost(
        entities=entities,
        elements=len(model.application.elements),
        files=files,
        command=round(median(run[0] for run in runs), 3),
        processor=round(median(run[1] for run in runs), 3),
        megabytes=round(max(run[2] for run in runs)),
        screen=round(screen, 3),
        entity=round(time_change(session, folder / "session", middle, entity), 3),
    )


def bench_scaling(rounds: int, sizes: tuple[int, ...] = SIZES) -> list[dict[str, object]]:
    """Measure all sizes, and draw them."""
    found = []
    for entities in sizes:
        memo.forget()
        formatting.forget()
        with tempfile.TemporaryDirectory(prefix="lkbench") as folder:
            found.append(measure(entities, Path(folder), rounds if entities <= 200 else 1))
    return [asdict(cost) for cost in found]


def bench_whole() -> dict[str, float]:
    """Measure graph and all checks of 5,000 elements: at first, and after a change of one cell."""
    memo.forget()
    session = Session()
    for number, text in enumerate(cells(ELEMENTS)):
        session.run_cell(text, cell_id=f"c{number}", count=number + 1)
    times = {}
    for name, title in (("first", "Home"), ("after a change", "Start")):
        session.run_cell(HOME.format(title=title), cell_id="c1", count=2)
        model = session.model
        began = perf_counter()
        check(model)
        times[f"all checks, {name}"] = round(perf_counter() - began, 3)
        began = perf_counter()
        build_graph(model.application)
        times[f"graph, {name}"] = round(perf_counter() - began, 3)
        began = perf_counter()
        build_detailed_graph(model.application)
        times[f"graph of attributes, {name}"] = round(perf_counter() - began, 3)
    return {"elements": len(model.application.elements), **times}


def draw(costs: list[dict[str, object]]) -> str:
    """Return the seconds of the command and of a change, by entities, as SVG."""
    return plot(
        "lowcode generate, by entities (nine attributes and %scaffold each)",
        "entities",
        "seconds",
        [
            Series(name=name, points=tuple((float(str(cost["entities"])), float(str(cost[key]))) for cost in costs))
            for name, key in (
                ("whole process", "command"),
                ("processor", "processor"),
                ("change of an entity", "entity"),
            )
        ],
    )


if __name__ == "__main__":
    measured = bench_scaling(3, tuple(map(int, sys.argv[1:])) or SIZES)
    print(json.dumps(measured, indent=1), json.dumps(bench_whole(), indent=1))
    (Path("build") / "scaling.svg").write_text(draw(measured))
