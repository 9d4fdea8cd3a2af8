"""A studio's engine dies in the middle: who waits for speech gets all of it, and the studio stays."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests
from testinfra.host import Host

from tests.box.containers import studios
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import Lab, Login
from tests.box.sound import pcm_of_wav
from tests.box.web import answers, session

ENGINE = "pgrep -f -- '^/opt/venv/bin/python -m vibevoice.engine'"
WEB = "pgrep -f -- 'python -m vibevoice$'"
SCRIPT = "\n".join(
    f"Speaker {1 + number % 2}: This is sentence number {number} of a rather long conversation."
    for number in range(24)
)
STREAMS = 3
STARTED_WITHIN_S = 60


@pytest.fixture
def node(hosts: Hosts) -> Host:
    """Where debate has its one studio."""
    return hosts["gpu-2"]


def spoken(lab: Lab, login: Login, seed: int) -> bytes:
    """The WAV of the script; any other answer is an error."""
    order = {"input": SCRIPT, "seed": seed, "response_format": "wav"}
    body = {"model": "vibevoice", "voice": "default", **order}
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answer = web.post(f"{login.url}v1/audio/speech", json=body, auth=login.auth, timeout=300)
    assert answer.status_code == 200, answer.text[:500]
    return answer.content


def samples(content: bytes) -> int:
    return len(pcm_of_wav(content)) // 2


def running(web: requests.Session, login: Login) -> int:
    return web.get(f"{login.url}health/ready", auth=login.auth, timeout=10).json()["running"]


@pytest.mark.thorough  # in every run test_kills.py kills an engine while people wait for speech
def test_speech_in_the_middle_of_which_the_engine_is_killed_is_complete(
    lab: Lab, node: Host, logins: Logins, web: requests.Session
) -> None:
    login, before = logins["debate"], studios(node)
    begin = time.monotonic()
    expected = samples(spoken(lab, login, seed=0))
    took = time.monotonic() - begin
    with ThreadPoolExecutor(STREAMS) as people:
        asked: list[Future[bytes]] = [people.submit(spoken, lab, login, seed) for seed in range(STREAMS)]
        end = time.monotonic() + STARTED_WITHIN_S
        while running(web, login) < STREAMS:
            assert time.monotonic() < end, "the streams did not start"
        # About the middle: three together take longer than one.
        time.sleep(took / 2)
        killed = node.check_output(ENGINE).split()
        node.check_output(f"kill -KILL {' '.join(killed)}")
        assert not any(one.done() for one in asked), "the kill came too late to prove anything"
        # The tiny model's length depends on its text, and by a few frames on the seed.
        for one in asked:
            assert samples(one.result()) == pytest.approx(expected, rel=0.02)
    assert studios(node) == before
    assert set(node.check_output(ENGINE).split()).isdisjoint(killed)
    answers(web, f"{login.url}health/ready", login.auth, 30)


def test_only_the_engine_has_torch_in_memory(node: Host) -> None:
    """The web process must answer while the engine is at work, or dead."""
    for find, expected in ((ENGINE, True), (WEB, False)):
        [pid] = node.check_output(find).split()
        maps = node.check_output(f"cat /proc/{pid}/maps")
        assert ("libtorch" in maps) == expected, find
