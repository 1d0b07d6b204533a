"""Test hosts: systemd-nspawn containers with a real systemd, sshd and a user `deploy`, on a private network.

Real enough for what a farm does: user units with linger, reboot, a power cut, a pulled cable, a full disk. A host boots
in under a second: nothing is virtual but its namespaces, and its disk is an overlay in memory over one base tree.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tests.farm import base_tree, network, runs

if TYPE_CHECKING:
    from collections.abc import Iterable

REBOOT_ASKED = 133  # what nspawn answers with --keep-unit
REBOOT = signal.SIGRTMIN + 5  # what systemd as process 1 takes for "reboot"
POWER_OFF = signal.SIGRTMIN + 3
TOOLS = ("systemd-nspawn", "mmdebstrap", "ip", "ssh-keygen", "ssh", "tar")
DISK = "2g"
ROOT = PurePosixPath("/srv/lowcode")


def why_not() -> str:
    """Return why no hosts can be made here; nothing where they can."""
    if os.geteuid() != 0:
        return "the farm's hosts need root (namespaces, systemd-nspawn)"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"the farm's hosts need {', '.join(missing)}; see tests/provision.sh"
    parents = runs.cgroup_parents()
    if not parents or not all(os.access(parent, os.W_OK) for parent in parents):
        return "the farm's hosts need a cgroup hierarchy that can be written"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode:
        return "the farm's hosts need namespaces, which root may not make here (a container without privileges?)"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a deployment has to know of a host. `host_key` is the line that pins it: `ssh-ed25519 AAAA...`."""

    name: str
    address: str
    port: int = 22
    user: str = "deploy"
    key_file: Path
    host_key: str
    root: PurePosixPath = ROOT


