"""The SSH transport of a deploy: prompt on a good network, honest about a dead host."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

import paramiko
import paramiko.client
from pyinfra import state
from pyinfra.api.state import StateStage

log = logging.getLogger("pyinfra")

# Seconds without any answer after which a host counts as dead. Long enough for a busy machine, short enough
# that nobody sits before a silent terminal.
DEAD_AFTER_S = 20
ADVICE = "Is it down, or the network to it? Run the same command again once it is back."


class PromptTransport(paramiko.Transport):
    """A transport without Nagle's delay that closes itself when the host stops answering.

    Nagle stalls every remote command by one delayed acknowledgement (47 ms against 5 ms on loopback), and a
    host that loses power leaves TCP retransmitting for a quarter of an hour. The socket option
    TCP_USER_TIMEOUT ends that for direct connections; behind a jump host only a question at SSH's own level
    reaches the far end.
    """

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 1000)
        super().__init__(sock, *args, **kwargs)
        self._closing = False
        self._answered = time.monotonic()
        threading.Thread(target=self._watch, daemon=True, name="ssh-watch").start()

    def open_channel(self, kind: str, dest_addr: Any = None, *args: Any, **kwargs: Any) -> paramiko.Channel:
        channel = super().open_channel(kind, dest_addr, *args, **kwargs)
        # A channel calls the jump host its peer; messages have to name the far end.
        channel.destination = dest_addr  # type: ignore[attr-defined]
        return channel

    def get_exception(self) -> Exception | None:
        error = super().get_exception()
        # What a dead connection leaves for whoever speaks next. pyinfra takes an SSHException for a failed
        # host and an EOFError for a bug of its own; before the login, paramiko itself tells them apart.
        if isinstance(error, EOFError) and self.authenticated:
            return paramiko.SSHException(f"The connection has ended. {ADVICE}")
        return error

    def close(self) -> None:
        self._closing = True
        super().close()

    def run(self) -> None:
        super().run()
        # A socket that we closed ourselves no longer knows its peer; pyinfra hangs up on a jump host without
        # closing what runs through it.
        peer = self._peer_name()
        ended = self._closing or state.current_stage >= StateStage.Disconnect
        if self.authenticated and peer and not ended:
            log.error(f"{peer} has closed the connection. {ADVICE}")

    def _ask(self) -> None:
        # Any reply proves life; servers refuse the unknown request, and the refusal is the reply.
        self.global_request("keepalive@openssh.com", wait=True)
        self._answered = time.monotonic()

    def _watch(self) -> None:
        """Ask every few seconds; close the transport when an answer stays out."""
        # Connecting and logging in have time limits of their own.
        while not self.is_authenticated():
            time.sleep(1)
            if self._closing or time.monotonic() - self._answered > 60:
                return
        self._answered = time.monotonic()
        while self.is_active():
            asker = threading.Thread(target=self._ask, daemon=True, name="ssh-ask")
            asker.start()
            while asker.is_alive() and self.is_active():
                asker.join(1)
                if time.monotonic() - self._answered > DEAD_AFTER_S and self.is_active():
                    log.error(f"{self._peer_name()} has not answered for {DEAD_AFTER_S} s. {ADVICE}")
                    self.close()
                    return
            time.sleep(DEAD_AFTER_S / 4)

    def _peer_name(self) -> str:
        """Address of the host at the far end, empty once the socket is closed."""
        try:
            destination = getattr(self.sock, "destination", None)
            return str((destination or self.sock.getpeername())[0])
        except (OSError, TypeError):
            return ""


def use_prompt_transport() -> None:
    """Have every paramiko client, the hops to jump hosts included, connect with `PromptTransport`."""
    paramiko.client.Transport = PromptTransport  # type: ignore[misc]
