"""The certificate is renewed while people are at work, and an authority that is down meanwhile harms nobody.

Traefik looks once a day whether a certificate has less than a month left. Here it is given one that has a
quarter of an hour left, and told that certificates live for an hour: then it looks every minute.
"""

from __future__ import annotations

import base64
import datetime
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from testinfra.host import Host

from fleet import names
from lab.internet.acme import DIRECTORY_PORT
from tests.box.fixtures import Hosts
from tests.box.lab import Lab
from tests.box.stream import EventStream
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

NO_AUTHORITY = Fault("ACME CA down during renewal", unnoticed=True)
RENEWAL = Fault("certificate renewal", unnoticed=True)

STATIC = "/etc/vibevoice/traefik/traefik.yml"
STORE = "/srv/vibevoice/certs/acme.json"
LEFT = datetime.timedelta(minutes=15)
EVERY_S = 60
CLOSED = (
    "add table inet lab-acme; add chain inet lab-acme out { type filter hook output priority -5; }; "
    f"add rule inet lab-acme out tcp dport {DIRECTORY_PORT} reject"
)


class Authority:
    """Issues one certificate, nearly used up. ``root`` is its own, in PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the past")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        built = self._builder(self._name, self._key.public_key())
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        signed = built.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.root = _pem(signed)

    def issue(self, domain: str) -> tuple[bytes, bytes]:
        """Certificate and key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
        built = self._builder(name, key.public_key())
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return _pem(built.sign(self._key, hashes.SHA256())), private

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + LEFT)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _served(lab: Lab) -> x509.Certificate:
    """What a visitor is shown; checked against the lab's roots."""
    trust = ssl.create_default_context(cafile=str(lab.ca_root))
    with (
        socket.create_connection((lab.gateway_ip, 443), 10) as plain,
        trust.wrap_socket(plain, server_hostname=lab.domain) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


@pytest.fixture(scope="module")
def due(
    lab: Lab, hosts: Hosts, site: UnderLoad, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[UnderLoad]:
    """The site with a certificate that is due, and no authority to ask; all as before at the end."""
    gateway, authority = hosts["gateway"], Authority()
    roots = tmp_path_factory.mktemp("roots") / "both.pem"
    roots.write_bytes(lab.ca_root.read_bytes() + authority.root)
    gateway.check_output(f"cp -p {STATIC} {STATIC}.kept && cp -p {STORE} {STORE}.kept")
    try:
        gateway.check_output(f"nft '{CLOSED}' && docker stop {names.TRAEFIK}")
        _put_in(gateway, lab.domain, *authority.issue(lab.domain))
        gateway.check_output(f"sed -i 's/^\\( *\\)keyType: .*/&\\n\\1certificatesDuration: 1/' {STATIC}")
        both = replace(lab, ca_root=Path(roots))
        _start(gateway, both)
        yield replace(site, lab=both)
    finally:
        gateway.run("nft delete table inet lab-acme")
        gateway.check_output(f"docker stop {names.TRAEFIK}")
        gateway.check_output(f"mv {STATIC}.kept {STATIC} && mv {STORE}.kept {STORE}")
        _start(gateway, lab)


def _put_in(gateway: Host, domain: str, certificate: bytes, key: bytes) -> None:
    """In place of the one that Traefik has of the domain."""
    store = json.loads(gateway.check_output(f"cat {STORE}"))
    store["acme"]["Certificates"] = [
        {
            "domain": {"main": domain},
            "certificate": base64.b64encode(certificate).decode(),
            "key": base64.b64encode(key).decode(),
            "Store": "default",
        }
    ]
    gateway.check_output("printf %%s %s > %s", json.dumps(store), STORE)


def _start(gateway: Host, lab: Lab) -> None:
    """Start Traefik, and wait until it shows visitors a certificate that they trust."""
    gateway.check_output(f"docker start {names.TRAEFIK}")
    end = time.monotonic() + 30
    while True:
        try:
            _served(lab)
            return
        except OSError:
            assert time.monotonic() < end, "Traefik serves nobody 30 s after its start"
            time.sleep(0.2)


def _refused(gateway: Host, since: float) -> list[str]:
    """What Traefik has logged of renewals that failed."""
    log = gateway.check_output(f"docker logs --since {since:.0f} {names.TRAEFIK} 2>&1")
    # Which it thinks is no error, but a word of information.
    return [line for line in log.splitlines() if "acmeCA" in line and '"error":' in line]


def test_an_authority_that_is_down_is_noticed_by_nobody(due: UnderLoad, hosts: Hosts) -> None:
    before = _served(due.lab)
    with due.during(NO_AUTHORITY):
        began = time.time()
        time.sleep(EVERY_S + 5)
    assert _refused(hosts["gateway"], began), "Traefik did not try, so this proves nothing"
    assert _served(due.lab).serial_number == before.serial_number


def test_a_renewal_is_noticed_by_nobody(due: UnderLoad, hosts: Hosts) -> None:
    before, login = _served(due.lab), due.logins["podcast"]
    with due.during(RENEWAL) as course, EventStream(due.lab, login) as stream:
        hosts["gateway"].check_output("nft delete table inet lab-acme")
        course.begins()
        end = time.monotonic() + EVERY_S + 30
        while (now := _served(due.lab)).serial_number == before.serial_number:
            assert time.monotonic() < end, "the certificate was not renewed"
            time.sleep(1)
    assert stream.complaint is None
    assert "Pebble" in now.issuer.rfc4514_string()
