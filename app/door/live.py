"""The container's health check: whether the web server answers. Sockets alone, to start in milliseconds.

Any answer will do, a 503 too: a door that is about to stop must not be killed for it.
"""

import os
import socket
import sys


def alive(host: str, port: int) -> bool:
    """Whether anybody speaks HTTP there."""
    try:
        with socket.create_connection((host, port), timeout=4) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.")
    except OSError:
        return False


if __name__ == "__main__":
    host, port = os.environ.get("DOOR_HOST") or "127.0.0.1", int(os.environ.get("DOOR_PORT") or 8901)
    sys.exit(0 if alive(host, port) else 1)
