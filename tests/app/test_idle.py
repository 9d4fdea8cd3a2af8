"""Whoever does nothing keeps no GPU from others, and whoever comes later waits for nothing but the model."""

import time
from collections.abc import Callable

import httpx
import pytest
from running import Process, children, engine_of, memory, wait_for

SPEECH = {"model": "vibevoice", "input": "Speaker 1: Good morning.", "response_format": "wav"}


def asleep(studio: Process) -> None:
    """Wait until it sleeps, and its process is gone."""
    studio.reach("asleep")
    wait_for(lambda: not children(studio.process.pid))


def test_an_idle_engine_ends_and_its_memory_is_free(start: Callable[..., Process]) -> None:
    with start(idle_s=3) as studio:
        studio.reach("ready")
        engine = engine_of(studio.process.pid)
        held = memory(engine)
        assert held > 100 * 2**20, "an engine with torch and a model"
        asleep(studio)
        assert memory(engine) == 0
        # Nothing of it has moved to the web process, which never had a model.
        assert memory(studio.process.pid) < held + 100 * 2**20


@pytest.mark.thorough
def test_page_and_api_stay_while_the_engine_sleeps(start: Callable[..., Process]) -> None:
    with start(idle_s=0.5) as studio:
        asleep(studio)
        assert studio.says() | {"state": "ready", "engine": "asleep"} == studio.says()
        for path in ("/", "/health/live", "/v1/models", "/v1/jobs"):
            assert studio.status(path) == 200, path


def test_the_next_request_is_answered_as_if_it_had_never_slept(start: Callable[..., Process]) -> None:
    with start(idle_s=0.5) as studio:
        for _ in range(2):
            asleep(studio)
            answer = httpx.post(f"{studio.url}/v1/audio/speech", json=SPEECH, timeout=None)
            assert (answer.status_code, answer.content[:4]) == (200, b"RIFF"), answer.text


def test_a_job_wakes_it_and_whoever_watches_sees_what_happens(start: Callable[..., Process]) -> None:
    with start(idle_s=0.5) as studio:
        asleep(studio)
        with httpx.stream("GET", f"{studio.url}/v1/events", timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            job = studio.submit("Speaker 1: Good morning.")
            for engine in ("loading", "ready", "asleep"):
                assert any(f'"engine": "{engine}"' in line for line in lines)
        wait_for(lambda: studio.job(job)["state"] == "done")


@pytest.mark.thorough
def test_with_zero_it_never_sleeps(start: Callable[..., Process]) -> None:
    with start(idle_s=0) as studio:
        studio.reach("ready")
        # Ten looks of a runner that would put it to sleep.
        time.sleep(2.5)
        assert studio.says()["engine"] == "ready"
