"""Metrics say what happened, to Prometheus."""

import os
import signal

import httpx
import pytest
from running import Running, Stopped, wait_for
from vibevoice.engine import Cancelled


def value(running: Running, name: str, **labels: str) -> float:
    got = running.metrics.get_sample_value(name, labels)
    assert got is not None, name
    return got


def test_a_generation_is_counted_with_its_sound(running: Running) -> None:
    ended = value(running, "vibevoice_generations_total", outcome="ok")
    sound = value(running, "vibevoice_audio_seconds_total")
    speech = running.studio.submit("Speaker 1: Hello there.").future.result()
    wait_for(lambda: value(running, "vibevoice_generations_total", outcome="ok") == ended + 1)
    assert value(running, "vibevoice_audio_seconds_total") == pytest.approx(sound + speech.duration)
    took, waited, first = (
        value(running, f"vibevoice_{name}_seconds_count") for name in ("generation", "queue", "first_audio")
    )
    assert took == waited == first >= 1


def test_a_cancelled_generation_is_counted_as_such(running: Running, gpu_is_busy: Stopped) -> None:
    before = value(running, "vibevoice_generations_total", outcome="cancelled")
    stream = running.studio.submit("Speaker 1: Hello there.")
    assert value(running, "vibevoice_generations_waiting") == 1
    stream.cancel()
    assert isinstance(stream.future.exception(), Cancelled)
    assert value(running, "vibevoice_generations_total", outcome="cancelled") == before + 1


def test_the_engines_room_and_its_use_are_told(running: Running) -> None:
    assert value(running, "vibevoice_streams_most") == 1
    stream = running.studio.submit("Speaker 1: " + "Hello there. " * 30)
    wait_for(lambda: value(running, "vibevoice_kv_used_ratio") > 0)
    stream.cancel()
    wait_for(lambda: value(running, "vibevoice_kv_used_ratio") == 0)


def test_an_engine_that_dies_is_counted(running: Running) -> None:
    before = value(running, "vibevoice_engine_restarts_total")
    assert running.studio.engine.pid
    os.kill(running.studio.engine.pid, signal.SIGKILL)
    wait_for(lambda: value(running, "vibevoice_engine_restarts_total") == before + 1)
    # It takes scripts all the while.
    assert running.get("/health/ready").status_code == 200
    assert running.studio.submit("Speaker 1: Hello there.").future.result().frames


def test_a_ready_studio_says_who_it_is(running: Running) -> None:
    assert value(running, "vibevoice_ready") == 1
    assert value(running, "vibevoice_studio_info", project="podcast", slot="0", model="tiny") == 1


def test_metrics_are_not_on_the_public_port(api: httpx.Client) -> None:
    assert "vibevoice_ready" not in api.get("/metrics").text
