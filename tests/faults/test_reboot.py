"""All hosts reboot at once, as after a power cut in the rack: the site comes back, and so does its work."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from tests.box.containers import Studio, studios
from tests.box.fixtures import Hosts, Logins, Speak
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import REPORTS, Lab, Login, command
from tests.box.web import answers, session

# make test reboots a node while people are at work (test_hosts).
pytestmark = pytest.mark.thorough
SITE = ("gateway", "gpu-1", "gpu-2")
BACK_WITHIN_S = 180
# Half a minute of work for an idle machine, in two segments: the reboot comes in the middle.
SCRIPT = talk(36)
SEED = 11


@dataclass(frozen=True)
class Reboot:
    """Studios of each node before, certificate before, seconds until each project answered, and the jobs
    that were under way: project, id, seconds spoken until then."""

    before: dict[str, list[Studio]]
    certificate: str
    seconds: dict[str, float]
    jobs: tuple[tuple[str, str, float], ...]


@pytest.fixture(scope="module")
def undisturbed(lab: Lab, logins: Logins) -> dict[str, bytes]:
    """What the script sounds like when nothing happens, by project."""
    sounds = {}
    for login in logins.values():
        with Jobs(lab, login) as jobs:
            id = jobs.submit(SCRIPT, seed=SEED)
            jobs.done(id)
            sounds[login.project] = complete(jobs, id)
            jobs.delete(id)
    return sounds


@pytest.fixture(scope="module", params=["reboot", "power cut"])
def rebooted(
    request: pytest.FixtureRequest, lab: Lab, hosts: Hosts, logins: Logins, undisturbed: dict[str, bytes]
) -> Reboot:
    before = _all(hosts)
    certificate = _certificate(hosts)
    under_way = tuple(_begun(lab, login) for login in logins.values())
    begin = time.monotonic()
    if request.param == "reboot":
        command("reboot", *SITE)
    else:
        command("kill", *SITE)
        command("boot", *SITE)
    seconds = {}
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        for login in logins.values():
            answers(web, f"{login.url}health/ready", login.auth, BACK_WITHIN_S - (time.monotonic() - begin))
            seconds[login.project] = round(time.monotonic() - begin, 1)
    report = REPORTS / f"back-after-{request.param.replace(' ', '-')}.json"
    report.write_text(json.dumps(seconds) + "\n")
    return Reboot(before, certificate, seconds, under_way)


def _begun(lab: Lab, login: Login) -> tuple[str, str, float]:
    """A job of which something is spoken, and not all: (project, id, seconds spoken)."""
    with Jobs(lab, login) as jobs:
        id = jobs.submit(SCRIPT, seed=SEED)
        return login.project, id, jobs.speaking(id, 1.0)["progress"]["audio_s"]


def _all(hosts: Hosts) -> dict[str, list[Studio]]:
    return {name: studios(hosts[name]) for name in ("gpu-1", "gpu-2")}


def _certificate(hosts: Hosts) -> str:
    """A new one would be a new order at Let's Encrypt, which counts them."""
    return hosts["gateway"].check_output("cat $(find /srv/vibevoice/certs -name '*.json') | sha256sum")


def test_every_project_answers_again(rebooted: Reboot, logins: Logins) -> None:
    assert rebooted.seconds.keys() == logins.keys()


def test_every_job_is_done_to_the_sample(
    rebooted: Reboot, lab: Lab, logins: Logins, undisturbed: dict[str, bytes]
) -> None:
    for project, id, spoken_s in rebooted.jobs:
        with Jobs(lab, logins[project]) as jobs:
            jobs.done(id)
            as_undisturbed(complete(jobs, id), undisturbed[project], spoken_s)
            jobs.delete(id)


def test_the_same_studios_hold_the_same_gpus(rebooted: Reboot, hosts: Hosts) -> None:
    deadline = time.monotonic() + 60
    while (now := _all(hosts)) != rebooted.before and time.monotonic() < deadline:
        time.sleep(1)
    assert now == rebooted.before


def test_every_project_speaks_again(rebooted: Reboot, logins: Logins, speak: Speak) -> None:
    for login in logins.values():
        answer = speak(login, "Speaker 1: Good morning again.")
        assert answer.status_code == 200, f"{login.project}: {answer.text[:300]}"


def test_the_certificate_is_kept(rebooted: Reboot, hosts: Hosts) -> None:
    assert _certificate(hosts) == rebooted.certificate


def test_the_walls_stand_before_anything_listens(rebooted: Reboot, hosts: Hosts) -> None:
    for name in SITE:
        assert hosts[name].run("nft list table inet vibevoice").rc == 0, name
        assert hosts[name].check_output("systemctl is-active vibevoice-firewall.service") == "active"


def test_no_unit_failed(rebooted: Reboot, hosts: Hosts) -> None:
    for name in SITE:
        failed = hosts[name].check_output("systemctl list-units --state=failed --plain --no-legend")
        assert [line.split()[0] for line in failed.splitlines()] == [], name
