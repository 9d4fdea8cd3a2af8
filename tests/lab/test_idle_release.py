"""A studio that nobody needs gives its GPU's memory back, and is there again for the next one who does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect
from testinfra.host import Host

from tests.box.browser import Complaints, chromium, open_studio
from tests.box.containers import ENGINE, memory, processes, studios
from tests.box.deploy import deploy
from tests.box.fixtures import Hosts, Logins, Speak
from tests.box.lab import Lab, Login

pytestmark = pytest.mark.thorough

IDLE = '''"""The lab's site, where a GPU is given back after a minute."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["studio"] |= {"idle_minutes": 1}
gateway, gpu = site(__file__, _site)
'''
ASLEEP_WITHIN_S = 100
# The engine with its weights is most of what a studio holds.
RETURNED = 0.5


@pytest.fixture(scope="module")
def node(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Debate's node, its studio with an idle time of a minute; the lab's own is deployed at the end."""
    inventory = tmp_path_factory.mktemp("inventory") / "lab.py"
    inventory.write_text(IDLE)
    deploy("-y", "--limit", "gpu-2", inventory=inventory, log="idle")
    yield hosts["gpu-2"]
    deploy("-y", "--limit", "gpu-2", log="idle-back")


def _engine(web: requests.Session, login: Login) -> str:
    return web.get(f"{login.url}health/ready", auth=login.auth, timeout=10).json()["engine"]


def _asleep(web: requests.Session, login: Login) -> None:
    end = time.monotonic() + ASLEEP_WITHIN_S
    while (state := _engine(web, login)) != "asleep":
        assert time.monotonic() < end, f"after {ASLEEP_WITHIN_S} s without a job its engine is {state}"
        time.sleep(0.5)


def test_an_idle_studio_gives_its_memory_back_and_wakes_for_whoever_asks(
    lab: Lab, node: Host, logins: Logins, web: requests.Session, speak: Speak, tmp_path: Path
) -> None:
    login = logins["debate"]
    (studio,) = studios(node)
    with chromium(lab, tmp_path) as browser:
        page, complaints = browser.new_page(), Complaints()
        complaints.watch(page)
        # Whoever only looks keeps no GPU.
        open_studio(page, login)
        assert speak(login, "Speaker 1: Somebody is here.").status_code == 200
        awake = memory(node, studio.name)
        assert processes(node, studio.name, ENGINE)

        _asleep(web, login)
        assert processes(node, studio.name, ENGINE) == []
        asleep = memory(node, studio.name)
        print(f"awake {awake / 2**20:.0f} MiB, asleep {asleep / 2**20:.0f} MiB")
        assert asleep < awake * RETURNED

        # Ready all the time: nobody is sent away. They wait for the engine, and the page says so.
        begin = time.monotonic()
        page.locator("#script-text").fill("Speaker 1: Is anybody there?")
        page.locator("#generate").click()
        card = page.locator("#now-jobs article").first
        expect(card.locator(".doing")).to_contain_text("waking up", timeout=20_000)
        answer = speak(login, "Speaker 1: Good morning.")
        assert answer.status_code == 200, answer.text[:500]
        print(f"woken and answered in {time.monotonic() - begin:.1f} s")
        expect(card).to_have_attribute("data-state", "done", timeout=90_000)
        assert processes(node, studio.name, ENGINE)
        assert complaints == []
