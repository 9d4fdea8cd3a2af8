"""HTTP as a client without retries speaks it: each request is sent once, on a new connection or a kept one.

A kept connection that the server has closed in the meantime is seen before anything is sent, as connection
pools do (urllib3, Go's transport), and a new one is made: nothing is asked twice by that. One that is closed
while the request is on its way is a failure, for nobody can tell whether the request arrived.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from tests.box.lab import Lab

CONNECT_S = 10.0


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes

    @property
    def first_line(self) -> str:
        """For messages."""
        return self.body[:160].decode(errors="replace").strip().partition("\n")[0]


class Refused(Exception):
    """An answer of another status than the wanted one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.first_line}")


class Client:
    """A program with a key of the door's. For any number of threads."""

    def __init__(self, lab: Lab, key: str, port: int = 443) -> None:
        self._domain, self._address = lab.domain, (lab.gateway_ip, port)
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "once/1"}
        self._trust = ssl.create_default_context(cafile=str(lab.ca_root))
        self._idle: deque[_Connection] = deque()
        self._lock = threading.Lock()
        self.found_closed = 0
        """Kept connections that turned out to be closed before anything was sent on them."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        wants: int = 200,
        kept: bool = False,
        limit_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The whole answer. Raises Refused, OSError or http.client.HTTPException; never asks again.

        Args:
            wants: the only status that is no failure.
            kept: on a connection that was used before, if there is one.
            limit_s: longest silence of the server.
        """
        connection = (self._take() if kept else None) or self._connect()
        fine = False
        try:
            connection.sock.settimeout(limit_s)
            connection.request(method, path, body, self._headers | dict(headers or {}))
            raw = connection.getresponse()
            answer = Answer(raw.status, raw.read())
            fine = kept and not raw.will_close
        finally:
            self._leave(connection, fine)
        if answer.status != wants:
            raise Refused(answer)
        return answer

    def lines(self, path: str, *, limit_s: float, headers: Mapping[str, str]) -> Iterator[str]:
        """The lines of an answer as they come; none if there is no content (204)."""
        with closing(self._connect()) as connection:
            connection.sock.settimeout(limit_s)
            connection.request("GET", path, None, self._headers | dict(headers))
            raw = connection.getresponse()
            if raw.status == 204:
                return
            if raw.status != 200:
                raise Refused(Answer(raw.status, raw.read()))
            # Not by readline: it takes an answer that breaks off for one that is over.
            rest = b""
            while piece := raw.read1(65536):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (line.decode().rstrip("\r") for line in lines)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.popleft().close()

    def _connect(self) -> _Connection:
        made = _Connection(self._domain, self._address, self._trust)
        made.connect()
        return made

    def _take(self) -> _Connection | None:
        """The connection that was idle for longest and is still open."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                found = self._idle.popleft()
            if not found.is_closed:
                return found
            self.found_closed += 1
            found.close()

    def _leave(self, connection: _Connection, keep: bool) -> None:
        if not keep:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)


class _Connection(http.client.HTTPSConnection):
    """Knows where the domain is; sends nothing on a connection that it would have to open anew."""

    auto_open = 0
    sock: ssl.SSLSocket

    def __init__(self, domain: str, address: tuple[str, int], trust: ssl.SSLContext) -> None:
        super().__init__(domain, timeout=CONNECT_S)
        self._address, self._trust = address, trust

    def connect(self) -> None:
        plain = socket.create_connection(self._address, CONNECT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether the server has said something while nothing was asked: its end of the connection."""
        # A poll: file descriptors may be above what select can look at.
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
        return bool(poll.poll(0))
