"""The connection that holds the lock: one of its own to the gateway, for as long as the run lives."""

from __future__ import annotations

import contextlib
import shlex
from typing import Any, cast

import paramiko
from pyinfra import state
from pyinfra.api import StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import make_unix_command_for_host

# A busy gateway takes its time to start a shell; whoever holds the lock is told of after two seconds.
ANSWER_S = 30
LEAVE_S = 5
# What pyinfra's own connector does with a command after it has been made, not while.
_OF_THE_CALL = ("_get_pty", "_timeout", "_stdin", "_success_exit_codes")


class Taken(Exception):
    """Somebody else has the lock; the message is the lock's text."""


class Broken(Exception):
    """The gateway did not give the lock, and did not say who has it; the message is what it said."""


class Grip:
    """A held lock.

    On a connection of its own, because pyinfra's is replaced in the middle of a run: where new firewall rules
    have to prove that they let one in, and around reboots.
    """

    def __init__(self, gateway: Any, script: str) -> None:
        """Take the lock.

        Args:
            gateway: pyinfra's host, connected or not: a run limited to other hosts holds the lock as well.
            script: from `holder.hold`.

        Raises:
            ConnectError: no connection to the gateway.
            Taken: another run has the lock.
            Broken: the gateway can't say.
        """
        self._client = _connect(gateway)
        try:
            self._channel = self._run(gateway, script)
            self._listen()
        except BaseException:
            self._client.close()
            raise

    @property
    def lost(self) -> bool:
        """Whether the lock is, or may be, somebody else's by now."""
        return bool(self._channel.closed or self._channel.eof_received or self._channel.exit_status_ready())

    def let_go(self) -> None:
        """Give the lock back, and return when the gateway has it."""
        with contextlib.suppress(OSError, paramiko.SSHException):
            self._channel.shutdown_write()
            self._channel.settimeout(LEAVE_S)
            while self._channel.recv(4096):
                pass
        self._client.close()

    def _run(self, gateway: Any, script: str) -> paramiko.Channel:
        arguments, _ = pop_global_arguments(state, gateway, {})
        options = {key: arguments[key] for key in CONNECTOR_ARGUMENT_KEYS if key not in _OF_THE_CALL}
        command = make_unix_command_for_host(
            state, gateway, StringCommand("sh", "-c", shlex.quote(script)), **options
        )
        transport = self._client.get_transport()
        if transport is None:
            raise Broken("the connection has ended")
        channel = transport.open_session(timeout=ANSWER_S)
        channel.settimeout(ANSWER_S)
        channel.exec_command(command.get_raw_value())
        return channel

    def _listen(self) -> None:
        said = b""
        with contextlib.suppress(TimeoutError):
            while said != b"ours\n" and (more := self._channel.recv(4096)):
                said += more
        word, _, text = said.decode(errors="replace").partition("\n")
        if word == "held":
            raise Taken(text)
        if word != "ours":
            errors = self._channel.recv_stderr(4096) if self._channel.recv_stderr_ready() else b""
            raise Broken((text or errors.decode(errors="replace")).strip() or "no answer")


def _connect(gateway: Any) -> paramiko.SSHClient:
    """A second connection, made as pyinfra makes its own: same keys, same jump hosts, same known hosts."""
    connector = cast(SSHConnector, gateway.connector_cls(state, gateway))
    connector.connect()
    assert connector.client is not None
    return connector.client
