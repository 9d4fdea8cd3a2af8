"""A connection that ends is a failed host to pyinfra, at whatever moment it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

from steps.ssh import PromptTransport


class Dying(paramiko.ServerInterface):
    """Lets everybody in, and is gone when a channel is asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.connection.close()
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


@pytest.fixture
def connected() -> Iterator[PromptTransport]:
    """A client's transport, logged in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    server = paramiko.Transport(there)
    server.add_server_key(paramiko.RSAKey.generate(2048))
    # With an event it does not wait for the client, who comes next.
    server.start_server(threading.Event(), Dying(there))
    client = PromptTransport(here)
    client.connect(username="root", password="any")
    yield client
    client.close()
    server.close()


def test_a_connection_that_ends_while_a_command_begins_is_a_failed_host(connected: PromptTransport) -> None:
    with pytest.raises(paramiko.SSHException, match="The connection has ended"):
        connected.open_session(timeout=30)
