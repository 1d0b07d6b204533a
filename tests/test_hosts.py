"""One contract, two hosts: this machine, and this machine behind an sshd of our own on a loopback address."""

from __future__ import annotations

import getpass
import http.server
import os
import shutil
import socket
import socketserver
import stat
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

import pytest

from lowcode_kernel.farm import ssh, systemd
from lowcode_kernel.farm.embedded.processes import await_exit
from lowcode_kernel.farm.embedded.supervisor import Supervisor
from lowcode_kernel.farm.environments import HostAddress, Secret
from lowcode_kernel.farm.hosts import TIMED_OUT, Host, HostLost, Service, checked_path
from lowcode_kernel.farm.local import LocalHost
from lowcode_kernel.farm.ssh import SshHost
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
KEYGEN = shutil.which("ssh-keygen")
ADDRESS = "127.0.0.2"
SECOND = timedelta(seconds=1)
HALF = timedelta(milliseconds=500)


# --- an sshd of our own


@dataclass(frozen=True)
class Sshd:
    address: HostAddress
    process: subprocess.Popen[str]


def make_key(path: Path) -> str:
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def start_sshd(folder: Path) -> Sshd:
    host_key = make_key(folder / "host")
    (folder / "authorized_keys").write_text(make_key(folder / "user") + "\n")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress {ADDRESS}:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "PidFile none\nUsePAM no\nStrictModes no\nUseDNS no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nLoginGraceTime 10\n"
        f"SetEnv HOME={folder} XDG_RUNTIME_DIR={folder} LANG=C.UTF-8\n"  # not the shell's start files of who tests
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    first = process.stderr.readline()
    assert "listening" in first, first
    threading.Thread(target=process.stderr.read, daemon=True).start()
    address = HostAddress(
        name="fe1",
        address=ADDRESS,
        port=port,
        user=getpass.getuser(),
        key_file=folder / "user",
        known_host_key=host_key,
        root=PurePosixPath("/"),
    )
    return Sshd(address=address, process=process)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if SSHD is None or KEYGEN is None:
        pytest.skip("no sshd on this machine; see tests/provision.sh")
    running = start_sshd(tmp_path_factory.mktemp("sshd"))
    yield running
    running.process.terminate()
    running.process.wait(10)
    running.process.stderr.close()


@pytest.fixture(params=["local", "ssh"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    root = PurePosixPath(tmp_path)
    if request.param == "local":
        address = HostAddress(name="fe1", kind="local", root=root)
        found: Host = LocalHost(address, Supervisor(tmp_path, tmp_path))
    else:
        found = SshHost(replace(request.getfixturevalue("sshd").address, root=root))
    yield found
    found.close()


# --- commands


def test_a_command_gives_its_output_and_its_status(host: Host):
    outcome = host.run(("sh", "-c", "echo out; echo err >&2; exit 3"), check=False)
    assert (outcome.status, outcome.out, outcome.err) == (3, "out\n", "err\n")


def test_words_of_a_command_arrive_as_they_are(host: Host):
    words = ("a b", "$HOME", "it's", "*", "", 'x"y', "ä\nb")
    assert host.run(("printf", "%s|", *words)).out == "".join(f"{word}|" for word in words)


def test_a_command_reads_what_it_is_given_and_a_large_answer_comes_back(host: Host):
    given = b"0123456789abcde\n" * 40_000
    assert host.run(("cat",), input=given).out.encode() == given


def test_a_failed_command_says_where_which_and_why(host: Host):
    with pytest.raises(LowcodeError) as error:
        host.run(("sh", "-c", "echo no such flight >&2; exit 2"))
    assert str(error.value) == "host fe1: `sh -c echo no such flight >&2; exit 2` ended with status 2: no such flight"


def test_a_command_that_is_not_there_is_status_127(host: Host):
    assert host.run(("no-such-command-here",), check=False).status == 127


def test_a_command_that_is_too_slow_ends_with_all_that_it_started(host: Host):
    outcome = host.run(("sh", "-c", "sleep 300 & echo $!; wait"), timeout=HALF, check=False)
    assert outcome.status == TIMED_OUT
    assert await_exit(int(outcome.out), 10)
    with pytest.raises(LowcodeError, match=r"`sleep 300` was not done after 0\.5 s"):
        host.run(("sleep", "300"), timeout=HALF)


def test_threads_share_a_host(host: Host):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: host.run(("echo", str(number))).out, range(8)))
    assert answers == [f"{number}\n" for number in range(8)]


