"""What the deploy's closing proof says of a site that does not answer as it should."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fleet import Site
from roles.verify import https
from tests.unit.examples import example_site
from tests.unit.traefik_process import free_port, issue_certificate

KEY = "made-by-the-door"


class Answer(BaseHTTPRequestHandler):
    """A ready studio's, or whatever the server is told to say."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers["Host"], self.headers["Authorization"]))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@dataclass
class Front:
    """An HTTPS server in the gateway's place, and the site that finds it there."""

    server: Any
    site: Site


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    storage, root = tmp_path / "acme.json", tmp_path / "root.pem"
    key = issue_certificate("studio.example.com", storage, root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, key)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.status, server.body, server.asked = 200, b'{"state":"ready","engine":"ready"}', []
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(https, "PORT", server.server_port)
    yield Front(server, at("127.0.0.1", root))
    server.shutdown()
    server.server_close()


def at(address: str, root: Path | None, **changes: Any) -> Site:
    acme = {"email": "ops@example.com", "root": root}
    return example_site(gateway={"host": "gw.example.com", "address": address}, acme=acme, **changes)


def test_a_site_that_answers_is_asked_by_its_name_with_the_doors_key(front: Front) -> None:
    assert https.wait(front.site, front.site.projects[0], KEY, deadline=0) is None
    path, host, authorization = front.server.asked[0]
    assert path == "/vibevoice/p1/health/ready"
    assert host.split(":")[0] == "studio.example.com"
    assert authorization == f"Bearer {KEY}"


@pytest.mark.parametrize("status", sorted(https.WORDS))
def test_an_answer_other_than_ready_says_where_to_look(front: Front, status: int) -> None:
    front.server.status = status
    wrong = https.wait(front.site, front.site.projects[0], KEY, deadline=0)
    assert wrong is not None
    assert f"answers {status}: p1 {https.WORDS[status]}" in wrong.words
    assert not wrong.certificate


@pytest.mark.parametrize("engine", ["ready", "waiting", "restarting", "asleep"])
def test_a_studio_that_speaks_or_will_is_right(front: Front, engine: str) -> None:
    front.server.body = f'{{"state":"ready","engine":"{engine}"}}'.encode()
    assert https.wait(front.site, front.site.projects[0], KEY, deadline=0) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"state":"ready","engine":"loading"}', "its engine is loading"),
        (b"<html>Welcome</html>", "no studio does"),
        (b"[]", "no studio does"),
    ],
)
def test_an_address_that_answers_without_a_model_is_named(front: Front, body: bytes, words: str) -> None:
    front.server.body = body
    wrong = https.wait(front.site, front.site.projects[0], KEY, deadline=0)
    assert wrong is not None
    assert words in wrong.words


def test_a_certificate_that_nobody_trusts_is_named(front: Front) -> None:
    wrong = https.wait(at("127.0.0.1", None), front.site.projects[0], KEY, deadline=0)
    assert wrong is not None
    assert "no trusted certificate" in wrong.words
    assert wrong.certificate


def test_a_certificate_of_another_domain_is_named(front: Front) -> None:
    site = at("127.0.0.1", front.site.acme.root, domain="other.example.com")
    wrong = https.wait(site, site.projects[0], KEY, deadline=0)
    assert wrong is not None
    assert wrong.certificate


def test_a_gateway_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "PORT", free_port())
    wrong = https.wait(at("127.0.0.1", None), example_site().projects[0], KEY, deadline=0)
    assert wrong is not None
    assert "127.0.0.1 port" in wrong.words
    assert "Is Traefik running there?" in wrong.words
