"""The site from outside: its certificate, however old, and the ports that answer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fleet import Site
from fleet.outside import Certificate, certificate
from roles.smoke import checks
from tests.unit.examples import example_site
from tests.unit.traefik_process import free_port, issue_certificate

DOMAIN = "studio.example.test"
Shown = Callable[..., tuple[Site, int]]


def at_home(root: Path | None, **changes: Any) -> Site:
    acme = {"email": "ops@example.com", "root": root}
    gateway = {"host": "gw.example.com", "address": "127.0.0.1"}
    return example_site(**{"domain": DOMAIN, "acme": acme, "gateway": gateway, **changes})


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    """A server that shows a certificate of so many more days: ``shown(days)`` is its site and its port."""
    with ExitStack() as stack:

        def serve(days: float, trusted: bool = True) -> tuple[Site, int]:
            root = tmp_path / "root.pem"
            key = issue_certificate(DOMAIN, tmp_path / "acme.json", root, days=days)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(root, key)
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=_shake_hands, args=(server, context), daemon=True).start()
            return at_home(root if trusted else None), server.getsockname()[1]

        yield serve


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = server.accept()
    # A client that refuses the certificate hangs up in the middle.
    try:
        context.wrap_socket(plain, server_side=True).close()
    except (ssl.SSLError, OSError):
        plain.close()


@pytest.mark.parametrize("days", [80, 3, -0.5])
def test_a_certificate_is_read_with_its_signer_and_end_also_when_it_has_ended(
    shown: Shown, days: float
) -> None:
    site, port = shown(days)
    found = certificate(site, 5, port)
    assert isinstance(found, Certificate), found
    assert found.issuer == DOMAIN
    assert abs(found.days - days) < 0.01


def test_a_certificate_that_nobody_trusts_is_none(shown: Shown) -> None:
    found = certificate(*_untrusted(shown))
    assert isinstance(found, str) and found.startswith("no trusted certificate: self")


def _untrusted(shown: Shown) -> tuple[Site, int, int]:
    site, port = shown(80, trusted=False)
    return site, 5, port


def test_a_gateway_that_does_not_answer_is_named() -> None:
    port = free_port()
    found = certificate(at_home(None), 5, port)
    assert found == f"port {port} of 127.0.0.1 does not answer: Connection refused"


def test_a_port_that_answers_undeclared_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as leak:
        port = leak.getsockname()[1]
        site = at_home(None, registry={"port": port})
        assert str(port) in checks.open_ports(site, site.gateway)
        # Declared, it may.
        open_ = at_home(None, registry={"port": port}, firewall={"extra_tcp": [port]})
        assert str(port) not in checks.open_ports(open_, open_.gateway)
    assert str(port) not in checks.open_ports(site, site.gateway)


def test_every_port_of_the_sites_own_programs_is_knocked_at() -> None:
    assert {5000, 8080, 8081, 8082, 8083, 8888, 8901, 8902, 9100, 2375} <= set(checks.ports(example_site()))
