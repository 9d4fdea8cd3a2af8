"""The gateway burns down: an empty host of its name, one command, and the site is what it was."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from socket import create_connection

import pytest
from cryptography import x509

from tests.box.backups import back_up, run
from tests.box.containers import ids
from tests.box.deploy import Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, complete, talk
from tests.box.lab import REPORTS, Lab, command
from tests.box.people import Visitor
from tests.box.web import TIMEOUT_S, answers, session

pytestmark = pytest.mark.thorough

WITHIN_S = 120.0
NODES = ("gpu-1", "gpu-2")
PUBLIC_KEY = "wg show wg0 public-key"
GATEWAY_KEY = "wg show wg0 peers"


@dataclass(frozen=True)
class Site:
    """What must be the same afterwards, or must not: serial of the certificate, studios, keys of wg0."""

    serial: int
    studios: dict[str, dict[str, str]]
    wireguard: str


@dataclass(frozen=True)
class Restored:
    """The site before, the run that restored it, and the seconds from the empty host to the last project."""

    before: Site
    run: Run
    seconds: float
    job: str


@pytest.fixture(scope="module")
def li(lab: Lab) -> Iterator[Visitor]:
    """Li, who logs in and makes a key before anything happens."""
    with Visitor(lab) as visitor:
        assert visitor.log_in("li", lab.users["li"]).status_code == 303
        yield visitor


@pytest.fixture(scope="module")
def key(li: Visitor) -> str:
    return li.make_key("podcast")


@pytest.fixture(scope="module")
def restored(lab: Lab, hosts: Hosts, logins: Logins, li: Visitor, key: str) -> Restored:
    before = _site(lab, hosts)
    with Jobs(lab, lab.login("podcast", "li")) as jobs:
        job = jobs.submit(talk(36), seed=3)
        jobs.speaking(job, 1.0)
    (backup,) = back_up("gateway-backup")
    assert backup["kind"] == "gateway"
    command("reset", "gateway")
    begin = time.monotonic()
    done = run("restore", "gateway-restore")
    assert done.code == 0, done.tail
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        for login in logins.values():
            answers(web, f"{login.url}health/ready", login.auth, 60)
    seconds = round(time.monotonic() - begin, 1)
    phases = {name: round(end - at, 1) for name, at, end in done.operations() if end - at >= 0.5}
    report = {"seconds": seconds, "phases": phases}
    (REPORTS / "gateway-restore.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nfrom an empty gateway to every project: {seconds} s")
    return Restored(before, done, seconds, job)


def _site(lab: Lab, hosts: Hosts) -> Site:
    studios = {name: ids(hosts[name]) for name in NODES}
    return Site(_serial(lab), studios, hosts["gateway"].check_output(PUBLIC_KEY))


def _serial(lab: Lab) -> int:
    """Of the certificate that the gateway shows; it is one that clients trust."""
    context = ssl.create_default_context(cafile=str(lab.ca_root))
    with (
        create_connection((lab.gateway_ip, 443), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=lab.domain) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown).serial_number


def test_every_project_answers_within_two_minutes(restored: Restored) -> None:
    assert restored.seconds < WITHIN_S, f"{restored.seconds} s; {restored.run.log}"


def test_the_same_certificate_is_served(restored: Restored, lab: Lab) -> None:
    assert _serial(lab) == restored.before.serial


def test_sessions_keys_and_passwords_are_good(restored: Restored, lab: Lab, li: Visitor, key: str) -> None:
    with Visitor(lab) as returning:
        # On a new connection: those to the gateway that was are dead.
        returning.web.cookies.update(li.web.cookies)
        assert returning.get("/vibevoice/").status_code == 200, "her session"
    url = f"https://{lab.domain}/vibevoice/podcast/v1/me"
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answer = web.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json().get("user")) == (200, "li"), "her key"
    with Visitor(lab) as again:
        assert again.log_in("li", lab.users["li"]).status_code == 303, "her password"


def test_the_gateway_has_a_new_wireguard_key_and_every_node_knows_it(
    restored: Restored, hosts: Hosts
) -> None:
    new = hosts["gateway"].check_output(PUBLIC_KEY)
    assert new != restored.before.wireguard
    assert {name: hosts[name].check_output(GATEWAY_KEY) for name in NODES} == dict.fromkeys(NODES, new)


def test_studios_went_on_as_they_were(restored: Restored, lab: Lab, hosts: Hosts) -> None:
    assert {name: ids(hosts[name]) for name in NODES} == restored.before.studios
    with Jobs(lab, lab.login("podcast", "li")) as jobs:
        jobs.done(restored.job)
        complete(jobs, restored.job)
        jobs.delete(restored.job)


def test_the_next_deploy_finds_nothing_to_do(restored: Restored) -> None:
    assert deploy("-y", "--json", log="gateway-restore-again").changes == {}
