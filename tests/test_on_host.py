"""What runs on a host itself, where a folder is too deep for a Unix socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from lowcode_kernel.farm import on_host

SERVER = """
import os, socket, sys
path = os.path.realpath(sys.argv[1])  # as granian does
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
print("up", flush=True)
connection, _ = server.accept()
connection.sendall(b"here")
"""


def test_a_release_in_a_deep_folder_is_reached_through_a_link(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20) / ("deeper" * 10)
    deep.mkdir(parents=True)
    short = Path(f"/tmp/lowcode-test-{os.getpid()}")
    short.symlink_to(deep)
    known = short / "v1.sock"
    command = [sys.executable, on_host.__file__, "serve", str(known), sys.executable, "-c", SERVER, str(known)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        assert known.is_symlink()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(known))
            assert client.recv(10) == b"here"
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        real = known.readlink()
        real.unlink(missing_ok=True)
        real.parent.rmdir()
        short.unlink()
