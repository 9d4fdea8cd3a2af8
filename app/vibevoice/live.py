"""The container's health check: whether the web server answers. Sockets alone, to start in milliseconds."""

import os
import socket
import sys

# A host that is short of CPU is slow to answer; what stands still never does.
ANSWER_WITHIN_S = 8


def alive(port: int) -> bool:
    """Whether /health/live on this machine's `port` says 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S) as connection:
            connection.sendall(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if alive(int(os.environ.get("VV_PORT") or 8888)) else 1)
