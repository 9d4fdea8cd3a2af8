"""Metrics say what happened, to Prometheus, by project and user."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from door_keeper import Clock, DoorKeeper
from prometheus_client.parser import text_string_to_metric_families
from running import Process, Running, Stopped, wait_for
from vibevoice.api.metrics import MOST_USERS, OTHER, Users
from vibevoice.jobs.desk import Order, Visitor

SCRIPT = "Speaker 1: Hello there."


def value(running: Running, name: str, **labels: str) -> float:
    """0 for what there is no series of yet."""
    got = running.metrics.get_sample_value(f"vibevoice:{name}", {"project": "podcast", **labels})
    return got or 0.0


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Somebody new in each test."""
    return request.node.name


@pytest.fixture
def submit(running: Running, user: str) -> Callable[..., str]:
    """A job's id."""

    def submit(script: str = SCRIPT) -> str:
        (job,) = running.studio.desk.submit([Order(script)], Visitor(user, sees_all=False, allowance=None))
        return job.id

    return submit


def end(running: Running, job: str) -> None:
    wait_for(lambda: running.studio.store.get(job).final)


def test_a_job_is_counted_with_its_sound_and_its_times(
    running: Running, submit: Callable[..., str], user: str
) -> None:
    job = submit()
    end(running, job)
    wait_for(lambda: value(running, "e2e_request_latency_seconds_count", user=user) == 1)
    spoken = running.studio.store.get(job)
    (segment,) = spoken.segments
    reason = "length" if segment.heard and segment.heard.capped else "stop"
    assert value(running, "request_success_total", user=user, finished_reason=reason) == 1
    assert value(running, "audio_seconds_total", user=user) == pytest.approx(spoken.audio_s)
    assert value(running, "gpu_busy_seconds_total", user=user) > 0
    for name in ("request_queue_time_seconds", "time_to_first_audio_seconds", "audio_rtf"):
        assert value(running, f"{name}_count", user=user) == 1, name
    took = value(running, "e2e_request_latency_seconds_sum", user=user)
    assert value(running, "request_queue_time_seconds_sum", user=user) <= took
    assert value(running, "time_to_first_audio_seconds_sum", user=user) <= took


def test_what_runs_and_waits_is_told_by_user(
    running: Running, submit: Callable[..., str], user: str, gpu_is_busy: Stopped
) -> None:
    # The studio has one stream.
    first, second = submit(), submit()
    wait_for(lambda: value(running, "num_requests_running", user=user) == 1)
    assert value(running, "num_requests_waiting", user=user) == 1
    gpu_is_busy.set()
    end(running, first)
    end(running, second)
    assert value(running, "num_requests_running", user=user) == 0
    assert value(running, "num_requests_waiting", user=user) == 0


def test_a_cancelled_job_is_counted_as_such(
    running: Running, submit: Callable[..., str], user: str, gpu_is_busy: Stopped
) -> None:
    job = submit()
    wait_for(lambda: value(running, "num_requests_running", user=user) == 1)
    running.studio.store.cancel(job)
    running.studio.runner.poke()
    gpu_is_busy.set()
    wait_for(lambda: value(running, "request_success_total", user=user, finished_reason="abort") == 1)


def test_the_engines_room_and_its_use_are_told(running: Running, submit: Callable[..., str]) -> None:
    assert value(running, "num_streams_max") == 1
    job = submit("Speaker 1: " + "Hello there. " * 30)
    wait_for(lambda: 0 < value(running, "kv_cache_usage_perc") <= 1)
    running.studio.store.delete(job)
    running.studio.runner.poke()
    wait_for(lambda: value(running, "kv_cache_usage_perc") == 0)


def test_an_engine_that_dies_is_counted(running: Running, submit: Callable[..., str]) -> None:
    before = value(running, "engine_restarts_total")
    assert running.studio.engine.pid
    os.kill(running.studio.engine.pid, signal.SIGKILL)
    wait_for(lambda: value(running, "engine_restarts_total") == before + 1)
    # It takes scripts all the while.
    assert running.get("/health/ready").status_code == 200
    end(running, submit())


def test_a_ready_studio_says_who_it_is(running: Running) -> None:
    assert value(running, "ready") == 1
    assert value(running, "engine_ready") == 1
    assert value(running, "engine_sleep_state") == 0
    assert value(running, "studio_info", slot="0", model="tiny") == 1
    assert value(running, "disk_free_bytes") > 0


def test_metrics_are_not_on_the_public_port(api: httpx.Client) -> None:
    assert "vibevoice:ready" not in api.get("/metrics").text


def test_a_crowd_makes_no_crowd_of_series() -> None:
    users = Users()
    labels = {users.label(f"user-{n}") for n in range(10 * MOST_USERS)}
    assert len(labels) == MOST_USERS + 1
    assert users.label("user-0") == "user-0"
    assert users.label(f"user-{MOST_USERS}") == OTHER


def scraped(studio: Process) -> Iterator[tuple[str, dict[str, str], float]]:
    text = httpx.get(f"{studio.metrics_url}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def test_users_are_those_whom_the_door_let_in(start: Callable[..., Process]) -> None:
    keeper = DoorKeeper(Clock(time.time()))
    with start(project="podcast", door_key=keeper.public_key) as studio:
        studio.reach("ready")
        headers = keeper.headers(user="corp:mia@example.com")
        answer = httpx.post(f"{studio.url}/v1/jobs", json={"input": SCRIPT}, headers=headers)
        assert answer.status_code == 201, answer.text
        wanted = {"project": "podcast", "user": "corp:mia@example.com"}
        wait_for(
            lambda: any(
                name == "vibevoice:audio_seconds_total" and labels == wanted and seconds > 0
                for name, labels, seconds in scraped(studio)
            )
        )
