"""The tour's flight desk on two hosts behind SSH: deployed, changed, rolled back, refused, rebooted.

The hosts have no way to the internet: their packages are the wheels that the deployment ships. Wheels are downloaded
before the tests enter the hosts' network, and are kept beside the hosts' file system.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.farm.connecting import connect_hosts
from lowcode_kernel.farm.databases import query, revision_of
from lowcode_kernel.farm.deploying import deploy, prepare
from lowcode_kernel.farm.environments import Environment, Secret, load_environment
from lowcode_kernel.farm.history import history, schema_history, status
from lowcode_kernel.farm.hosts import HostLost
from lowcode_kernel.farm.planning import revisions
from lowcode_kernel.farm.rollback import rollback
from lowcode_kernel.farm.wheelhouse import download
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.passes import optimize
from lowcode_kernel.notebook import read_notebook
from lowcode_kernel.problems import LowcodeError
from tests.farm import base_tree
from tests.generated_application import TOUR, bundle_of_the_tour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lowcode_kernel.bundle import Bundle
    from lowcode_kernel.farm.hosts import Host
    from lowcode_kernel.plan import Progress
    from tests.farm import hosts
    from tests.postgres import Server

pytestmark = [pytest.mark.farm, pytest.mark.usefixtures("controller")]

APP = "flightdesk"
GATE = "gate: Text(4) | None"
FARM_FILE = """
[environments.prod]
database = "postgresql://lowcode@{database}"
database_password = {{ file = "password" }}
"""
HOST = """
[[environments.prod.hosts]]
name = "{0.name}"
address = "{0.address}"
port = {0.port}
user = "{0.user}"
key_file = "{0.key_file}"
known_host_key = "{0.host_key}"
root = "{0.root}"
"""
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'flightdesk.flight'::regclass"
STEPS = "SELECT name, changed_at, seconds FROM step WHERE deployment = (SELECT min(id) FROM deployment) ORDER BY number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The farm with the flight desk on it."""

    environment: Environment
    hosts: tuple[Host, ...]
    folder: Path
    versions: dict[str, Bundle] = field(default_factory=dict)

    def deploy(self, bundle: Bundle, report: Callable[[Progress], None] = lambda _: None) -> None:
        deploy(self.environment, bundle, self.hosts, report)

    def version(self, attribute: str) -> Bundle:
        """Return the flight desk of a notebook in which flights have one attribute more."""
        if attribute not in self.versions:
            notebook = self.folder / f"{attribute}.ipynb"
            notebook.write_text(TOUR.read_text().replace(GATE, f"{GATE}\\n{attribute}: Text(4) | None"))
            app = optimize(read_notebook(notebook).application).application
            self.versions[attribute] = generate(app, schema_history(self.environment, APP))
        return self.versions[attribute]

    def current(self) -> str:
        """Return the version that was deployed last."""
        release = status(self.environment, APP, self.hosts).release
        assert release is not None
        return release.version

    def serves(self) -> list[str]:
        """Return the version that answers on each host, with its database behind it."""
        return [eventually(self.answering, host) for host in self.hosts]

    def answering(self, host: Host) -> str:
        """Return the version that answers on a host now; "" where it has no database or nothing answers."""
        socket = host.root / APP / "run" / "current.sock"
        if host.get(socket, "/readyz")[0] != 200:
            return ""
        return str(json.loads(host.get(socket, "/version")[1])["version"])

    def running(self) -> list[list[str]]:
        """Return the versions whose services each host has, whether they run or not."""
        return [[name.removeprefix(f"{APP}-") for name in sorted(host.status(f"{APP}-"))] for host in self.hosts]

    def files_of(self, version: str) -> list[str]:
        """Return what lies on the hosts of a version."""
        find = ("find", str(self.hosts[0].root / APP), "-name", f"*{version}*")
        return [path for host in self.hosts for path in host.run(find).out.split()]

    def revision(self) -> str | None:
        return revision_of(self.environment.database_url(APP), APP)

    def columns(self) -> set[str]:
        """Return the columns of flights."""
        return {name for (name,) in query(self.environment.database_url(APP), COLUMNS)}


