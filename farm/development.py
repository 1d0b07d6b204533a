"""The built-in environment `dev`: everything of a farm on this machine, below one folder, without root and with
nothing to configure.

    absent --start--> running --stop--> stopped --start--> running
                        |  kill -9, reboot
                        v
                      stale --start--> running         (what was left is ended and cleared first)

`start.lock` is held by whoever changes the state; looking needs no lock. Ports and the queue's token are decided
once, in `development.json`.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from lowcode_kernel.farm.embedded import postgres, queue, web
from lowcode_kernel.farm.embedded.binaries import can_reach, service_account
from lowcode_kernel.farm.embedded.files import disk_fault, hold_lock, write_whole
from lowcode_kernel.farm.embedded.supervisor import Running, Supervisor
from lowcode_kernel.farm.environments import Environment, HostAddress
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC_PORT = 8800
HOSTS = ("fe1", "fe2")
STEP = 10
READY_SECONDS = 60.0
START_PATIENCE = 180.0
ATTEMPTS = 3
SOCKET_PATH = 107
LONGEST_BELOW = len("/hosts/fe1/") + 40 + len("/run/0123456789ab.sock")

_log = logging.getLogger(__name__)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided at the first start and stays: `development.json`. The ports of the hosts and of the queue
    follow the public one.
    """

    public_port: int
    queue_token: str

    @property
    def host_ports(self) -> tuple[int, ...]:
        """The port of each host."""
        return tuple(self.public_port + number for number, _ in enumerate(HOSTS, start=1))

    @property
    def queue_port(self) -> int:
        """The port of the queue."""
        return self.public_port + len(HOSTS) + 1

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports."""
        return (self.public_port, *self.host_ports, self.queue_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """The development environment below one folder: `folder` is its state, `run` where its sockets are."""

    home: Path
    folder: Path
    run: Path
    choice: Choice

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisord."""
        return Supervisor(self.folder, self.run)

    @property
    def cluster(self) -> postgres.Cluster:
        """Its PostgreSQL."""
        return postgres.Cluster(
            data=self.folder / "postgres", socket=self.run / "pg", log=self.folder / "logs" / "postgres.log"
        )

    @property
    def queue(self) -> queue.Queue:
        """Its NATS."""
        return queue.Queue(folder=self.folder / "queue", port=self.choice.queue_port, token=self.choice.queue_token)

    @property
    def web(self) -> web.Web:
        """Its Caddy."""
        roots = (Path(host.root) for host in self.hosts)
        return web.Web(
            folder=self.folder / "web",
            port=self.choice.public_port,
            hosts=dict(zip(self.choice.host_ports, roots, strict=True)),
        )

    @property
    def hosts(self) -> tuple[HostAddress, ...]:
        """Its hosts; `port` is where one alone answers."""
        base = self.folder if self.run == self.folder / "run" else self.run
        return tuple(
            HostAddress(name=name, kind="local", port=port, root=PurePosixPath(base / "hosts" / name))
            for name, port in zip(HOSTS, self.choice.host_ports, strict=True)
        )

    @property
    def environment(self) -> Environment:
        """The environment as a deployment sees it."""
        return Environment(
            name="dev", home=self.home, server=self.cluster.url, queue_url=self.queue.url,
            lake_path=str(self.folder / "lake"),
            hosts=self.hosts, public_url=f"http://{web.ADDRESS}:{self.choice.public_port}", embedded=True,
        )  # fmt: skip


# --- looking


def find_development(home: Path) -> Development | None:
    """Return the development environment of a folder, running or not; None where none was ever started."""
    folder = home.resolve() / "dev"
    try:
        choice = msgspec.json.decode((folder / "development.json").read_bytes(), type=Choice)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LowcodeError.of(
            f"{folder / 'development.json'} can't be read: {error}",
            "remove the file: ports and token are chosen anew",
            code="LK660",
        ) from None
    return Development(home=home, folder=folder, run=run_folder(folder), choice=choice)


def run_folder(folder: Path) -> Path:
    """Return where the sockets of a state folder are: in it, or, where their paths would be too long for the kernel
    or PostgreSQL's user has no way to it, in a short folder of our own below /tmp.
    """
    account = service_account()
    long = len(os.fsencode(folder)) + LONGEST_BELOW > SOCKET_PATH
    closed = account is not None and folder.exists() and not can_reach(account, folder)
    if not long and not closed:
        return folder / "run"
    return Path("/tmp") / f"lowcode-{os.getuid()}-{sha256(os.fsencode(folder)).hexdigest()[:8]}"  # noqa: S108 - checked before use


def status(home: Path) -> tuple[Running, ...]:
    """Return the services of the development environment and their states; nothing where it does not run."""
    found = find_development(home)
    if found is None or not found.supervisor.is_alive():
        return ()
    return found.supervisor.services()


def _is_running(development: Development) -> bool:
    """Say whether supervisord answers and has all of ours running."""
    if not development.supervisor.is_alive():
        return False
    try:
        states = {service.name: service.state for service in development.supervisor.services()}
    except LowcodeError:
        return False
    return all(states.get(name) in {"running", "starting"} for name in (postgres.NAME, queue.NAME, web.NAME))


# --- starting


def start_development(home: Path) -> Environment:
    """Start what does not run of the development environment below `home` (`<notebook folder>/.lowcode`); return when
    all of it answers.

    Raises: LowcodeError with the way out, where a disk is full, a cluster is another PostgreSQL's, or a service does
    not come up.
    """
    found = find_development(home)
    if found and _is_running(found):
        return found.environment
    folder = home.resolve() / "dev"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with hold_lock(folder / "start.lock", seconds=START_PATIENCE, what="starting the development environment"):
            return _start(home, folder).environment
    except OSError as error:
        raise disk_fault(error, folder) from error


