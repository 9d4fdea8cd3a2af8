"""The certificate that browsers get, asked for from the operator's machine. Knows nothing of pyinfra."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from fleet import Site
from roles.drift.finding import Finding

TIMEOUT_S = 5
# Traefik renews with a third of the life left. With a fifth it has failed for days.
LEAST_LEFT = 0.2
RENEW = "docker logs vv-traefik | grep acme; port 80 must reach the gateway from the certificate authority"
REPLACE = "look at who put it there: Traefik's dynamic folder, acme.json; then docker restart vv-traefik"


@dataclass(frozen=True)
class Served:
    """What a browser gets: the certificate, None where there is none, and what it has against it."""

    certificate: x509.Certificate | None
    complaint: str


def ask(site: Site) -> Served:
    """What the gateway serves for the site's domain."""
    address = site.gateway.address or site.domain
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        with _connection(address, site.domain, trusting) as tls:
            der = tls.getpeercert(binary_form=True) or b""
    except ssl.SSLError as error:
        # With sniStrict that is what a domain without a certificate looks like.
        return Served(None, f"none is served ({error.reason or error})")
    except OSError as error:
        return Served(None, f"{address} port 443 does not answer: {error}")
    strict = ssl.create_default_context(cafile=str(site.acme.root) if site.acme.root else None)
    complaint = ""
    try:
        _connection(address, site.domain, strict).close()
    except ssl.SSLCertVerificationError as error:
        complaint = error.verify_message
    except OSError as error:
        complaint = str(error)
    return Served(x509.load_der_x509_certificate(der), complaint)


def _connection(address: str, domain: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((address, 443), TIMEOUT_S)
    try:
        return context.wrap_socket(plain, server_hostname=domain)
    except BaseException:
        plain.close()
        raise


def obtained(lines: Iterable[str]) -> list[x509.Certificate]:
    """The certificates in Traefik's store, each the first of its chain, from base64 lines of acme.json."""
    return [x509.load_pem_x509_certificate(pem) for line in lines if (pem := base64.b64decode(line)).strip()]


def findings(
    site: Site, served: Served, own: Iterable[x509.Certificate] | None, now: datetime
) -> list[Finding]:
    """What is wrong with the certificate.

    Args:
        own: those that Traefik obtained; None where the gateway could not be asked.
    """

    def row(found: str, wanted: str, remedy: str) -> Finding:
        return Finding("certificate", site.gateway.host, site.domain, found, wanted, remedy)

    certificate = served.certificate
    if certificate is None:
        return [row(served.complaint, "a trusted certificate", RENEW)]
    issuer = _name(certificate.issuer)
    rows = []
    if not _is_for(certificate, site.domain):
        rows.append(row(f"for {', '.join(_domains(certificate)) or 'no name'}", site.domain, REPLACE))
    if certificate.issuer == certificate.subject:
        rows.append(row("self-signed", f"one of {site.acme.server}", REPLACE))
    elif own is not None and certificate not in list(own):
        rows.append(row(f"one of {issuer}, not Traefik's own", f"the one of {site.acme.server}", REPLACE))
    left, life = certificate.not_valid_after_utc - now, _life(certificate)
    if left.total_seconds() <= 0:
        rows.append(row(f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "valid", RENEW))
    elif left.total_seconds() < life * LEAST_LEFT:
        days = left.total_seconds() / 86400
        least = life * LEAST_LEFT / 86400
        rows.append(row(f"expires in {days:.1f} days", f"at least {least:.1f}: renewal is late", RENEW))
    if not rows and served.complaint:
        rows.append(row(f"of {issuer}: {served.complaint}", "one that clients trust", REPLACE))
    return rows


def _life(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds()


def _domains(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)  # type: ignore[attr-defined]


def _is_for(certificate: x509.Certificate, domain: str) -> bool:
    parent = domain.partition(".")[2]
    return any(name.lower() in (domain, f"*.{parent}") for name in _domains(certificate))


def _name(name: x509.Name) -> str:
    # Of a name only what prints: it may come from anybody.
    return re.sub(r"[^ -~]", "?", name.rfc4514_string())