def eventually(ask: Callable[[Host], str], host: Host, seconds: float = 30) -> str:
    """Ask a host until it has an answer: it may be booting, or noticing that the cable is back."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := ask(host):
                return answer
        except HostLost:
            pass
        assert time.monotonic() < deadline, f"{host.name} does not answer"
        threading.Event().wait(0.05)


@pytest.fixture(scope="session")
def first() -> Bundle:
    return bundle_of_the_tour()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, booted_farm: hosts.Farm, first: Bundle) -> Path:
    """A controller's folder with the wheels in it: of the session, and so made outside of the hosts' network."""
    folder = tmp_path_factory.mktemp("controller")
    kept = base_tree.CACHE / "wheels"
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "wheels").symlink_to(kept)
    environment = Environment(name="prod", home=folder, server=Secret(""))
    _, python, machine = booted_farm.hosts[0].shell("python3 -V; uname -m").stdout.split()
    download(environment, first.file("requirements.txt").content, python, machine)
    return folder


def farm_file(folder: Path, farm: hosts.Farm, server: Server) -> Path:
    """Write the farm.toml that describes the test farm."""
    password, _, database = server.url.removeprefix("postgresql://lowcode:").partition("@")
    (folder / "password").write_text(f"{password}\n")
    text = FARM_FILE.format(database=database) + "".join(HOST.format(host.address) for host in farm.hosts)
    path = folder / "farm.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def site(booted_farm: hosts.Farm, farm_postgres: Server, home: Path, first: Bundle) -> Iterator[Site]:
    """Both hosts, on which the first version was deployed."""
    environment = load_environment(farm_file(home, booted_farm, farm_postgres), "prod", home)
    found = Site(environment=environment, hosts=connect_hosts(environment), folder=home)
    found.deploy(first)
    yield found
    for host in found.hosts:
        host.close()


def test_both_hosts_serve_the_version_and_would_after_a_reboot(farm: hosts.Farm, site: Site, first: Bundle) -> None:
    assert site.serves() == [first.version, first.version]
    assert status(site.environment, APP, site.hosts).is_sound
    assert enabled(farm) == [[first.version], [first.version]]
    assert not prepare(site.environment, first, site.hosts).steps


def enabled(farm: hosts.Farm) -> list[list[str]]:
    """Return the versions that systemd starts when it boots."""
    command = f"ls ~/.config/systemd/user/default.target.wants | sed -n 's/^lowcode-{APP}-\\(.*\\).service$/\\1/p'"
    return [host.shell(command).stdout.split() for host in farm.hosts]


@pytest.mark.usefixtures("farm")
def test_the_database_is_upgraded_between_all_checks_and_the_decision(site: Site) -> None:
    rows = query(site.environment.database_url("lowcode"), STEPS)
    ended = {name: max(at for other, at, _ in rows if other == name) for name, _, _ in rows}
    begun = {name: at.timestamp() - seconds for name, at, seconds in rows}
    assert [name for name, _, _ in rows].count("stage") == 2
    assert max(ended[name].timestamp() for name in ("stage", "start", "check")) <= begun["upgrade"]
    assert ended["upgrade"] < ended["ready"] < ended["decide"] < ended["switch"] < ended["confirm"]


def test_a_change_goes_to_both_hosts_and_a_rollback_brings_the_first_version_back(
    farm: hosts.Farm, site: Site, first: Bundle
) -> None:
    second = site.version("terminal")
    site.deploy(second)
    assert site.serves() == [second.version, second.version]
    assert (site.revision(), "terminal" in site.columns()) == (revisions(second)[-1], True)
    rollback(site.environment, APP, site.hosts, lambda _: None)
    assert site.serves() == [first.version, first.version]
    assert site.running() == enabled(farm) == [[first.version], [first.version]]
    assert [one.version for one in history(site.environment, APP)[:2]] == [first.version, second.version]
    assert site.revision() == revisions(second)[-1]  # the database only grows


def breaking(step: str, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Return a report that acts where a step is about to run on the second host."""

    def report(progress: Progress) -> None:
        if (progress.step.name, progress.step.host, progress.state) == (step, "fe2", "running"):
            act()

    return report


def fails(site: Site, bundle: Bundle, report: Callable[[Progress], None]) -> str:
    """Deploy what can't be deployed; return what the user reads, after seeing that nothing came of it."""
    before, revision, columns = site.current(), site.revision(), site.columns()
    with pytest.raises(LowcodeError) as caught:
        site.deploy(bundle, report)
    assert site.answering(site.hosts[0]) == before
    assert (site.revision(), site.columns()) == (revision, columns)
    assert site.current() == before
    return str(caught.value)


def test_a_disk_that_fills_up_while_staging_cancels(farm: hosts.Farm, site: Site) -> None:
    before, third = site.current(), site.version("stand")
    said = fails(site, third, breaking("stage", lambda: farm.hosts[1].fill_disk(leave=500_000)))
    assert site.serves() == [before, before]
    assert said.startswith(f"fe2, stage: host fe2: no space is left on the disk of {site.hosts[1].root}/{APP}")
    assert len(said.splitlines()) == 1
    farm.repair()
    assert site.running() == [[before], [before]]
    assert site.files_of(third.version) == []
    assert history(site.environment, APP)[0].state == "cancelled"
    assert status(site.environment, APP, site.hosts).is_sound


def test_a_disk_that_is_full_is_seen_before_anything_is_done(farm: hosts.Farm, site: Site) -> None:
    attempts = len(history(site.environment, APP))
    farm.hosts[1].fill_disk()
    assert "fe2: 0 MB are free; a release needs 2" in fails(site, site.version("stand"), lambda _: None)
    assert len(history(site.environment, APP)) == attempts


def test_a_host_whose_cable_is_pulled_before_the_start_cancels(farm: hosts.Farm, site: Site) -> None:
    before, third = site.current(), site.version("stand")
    said = fails(site, third, breaking("start", farm.hosts[1].link_down))
    assert said.startswith("fe2, start: the connection to it was lost (fe2 (10.77.0.12): ")
    assert "fe2: stage could not be undone, the connection" in history(site.environment, APP)[0].detail
    farm.repair()
    assert site.serves() == [before, before]
    assert site.running() == [[before], [before]]
    assert {path.split("/")[-1] for path in site.files_of(third.version)} == {third.version}  # staged, on fe2


def test_what_a_lost_host_kept_running_is_ended_by_the_next_deployment(farm: hosts.Farm, site: Site) -> None:
    before, third = site.current(), site.version("stand")
    said = fails(site, third, breaking("check", farm.hosts[1].link_down))
    assert said.startswith("fe2, check: the connection to it was lost")
    farm.repair()
    assert site.serves() == [before, before]
    assert site.running() == [[before], sorted([before, third.version])]
    second = site.version("terminal")
    site.deploy(second)
    assert site.serves() == [second.version, second.version]
    assert site.running() == [[second.version], [second.version]]
    assert site.files_of(third.version) == []


def test_a_reboot_brings_the_current_release_back(farm: hosts.Farm, site: Site) -> None:
    before, boots = site.current(), farm.hosts[0].boots
    farm.hosts[0].reboot()
    assert site.serves() == [before, before]
    assert status(site.environment, APP, site.hosts).is_sound
    assert farm.hosts[0].boots == boots + 1
