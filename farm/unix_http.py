"""HTTP through a Unix socket: one GET, here or, given to `python3 -`, on another host (therefore the standard library
only, and no import of ours).
"""

from __future__ import annotations

import http.client
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection whose address is the path of a socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(socket_path: str, path: str, timeout: float) -> tuple[int, bytes]:
    """Return the status and the body; status 0 where nothing answers in time."""
    connection = UnixConnection(socket_path, timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


if __name__ == "__main__":
    status, body = get(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    sys.stdout.buffer.write(f"{status}\n".encode() + body)
