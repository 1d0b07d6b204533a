"""Where things of an application lie on a host, and what its services are called. Every path of a deployment is made
here.

<root>/<application>/releases/<version>/        the files of the bundle, `env` -> an environment, `.complete` when all
of it is there <root>/<application>/environments/<digest>/     a Python environment, shared by the releases with the
same requirements <root>/<application>/run/<version>.sock         the socket of a release; `current.sock` links to the
one that serves <root>/<application>/current                    links to the release that serves, for people and for
jobs <root>/<application>/spool/                     events that wait for the queue
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.farm.hosts import Service

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host

DRAIN_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of one application under a host's root."""

    root: PurePosixPath
    application: str

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the application."""
        return self.root / self.application

    @property
    def current_socket(self) -> PurePosixPath:
        """The socket that the web server passes requests to."""
        return self.folder / "run" / "current.sock"

    @property
    def script(self) -> PurePosixPath:
        """The file of `on_host`, which services are started through."""
        return self.folder / "on_host.py"

    @property
    def spool(self) -> PurePosixPath:
        """The folder for events that wait for the queue."""
        return self.folder / "spool"

    def release(self, version: str) -> PurePosixPath:
        """Return the folder of a release."""
        return self.folder / "releases" / version

    def socket(self, version: str) -> PurePosixPath:
        """Return the socket of a release."""
        return self.folder / "run" / f"{version}.sock"

    def environment(self, digest: str) -> PurePosixPath:
        """Return the folder of a Python environment."""
        return self.folder / "environments" / digest


def layout_of(host: Host, application: str) -> Layout:
    """Return the places of an application on a host."""
    return Layout(root=host.root, application=application)


def service_name(application: str, version: str) -> str:
    """Return the name of a release's service; one application's names never begin like another's, since names hold no
    hyphen.
    """
    return f"{application}-{version}"


def version_of_service(application: str, name: str) -> str:
    """Return the version that a service's name was made of."""
    return name.removeprefix(f"{application}-")


def service_of(environment: Environment, host: Host, application: str, version: str) -> Service:
    """Return the service that serves a release on its own socket."""
    places = layout_of(host, application)
    python, socket = str(places.release(version) / "env" / "bin" / "python"), str(places.socket(version))
    server = (
        python, "-m", "granian", "--interface", "asgi", "--no-ws", "--uds", socket, "--uds-permissions", "0666",
        "--workers", "1",
        f"{application}.main:app",
    )  # fmt: skip
    return Service(
        name=service_name(application, version),
        command=(python, str(places.script), "serve", socket, *server),
        directory=places.release(version),
        environment=_variables(environment, host, application, version),
        stop_seconds=DRAIN_SECONDS,
    )


def _variables(environment: Environment, host: Host, application: str, version: str) -> dict[str, str]:
    variables = {
        "DATABASE_URL": environment.database_url(application).reveal(),
        "RELEASE": version,
        "ENVIRONMENT": environment.name,
        "HOST_NAME": host.name,
        "SPOOL_DIRECTORY": str(layout_of(host, application).spool),
        "COOKIE_SECURE": "1" if environment.public_url.startswith("https:") else "0",
    }
    if environment.queue_url:
        variables["NATS_URL"] = environment.queue_url
    return variables | {name: str.__str__(value) for name, value in environment.variables.items()}