# --- files


def plain(*names: str) -> list[tuple[PurePosixPath, bytes, bool]]:
    return [(PurePosixPath(name), name.encode(), False) for name in names]


def test_files_arrive_whole_with_their_modes(host: Host, tmp_path: Path):
    blob = bytes(range(256)) * 500
    files = [(PurePosixPath("start"), b"#!/bin/sh\n", True), (PurePosixPath("web/a b.bin"), blob, False)]
    host.put(files, PurePosixPath(tmp_path / "new" / "release"))
    release = tmp_path / "new" / "release"
    assert (release / "web" / "a b.bin").read_bytes() == blob
    assert [stat.S_IMODE((release / name).stat().st_mode) for name in ("start", "web/a b.bin")] == [0o755, 0o644]
    assert sorted(path.name for path in release.iterdir()) == ["start", "web"]


def test_only_what_differs_is_written(host: Host, tmp_path: Path):
    under = PurePosixPath(tmp_path / "release")
    host.put(plain("same", "other"), under)
    before = (tmp_path / "release" / "same").stat().st_ino
    (tmp_path / "release" / "other").write_bytes(b"damaged")
    host.put(plain("same", "other", "more"), under)
    assert (tmp_path / "release" / "same").stat().st_ino == before
    assert (tmp_path / "release" / "other").read_bytes() == b"other"
    assert (tmp_path / "release" / "more").read_bytes() == b"more"


def test_no_files_make_an_empty_folder(host: Host, tmp_path: Path):
    host.put([], PurePosixPath(tmp_path / "empty"))
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\nb", "a\\b"])
def test_a_path_stays_below_its_folder(path: str):
    with pytest.raises(ValueError, match="not a relative path"):
        checked_path(PurePosixPath(path))


def test_a_file_that_can_not_be_written_is_a_message(host: Host, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LowcodeError):
        host.put(plain("x"), PurePosixPath(tmp_path / "file" / "release"))


def test_a_file_is_read_or_is_none(host: Host, tmp_path: Path):
    (tmp_path / "blob").write_bytes(b"\x00\xff")
    assert host.read(PurePosixPath(tmp_path / "blob")) == b"\x00\xff"
    assert host.read(PurePosixPath(tmp_path / "absent")) is None


def test_a_link_is_replaced(host: Host, tmp_path: Path):
    link = PurePosixPath(tmp_path / "run" / "link")
    for target in ("one", "two", "two"):
        host.link(target, link)
        assert Path(link).readlink() == Path(target)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["link"]


@pytest.mark.parametrize("broken", [b"", b"\0" * 100, b"not a tar stream" * 100])
def test_an_upload_that_breaks_leaves_nothing(sshd: Sshd, tmp_path: Path, broken: bytes):
    host = SshHost(sshd.address)
    whole = ssh._archive({"a": (b"a" * 3000, False), "b": (b"b" * 3000, False)})
    for stream in (broken, whole[:512], whole[:5120]):
        command = ("sh", "-c", ssh.RECEIVE, "sh", str(tmp_path / "release"), "draft")
        assert host.run(command, input=stream, check=False).status != 0
        assert list((tmp_path / "release").iterdir()) == []
    host.close()


# --- HTTP through a socket


