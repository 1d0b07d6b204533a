"""Jobs to modules and to the notebooks that run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lowcode_kernel.analysis import analyze
from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.access import Uses
from lowcode_kernel.generators.layers.actions import lines, symbols
from lowcode_kernel.generators.layers.emission import Emitter
from lowcode_kernel.generators.layers.emission_control import raised
from lowcode_kernel.generators.layers.modules import module_of
from lowcode_kernel.generators.layers.python_types import standard_imports
from lowcode_kernel.generators.templating import render
from lowcode_kernel.jobs import JobSpec

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Job


def job_files(app: Application, needed: Uses) -> list[File]:
    """Return the package `jobs` and the notebooks that call into it; what they use of entities and queries is added
    to `needed`.
    """
    written = [job for job in app.jobs.values() if job.body]
    files = [module_of(app, job, needed, _module) for job in written]
    text = render(
        "elements/package.py.j2",
        doc="The jobs, one module each.",
        package=app.name,
        folder="jobs",
        modules=sorted(job.name for job in written),
    )
    notebooks = [File(path=f"jobs/{job.name}.ipynb", content=_notebook(app, job), element=job.id) for job in written]
    return [File(path=f"{app.name}/jobs/__init__.py", content=text.encode()), *files, *notebooks]


def job_specs(app: Application) -> tuple[JobSpec, ...]:
    """Return the schedule's records of all jobs."""
    return tuple(
        JobSpec(
            name=job.name,
            schedule=job.schedule,
            notebook=f"jobs/{job.name}.ipynb",
            timeout=job.timeout.total_seconds(),
            retries=job.retries,
            priority=job.priority,
        )
        for job in app.jobs.values()
    )


def _module(app: Application, job: Job, needed: Uses) -> File:
    analysis, uses = analyze(app).jobs[job.name], Uses(element=job.id)
    body = lines(Emitter(app, analysis, uses).statements(analysis.tree.body))
    needed.add(uses)
    text = render(
        "elements/job.py.j2",
        package=app.name,
        name=job.name,
        title=f"{job.name}: {job.doc or 'a job.'}",
        doc=job.doc or f"Run the job {job.name}.",
        body=body,
        imports=[*standard_imports(uses.names), *sorted(uses.imports)],
        packages=sorted(uses.packages),
        errors=raised(uses.names),
        **symbols(uses.types, app),
    )
    return File(path=f"{app.name}/jobs/{job.name}.py", content=text.encode(), element=job.id)


def _notebook(app: Application, job: Job) -> bytes:
    """Return the notebook of a job: what it does in words, its parameters, and the call."""
    cells = [
        {"cell_type": "markdown", "id": "what", "metadata": {}, "source": f"# {job.name}\n\n{job.doc}".rstrip()},
        _code("parameters", 'run_id = ""\nscheduled_at = ""', ["parameters"]),
        _code("work", f"from {app.name}.jobs import {job.name}\n\nawait {job.name}.run()"),
    ]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _code(identity: str, source: str, tags: list[str] | None = None) -> dict[str, object]:
    metadata = {"tags": tags} if tags else {}
    return {
        "cell_type": "code",
        "id": identity,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
