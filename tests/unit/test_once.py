"""What faults are measured with: a client that never asks twice, and figures that miss nothing."""

from __future__ import annotations

import datetime
import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.box.account import compared
from tests.box.jobs import FRAME
from tests.box.lab import Lab
from tests.box.once import Client, Refused
from tests.box.traffic import KINDS, PAGE, Outcome, Traffic

DOMAIN = "studio.example.com"


class Server(ThreadingHTTPServer):
    """Answers by path, and counts what it is asked."""

    daemon_threads = True
    asked = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        if self.path == "/hangs-up":
            self.close_connection = True
            return
        if self.path == "/breaks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"6\r\nline\r\n\r\n")
            self.close_connection = True
            return
        body = b"hello\n"
        self.send_response(503 if self.path == "/away" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # As a server that thinks the connection has been idle for long enough, without a word of it before.
        self.close_connection = self.path == "/closes-later"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "root.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "root.pem", tmp_path / "key.pem")
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Client:
    lab = Lab(DOMAIN, "127.0.0.1", tmp_path / "root.pem", tmp_path, {}, {}, {})
    return Client(lab, "vv_key", server.server_address[1])


def test_an_answer_is_whole_and_a_kept_connection_is_used_again(client: Client) -> None:
    assert client.ask("GET", "/", kept=True, limit_s=5).body == b"hello\n"
    assert client.ask("GET", "/", kept=True, limit_s=5).status == 200
    assert client.found_closed == 0


def test_another_status_is_a_failure_that_says_which(client: Client) -> None:
    with pytest.raises(Refused, match="503 hello"):
        client.ask("GET", "/away", limit_s=5)


@pytest.mark.parametrize("kept", [False, True])
def test_who_hangs_up_without_an_answer_is_not_asked_again(
    client: Client, server: Server, kept: bool
) -> None:
    client.ask("GET", "/", kept=True, limit_s=5)
    with pytest.raises((OSError, http.client.HTTPException)):
        client.ask("GET", "/hangs-up", kept=kept, limit_s=5)
    assert server.asked == 2


def test_a_connection_closed_while_idle_is_seen_before_anything_is_sent(
    client: Client, server: Server
) -> None:
    client.ask("GET", "/closes-later", kept=True, limit_s=5)
    time.sleep(0.3)
    assert client.ask("GET", "/", kept=True, limit_s=5).status == 200
    assert (client.found_closed, server.asked) == (1, 2)


def test_an_answer_that_breaks_off_is_a_failure(client: Client) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        client.ask("GET", "/breaks", limit_s=5)
    with pytest.raises((OSError, http.client.HTTPException)):
        list(client.lines("/breaks", limit_s=5, headers={}))


def _traffic(*outcomes: Outcome) -> Traffic:
    # Its clients are made for the keys that it is given at first: none.
    traffic = Traffic(Lab(DOMAIN, "127.0.0.1", Path(), Path(), {}, {}, {}), {}, {})
    traffic.keys = {"podcast": "vv_key"}
    traffic.outcomes.extend(outcomes)
    return traffic


def _fine(kind: str, begin: float) -> Outcome:
    return Outcome(kind, "podcast", begin, begin + 0.1)


def test_service_is_full_when_every_kind_has_succeeded_after_its_last_failure() -> None:
    others = [_fine(kind, 12.0) for kind in KINDS if kind != PAGE]
    failed = [Outcome(PAGE, "podcast", 10.5, 11.0, "502"), Outcome(PAGE, "podcast", 13.0, 13.5, "502")]
    assert _traffic(*others, *failed, _fine(PAGE, 12.0)).well_since(10.0) is None
    assert _traffic(*others, *failed, _fine(PAGE, 14.0)).well_since(10.0) == 14.1


def test_service_was_never_gone_where_nothing_failed() -> None:
    fine = [_fine(kind, 12.0) for kind in KINDS]
    assert _traffic(*fine).well_since(10.0) == 10.0
    assert _traffic(*fine[1:]).well_since(10.0) is None


def _frames(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") * FRAME for number in numbers)


@pytest.mark.parametrize(
    ("sound", "lost", "doubled"),
    [
        (_frames(*range(100)), 0, 0),
        # Somebody else went on: other words for the same, a frame more.
        (_frames(*range(50), *range(200, 251)), 0, 0),
        (_frames(*range(90)), 1, 0),
        (_frames(*range(100))[:-2], 1, 0),
        (_frames(*range(50), *range(49, 99)), 0, 1),
        (_frames(*range(110)), 0, 1),
    ],
)
def test_a_frame_that_is_missing_or_there_twice_is_found(sound: bytes, lost: int, doubled: int) -> None:
    found = compared(sound, _frames(*range(100)))
    assert (len(found[0]), len(found[1])) == (lost, doubled)