def _start(home: Path, folder: Path) -> Development:
    found = find_development(home)
    if found and _is_running(found):  # another process started it while we waited
        return found
    if account := service_account():
        _open_way(folder, account.group)
    development = found or _first(home, folder)
    development.supervisor.end()
    postgres.clear_stale(development.cluster)
    return _start_on_free_ports(development)


def _start_on_free_ports(development: Development) -> Development:
    """Start everything; again on the next ports where another program took one between our looking and listening."""
    for _ in range(ATTEMPTS - 1):
        development = _with_free_ports(development)
        try:
            return _start_services(development)
        except LowcodeError:
            if all(_is_free(port) for port in development.choice.ports):
                raise
    return _start_services(_with_free_ports(development))


def _open_way(folder: Path, group: int) -> None:
    """Let PostgreSQL's user pass through the state folder, and read nothing in it."""
    os.chown(folder, -1, group)
    folder.chmod(0o710)


def _first(home: Path, folder: Path) -> Development:
    choice = Choice(public_port=PUBLIC_PORT, queue_token=secrets.token_urlsafe(24))
    return Development(home=home, folder=folder, run=run_folder(folder), choice=choice)


def _with_free_ports(development: Development) -> Development:
    """Write down ports that are free, those it had or else the next, and return the environment on them."""
    before = development.choice
    taken = next((port for port in before.ports if not _is_free(port)), None)
    after = before if taken is None else replace_port(before, _next_free(before))
    if taken is not None:
        _log.warning(
            "port %d is taken by another program: the development environment is at http://%s:%d",
            taken,
            web.ADDRESS,
            after.public_port,
        )
    write_whole(development.folder / "development.json", msgspec.json.encode(after))
    return replace(development, choice=after)


def replace_port(choice: Choice, port: int) -> Choice:
    """Return the choice with another public port."""
    return msgspec.structs.replace(choice, public_port=port)


def _next_free(choice: Choice) -> int:
    for port in range(PUBLIC_PORT, PUBLIC_PORT + 100 * STEP, STEP):
        if all(_is_free(each) for each in replace_port(choice, port).ports):
            return port
    raise LowcodeError.of(
        f"no four ports in a row are free from {PUBLIC_PORT} to {PUBLIC_PORT + 100 * STEP}",
        "see who listens: ss -ltnp",
        code="LK661",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.ADDRESS, port))
        except OSError:
            return False
        return True


def _prepare_folders(development: Development) -> None:
    """Make the folders that services and hosts expect. A run folder below /tmp is ours, or it is not used."""
    run, folder = development.run, development.folder
    mode = 0o711 if service_account() else 0o700
    run.mkdir(mode=mode, exist_ok=True)
    status = run.lstat()
    if run.is_symlink() or status.st_uid != os.getuid():
        raise LowcodeError.of(
            f"{run} belongs to another user",
            "remove it, or set LOWCODE_HOME to a folder with a short path",
            code="LK662",
        )
    run.chmod(mode)
    for name in ("hosts", *(f"hosts/{host}" for host in HOSTS), "logs", "lake", "services"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    if run != folder / "run" and not (run / "hosts").is_symlink():
        (run / "hosts").symlink_to(folder / "hosts")


def _start_services(development: Development) -> Development:
    """Start ours, all at once, and wait for each; then what others had running here. What was begun ends where one
    does not come up.
    """
    _prepare_folders(development)
    supervisor = development.supervisor
    for program in (queue.queue_program(development.queue), web.web_program(development.web)):
        supervisor.define(program)
    supervisor.boot()
    try:
        supervisor.launch(queue.NAME)
        supervisor.launch(web.NAME)
        postgres.create_cluster(development.cluster)  # while those two come up
        supervisor.start(postgres.cluster_program(development.cluster))
        _await(development, postgres.NAME, lambda: postgres.is_ready(development.cluster))
        postgres.ensure_role(development.cluster)
        _await(development, queue.NAME, lambda: queue.is_ready(development.queue))
        _await(development, web.NAME, lambda: web.is_ready(development.web))
    except BaseException:
        supervisor.shut_down()
        _remove_run_folder(development)
        raise
    for service in supervisor.services():
        supervisor.launch(service.name)
    return development


def _await(development: Development, name: str, is_ready: Callable[[], bool]) -> None:
    """Wait until a service answers; raises LowcodeError with the last it said where it has failed or time is up."""
    end = time.monotonic() + READY_SECONDS
    while not is_ready():
        service = development.supervisor.service(name)
        if time.monotonic() > end or service is None or service.state in {"failed", "stopped"}:
            said = development.supervisor.log(name, 3).replace("\n", " | ")
            raise LowcodeError.of(
                f"{name} did not start: {said or 'it said nothing'}",
                f"look into {development.folder / 'logs'}/{name}.log",
                code="LK663",
            )
        time.sleep(0.01)


# --- stopping


def stop_development(home: Path) -> None:
    """Stop everything of the development environment; its data stays. Stopping what does not run clears what a crash
    left.
    """
    found = find_development(home)
    if found is None:
        return
    with hold_lock(
        found.folder / "start.lock", seconds=START_PATIENCE, what="starting or stopping the development environment"
    ):
        if found.supervisor.is_alive():
            found.supervisor.shut_down()
        found.supervisor.end()
        postgres.clear_stale(found.cluster)
        _remove_run_folder(found)


def _remove_run_folder(development: Development) -> None:
    if development.run != development.folder / "run":
        shutil.rmtree(development.run, ignore_errors=True)
