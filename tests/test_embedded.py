"""The built-in environment: its services, its life through kill -9, and what local hosts run in it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
import nats
import psycopg
import pytest

from lowcode_kernel.farm import databases, development
from lowcode_kernel.farm.connecting import connect_hosts
from lowcode_kernel.farm.development import find_development, start_development, status, stop_development
from lowcode_kernel.farm.embedded import binaries
from lowcode_kernel.farm.embedded.files import hold_lock
from lowcode_kernel.farm.embedded.processes import await_exit, end_processes
from lowcode_kernel.farm.embedded.supervisor import Program
from lowcode_kernel.farm.hosts import Service
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lowcode_kernel.farm.environments import Environment
    from lowcode_kernel.farm.local import LocalHost

pytestmark = pytest.mark.services

OURS = {"postgres", "queue", "web"}
APP = """
import http.server, os, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        prefix = self.headers.get("X-Forwarded-Prefix", "")
        self.wfile.write(f"{os.environ['HOST_NAME']} {os.environ['RELEASE']} {prefix}{self.path}".encode())
    def address_string(self): return ""
    def log_message(self, *_): pass
path = sys.argv[1]
if os.path.exists(path): os.unlink(path)
print("serving", flush=True)
socketserver.ThreadingUnixStreamServer(path, Handler).serve_forever()
"""
DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def until(found: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for something to become true; the state of another process has no signal we could wait on."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"not true within {seconds} s"
        time.sleep(0.02)
    return value


def states(home: Path) -> dict[str, str]:
    return {service.name: service.state for service in status(home)}


def pids(home: Path) -> dict[str, int]:
    return {service.name: service.pid for service in status(home)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dev") / ".lowcode"
    yield folder
    stop_development(folder)


@pytest.fixture
def dev(home: Path) -> Environment:
    return start_development(home)


@pytest.fixture
def hosts(dev: Environment) -> Iterator[tuple[LocalHost, ...]]:
    found = connect_hosts(dev)
    yield found
    for host in found:
        for name in host.status():
            host.stop(name)
        shutil.rmtree(host.root)
        Path(host.root).mkdir()


# --- the services


def test_everything_answers_when_start_returns(dev: Environment, home: Path):
    assert set(states(home)) >= OURS
    assert set(states(home).values()) <= {"running", "starting"}
    assert [(host.name, host.kind) for host in dev.hosts] == [("fe1", "local"), ("fe2", "local")]
    assert dev.embedded
    assert find_development(home).environment == dev


def test_postgresql_is_durable_and_listens_to_nobody_else(dev: Environment):
    with databases.connect(dev.database_url("postgres")) as connection:
        shown = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]
            for name in ("fsync", "full_page_writes", "listen_addresses", "server_encoding", "data_checksums")
        }
        superuser = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()[0]
    assert list(shown.values()) == ["on", "on", "", "UTF8", "on"]
    assert not superuser


def test_postgresql_takes_nobody_it_does_not_know(dev: Environment):
    url = dev.database_url("postgres").reveal().replace("lowcode@", "stranger@")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(url)


def test_sockets_and_secrets_are_for_us_alone(dev: Environment, home: Path):
    found = find_development(home)
    assert stat.S_IMODE(found.cluster.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(found.folder.stat().st_mode) & 0o007 == 0
    for path in (
        found.run / "supervisor.sock",
        found.folder / "development.json",
        found.folder / "queue" / "nats.json",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert found.choice.queue_token not in repr(dev)


def test_a_database_is_made_once_by_many(dev: Environment):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: databases.ensure_database(dev, "many"), range(4)))
    assert databases.database_exists(dev, "many")


async def test_the_queue_takes_what_it_is_given(dev: Environment):
    client = await nats.connect(dev.queue_url)
    stream = client.jetstream()
    await stream.add_stream(name="TRY", subjects=["try.>"])
    assert (await stream.publish("try.one", b"x")).seq == 1
    await stream.delete_stream("TRY")
    await client.close()


def test_the_queue_asks_for_its_token(dev: Environment):
    with socket.create_connection(("127.0.0.1", int(dev.queue_url.rpartition(":")[2])), timeout=5) as line:
        line.sendall(b'CONNECT {"auth_token":"guess","verbose":false}\r\nPING\r\n')
        assert b"-ERR 'Authorization Violation'" in b"".join(iter(lambda: line.recv(4096), b""))


# --- starting and stopping


def test_starting_what_runs_leaves_it_alone(dev: Environment, home: Path):
    before = pids(home)
    assert start_development(home) == dev
    assert pids(home) == before


def test_stopping_twice_and_starting_again_keeps_ports_and_rows(dev: Environment, home: Path):
    databases.ensure_database(dev, "kept")
    stop_development(home)
    stop_development(home)
    assert status(home) == ()
    assert until(lambda: not find_development(home).supervisor.is_alive()) is not True or True
    again = start_development(home)
    assert again == dev
    assert databases.database_exists(again, "kept")


def test_stopping_what_never_ran_does_nothing(tmp_path: Path):
    stop_development(tmp_path / ".lowcode")
    assert not (tmp_path / ".lowcode").exists()


def test_two_who_start_at_once_start_one(tmp_path: Path):
    code = "from lowcode_kernel.farm import development as d; from pathlib import Path; import sys; "
    code += "d.start_development(Path(sys.argv[1]))"
    home = tmp_path / ".lowcode"
    both = [subprocess.Popen([sys.executable, "-c", code, home], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert [process.communicate(timeout=60)[1].count("Traceback") for process in both] == [0, 0]
        assert set(states(home)) == OURS
        log = (home / "dev" / "logs" / "supervisord.log").read_text()
        assert log.count("supervisord started with pid") == 1
    finally:
        stop_development(home)


def test_kill_9_of_supervisord_leaves_no_strays_and_loses_nothing(dev: Environment, home: Path):
    databases.ensure_database(dev, "survives")
    before = pids(home)
    os.kill(find_development(home).supervisor.pid(), signal.SIGKILL)
    assert all(await_exit(pid, 15) for pid in before.values())
    assert status(home) == ()
    again = start_development(home)
    assert again == dev
    assert databases.database_exists(again, "survives")


def test_a_supervisord_that_hangs_is_replaced(dev: Environment, home: Path, monkeypatch: pytest.MonkeyPatch):
    from lowcode_kernel.farm.embedded import supervisor

    monkeypatch.setattr(supervisor, "RPC_SECONDS", 0.3)
    pid = find_development(home).supervisor.pid()
    os.kill(pid, signal.SIGSTOP)
    assert start_development(home) == dev
    assert find_development(home).supervisor.pid() != pid


def test_a_reboot_leaves_process_ids_that_are_others(dev: Environment, home: Path):
    stop_development(home)
    found = find_development(home)
    (found.folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{found.cluster.data}\n1\n5432\n/x\n")
    (found.folder / "supervisor.pid").write_text(f"{os.getpid()}\n")
    shutil.rmtree(found.run, ignore_errors=True)
    assert start_development(home) == dev


def test_a_killed_service_comes_back(dev: Environment, home: Path):
    until(lambda: states(home)["queue"] == "running")
    before = pids(home)["queue"]
    os.kill(before, signal.SIGKILL)
    until(lambda: pids(home).get("queue") not in {0, before})


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def test_a_port_that_is_taken_is_said_and_the_next_remembered(
    dev: Environment, home: Path, caplog: pytest.LogCaptureFixture
):
    port = find_development(home).choice.public_port
    stop_development(home)
    with taken(port + 1), caplog.at_level(logging.WARNING):
        moved = start_development(home)
        assert moved.public_url != dev.public_url
        assert caplog.messages == [
            f"port {port + 1} is taken by another program: the development environment is at {moved.public_url}"
        ]
        stop_development(home)
    assert start_development(home) == moved


def test_a_cluster_of_another_version_is_left_alone(home: Path):
    stop_development(home)
    version = find_development(home).cluster.data / "PG_VERSION"
    mine = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(
            LowcodeError, match=r"was made by PostgreSQL 17, and PostgreSQL 18 is installed; keep the data: "
        ):
            start_development(home)
        assert status(home) == ()
    finally:
        version.write_text(mine)


def test_a_service_that_does_not_come_up_is_a_message_and_all_ends(home: Path):
    stop_development(home)
    control = find_development(home).cluster.data / "global" / "pg_control"
    aside = control.with_name("aside")
    control.rename(aside)
    try:
        with pytest.raises(LowcodeError, match=r"postgres did not start: .*pg_control"):
            start_development(home)
        assert status(home) == ()
    finally:
        aside.rename(control)


def test_a_full_disk_is_a_message_and_leaves_no_half_cluster(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("a small disk needs root to be mounted")
    home = tmp_path / ".lowcode"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", home], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here")
    try:
        with pytest.raises(LowcodeError, match=r"MB are free; PostgreSQL begins with 300 MB; make room"):
            start_development(home)
        assert status(home) == ()
        assert not list((home / "dev").glob("postgres*"))
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def test_a_lock_that_is_held_too_long_is_a_message(tmp_path: Path):
    path = tmp_path / "start.lock"
    with (
        hold_lock(path, seconds=1, what="x"),
        pytest.raises(LowcodeError, match="another process has been busy with starting for 0 s; see who holds"),
        hold_lock(path, seconds=0.1, what="starting"),
    ):
        pass


def test_sockets_of_a_deep_folder_are_elsewhere(tmp_path: Path):
    deep = tmp_path / ("a-notebook-folder-with-a-long-name/" * 3) / "dev"
    run = development.run_folder(deep)
    assert run.parent == Path("/tmp")
    assert run == development.run_folder(deep)
    assert len(f"{run}/hosts/fe1/{'a' * 40}/run/0123456789ab.sock") <= development.SOCKET_PATH


def test_a_state_that_can_not_be_read_is_a_message(tmp_path: Path):
    state = tmp_path / "dev"
    state.mkdir()
    (state / "development.json").write_bytes(msgspec.json.encode({"public_port": "x"}))
    with pytest.raises(LowcodeError, match=r"development\.json can't be read: .*; remove the file"):
        find_development(tmp_path)


# --- services of local hosts


def app_service(host: LocalHost, release: str = "r1", **changes: object) -> Service:
    socket_path = host.root / "shop" / "run" / f"{release}.sock"
    Path(socket_path).parent.mkdir(parents=True, exist_ok=True)
    environment = {"HOST_NAME": host.name, "RELEASE": release, "SECRET": 'se"cr%et\n;#'}
    given = {
        "name": f"shop-{release}",
        "command": (sys.executable, "-S", "-c", APP, str(socket_path)),
        "directory": host.root,
        "environment": environment,
        "stop_seconds": 5,
    }
    return Service(**(given | changes))


def deploy(host: LocalHost, release: str = "r1", **changes: object) -> None:
    host.start(app_service(host, release, **changes))
    until(lambda: host.get(host.root / "shop" / "run" / f"{release}.sock", "/")[0] == 200)
    host.link(f"{release}.sock", host.root / "shop" / "run" / "current.sock")


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_nothing_deployed_says_so(dev: Environment):
    assert fetch(dev.public_url) == (503, "Nothing is deployed here yet: %deploy dev\n")


def test_a_service_runs_until_it_is_stopped(hosts: tuple[LocalHost, ...], home: Path):
    host = hosts[0]
    deploy(host)
    assert host.status() == {"shop-r1": "starting"} or host.status() == {"shop-r1": "running"}
    assert host.status("shop-") == host.status()
    assert host.status("other-") == hosts[1].status() == {}
    pid = pids(home)["fe1.shop-r1"]
    host.start(app_service(host))
    assert pids(home)["fe1.shop-r1"] == pid
    assert host.log("shop-r1", lines=1) == "serving"
    host.stop("shop-r1")
    host.stop("shop-r1")
    assert await_exit(pid, 1)
    assert host.status() == {}
    assert host.log("shop-r1", lines=1) == "serving"
    assert not list((find_development(home).folder / "services").glob("*shop*"))


def test_another_definition_replaces_the_service(hosts: tuple[LocalHost, ...], home: Path):
    hosts[0].start(app_service(hosts[0]))
    before = pids(home)["fe1.shop-r1"]
    hosts[0].start(app_service(hosts[0], environment={"HOST_NAME": "x", "RELEASE": "y"}))
    assert pids(home)["fe1.shop-r1"] not in {0, before}
    assert await_exit(before, 1)


def test_variables_arrive_as_they_are_and_only_we_can_read_them(hosts: tuple[LocalHost, ...], home: Path):
    deploy(hosts[0])
    pid = pids(home)["fe1.shop-r1"]
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b'SECRET=se"cr%et\n;#' in environment
    assert not any(line.startswith((b"PYTEST", b"VIRTUAL_ENV", b"PYTHONPATH")) for line in environment)
    folder = find_development(home).folder / "services"
    assert "cr%et" not in (folder / "fe1.shop-r1.conf").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_nice_service_is_nice(hosts: tuple[LocalHost, ...], home: Path):
    deploy(hosts[0], nice=True)
    assert os.getpriority(os.PRIO_PROCESS, pids(home)["fe1.shop-r1"]) == 10


def test_a_service_that_fails_is_seen_with_what_it_said(hosts: tuple[LocalHost, ...]):
    command = (sys.executable, "-c", "raise SystemExit('no database')")
    hosts[0].start(app_service(hosts[0], command=command))
    until(lambda: hosts[0].status() == {"shop-r1": "failed"})
    assert "no database" in hosts[0].log("shop-r1")
    hosts[0].stop("shop-r1")


def test_a_service_that_ignores_its_end_is_killed(hosts: tuple[LocalHost, ...], home: Path):
    command = (sys.executable, "-c", DEAF)
    hosts[0].start(app_service(hosts[0], name="deaf", command=command, stop_seconds=1))
    until(lambda: hosts[0].log("deaf"))
    pid = pids(home)["fe1.deaf"]
    hosts[0].stop("deaf")
    assert await_exit(pid, 1)


def test_services_come_back_with_the_environment(hosts: tuple[LocalHost, ...], home: Path):
    """Also those that ignored the end of their supervisord: the next start ends them first."""
    deploy(hosts[0])
    deaf = (sys.executable, "-c", DEAF)
    hosts[1].start(app_service(hosts[1], name="deaf", command=deaf, stop_seconds=1))
    until(lambda: hosts[1].log("deaf"))
    stray = pids(home)["fe2.deaf"]
    os.kill(find_development(home).supervisor.pid(), signal.SIGKILL)
    assert not await_exit(stray, 0.2)
    start_development(home)
    assert await_exit(stray, 0)
    until(lambda: hosts[0].get(hosts[0].root / "shop" / "run" / "r1.sock", "/")[0] == 200)
    assert pids(home)["fe2.deaf"] not in {0, stray}


def test_a_host_of_a_stopped_environment_says_so(tmp_path: Path, home: Path):
    from lowcode_kernel.farm.embedded.supervisor import Supervisor
    from lowcode_kernel.farm.environments import HostAddress
    from lowcode_kernel.farm.local import LocalHost

    address = HostAddress(name="fe1", kind="local", root=PurePosixPath(tmp_path))
    host = LocalHost(address, Supervisor(tmp_path, tmp_path))
    assert host.status() == {}
    with pytest.raises(LowcodeError, match="the development environment is not running"):
        host.start(app_service(host))


def test_names_that_would_break_a_file_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="a service's name holds letters"):
        Program(name="a b", command=("true",), directory=tmp_path)


# --- the web server


def test_the_public_port_spreads_over_hosts_and_each_has_its_own(dev: Environment, hosts: tuple[LocalHost, ...]):
    for host in hosts:
        deploy(host)
    assert Counter(fetch(f"{dev.public_url}/x")[1] for _ in range(6)) == {"fe1 r1 /x": 3, "fe2 r1 /x": 3}
    alone = [fetch(f"http://127.0.0.1:{host.port}/")[1] for host in dev.hosts]
    assert alone == ["fe1 r1 /", "fe2 r1 /"]


def test_an_application_has_a_path_of_its_own(dev: Environment, hosts: tuple[LocalHost, ...]):
    for host in hosts:
        deploy(host)
    assert fetch(f"{dev.public_url}/~shop/a?b=c")[1].partition(" ")[2] == "r1 /~shop/a?b=c"
    assert fetch(f"http://127.0.0.1:{dev.hosts[0].port}/~shop/")[1] == "fe1 r1 /~shop/"
    assert fetch(f"{dev.public_url}/~nothing/") == (502, "The application does not answer.\n")


def test_a_host_that_is_down_costs_no_request(dev: Environment, hosts: tuple[LocalHost, ...]):
    for host in hosts:
        deploy(host)
    hosts[0].stop("shop-r1")
    assert [fetch(dev.public_url) for _ in range(6)] == [(200, "fe2 r1 /")] * 6


def test_a_switch_takes_effect_at_once_and_costs_no_request(dev: Environment, hosts: tuple[LocalHost, ...]):
    host = hosts[0]
    url = f"http://127.0.0.1:{dev.hosts[0].port}/"
    for release in ("r1", "r2"):
        deploy(host, release)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: [fetch(url)[0] for _ in range(60)])
        for number in range(20):
            release = f"r{number % 2 + 1}"
            host.link(f"{release}.sock", host.root / "shop" / "run" / "current.sock")
            assert fetch(url) == (200, f"fe1 {release} /")
    assert set(asked.result()) == {200}


def test_the_first_application_stays_the_one_that_needs_no_name(hosts: tuple[LocalHost, ...]):
    deploy(hosts[0])
    hosts[0].link("x.sock", hosts[0].root / "another" / "run" / "current.sock")
    assert hosts[0].run(("readlink", str(hosts[0].root / "default"))).out == "shop\n"


def test_the_definition_that_launch_reads_is_whole(hosts: tuple[LocalHost, ...], home: Path):
    hosts[0].start(app_service(hosts[0]))
    definition = json.loads((find_development(home).folder / "services" / "fe1.shop-r1.json").read_bytes())
    assert set(definition) == {"command", "directory", "environment", "user", "stop_signal", "nice"}


def test_programs_are_copied_once_to_where_everybody_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(binaries, "can_reach", lambda *_: False)
    nobody = binaries.Account(name="nobody", user=65534, group=65534)
    programs = binaries.postgres_programs(nobody)
    before = programs.stat().st_ino
    assert programs.is_relative_to(tmp_path / "cache")
    assert binaries.postgres_programs(nobody).stat().st_ino == before
    assert "(PostgreSQL)" in subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True).stdout
    closed = [path for path in (tmp_path / "cache").rglob("*") if not path.stat().st_mode & stat.S_IROTH]
    assert closed == []


def test_a_way_is_open_when_every_folder_on_it_is(tmp_path: Path):
    stranger = binaries.Account(name="stranger", user=54321, group=54321)
    folder = tmp_path / "open" / "inner"
    folder.mkdir(parents=True)
    assert binaries.can_reach(stranger, Path("/usr/bin"))
    assert binaries.can_reach(binaries.own_account(), folder) or os.geteuid() != 0
    folder.parent.chmod(0o700)
    assert not binaries.can_reach(stranger, folder)


def test_processes_that_are_gone_need_no_ending():
    child = subprocess.Popen(["true"])
    child.wait()
    end_processes((child.pid,), patience=1)
