"""PostgreSQL for the hosts: in the controller's network namespace, with a password, for the subnet only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import postgres
from tests.farm import runs
from tests.farm.network import CONTROLLER, SUBNET, Network

if TYPE_CHECKING:
    from pathlib import Path

PORT = 5432
RULES = f"local all all scram-sha-256\nhost all all {SUBNET} scram-sha-256\n"


def start(folder: Path, net: Network) -> postgres.Server:
    """Make a cluster in a folder and serve it to the hosts."""
    password = postgres.create_cluster(folder)
    (folder / "cluster" / "pg_hba.conf").write_text(RULES)
    command = postgres.server_command(folder, f"listen_addresses={CONTROLLER}", f"port={PORT}")
    with net.entered():
        words = runs.in_cgroup(net.name, "postgres", command)
        return postgres.serve(words, folder, f"postgresql://lowcode:{password}@{CONTROLLER}:{PORT}")
