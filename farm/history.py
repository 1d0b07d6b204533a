"""What was deployed, what serves now, and the shapes that the database has been given. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.farm.databases import database_exists, schemas_of
from lowcode_kernel.farm.facts import gather_database_facts, gather_host_facts
from lowcode_kernel.farm.journal import open_journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.plan import DatabaseFacts, HostFacts, Progress, Release
    from lowcode_kernel.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An application on an environment now: what was deployed last, what each host really has, who deploys, and what
    was left unfinished.
    """

    environment: str
    application: str
    release: Release | None
    hosts: tuple[HostFacts, ...]
    database: DatabaseFacts
    deploying: str | None = None
    unfinished: Release | None = None
    url: str = ""

    @property
    def is_sound(self) -> bool:
        """True where every host serves the release and nothing is unfinished."""
        if self.release is None or self.unfinished is not None or self.database.fault:
            return False
        version = self.release.version
        return all(not facts.fault and facts.current == version and version in facts.running for facts in self.hosts)


def status(environment: Environment, application: str, hosts: Sequence[Host]) -> Status:
    """Look at an application as it is now."""
    with open_journal(environment) as journal:
        deployed = journal.deployments(application, states=("deployed",), limit=1)
        running = journal.deployments(application, states=("running",), limit=1)
        holder = journal.holder(application)
    return Status(
        environment=environment.name,
        application=application,
        release=deployed[0].release if deployed else None,
        hosts=gather_host_facts(environment, application, hosts),
        database=gather_database_facts(environment, application),
        deploying=holder,
        unfinished=running[0].release if running and holder is None else None,
        url=environment.public_url,
    )


def history(environment: Environment, application: str, *, limit: int = 50) -> tuple[Release, ...]:
    """Return the attempts to deploy or roll back, newest first."""
    with open_journal(environment) as journal:
        return tuple(one.release for one in journal.deployments(application, limit=limit))


def journal_of(environment: Environment, application: str, *, back: int = 0) -> tuple[Progress, ...]:
    """Return the steps of the newest attempt, or of the one `back` before it; nothing where there is none."""
    with open_journal(environment) as journal:
        found = journal.deployments(application, limit=back + 1)
        return journal.steps(found[back].id) if len(found) > back else ()


def current_release(environment: Environment, application: str) -> Release | None:
    """Return the release that was deployed last, None before the first."""
    with open_journal(environment) as journal:
        found = journal.deployments(application, states=("deployed",), limit=1)
    return found[0].release if found else None


def schema_history(environment: Environment, application: str) -> tuple[Schema, ...]:
    """Return the shapes that the application's database has really been given, oldest first: what the next bundle is
    generated with.

    Shapes are recorded before the database is given them, and the database is asked which of them it holds: one that a
    crash or a refusal kept from it is not among these, and one that a cancelled deployment left in it is.
    """
    with open_journal(environment) as journal:
        recorded = journal.schemas(application)
    if not recorded or not database_exists(environment, application):
        return ()
    held = schemas_of(environment.database_url(application))
    return tuple(schema for schema in recorded if schema.views in held)
