"""What is wrong with a certificate: of the one on the lab's gateway, and of some made for the purpose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleet import Site
from roles.drift import certificate
from roles.drift.certificate import Served
from tests.unit.drift_answers import parts
from tests.unit.examples import example_site

NOW = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)


@pytest.fixture
def site() -> Site:
    return example_site(domain="studio.lab.test")


def made(
    domain: str = "studio.lab.test", days: float = 90, age: float = 1, issuer: str = "CA"
) -> x509.Certificate:
    """A certificate that is `age` days old and lives `days`."""
    key = ec.generate_private_key(ec.SECP256R1())
    begin = NOW - timedelta(days=age)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, hashes.SHA256())
    )


def found(site: Site, served: Served, *own: x509.Certificate, now: datetime = NOW) -> list[str]:
    rows = certificate.findings(site, served, own, now)
    assert {row.kind for row in rows} <= {"certificate"}
    return [row.found for row in rows]


def test_the_certificate_that_traefik_obtained_is_fine(site: Site) -> None:
    (own,) = certificate.obtained(parts("gateway")["acme"])
    soon = own.not_valid_before_utc + timedelta(hours=1)
    assert found(site, Served(own, ""), own, now=soon) == []


def test_none_at_all_is_one_finding(site: Site) -> None:
    assert found(site, Served(None, "none is served (TLSV1_UNRECOGNIZED_NAME)")) == [
        "none is served (TLSV1_UNRECOGNIZED_NAME)"
    ]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (made("other.lab.test"), "for other.lab.test"),
        (made("*.lab.test"), None),
        (made(issuer="studio.lab.test"), "self-signed"),
        (made(age=73), "expires in 17.0 days"),
        (made(age=71), None),
        (made(age=91), "expired on 2026-11-27"),
        (made(days=6, age=5), "expires in 1.0 days"),
    ],
)
def test_a_certificate_that_browsers_refuse_or_soon_will_is_named(
    site: Site, one: x509.Certificate, words: str | None
) -> None:
    assert found(site, Served(one, ""), one) == ([words] if words else [])


def test_a_good_certificate_that_traefik_did_not_obtain_is_named(site: Site) -> None:
    assert found(site, Served(made(issuer="Corp"), ""), made()) == ["one of CN=Corp, not Traefik's own"]
    # A gateway that could not be asked says nothing of its own ones.
    assert certificate.findings(site, Served(made(issuer="Corp"), ""), None, NOW) == []


def test_what_clients_have_against_it_is_said_where_nothing_else_is(site: Site) -> None:
    one = made()
    assert found(site, Served(one, "unable to get local issuer certificate"), one) == [
        "of CN=CA: unable to get local issuer certificate"
    ]
