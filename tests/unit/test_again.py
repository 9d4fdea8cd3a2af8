"""A node's real Traefik before studios of which some have gone: whoever asks gets an answer all the same."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import urllib3

from roles.node_proxy import config
from tests.unit.examples import example_site
from tests.unit.traefik_process import free_port, traefik, wait_until

SITE = example_site()
STICKY = {"cookie": {"name": "gpu"}}
LONG = bytes(3_000_000)


class Counting(BaseHTTPRequestHandler):
    """Tells how much it got, and counts how often; keeps no connection, so none outlives it."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = str(len(self.rfile.read(int(self.headers.get("Content-Length", 0))))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Port", str(self.connection.getsockname()[1]))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests read Traefik's log."""


@contextmanager
def counting(port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Counting)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def node(folder: Path, ports: list[int], **balancer: object) -> Iterator[str]:
    """The node's Traefik before studios on these ports; yields where it is asked for them."""
    studios, internal = (f"127.0.0.1:{free_port()}" for _ in range(2))
    where = config.Layout(studios, f"127.0.0.1:{free_port()}", internal, str(folder), str(folder / "socket"))
    dynamic = folder / "dynamic"
    dynamic.mkdir()
    (dynamic / "again.yml").write_text(config.again())
    (dynamic / "node.yml").write_text(config.dynamic())
    servers = [{"url": f"http://127.0.0.1:{port}"} for port in ports]
    routes = {
        "routers": {"p": {"rule": "PathPrefix(`/p`)", "entryPoints": ["studios"], "service": "p"}},
        "services": {"p": {"loadBalancer": {"servers": servers, **balancer}}},
    }
    # JSON is YAML.
    (dynamic / "p.yml").write_text(json.dumps({"http": routes}))
    (folder / "traefik.yml").write_text(config.static(SITE, where))
    with traefik(folder / "traefik.yml", internal, folder / "log") as running:
        wait_until(lambda: "p@file" in running.routers(), 10, "the routes were not loaded")
        yield f"http://{studios}/p"


@contextmanager
def deaf() -> Iterator[int]:
    """A port that takes no connection and refuses none, as the address of a container that has ended."""
    with ExitStack() as full:
        listening = full.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            caller = full.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        with pytest.raises(TimeoutError):
            socket.create_connection(listening.getsockname(), timeout=0.5)
        yield listening.getsockname()[1]


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"{}"), ("POST", LONG)])
def test_one_of_two_that_has_just_gone_is_noticed_by_nobody(tmp_path: Path, method: str, body: bytes) -> None:
    with counting() as alive, node(tmp_path, [alive, free_port()]) as url, urllib3.PoolManager() as web:
        before = Counting.asked
        answers = [web.request(method, url, body=body, retries=False, timeout=10) for _ in range(10)]
        assert [(one.status, one.data) for one in answers] == [(200, str(len(body)).encode())] * 10
        assert Counting.asked - before == 10, "something was sent twice"


def test_one_that_has_gone_with_its_address_is_noticed_by_nobody(tmp_path: Path) -> None:
    with (
        counting() as alive,
        deaf() as gone,
        node(tmp_path, [alive, gone]) as url,
        urllib3.PoolManager() as web,
    ):
        answers = [web.request("POST", url, body=b"{}", retries=False, timeout=10) for _ in range(4)]
        assert [(one.status, one.data) for one in answers] == [(200, b"2")] * 4


def test_who_belongs_to_the_one_that_has_gone_gets_the_other_once_that_is_seen(tmp_path: Path) -> None:
    health = {"path": "/", "interval": "1s"}
    gone = free_port()
    with (
        counting() as alive,
        node(tmp_path, [alive, gone], sticky=STICKY, healthCheck=health) as url,
        urllib3.PoolManager() as web,
    ):
        with counting(gone):
            cookies: set[str] = set()
            wait_until(lambda: cookies.update(_cookie(web, url, gone)) or cookies, 10, "none of the second")
        answer = web.request("GET", url, headers={"Cookie": cookies.pop()}, retries=False, timeout=10)
        assert (answer.status, answer.headers["X-Port"]) == (200, str(alive))


def test_with_none_left_that_is_said_within_seconds(tmp_path: Path) -> None:
    with node(tmp_path, [free_port()]) as url, urllib3.PoolManager() as web:
        begin = time.monotonic()
        assert web.request("POST", url, body=b"{}", retries=False, timeout=20).status == 502
        assert 1 < time.monotonic() - begin < 15


def _cookie(web: urllib3.PoolManager, url: str, port: int) -> set[str]:
    """The cookie that binds to the studio on this port; nothing where another one answered."""
    answer = web.request("GET", url, retries=False, timeout=10)
    cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
    return {cookie} if cookie and answer.headers["X-Port"] == str(port) else set()
