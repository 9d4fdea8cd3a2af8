"""A studio stops well: not ready first, open answers given, jobs handed over, exit code 0, in 20 seconds."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from running import Process, engine_of, wait_for

SENTENCE = "The quick brown fox jumps over the lazy dog. "
SCRIPT = f"Speaker 1: {SENTENCE * 8}"
SPEECH = {"model": "vibevoice", "input": SCRIPT, "response_format": "wav"}
# Minutes of speech, in several segments.
LONG = "\n".join(f"Speaker {n % 2 + 1}: {SENTENCE * 4}" for n in range(30))


def spoken(studio: Process, job: str) -> float:
    """Seconds of a job that are on the disk."""
    return studio.job(job)["progress"]["audio_s"]


def stop(studio: Process) -> float:
    """Tell it to; seconds until it has ended as it should."""
    began = time.monotonic()
    studio.process.terminate()
    code, errors = studio.end()
    assert code == 0, errors
    assert "Traceback" not in errors, errors
    return time.monotonic() - began


@pytest.mark.thorough
def test_speech_that_somebody_waits_for_is_given_while_the_proxies_are_told(
    start: Callable[..., Process],
) -> None:
    with start(drain_s=0.5, stop_grace_s=60) as studio:
        studio.reach("ready")
        thread, answers = studio.speak(SCRIPT)
        studio.process.terminate()
        studio.wait_until("/health/ready", 503)
        assert studio.says()["state"] == "draining"
        assert studio.status("/health/live") == 200
        late, speech = {**SPEECH, "input": "Hello."}, f"{studio.url}/v1/audio/speech"
        wait_for(lambda: httpx.post(speech, json=late, timeout=None).status_code == 503)
        thread.join()
        assert answers[0].status_code == 200
        assert answers[0].content[:4] == b"RIFF"
        code, errors = studio.end()
        assert code == 0, errors


@pytest.mark.thorough  # on the lab, a rolling update does that in every run
def test_a_job_goes_on_in_another_studio_behind_what_was_saved(start: Callable[..., Process]) -> None:
    with start(drain_s=0) as first, start(drain_s=0, slot=1) as second:
        first.reach("ready")
        job = first.submit(LONG)
        wait_for(lambda: spoken(first, job) > 1)
        second.reach("ready")
        before = spoken(first, job)
        assert stop(first) < 10
        state = second.job(job)
        assert state["state"] in ("queued", "running")
        assert state["progress"]["audio_s"] >= before
        wait_for(lambda: spoken(second, job) > before + 1)


@pytest.mark.thorough
def test_everything_open_at_once_holds_nobody_for_more_than_20_seconds(start: Callable[..., Process]) -> None:
    with start(max_waiting=8) as studio, ExitStack() as streams:
        studio.reach("ready")
        job = studio.submit(LONG)
        wait_for(lambda: spoken(studio, job) > 0)
        for path in ("/v1/events", "/v1/jobs/events", f"/v1/jobs/{job}/audio?live=1"):
            answer = streams.enter_context(httpx.stream("GET", studio.url + path, timeout=None))
            next(answer.iter_raw())
        endless = {**SPEECH, "input": LONG}
        threading.Thread(
            target=lambda: _ignore(f"{studio.url}/v1/audio/speech", endless), daemon=True
        ).start()
        wait_for(lambda: studio.says()["running"] == 2)
        assert stop(studio) < 20


def _ignore(url: str, body: dict[str, str]) -> None:
    with suppress(httpx.TransportError):
        httpx.post(url, json=body, timeout=None)


def test_an_engine_that_is_killed_costs_a_caller_nothing_but_time(start: Callable[..., Process]) -> None:
    with start(drain_s=0) as studio:
        studio.reach("ready")
        thread, answers = studio.speak(SCRIPT)
        os.kill(engine_of(studio.process.pid), signal.SIGKILL)
        thread.join()
        assert answers[0].status_code == 200
        stop(studio)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/events"])
def test_event_streams_are_told_and_end(start: Callable[..., Process], path: str) -> None:
    with start(drain_s=0, heartbeat_s=0.2) as studio:
        studio.wait_until("/health/ready", 200)
        with httpx.stream("GET", studio.url + path, timeout=None) as answer:
            lines = answer.iter_lines()
            next(lines)
            studio.process.terminate()
            rest = list(lines)
        assert "event: bye" in rest
        assert studio.end()[0] == 0


def test_after_the_grace_whoever_still_waits_is_told_to_come_back(start: Callable[..., Process]) -> None:
    with start(drain_s=0, stop_grace_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        # Its model is not even loaded.
        thread, answers = studio.speak(SCRIPT, until="waiting")
        stop(studio)
        thread.join()
        assert answers[0].status_code == 503
        assert answers[0].headers["retry-after"]
        assert answers[0].json()["error"]["code"] == "stopped"


def test_a_studio_that_still_loads_keeps_its_jobs_for_the_next(start: Callable[..., Process]) -> None:
    with start(drain_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        job = studio.submit("Speaker 1: Good morning.")
        assert stop(studio) < 10
    with start() as studio:
        studio.wait_until("/health/ready", 200)
        wait_for(lambda: studio.job(job)["state"] == "done")


@pytest.mark.thorough
def test_a_second_signal_ends_it_at_once_and_loses_nothing(start: Callable[..., Process]) -> None:
    with start(drain_s=3600) as studio:
        studio.reach("ready")
        job = studio.submit(LONG)
        wait_for(lambda: spoken(studio, job) > 0)
        before = spoken(studio, job)
        studio.process.terminate()
        studio.wait_until("/health/ready", 503)
        studio.process.terminate()
        studio.process.wait(10)
        assert studio.end()[0] == 0
    with start(drain_s=0) as studio:
        studio.wait_until("/health/ready", 200)
        assert spoken(studio, job) >= before


def test_a_folder_without_a_model_is_an_error_exit(start: Callable[..., Process], tmp_path: Path) -> None:
    with start(model_dir=tmp_path) as studio:
        code, errors = studio.end()
    assert code == 1
    assert str(tmp_path) in errors


def test_a_folder_that_cannot_be_written_is_an_error_exit(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("no folder")
    with start(data_dir=tmp_path / "data") as studio:
        code, errors = studio.end()
    assert code == 1
    assert "VV_DATA_DIR" in errors
    assert "Traceback" not in errors


def test_without_its_store_a_studio_is_not_ready_and_says_so(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    with start(data_dir=tmp_path / "data") as studio:
        studio.wait_until("/health/ready", 200)
        shutil.move(tmp_path / "data", tmp_path / "gone")
        studio.wait_until("/health/ready", 503)
        assert studio.says()["state"] == "failed"
        assert studio.status("/health/live") == 200
        shutil.move(tmp_path / "gone", tmp_path / "data")
        studio.wait_until("/health/ready", 200)
        stop(studio)


def test_wrong_settings_are_told_before_anything_starts(start: Callable[..., Process]) -> None:
    with start(slot="first") as studio:
        code, errors = studio.end()
    assert code == 2
    assert errors.startswith("VV_SLOT is 'first'")


def test_a_disclaimer_that_cannot_be_spoken_is_a_wrong_setting(start: Callable[..., Process]) -> None:
    with start(disclaimer="(softly)") as studio:
        code, errors = studio.end()
    assert code == 2
    assert errors.startswith("VV_DISCLAIMER is '(softly)'")


def test_the_metrics_have_a_port_of_their_own(start: Callable[..., Process]) -> None:
    with start(project="debate", slot=2) as studio:
        studio.wait_until("/health/ready", 200)
        metrics = httpx.get(f"{studio.metrics_url}/metrics").text
        assert 'vibevoice:studio_info{model="vibevoice",project="debate",slot="2"} 1.0' in metrics
        assert "process_resident_memory_bytes" in metrics
