"""The test hosts themselves: what the farm suite relies on."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.farm import hosts, network, runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Server

pytestmark = [pytest.mark.farm, pytest.mark.usefixtures("controller")]

UNIT = "systemd-run --user --unit=held --remain-after-exit sh -c 'echo held > ~/held'"


def test_each_host_is_a_machine_of_its_own(farm: hosts.Farm) -> None:
    names = {host.shell("hostname; whoami; systemctl is-system-running --wait").stdout for host in farm.hosts}
    assert names == {"fe1\ndeploy\nrunning\n", "fe2\ndeploy\nrunning\n"}
    assert len({host.shell("cat /etc/machine-id").stdout for host in farm.hosts}) == len(farm.hosts)


def test_the_user_has_a_systemd_and_a_folder_of_its_own(farm: hosts.Farm) -> None:
    one = farm.hosts[0]
    assert one.shell(f"{UNIT} && touch {one.address.root}/mine").returncode == 0
    assert one.shell("systemctl --user is-active held").stdout == "active\n"
    assert one.shell("python3 -m venv --help >/dev/null && curl --version >/dev/null").returncode == 0


def test_another_host_key_is_refused(farm: hosts.Farm, tmp_path: Path) -> None:
    one = farm.hosts[0]
    (tmp_path / "known").write_text(f"{one.address.address} {farm.hosts[1].address.host_key}\n")
    options = ("-oBatchMode=yes", "-oStrictHostKeyChecking=yes", f"-oUserKnownHostsFile={tmp_path / 'known'}")
    words = ["ssh", "-F", "none", "-i", str(one.address.key_file), *options, f"deploy@{one.address.address}", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, "verification failed" in done.stderr) == (255, True)


def test_nothing_leads_out_of_the_network(farm: hosts.Farm) -> None:
    assert farm.hosts[0].shell("ip route").stdout.split() == [
        *(network.SUBNET, "dev", "host0", "proto", "kernel", "scope", "link"),
        *("src", farm.hosts[0].address.address),
    ]


def test_a_reboot_keeps_the_disk_and_starts_everything_again(farm: hosts.Farm) -> None:
    one = farm.hosts[0]
    boots = one.boots
    before = one.shell("cat /proc/sys/kernel/random/boot_id; date > ~/kept; cat ~/kept").stdout
    one.reboot()
    after = one.shell("cat ~/kept; systemctl --user is-system-running --wait").stdout.splitlines()
    assert after == [before.splitlines()[1], "running"]
    assert one.boots == boots + 1


def test_a_reboot_that_the_host_asks_for_itself_is_one(farm: hosts.Farm) -> None:
    one = farm.hosts[1]
    boots = one.boots
    one.shell("sudo systemctl reboot")
    while one.boots == boots:
        threading.Event().wait(0.02)
    one.wait_until_up()
    assert one.shell("true").returncode == 0


def test_a_power_cut_ends_it_at_once(farm: hosts.Farm) -> None:
    one, other = farm.hosts
    assert one.shell("echo written > ~/written && sync ~/written").returncode == 0
    one.power_cut()
    assert not one.is_on
    assert one.shell("true").returncode == 255
    assert other.shell("true").returncode == 0
    farm.repair()
    assert one.shell("cat ~/written").stdout == "written\n"


def test_a_pulled_cable_is_silence(farm: hosts.Farm) -> None:
    one, other = farm.hosts
    with socket.create_connection((one.address.address, 22), timeout=5) as connection:
        assert connection.recv(4) == b"SSH-"
        one.link_down()
        connection.settimeout(0.3)
        connection.recv(64)  # the rest of the greeting, which had arrived
        connection.sendall(b"SSH-2.0-test\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert other.shell("true").returncode == 0
    one.link_up()
    assert one.shell("true").returncode == 0


def test_a_full_disk_refuses_the_user_and_recovers(farm: hosts.Farm) -> None:
    one = farm.hosts[0]
    one.fill_disk()
    full = one.shell("head -c 100000 /dev/zero > /srv/lowcode/new")
    assert (full.returncode, "No space left on device" in full.stderr) == (1, True)
    one.free_disk()
    assert one.shell("head -c 100000 /dev/zero > /srv/lowcode/new").returncode == 0


def test_the_database_answers_controller_and_hosts_with_a_password(farm: hosts.Farm, farm_postgres: Server) -> None:
    with psycopg.connect(f"{farm_postgres.url}/postgres") as connection:
        assert connection.execute("SELECT inet_server_addr()::text").fetchone() == ("10.77.0.1/32",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect("postgresql://lowcode:wrong@10.77.0.1/postgres")
    asked = "import socket; print(socket.create_connection(('10.77.0.1', 5432), 5).getpeername()[1])"
    assert farm.hosts[1].shell(f'python3 -c "{asked}"').stdout == "5432\n"


CRASHING = """
import os, signal
from tests.farm import hosts
farm = hosts.Farm(1)
farm.power_on()
print(farm.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_leaves_is_swept_away(farm: hosts.Farm) -> None:
    done = subprocess.run([sys.executable, "-c", CRASHING], capture_output=True, text=True, check=False, timeout=120)
    name = done.stdout.strip().rpartition("/")[2]
    assert name.startswith("lk"), done.stderr
    assert runs.processes(name) != []
    assert name in runs.sweep()
    assert runs.processes(name) == []
    assert not list(network.NETNS.glob(f"{name}-*"))
    assert not (runs.RUNS / name).exists()
    assert all(host.shell("true").returncode == 0 for host in farm.hosts)
