"""Single sign-on with a real OpenID provider on the lab's network, honest and crooked."""

from __future__ import annotations

import datetime
import ipaddress
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, BrowserContext, Page

from lab.topology import MACHINE
from tests.box.browser import Complaints, chromium
from tests.box.deploy import deploy
from tests.box.fixtures import Hosts
from tests.box.lab import REPO, REPORTS, Lab
from tests.box.people import Visitor

PROVIDER = REPO / "tests" / "door" / "provider.py"
PYTHON = REPO / ".venv-door" / "bin" / "python"
CLIENT = "vibevoice-lab"

INVENTORY = '''"""The lab's site, with an OpenID provider that opens podcast to a team."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["sign_on"] = [{{
    "name": "corp", "label": "Company login", "issuer": "{issuer}", "client_id": "{client}", "ca": "{ca}",
}}]
_site["projects"][0]["groups"] = ["corp:podcast-team"]
gateway, gpu = site(__file__, _site)
'''

USERS = {
    "mia": {"email": "mia@example.com", "email_verified": True, "groups": ["podcast-team", "staff"]},
    "tom": {"email": "tom@example.com", "email_verified": True, "groups": ["staff"]},
}


@dataclass
class Provider:
    """An OpenID provider at an address of its own, honest or crooked in one way."""

    port: int
    certificate: Path
    key: Path
    secret: str
    redirect_uri: str
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"https://{MACHINE}:{self.port}"

    def start(self) -> None:
        """Serve, honestly."""
        command = [
            str(PYTHON), str(PROVIDER), "--host", MACHINE, "--port", str(self.port),
            "--tls-cert", str(self.certificate), "--tls-key", str(self.key),
            "--client-id", CLIENT, "--client-secret", self.secret, "--redirect-uri", self.redirect_uri,
            "--users", json.dumps(USERS),
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self._wait_for("serving", 1)

    def be(self, crooked: str) -> None:
        """Crooked in this way from now on; empty: honest."""
        assert self._process and self._process.stdin
        said = f"crooked: {crooked or None}\n"
        times = self.log.read_text().count(said)
        self._process.stdin.write(f"{crooked}\n".encode())
        self._process.stdin.flush()
        self._wait_for(said, times + 1)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _wait_for(self, words: str, times: int) -> None:
        deadline = time.monotonic() + 20
        while self.log.read_text().count(words) < times:
            assert self._process and self._process.poll() is None and time.monotonic() < deadline, (
                f"the provider never said {words}:\n{self.log.read_text()[-2000:]}"
            )
            time.sleep(0.05)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of the machine's address on the lab's bridge, and its key; it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, MACHINE)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(MACHINE))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "provider.pem", folder / "provider.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