def make_key(path: Path, comment: str) -> str:
    """Make a key pair; return its public line, without the comment."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


class Host:
    """One host: switched on and off like a machine. `tree` is its file system, seen from outside."""

    def __init__(self, number: int, folder: Path, net: network.Network, lower: Path, key_file: Path) -> None:
        self.number = number
        self.net = net
        self.run = folder.name
        self.folder = folder / f"h{number}"
        self.tree = self.folder / "root"
        self.boots = 0
        self._on = threading.Event()
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._lay_out(lower)
        self.address = self._prepare(key_file)

    def _lay_out(self, lower: Path) -> None:
        """Mount an overlay whose changes go to memory, so that a full disk is this host's alone."""
        memory = self.folder / "memory"
        memory.mkdir(parents=True)
        self.tree.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", memory], check=True)
        for name in ("upper", "work"):
            (memory / name).mkdir()
        options = f"lowerdir={lower},upperdir={memory / 'upper'},workdir={memory / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.tree], check=True)

    def _prepare(self, key_file: Path) -> Address:
        """Give the host its name, its key and the key that may enter."""
        name = f"fe{self.number}"
        (self.tree / "etc" / "hostname").write_text(f"{name}\n")
        (self.tree / "etc" / "hosts").write_text(f"127.0.0.1 localhost {name}\n")
        host_key = make_key(self.tree / "etc" / "ssh" / "ssh_host_ed25519_key", name)
        entry = self.tree / "home" / "deploy" / ".ssh" / "authorized_keys"
        entry.write_text(key_file.with_suffix(".pub").read_text())
        os.chown(entry, 1000, 1000)
        return Address(name=name, address=network.address(self.number), key_file=key_file, host_key=host_key)

    @property
    def is_on(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def power_on(self) -> None:
        """Boot, without waiting; a host that asks for a reboot is booted again."""
        assert not self.is_on, f"{self.address.name} runs already"
        self._on.set()
        self._thread = threading.Thread(target=self._keep_booted, name=self.address.name, daemon=True)
        self._thread.start()

    def _keep_booted(self) -> None:
        status = REBOOT_ASKED
        while status == REBOOT_ASKED and self._on.is_set():
            with (self.folder / "console.log").open("ab") as console:
                self._nspawn = self._boot(console.fileno())
                self.boots += 1
                status = self._nspawn.wait()

    def _boot(self, console: int) -> subprocess.Popen[bytes]:
        nspawn = (
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"),
            *("--resolv-conf=off", "--timezone=off", "--console=pipe", f"--kill-signal={int(POWER_OFF)}"),
            *(f"--directory={self.tree}", f"--machine={self.run}-{self.address.name}"),
            f"--network-namespace-path={network.NETNS / self.net.host(self.number)}",
        )
        return subprocess.Popen(
            # nspawn keeps the cgroup in which it starts, so that hosts don't collide
            runs.in_cgroup(self.run, f"h{self.number}", nspawn),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            start_new_session=True,  # Ctrl-C is pytest's: the fixture's end switches the host off
        )

    def init(self) -> int:
        """Return process 1 of the host, by its number outside."""
        assert self._nspawn is not None
        listing = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text()
        return int(listing.split()[0])

    def power_cut(self) -> None:
        """Stop everything at once: nothing on the host gets to say or to write another word."""
        self._on.clear()
        os.kill(self.init(), signal.SIGKILL)
        self._await_end(10)

    def power_off(self) -> None:
        """Shut down in order, and by force after some seconds."""
        self._on.clear()
        if not self.is_on:
            return
        with suppress(OSError, IndexError):
            os.kill(self.init(), POWER_OFF)
        self._await_end(10)
        if self.is_on:
            self.power_cut()

    def reboot(self) -> None:
        """Restart in order, and wait until it answers again."""
        boots = self.boots
        os.kill(self.init(), REBOOT)
        deadline = time.monotonic() + 60
        while self.boots == boots:
            assert time.monotonic() < deadline, f"{self.address.name} did not go down:\n{self.console()}"
            time.sleep(0.02)
        self.wait_until_up()

    def _await_end(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def wait_until_up(self, seconds: float = 60) -> None:
        """Wait until sshd greets and `deploy`'s own systemd is up."""
        deadline = time.monotonic() + seconds
        while not (self._greets() and self._user_manager_runs()):
            alive = self.is_on and time.monotonic() < deadline
            assert alive, f"{self.address.name} did not come up:\n{self.console()}"
            time.sleep(0.02)

    def _greets(self) -> bool:
        with self.net.entered():
            try:
                with socket.create_connection((self.address.address, self.address.port), timeout=1) as connection:
                    return connection.recv(4) == b"SSH-"
            except OSError:
                return False

    def _user_manager_runs(self) -> bool:
        # /run is a file system of the host's own, so it is looked at through its process 1
        with suppress(OSError, IndexError):
            return Path(f"/proc/{self.init()}/root/run/user/1000/systemd/private").exists()
        return False

    def console(self) -> str:
        """Return the end of what the host wrote to its console."""
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]

    def link_down(self) -> None:
        """Pull the network cable: connections hang, nothing is told."""
        self.net.set_link(self.number, "down")

    def link_up(self) -> None:
        """Plug the network cable in."""
        self.net.set_link(self.number, "up")

    def fill_disk(self, leave: int = 0) -> None:
        """Use up the disk but for `leave` bytes, until `free_disk`."""
        memory = os.statvfs(self.folder / "memory")
        filler = self.folder / "memory" / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(memory.f_bavail * memory.f_frsize - leave, 1))

    def free_disk(self) -> None:
        """Undo `fill_disk`."""
        (self.folder / "memory" / "filler").unlink(missing_ok=True)

    def shell(self, command: str, *, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command by the system's ssh as `deploy`: for what a test looks at, not for what it tests."""
        known = self.folder / "known_hosts"
        known.write_text(f"{self.address.address} {self.address.host_key}\n")
        options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "ConnectTimeout=5")
        words = ["ssh", "-F", "none", "-i", str(self.address.key_file), *(f"-o{option}" for option in options)]
        target = f"{self.address.user}@{self.address.address}"
        with self.net.entered():
            return subprocess.run(
                [*words, target, command], capture_output=True, text=True, check=False, timeout=seconds
            )


class Farm:
    """The hosts of one run, and their network."""

    def __init__(self, count: int) -> None:
        self.folder = runs.begin()
        self.net = network.Network(self.folder.name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g,mode=755", "tmpfs", self._inner()], check=True)
        base_tree.unpack(self._inner() / "base")
        self.net.create(count)
        make_key(self._inner() / "key", "tests")
        self.hosts = tuple(self._host(number) for number in range(1, count + 1))

    def _inner(self) -> Path:
        inner = self.folder / "inner"
        inner.mkdir(exist_ok=True)
        return inner

    def _host(self, number: int) -> Host:
        return Host(number, self.folder, self.net, self._inner() / "base", self._inner() / "key")

    def power_on(self, hosts: Iterable[Host] | None = None) -> None:
        """Boot hosts, all at once, and wait for them."""
        chosen = tuple(self.hosts if hosts is None else hosts)
        for host in chosen:
            host.power_on()
        for host in chosen:
            host.wait_until_up()

    def repair(self) -> None:
        """Undo what a test did to power, cable and disk of the hosts; what it wrote on them stays."""
        for host in self.hosts:
            host.link_up()
            host.free_disk()
        self.power_on([host for host in self.hosts if not host.is_on])

    def close(self) -> None:
        """Switch off and remove everything; by force, since what is on the hosts is not kept."""
        for host in self.hosts:
            with suppress(OSError, IndexError):
                if host.is_on:
                    host.power_cut()
        runs.end(self.folder)
