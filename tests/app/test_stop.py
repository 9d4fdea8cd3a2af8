"""A studio stops well: not ready first, nothing lost, exit code 0."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
from running import Process, children, wait_for

SPEECH = {"model": "vibevoice", "input": "Speaker 1: " + "The quick brown fox jumps over the lazy dog. " * 8}


def speak(studio: Process) -> tuple[threading.Thread, list[httpx.Response]]:
    """Post a long script; returns once it is being spoken."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{studio.url}/v1/audio/speech", json=SPEECH, timeout=None))
    )
    thread.start()
    wait_for(lambda: httpx.get(f"{studio.url}/health/ready").json()["running"] == 1)
    return thread, answers


def test_what_runs_is_finished_while_the_proxies_are_told(start: Callable[..., Process]) -> None:
    with start(drain_s=0.1) as studio:
        assert studio.status("/health/ready") in (0, 503)
        studio.wait_until("/health/live", 200)
        studio.wait_until("/health/ready", 200)
        thread, answers = speak(studio)
        studio.process.terminate()
        studio.wait_until("/health/ready", 503)
        assert httpx.get(f"{studio.url}/health/ready").json()["state"] == "draining"
        assert studio.status("/health/live") == 200
        late, speech = {**SPEECH, "input": "Hello."}, f"{studio.url}/v1/audio/speech"
        wait_for(lambda: httpx.post(speech, json=late, timeout=None).status_code == 503)
        thread.join()
        assert answers[0].status_code == 200
        assert answers[0].content[:4] == b"RIFF"
        code, errors = studio.end()
        assert code == 0, errors


def test_an_engine_that_is_killed_costs_a_caller_nothing_but_time(start: Callable[..., Process]) -> None:
    with start(drain_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        thread, answers = speak(studio)
        [engine] = children(studio.process.pid)
        os.kill(engine, signal.SIGKILL)
        thread.join()
        assert answers[0].status_code == 200
        studio.process.terminate()
        assert studio.end()[0] == 0


def test_event_streams_are_told_and_end(start: Callable[..., Process]) -> None:
    with start(drain_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        with httpx.stream("GET", f"{studio.url}/v1/events", timeout=None) as answer:
            lines = answer.iter_lines()
            next(lines)
            studio.process.terminate()
            rest = list(lines)
        assert "event: bye" in rest
        assert studio.end()[0] == 0


def test_after_the_grace_what_still_runs_is_cancelled_in_words(start: Callable[..., Process]) -> None:
    with start(drain_s=0, stop_grace_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        thread, answers = speak(studio)
        studio.process.terminate()
        thread.join()
        assert answers[0].status_code == 503
        assert answers[0].json()["error"]["code"] == "stopped"
        assert studio.end()[0] == 0


def test_a_studio_that_still_loads_leaves_at_once(start: Callable[..., Process]) -> None:
    with start(drain_s=3600) as studio:
        studio.wait_until("/health/ready", 503)
        assert httpx.get(f"{studio.url}/health/ready").json()["state"] == "loading"
        studio.process.terminate()
        code, errors = studio.end()
        assert code == 0, errors


def test_a_folder_without_a_model_is_an_error_exit(start: Callable[..., Process], tmp_path: Path) -> None:
    with start(model_dir=tmp_path) as studio:
        code, errors = studio.end()
    assert code == 1
    assert str(tmp_path) in errors


def test_wrong_settings_are_told_before_anything_starts(start: Callable[..., Process]) -> None:
    with start(slot="first") as studio:
        code, errors = studio.end()
    assert code == 2
    assert errors.startswith("VV_SLOT is 'first'")


def test_the_metrics_have_a_port_of_their_own(start: Callable[..., Process]) -> None:
    with start(project="debate", slot=2) as studio:
        studio.wait_until("/health/ready", 200)
        metrics = httpx.get(f"{studio.metrics_url}/metrics").text
        assert 'vibevoice_studio_info{model="vibevoice",project="debate",slot="2"} 1.0' in metrics
        assert "process_resident_memory_bytes" in metrics
