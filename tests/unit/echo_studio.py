"""A studio that answers with what it got, and remembers it."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Got:
    """A request as it arrived."""

    method: str
    path: str
    headers: Pairs
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Echo:
    """A studio that runs: whose, where, and what it got so far but for questions whether it lives.

    ``answers``: what it says to a path (status, type, body) in place of the echo. ``manners``: headers of
    each answer.
    """

    project: str
    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    manners: dict[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self._body()
        got = Got(self.command, self.path, list(self.headers.items()), body)
        echo: Echo = self.server.echo  # type: ignore[attr-defined]
        if not self.path.endswith("/health/live"):
            echo.got.append(got)
        content = {
            "project": echo.project,
            "method": got.method,
            "path": got.path,
            "headers": got.headers,
            "body": body.decode("latin-1"),
        }
        default = 200, "application/json", json.dumps(content).encode()
        status, kind, text = echo.answers.get(self.path.partition("?")[0], default)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        for name, value in echo.manners.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = _answer

    def __getattr__(self, name: str) -> Any:
        # Whatever method a proxy lets through is worth an echo.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._line().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _line(self) -> bytes:
        line = self.rfile.readline()
        if not line:
            raise ConnectionResetError("the body broke off")
        return line

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what it got is remembered."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Thousands of requests come at once, and none shall be lost before it is heard.
    request_queue_size = 512

    def __init__(self, echo: Echo) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.echo, self._connections = echo, list[socket.socket]()
        echo.url = f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """A studio that ends takes its connections along: a proxy keeps some open."""
        super().server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A proxy that is killed at the end takes its connections along."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def echo_studio(project: str) -> Iterator[Echo]:
    """Run one on loopback until the block ends."""
    echo = Echo(project)
    server = _Server(echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield echo
    finally:
        server.shutdown()
        server.server_close()
