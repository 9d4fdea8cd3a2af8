"""While a studio is away people get a page that waits, and programs get words that they understand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from testinfra.host import Host

from tests.box.containers import studios
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import Lab
from tests.box.people import Visitor
from tests.box.web import TIMEOUT_S, answers

NOTICED_WITHIN_S = 10


@pytest.fixture(scope="module")
def stopped(hosts: Hosts, lab: Lab, logins: Logins) -> Iterator[Host]:
    """Debate's only studio is stopped; it runs again at the end."""
    node = hosts["gpu-2"]
    (studio,) = studios(node)
    node.check_output("docker stop %s", studio.name)
    yield node
    node.check_output("docker start %s", studio.name)
    with Visitor(lab) as visitor:
        answers(visitor.web, f"{logins['debate'].url}health/ready", logins["debate"].auth, 60)


@pytest.fixture
def bo(lab: Lab) -> Iterator[Visitor]:
    with Visitor(lab) as visitor:
        assert visitor.log_in("bo", lab.users["bo"]).status_code == 303
        yield visitor


def _until(visitor: Visitor, path: str, status: int, **options: object) -> requests.Response:
    """The first answer with that status; the gateway hears of a stopped studio within seconds."""
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while True:
        answer = visitor.get(path, **options)
        if answer.status_code == status or time.monotonic() > deadline:
            assert answer.status_code == status, f"{answer.status_code} {answer.text[:300]}"
            return answer
        time.sleep(0.2)


def test_a_person_gets_a_page_that_reloads_itself(stopped: Host, bo: Visitor) -> None:
    answer = _until(bo, "/vibevoice/debate/", 503)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert 'http-equiv="refresh"' in answer.text
    assert "debate" in answer.text


def test_a_program_gets_the_apis_envelope(stopped: Host, bo: Visitor) -> None:
    answer = _until(bo, "/vibevoice/debate/v1/models", 503, headers={"Accept": "*/*"})
    assert answer.json()["error"]["code"] == "studio_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    spoken = bo.web.post(
        f"{bo.origin}/vibevoice/debate/v1/audio/speech",
        json={"model": "vibevoice", "voice": "default", "input": "Hello."},
        headers={"Accept": "*/*"},
        timeout=TIMEOUT_S,
    )
    assert spoken.status_code == 503
    assert spoken.json()["error"]["type"] == "server_error"


def test_the_portal_says_so_too(stopped: Host, bo: Visitor) -> None:
    _until(bo, "/vibevoice/debate/", 503)
    page = bo.get("/vibevoice/").text
    assert 'class="state stopped"' in page or 'class="state starting"' in page


def test_a_stranger_gets_no_page_but_the_login(stopped: Host, lab: Lab) -> None:
    with Visitor(lab) as stranger:
        assert stranger.get("/vibevoice/debate/").status_code == 303
        assert stranger.get("/vibevoice/debate/v1/models", headers={"Accept": "*/*"}).status_code == 401


def test_the_other_project_notices_nothing(stopped: Host, logins: Logins, web: requests.Session) -> None:
    login = logins["podcast"]
    assert web.get(f"{login.url}health/ready", auth=login.auth, timeout=TIMEOUT_S).status_code == 200
