"""The container's health check asks the web server, with nothing but sockets."""

import socket

from running import Running
from vibevoice.live import alive


def test_a_serving_studio_is_alive(running: Running) -> None:
    assert alive(int(running.url.rsplit(":", 1)[1]))


def test_a_closed_port_is_not() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not alive(port)