@pytest.fixture(scope="module")
def provider(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The provider, known to the site; the lab's own inventory is deployed again at the end."""
    folder = tmp_path_factory.mktemp("provider")
    certificate, key = _certificate(folder)
    with socket.socket() as probe:
        probe.bind((MACHINE, 0))
        port = probe.getsockname()[1]
    REPORTS.mkdir(exist_ok=True)
    redirect_uri = f"https://{lab.domain}/vibevoice/auth/corp/callback"
    made = Provider(port, certificate, key, secrets.token_urlsafe(24), redirect_uri, REPORTS / "provider.log")
    inventory = folder / "lab.py"
    inventory.write_text(INVENTORY.format(issuer=made.issuer, client=CLIENT, ca=certificate))
    env = {"VV_SECRET_SIGN_ON_CORP": made.secret}
    deploy("-y", "--limit", "gateway", inventory=inventory, log="sign-on", env=env)
    try:
        yield made
    finally:
        made.stop()
        deploy("-y", "--limit", "gateway", log="sign-on-back")


@pytest.fixture(scope="module")
def running(provider: Provider, lab: Lab) -> Provider:
    """Serving from its first use on, with the same keys throughout: the door remembers them."""
    provider.start()
    # Either door also remembers for some seconds who was away; pages come from both in turn.
    deadline = time.monotonic() + 30
    with Visitor(lab) as visitor:
        while any(visitor.get("/vibevoice/auth/corp").status_code >= 500 for _ in range(4)):
            assert time.monotonic() < deadline, "the door never asked the provider again"
            time.sleep(0.5)
    return provider


@pytest.fixture
def honest(running: Provider) -> Provider:
    running.be("")
    return running


@pytest.fixture(scope="module")
def browser(lab: Lab, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(lab, tmp_path_factory.mktemp("home"), provider.certificate) as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    fresh = browser.new_context()
    yield fresh
    fresh.close()


def _sign_on(page: Page, lab: Lab, sub: str) -> None:
    """From the studio's address to the provider and, as `sub`, back."""
    # The provider's own page wants a stylesheet from the internet.
    page.route("https://cdn.jsdelivr.net/**", lambda route: route.fulfill(content_type="text/css", body=""))
    page.goto(f"https://{lab.domain}/vibevoice/podcast/")
    page.get_by_role("link", name="Company login").click()
    page.wait_for_url(f"https://{MACHINE}:*/**")
    page.locator("input[name=sub]").fill(sub)
    page.locator("button").first.click()
    page.wait_for_url(f"https://{lab.domain}/**")


def _entered(page: Page) -> bool:
    return page.locator("#generate").count() > 0


def test_a_provider_that_is_away_is_named_and_passwords_still_work(
    context: BrowserContext, lab: Lab, provider: Provider
) -> None:
    # The first test of all: what a door has heard from a provider it remembers for an hour.
    page = context.new_page()
    page.goto(f"https://{lab.domain}/vibevoice/podcast/")
    page.get_by_role("link", name="Company login").click()
    page.locator("main").wait_for()
    assert urlsplit(page.url).hostname == lab.domain
    assert "Company login" in page.locator("main").inner_text()
    page.goto(f"https://{lab.domain}/vibevoice/login")
    page.locator("input[name=name]").fill("li")
    page.locator("input[name=password]").fill(lab.users["li"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"https://{lab.domain}/vibevoice/")


def test_a_member_of_the_team_enters_and_is_known_by_name(
    context: BrowserContext, lab: Lab, honest: Provider
) -> None:
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page)
    _sign_on(page, lab, "mia")
    page.wait_for_url(f"https://{lab.domain}/vibevoice/podcast/")
    page.locator("#generate").wait_for(timeout=30_000)
    who = page.evaluate("() => fetch('v1/me').then(answer => answer.json())")
    assert who["user"] == "corp:mia@example.com"
    # The team's project, and no other.
    answer = page.goto(f"https://{lab.domain}/vibevoice/debate/")
    assert answer is not None and answer.status == 403
    page.goto(f"https://{lab.domain}/vibevoice/")
    assert page.get_by_text("debate").count() == 0
    assert [one for one in complaints if "403" not in one] == []


def test_logging_out_ends_a_sign_on(context: BrowserContext, lab: Lab, honest: Provider) -> None:
    page = context.new_page()
    _sign_on(page, lab, "mia")
    page.goto(f"https://{lab.domain}/vibevoice/logout")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/vibevoice/login**")
    page.goto(f"https://{lab.domain}/vibevoice/podcast/")
    assert urlsplit(page.url).path == "/vibevoice/login"


def test_whoever_is_in_no_team_is_told_so_and_stays_outside(
    context: BrowserContext, lab: Lab, honest: Provider, hosts: Hosts
) -> None:
    page = context.new_page()
    _sign_on(page, lab, "tom")
    assert not _entered(page)
    assert "no project here is open to you" in page.locator("main").inner_text()
    assert not [one for one in context.cookies() if one.get("name") == "__Host-vv_session"]
    assert "sso_failed" in _last_audit(hosts, "tom")


# How the provider is crooked, and why the door says no.
CROOKED = {
    "nonce": "nonce",
    "audience": "aud",
    "expired": "exp",
    "issuer": "iss",
    "none": "algorithm",
    "hs256": "algorithm",
    "forged": "signature",
    "group": "no project",
}


@pytest.mark.parametrize("crooked", CROOKED)
def test_a_crooked_token_opens_nothing(
    context: BrowserContext, lab: Lab, running: Provider, hosts: Hosts, crooked: str
) -> None:
    running.be(crooked)
    page = context.new_page()
    _sign_on(page, lab, "mia")
    assert not _entered(page)
    assert page.locator("main").inner_text().strip()
    assert not [one for one in context.cookies() if one.get("name") == "__Host-vv_session"]
    page.goto(f"https://{lab.domain}/vibevoice/podcast/")
    assert urlsplit(page.url).path == "/vibevoice/login"
    refused = json.loads(_last_audit(hosts, '"sso'))
    assert refused["event"] == "sso_failed"
    assert CROOKED[crooked] in refused["reason"]


def _last_audit(hosts: Hosts, word: str) -> str:
    """The newest line of the audit log that has the word in it."""
    lines = hosts["gateway"].check_output("cat /srv/vibevoice/door/audit/*.jsonl").splitlines()
    return next((line for line in reversed(lines) if word in line), "")