class Handler(http.server.BaseHTTPRequestHandler):
    answers: ClassVar = {"/livez": (200, b"\x00alive\n"), "/readyz": (503, b"no database")}

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[PurePosixPath]:
    with tempfile.TemporaryDirectory(prefix="lk") as folder:  # a short path: the kernel takes 107 bytes
        path = f"{folder}/app.sock"
        with socketserver.UnixStreamServer(path, Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield PurePosixPath(path)
            server.shutdown()
            thread.join()


def test_a_release_answers_through_its_socket(host: Host, served: PurePosixPath):
    assert host.get(served, "/livez") == (200, b"\x00alive\n")
    assert host.get(served, "/readyz") == (503, b"no database")


def test_where_nothing_answers_the_status_is_0(host: Host, tmp_path: Path):
    assert host.get(PurePosixPath(tmp_path / "absent.sock"), "/livez", timeout=SECOND) == (0, b"")


# --- lines that break, keys that are others'


def test_a_host_that_is_away_is_lost(sshd: Sshd):
    with pytest.raises(HostLost, match=r"fe1 \(127\.0\.0\.2\)"):
        SshHost(replace(sshd.address, port=free_port())).run(("true",))


def test_a_host_is_lost_when_its_line_breaks_and_found_when_it_is_back(sshd: Sshd):
    host = SshHost(sshd.address)
    with pytest.raises(HostLost):
        host.run(("sh", "-c", "kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $$))"))  # our own session's sshd
    assert host.run(("echo", "back")).out == "back\n"
    host.close()


def test_a_host_that_shows_another_key_is_refused(sshd: Sshd, tmp_path: Path):
    other = SshHost(replace(sshd.address, known_host_key=make_key(tmp_path / "other")))
    with pytest.raises(LowcodeError, match="shows another key than the one that is pinned"):
        other.run(("true",))


def test_a_host_without_a_pinned_key_is_refused(sshd: Sshd):
    with pytest.raises(LowcodeError, match="known_host_key is not a public key"):
        SshHost(replace(sshd.address, known_host_key="")).run(("true",))


def test_a_key_that_the_host_does_not_take_is_a_message(sshd: Sshd, tmp_path: Path):
    make_key(tmp_path / "stranger")
    with pytest.raises(LowcodeError, match="does not accept our key; look at user and key_file"):
        SshHost(replace(sshd.address, key_file=tmp_path / "stranger")).run(("true",))


# --- systemd


SERVICE = Service(
    name="flightdesk-0123456789ab",
    command=("/srv/lowcode/env/bin/python", "-c", 'print("100%", $HOME)\n'),
    directory=PurePosixPath("/srv/lowcode/a b"),
    environment={"DATABASE_URL": Secret('p"a$s\\w`'), "A": "two\nlines"},
    nice=True,
)


def test_a_host_without_systemd_for_the_user_says_so(sshd: Sshd):
    host = SshHost(sshd.address)
    with pytest.raises(LowcodeError, match="the user has no systemd there; install systemd"):
        host.start(SERVICE)
    host.close()


def test_a_service_becomes_a_unit():
    assert systemd.unit_text(SERVICE).split("\n\n")[1] == (
        "[Service]\n"
        "Type=simple\n"
        'ExecStart="/srv/lowcode/env/bin/python" "-c" "print(\\"100%%\\", $$HOME)\\n"\n'
        "WorkingDirectory=/srv/lowcode/a b\n"
        "EnvironmentFile=%h/.config/systemd/user/lowcode-flightdesk-0123456789ab.variables\n"
        "Restart=on-failure\n"
        "RestartSec=1\n"
        "KillMode=mixed\n"
        "TimeoutStopSec=30\n"
        "Nice=10\n"
        "IOSchedulingClass=best-effort\n"
        "IOSchedulingPriority=7"
    )


def test_variables_are_written_as_systemd_reads_them():
    assert systemd.variables_text(SERVICE) == 'A="two\nlines"\nDATABASE_URL="p\\"a\\$s\\\\w\\`"\n'


def test_states_of_units_are_read():
    text = """\
Id=lowcode-a.service
ActiveState=active
SubState=running

Id=lowcode-b-1.service
ActiveState=activating
SubState=auto-restart

Id=lowcode-c.service
ActiveState=inactive
SubState=dead
"""
    assert systemd.parse_states(text) == {"a": "running", "b-1": "failed", "c": "stopped"}
    assert systemd.parse_states("") == {}
