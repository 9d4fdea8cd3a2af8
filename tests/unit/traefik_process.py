"""The real Traefik on loopback ports, and small real HTTP servers behind it."""

from __future__ import annotations

import base64
import datetime
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleet import Site
from roles.gateway import config as gateway

TRAEFIK = Path(sys.prefix) / "bin" / "traefik"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Traefik:
    """A running Traefik and where its log goes."""

    internal: str
    log: Path

    def ask(self, path: str) -> Any:
        """One answer of the status API."""
        response = urllib3.request("GET", f"http://{self.internal}{path}", retries=False, timeout=5)
        assert response.status == 200, response.data
        return response.json()

    def complaints(self) -> list[str]:
        """Log lines of level warn or worse, and lines that are no JSON at all."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or '"level":"' not in line or _bad(line)]

    def disabled(self) -> list[dict[str, Any]]:
        """Routers and services that Traefik refuses or has something to say about."""
        kinds = ("routers", "services")
        items = [item for kind in kinds for item in self.ask(f"/api/http/{kind}?per_page=1000")]
        return [item for item in items if item["status"] != "enabled" or item.get("error")]

    def routers(self) -> set[str]:
        return {router["name"] for router in self.ask("/api/http/routers?per_page=1000")}


def _bad(line: str) -> bool:
    entry = json.loads(line)
    # The access log shares standard output and says "info".
    return entry["level"] not in ("info", "debug")


@contextmanager
def traefik(static: Path, internal: str, log: Path) -> Iterator[Traefik]:
    """Run Traefik with a static configuration until the block ends.

    Raises:
        AssertionError: it ended by itself, or its status did not answer within 30 s.
    """
    with log.open("wb") as output:
        process = subprocess.Popen([TRAEFIK, f"--configFile={static}"], stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or answers(internal), 30, f"no status at {internal}")
        assert process.poll() is None, log.read_text()
        yield Traefik(internal, log)
    finally:
        process.kill()
        process.wait()


def answers(internal: str) -> bool:
    try:
        response = urllib3.request("GET", f"http://{internal}/api/http/routers", retries=False, timeout=1)
    except urllib3.exceptions.HTTPError:
        return False
    return response.status == 200


def wait_until(condition: Any, seconds: float, message: str) -> None:
    """Poll a condition; fail with the message when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.05)


class Studio(BaseHTTPRequestHandler):
    """Answers like a studio: health, a page, a stream, audio; everything else echoes the request."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar = {
        "page": ("text/html", b"<p>hello</p>" * 1000),
        "audio.wav": ("audio/wav", bytes(20_000)),
        "events": ("text/event-stream", b"event: progress\ndata: 1\n\n" * 200),
    }

    def do_GET(self) -> None:
        kind, body = self.answers.get(self.path.rsplit("/", 1)[-1], ("application/json", self.echo()))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def echo(self) -> bytes:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return json.dumps({"path": self.path, "name": self.server.name, "headers": headers}).encode()  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests read Traefik's log."""


@contextmanager
def studio(name: str, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """A small studio by that name; yields its URL."""
    server = ThreadingHTTPServer((host, port), Studio)
    server.name = name  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def issue_certificate(domain: str, storage: Path, root: Path, days: float = 80) -> Path:
    """Fill Traefik's ACME storage with a valid certificate, so that no authority is asked for one.

    Returns the file of its private key, beside the certificate in `root`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    entry = {
        "domain": {"main": domain},
        "certificate": base64.b64encode(pem).decode(),
        "key": base64.b64encode(private).decode(),
        "Store": "default",
    }
    root.write_bytes(pem)
    storage.touch(mode=0o600)
    storage.write_text(json.dumps({"acme": {"Account": None, "Certificates": [entry]}}))
    key_file = root.with_suffix(".key")
    key_file.touch(mode=0o600)
    key_file.write_bytes(private)
    return key_file


def gateway_on_loopback(site: Site, folder: Path) -> gateway.Layout:
    """The gateway's files below `folder`, certificate included, for a Traefik on free ports of loopback."""
    where = gateway.Layout(
        web=f"127.0.0.1:{free_port()}",
        websecure=f"127.0.0.1:{free_port()}",
        internal=f"127.0.0.1:{free_port()}",
        door=f"127.0.0.1:{free_port()}",
        doors=(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"),
        directory=str(folder),
        storage=str(folder / "acme.json"),
    )
    issue_certificate(site.domain, folder / "acme.json", folder / "root.pem")
    (folder / "dynamic").mkdir()
    (folder / "traefik.yml").write_text(gateway.static(site, where))
    (folder / "dynamic/site.yml").write_text(gateway.dynamic(site, where))
    return where
