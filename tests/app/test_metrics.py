"""Metrics say what happened, to Prometheus."""

import threading

import httpx
import pytest
from running import Running, wait_for
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
    took, waited = (value(running, f"vibevoice_{name}_seconds_count") for name in ("generation", "queue"))
    assert took == waited >= 1


def test_a_cancelled_generation_is_counted_as_such(running: Running, gpu_is_busy: threading.Event) -> None:
    before = value(running, "vibevoice_generations_total", outcome="cancelled")
    stream = running.studio.submit("Speaker 1: Hello there.")
    assert value(running, "vibevoice_generations_waiting") == 1
    stream.cancel()
    assert isinstance(stream.future.exception(), Cancelled)
    assert value(running, "vibevoice_generations_total", outcome="cancelled") == before + 1


def test_a_ready_studio_says_who_it_is(running: Running) -> None:
    assert value(running, "vibevoice_ready") == 1
    assert value(running, "vibevoice_studio_info", project="podcast", slot="0", model="tiny") == 1


def test_metrics_are_not_on_the_public_port(api: httpx.Client) -> None:
    assert "vibevoice_ready" not in api.get("/metrics").text
