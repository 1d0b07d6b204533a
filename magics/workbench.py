"""The bench that all verbs work on: a model, the folder it lives in, and the way to environments.

A notebook's magics and the `lowcode` command make one each, so that `%deploy dev` and `lowcode deploy notebook.ipynb
dev` are the same few lines.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lowcode_kernel.application import Application
    from lowcode_kernel.assembly import Model
    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.schema import Schema


@dataclass(frozen=True)
class Workbench:
    """`read` gives the model at hand; `folder` holds the notebook, `farm.toml` and the state of `dev`.

    `notebook` is the file that the model was read from, None where a front-end has it open.
    """

    read: Callable[[], Model]
    folder: Path
    notebook: Path | None = None

    @property
    def home(self) -> Path:
        """The folder of local state: `LOWCODE_HOME`, or `.lowcode` beside the notebook."""
        from pathlib import Path

        return Path(os.environ.get("LOWCODE_HOME") or self.folder / ".lowcode").resolve()

    @property
    def application(self) -> Application:
        """The application as it is, with whatever is wrong in it."""
        return self.read().application

    def sound(self) -> Application:
        """Return the application; raises LowcodeError with all errors that the checks find."""
        from lowcode_kernel.checks import find_errors

        model = self.read()
        if found := find_errors(model):
            raise LowcodeError(*found)
        return model.application

    def bundle(self, history: tuple[Schema, ...] = (), *, optimized: bool = True) -> Bundle:
        """Generate the application, for a database with a history; raises LowcodeError where it has errors."""
        from lowcode_kernel.generators.generation import generate
        from lowcode_kernel.generators.passes import optimize

        app = self.sound()
        return generate(optimize(app).application if optimized else app, history)

    def bundle_for(self, environment: Environment, *, optimized: bool = True) -> Bundle:
        """Generate the application for what an environment's database has been through."""
        from lowcode_kernel.farm.history import schema_history

        return self.bundle(schema_history(environment, self.application.name), optimized=optimized)

    def environment(self, name: str) -> Environment:
        """Return an environment by name. `dev` is started where it is not running."""
        from lowcode_kernel.farm.development import start_development
        from lowcode_kernel.farm.environments import load_environment

        if name == "dev":
            return start_development(self.home)
        return load_environment(self.folder / "farm.toml", name, self.home)

    @contextmanager
    def hosts(self, environment: Environment) -> Iterator[tuple[Host, ...]]:
        """Give the environment's hosts, and their connections back at the end."""
        from lowcode_kernel.farm.connecting import connect_hosts

        hosts = connect_hosts(environment)
        try:
            yield hosts
        finally:
            for host in hosts:
                host.close()
