"""What providers say is taken in small amounts, soon, and as JSON."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from door import fetch
from door.fetch import LIMIT_BYTES, Unreachable

BIG = json.dumps({"a": "x" * LIMIT_BYTES}).encode()
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/right": (200, {}, b'{"issuer": "x"}'),
    "/large": (200, {}, BIG),
    "/packed": (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"a": "' + b"x" * 10_000_000 + b'"}')),
    "/moved": (302, {"Location": "/right"}, b""),
    "/wrong": (500, {}, b'{"issuer": "x"}'),
    "/missing": (404, {}, b'{"issuer": "x"}'),
    "/list": (200, {}, b"[1]"),
    "/null": (200, {}, b"null"),
    "/text": (200, {}, b"<html>"),
    "/empty": (200, {}, b""),
    "/bytes": (200, {}, b"\xff\xfe"),
    "/deep": (200, {}, b'{"a":' + b"[" * 100_000),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b" ")
                    time.sleep(0.05)
            except OSError:
                return
        status, headers, body = ANSWERS[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.daemon_threads = True
        Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def get(url: str) -> dict:
    return asyncio.run(fetch.get(url, None))


def test_an_object_is_taken(server: str) -> None:
    assert get(f"{server}/right") == {"issuer": "x"}


@pytest.mark.parametrize("path", [path for path in ANSWERS if path != "/right"])
def test_anything_else_is_not(server: str, path: str) -> None:
    with pytest.raises(Unreachable) as caught:
        get(server + path)
    assert server + path in str(caught.value)


def test_whoever_drips_is_left_alone(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        get(f"{server}/drip")
    assert time.monotonic() - began < 2


def test_whoever_says_nothing_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable):
        get(f"http://127.0.0.1:{silent.getsockname()[1]}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://localhost@example.com/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "",
        "https://",
        "https://[",
    ],
)
def test_nobody_is_asked_in_plain_text_but_the_loopback(url: str) -> None:
    with pytest.raises(Unreachable):
        get(url)
