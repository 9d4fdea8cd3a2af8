"""A change reaches a project's studios one after the other, and routes that Traefik refuses reach nobody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.process import wait_until
from tests.box.containers import ids, kill_web
from tests.box.deploy import LIMIT_S, Deploy, Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import Lab
from tests.box.sound import pcm_of_wav
from tests.box.web import answers, session, stays

CHANGED = '''"""The lab's site with a knob turned for all its studios."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["studio"] |= {knobs}
gateway, gpu = site(__file__, _site)
'''
GOOD = {"stop_grace_s": 60}
# A studio that stops gives whoever still waits no time at all.
HURRIED = {"stop_grace_s": 0}
# A studio starts with it, answers and takes jobs; only its engine finds that it cannot speak like that.
BAD = {"steps": 1000}

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
LONG_TURNS = 70

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


def with_knobs(folder: Path, knobs: dict[str, int]) -> Path:
    """An inventory with a change for every studio."""
    inventory = folder / "lab.py"
    inventory.write_text(CHANGED.format(knobs=knobs))
    return inventory


@pytest.fixture
def changed(lab: Lab, tmp_path: Path) -> Iterator[Path]:
    """A change that works; the lab's own inventory is deployed again at the end."""
    yield with_knobs(tmp_path, GOOD)
    deploy("-y", log="rollout-back")


@pytest.mark.thorough
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


@pytest.mark.thorough
def test_speech_outlives_the_studio_that_was_asked_for_it(lab: Lab, hosts: Hosts, tmp_path: Path) -> None:
    """It goes on in the studio that comes, and is passed on to its end by one that otherwise has no time."""
    node, one_node = hosts["gpu-2"], ("-y", "--limit", "gpu-2")
    policy = "docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' %s"
    order = {"model": "vibevoice", "input": talk(LONG_TURNS), "response_format": "wav", "seed": 5}
    deploy(*one_node, inventory=with_knobs(tmp_path, HURRIED), log="rollout-hurried")
    (old,) = ids(node)
    with Jobs(lab, lab.login("debate", "bo")) as jobs, ThreadPoolExecutor(1) as another:
        speech = another.submit(jobs.ask, "POST", "v1/audio/speech", json=order, timeout=120)
        run = Deploy(*one_node, log="rollout-unhurried")
        leaving = wait_until(lambda: node.run(policy, old).stdout.strip() in ("no", ""), LIMIT_S)
        early = speech.done()
        assert run.wait().code == 0
        assert leaving and not early, "it had ended before the exchange"
        answer = speech.result()
        assert answer.status_code == 200, answer.text
        assert old not in ids(node)
        undisturbed = jobs.ask("POST", "v1/audio/speech", json=order, timeout=120)
    as_undisturbed(pcm_of_wav(answer.content), pcm_of_wav(undisturbed.content))


def test_a_version_that_cannot_speak_leaves_the_old_one_serving(
    lab: Lab, hosts: Hosts, tmp_path: Path
) -> None:
    before = {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")}
    with Jobs(lab, lab.login("debate", "bo")) as jobs:
        job = jobs.submit(talk(LONG_TURNS))
        jobs.speaking(job)

        run = Deploy("-y", inventory=with_knobs(tmp_path, BAD), log="rollout-bad").wait()

        assert run.code == 1, run.tail
        assert "has an engine that failed" in run.text or "was started again" in run.text, run.tail
        assert "cannot denoise in 1000 steps" in run.text, "the log of the container that failed"
        assert "has its GPU back and goes on as it was" in run.text, run.tail
        assert {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")} == before
        # The old one has its GPU again, and goes on with what it had begun.
        jobs.done(job)
        complete(jobs, job)
        jobs.delete(job)
        # It is still one that Docker starts again when it dies.
        kill_web(hosts["gpu-2"], next(iter(before["gpu-2"])))
        stays(jobs.web, f"{jobs.login.url}health/ready", jobs.login.auth, 90)
        jobs.done(jobs.submit("Speaker 1: Here I am again."))


@pytest.mark.thorough
def test_a_rollback_brings_the_studios_of_before_without_a_build(
    lab: Lab, hosts: Hosts, changed: Path
) -> None:
    def specs(node: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in ids(hosts[node]):
            project, _, spec = name.removeprefix("vv-").rpartition("-")
            found.setdefault(project, []).append(spec)
        return found

    before = specs("gpu-1"), specs("gpu-2")
    deploy("-y", inventory=changed, log="rollback-forward")
    forward = specs("gpu-1"), specs("gpu-2")
    assert all(forward[n][key] != before[n][key] for n in (0, 1) for key in before[n])
    with Jobs(lab, lab.login("debate", "bo")) as jobs:
        job = jobs.submit(talk(LONG_TURNS))
        jobs.speaking(job)

        run = rollback("--data", "project=debate")
        number = history(hosts)[-1]["action"].removeprefix("rollback to ")
        assert f"Back to version {number} (" in run.text
        assert (specs("gpu-1"), specs("gpu-2")) == (forward[0], before[1]), "one project alone"
        jobs.done(job)
        complete(jobs, job)
        jobs.delete(job)
    versions = history(hosts)
    assert versions[-1]["action"] == f"rollback to {versions[-3]['n']}"
    assert len(versions) <= 5

    rollback("--data", f"to={versions[-3]['n']}")
    assert (specs("gpu-1"), specs("gpu-2")) == before, "the whole site"


def rollback(*options: str) -> Run:
    run = Deploy("-y", *options, operations="ops/rollback.py", log="rollback").wait()
    assert run.code == 0, run.tail
    built = [name for name, _, _ in run.operations() if "build" in name.lower() or "image" in name.lower()]
    assert not built, "nothing is built or pulled"
    return run


def history(hosts: Hosts) -> list[dict]:
    lines = hosts["gateway"].check_output("cat /srv/vibevoice/versions.jsonl").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("number", ["999", "0"])
def test_a_version_that_there_is_not_is_refused_before_anything_changes(hosts: Hosts, number: str) -> None:
    before = {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")}
    run = Deploy("-y", "--data", f"to={number}", operations="ops/rollback.py", log="rollback-typo").wait()
    assert run.code == 1, run.tail
    assert f"There is no version {number}" in run.text
    assert {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")} == before


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
