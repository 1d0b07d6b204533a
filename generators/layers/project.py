"""What stands around the package: requirements, README, the model's places, the schedule, OpenAPI, tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.bundle import File
from lowcode_kernel.generators.layers.indented import Part, indented
from lowcode_kernel.generators.layers.openapi import describe
from lowcode_kernel.generators.layers.pins import declared, requirements
from lowcode_kernel.generators.templating import render

if TYPE_CHECKING:
    from lowcode_kernel.application import Application
    from lowcode_kernel.elements import Element
    from lowcode_kernel.jobs import JobSpec

_ALWAYS = (
    "starlette",
    "msgspec",
    "asyncpg",
    "granian",
    "argon2-cffi",
    "nats-py",
    "httpx",
    "alembic",
    "sqlalchemy",
    "greenlet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableView:
    """An environment variable in the README."""

    name: str
    meaning: str
    default: str


def project_files(app: Application, jobs: tuple[JobSpec, ...]) -> list[File]:
    """Return the files beside the package."""
    pins = [f"{package.name}=={package.version}" for package in declared(app)]
    dependencies = [*_ALWAYS, *(("ipykernel",) if jobs else ()), *pins]
    variables = [
        VariableView(
            name=f"SETTING_{name.upper()}",
            meaning=setting.doc or name,
            default=f"`{setting.default}`" if setting.default else "(required)",
        )
        for name, setting in app.settings.items()
    ]
    variables += [
        VariableView(
            name=f"INTEGRATION_{name.upper()}_URL",
            meaning=f"address of the service {name}",
            default=f"`{integration.base_url}`",
        )
        for name, integration in app.integrations.items()
    ]
    role = f" --role {next(iter(app.roles))}" if app.roles else ""
    texts = {
        "README.md": render("service/readme.md.j2", title=app.title, package=app.name, variables=variables, role=role),
        "pyproject.toml": render(
            "service/pyproject.toml.j2", title=app.title, package=app.name, dependencies=dependencies
        ),
        "requirements.txt": requirements(app, jobs=bool(jobs)),
        "openapi.json": _json(describe(app)),
        "jobs.json": _json([asdict(job) for job in jobs]),
        "model.json": _json(_model(app)),
        f"tests/test_{app.name}.py": render("service/test_application.py.j2", package=app.name),
    }
    return [File(path=path, content=text.encode()) for path, text in texts.items()]


def _json(value: object) -> str:
    return indented(value) + "\n"


def _model(app: Application) -> dict[str, object]:
    """Return where each element was defined: events name elements, and this leads back to the cell."""
    elements = {element.id: _defined(element) for element in app.elements}
    return {"application": app.name, "title": app.title, "elements": elements}


def _defined(element: Element) -> Part:
    place = element.place
    lines = (f'"cell": {place.cell}', f'"doc": {indented(element.doc)}', f'"line": {place.line}')
    return Part("{\n      " + ",\n      ".join(lines) + "\n    }")
