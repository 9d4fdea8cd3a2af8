"""Requests at a fixed rate, whether or not they are answered: an open loop over HTTP/1.1 and TLS.

hey, wrk and h2load, which Debian has, measure from when a request was sent: while a server stalls they ask
nothing, and what it would have made everybody wait is left out. (A server that stood still for 1 s in 10, at
500/s: p95 of 1.5 ms by hey, 522 ms here.) Here each request has its time, and what it takes counts from that
time, also while it waits for a free connection. asyncio's timers come on whole milliseconds, so this is a
plain loop around select().
"""

from __future__ import annotations

import gc
import select
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

DRAIN_S = 30.0


@dataclass
class Shots:
    """What became of the requests that were due in `seconds`.

    Args:
        latencies: seconds from when a request was due to its whole answer.
        late: seconds from when a request was due to when this program saw that: its own share of the above.
        answered: how many answers came before the time was over.
        errors: answers other than 200, by status.
        unsent: requests that were due and still waited for a free connection at the end.
    """

    seconds: float
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    answered: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    unsent: int = 0


class Connection:
    """One connection that is kept alive, with at most one request on it, always the same."""

    def __init__(self, address: tuple[str, int], name: str, tls: ssl.SSLContext, request: bytes) -> None:
        plain = socket.create_connection(address, 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = tls.wrap_socket(plain, server_hostname=name)
        self._socket.setblocking(False)
        self._request, self._seen = request, b""
        self.due = 0.0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, due: float) -> None:
        self.due = due
        sent = self._socket.send(self._request)
        assert sent == len(self._request), "a request does not fit into the socket"

    def status(self) -> int | None:
        """The answer's status, once all of it is here. Raises ConnectionError if the other side closes."""
        try:
            while data := self._socket.recv(65536):
                self._seen += data
            raise ConnectionError("the gateway closed a connection")
        except ssl.SSLWantReadError:
            pass
        head, end, body = self._seen.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        self._seen = b""
        return int(head[9:12])

    def close(self) -> None:
        self._socket.close()


def _length(head: bytes) -> int:
    _, name, value = head.lower().partition(b"\r\ncontent-length:")
    assert name, f"an answer of unknown length: {head!r}"
    return int(value.split(b"\r\n", 1)[0])


class Load:
    """Connections to one address, opened once and asked in turn.

    Args:
        address: where to connect to.
        name: the server's name, for SNI and the certificate.
        tls: what to trust.
        requests: one for each connection.
    """

    def __init__(
        self, address: tuple[str, int], name: str, tls: ssl.SSLContext, requests: Iterable[bytes]
    ) -> None:
        self._connections = [Connection(address, name, tls, request) for request in requests]
        self._idle = deque(self._connections)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def fire(self, rate: float, seconds: float) -> Shots:
        """Send a request every 1/rate seconds. What is under way at the end is waited for.

        Raises:
            ConnectionError, TimeoutError: a connection was closed, or an answer did not come for 30 s.
        """
        shots = Shots(seconds)
        waiting: deque[float] = deque()
        total, fired = round(rate * seconds), 0
        # A collection would stop this loop for milliseconds.
        gc.collect()
        gc.disable()
        try:
            begin = time.perf_counter() + 0.01
            end = begin + seconds
            while (now := time.perf_counter()) < end:
                while fired < total and (due := begin + fired / rate) <= now:
                    waiting.append(due)
                    shots.late.append(now - due)
                    fired += 1
                while waiting and self._idle:
                    self._idle.popleft().send(waiting.popleft())
                self._receive(shots, min(begin + fired / rate, end))
            shots.answered = len(shots.latencies)
            shots.unsent = len(waiting)
            while len(self._idle) < len(self._connections):
                self._receive(shots, end + DRAIN_S)
                if time.perf_counter() > end + DRAIN_S:
                    raise TimeoutError("an answer did not come")
        finally:
            gc.enable()
        return shots

    def _receive(self, shots: Shots, until: float) -> None:
        """Take what answers come until a moment, at least what is here."""
        wait = max(0.0, until - time.perf_counter())
        for connection in select.select(self._connections, (), (), wait)[0]:
            status = connection.status()
            if status is None:
                continue
            shots.latencies.append(time.perf_counter() - connection.due)
            self._idle.append(connection)
            if status != 200:
                shots.errors[status] += 1
