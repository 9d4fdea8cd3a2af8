"""A host that dies in the middle of a deploy: said clearly and soon, healed by the next run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from tests.box.containers import studios
from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import REPORTS, command
from tests.box.web import answers

pytestmark = pytest.mark.thorough

# From the power cut to the end of the run.
TOLD_WITHIN_S = 60
VICTIM = "gpu-2"


@pytest.fixture(scope="module")
def interrupted() -> Iterator[tuple[Run, float]]:
    """A bare gpu-2 that loses power while Docker is being installed on it; seconds from then to the end."""
    command("reset", VICTIM)
    run = Deploy("-y", log="dead-host")
    try:
        run.wait_for(lambda text: "Starting operation: Docker" in text)
        command("kill", VICTIM)
        killed = time.monotonic()
        ended = run.wait(TOLD_WITHIN_S + 60)
        yield ended, time.monotonic() - killed
    finally:
        run.stop()
        command("boot", VICTIM)


def test_the_run_ends_soon_with_an_error(interrupted: tuple[Run, float]) -> None:
    run, seconds = interrupted
    assert run.code == 1, run.tail
    assert seconds < TOLD_WITHIN_S, run.tail


def test_the_error_names_the_host_and_what_to_do(interrupted: tuple[Run, float]) -> None:
    run, _ = interrupted
    told = [line.text for line in run.lines if "not answer" in line.text or "Is the host down" in line.text]
    assert any(VICTIM in text or "10.77.0.12" in text for text in told), run.tail
    assert any("again" in text for text in told), run.tail
    assert "Traceback" not in run.text


def test_the_other_hosts_go_on_serving(
    interrupted: tuple[Run, float], logins: Logins, web: requests.Session
) -> None:
    answers(web, logins["podcast"].url, logins["podcast"].auth, 10)


def test_a_host_that_is_already_dead_is_told_as_soon(interrupted: tuple[Run, float]) -> None:
    begin = time.monotonic()
    run = Deploy("-y", log="dead-before").wait(TOLD_WITHIN_S + 30)
    assert run.code == 1, run.tail
    assert VICTIM in run.text
    assert time.monotonic() - begin < TOLD_WITHIN_S


def test_the_next_run_completes(
    interrupted: tuple[Run, float], hosts: Hosts, logins: Logins, web: requests.Session
) -> None:
    command("boot", VICTIM)
    deploy("-y", log="dead-host-next")
    (studio,) = studios(hosts[VICTIM])
    assert studio.running
    answers(web, f"{logins['debate'].url}health/ready", logins["debate"].auth, 30)
    with suppress(FileNotFoundError):
        assert "Traceback" not in (REPORTS / "dead-host-next.log").read_text()
