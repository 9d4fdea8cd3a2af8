"""A change reaches a project's studios one after the other, and routes that Traefik refuses reach nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.box.containers import ids
from tests.box.deploy import Deploy, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, complete, talk
from tests.box.lab import Lab
from tests.box.web import answers, session

CHANGED = '''"""The lab's site, its studios with another period of grace."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["studio"] |= {"stop_grace_s": 60}
gateway, gpu = site(__file__, _site)
'''

BROKEN = '''"""Give the gateway's Traefik a file that it has to refuse."""

from pyinfra import host

from steps.files import File
from steps.traefik import dynamic

FOLDER = "/etc/vibevoice/traefik/dynamic"
CONTENT = """{content}"""

if "gateway" in host.groups:
    dynamic(
        name="Break the routes",
        part="broken",
        files=[File(f"{{FOLDER}}/broken.yml", CONTENT)],
        directory=FOLDER,
        container="vv-traefik",
    )
'''

# Longer than it takes to get to the first studio's turn.
LONG_TURNS = 150

REFUSED = {
    "http: {routers: [": "has not loaded the new broken files",
    "http: {routers: {x: {rule: Path(`/x`), middlewares: [nowhere], service: ping@internal}}}": "nowhere",
    "http: {routers: {x: {rule: Path(`/x`, service: ping@internal}}}": "x@file",
}


@dataclass
class Visitor:
    """Somebody who asks a project again and again, never with a cookie."""

    statuses: list[int] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)

    def visit(self, lab: Lab, url: str, auth: tuple[str, str]) -> None:
        while not self._end.wait(0.05):
            with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
                self.statuses.append(web.get(url, auth=auth, timeout=10).status_code)

    def leave(self) -> None:
        self._end.set()


@pytest.fixture
def changed(lab: Lab, tmp_path: Path) -> Iterator[Path]:
    """An inventory with a change for every studio; the lab's own is deployed again at the end."""
    inventory = tmp_path / "lab.py"
    inventory.write_text(CHANGED)
    yield inventory
    deploy("-y", log="rollout-back")


def test_a_project_with_two_studios_answers_while_they_are_replaced(
    lab: Lab, logins: Logins, hosts: Hosts, changed: Path
) -> None:
    podcast = logins["podcast"]
    before = ids(hosts["gpu-1"])
    with Jobs(lab, podcast) as jobs:
        job = jobs.submit(talk(LONG_TURNS))
        jobs.speaking(job)
    visitor = Visitor()
    url = f"{podcast.url}health/live"
    thread = threading.Thread(target=visitor.visit, args=(lab, url, podcast.auth))
    thread.start()
    try:
        deploy("-y", inventory=changed, log="rollout")
    finally:
        visitor.leave()
        thread.join(20)
    after = ids(hosts["gpu-1"])
    assert len(after) == len(before) == 2
    assert not set(after.values()) & set(before.values())
    assert len(visitor.statuses) > 50
    assert set(visitor.statuses) == {200}
    # What the old ones had begun, the new ones have ended or go on with.
    with Jobs(lab, podcast) as jobs:
        jobs.done(job)
        complete(jobs, job)
        jobs.delete(job)


@pytest.mark.parametrize("content", REFUSED)
def test_what_traefik_refuses_is_taken_back(
    lab: Lab, logins: Logins, hosts: Hosts, tmp_path: Path, content: str
) -> None:
    operations = tmp_path / "broken.py"
    operations.write_text(BROKEN.format(content=content))
    gateway = hosts["gateway"]
    before = gateway.check_output("cd /etc/vibevoice/traefik/dynamic && sha256sum *")

    run = Deploy("-y", "--limit", "gateway", operations=str(operations), log="refused").wait()

    assert run.code == 1
    assert REFUSED[content] in run.text
    assert "The configuration before is back in place." in run.text
    assert gateway.check_output("cd /etc/vibevoice/traefik/dynamic && sha256sum *") == before
    time.sleep(1)
    for name in ("podcast", "debate"):
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
            answers(web, f"{logins[name].url}health/ready", logins[name].auth, 10)
