"""The event stream tells of every change, and shows that it is alive in between."""

import json
from collections.abc import Iterator

import httpx
from running import Running, Stopped


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, str | int]]]:
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def test_the_status_comes_at_once_then_heartbeats(api: httpx.Client) -> None:
    with api.stream("GET", "/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "no-transform" in answer.headers["cache-control"]
        stream = events(answer.iter_lines())
        first, status = next(stream)
        assert first == "status"
        assert (status["project"], status["state"], status["running"]) == ("podcast", "ready", 0)
        beats = [next(stream) for _ in range(5)]
        assert {kind for kind, _ in beats} == {"heartbeat"}


def test_a_job_shows_from_its_submission_to_its_end(
    api: httpx.Client, running: Running, gpu_is_busy: Stopped
) -> None:
    # The studio has one stream, so the second job waits.
    with api.stream("GET", "/v1/events") as answer:
        stream = events(answer.iter_lines())
        next(stream)
        for _ in range(2):
            assert api.post("/v1/jobs", json={"input": "Speaker 1: Hello there."}).status_code == 201
        assert next(status for _, status in stream if status["running"] and status["waiting"])["running"] == 1
        gpu_is_busy.set()
        assert next(status for _, status in stream if not status["waiting"])
        assert next(status for _, status in stream if not status["running"])["waiting"] == 0


def test_it_says_why_nothing_is_spoken_as_long_as_there_is_a_reason(api: httpx.Client) -> None:
    with api.stream("GET", "/v1/events") as answer:
        _, status = next(events(answer.iter_lines()))
        assert (status["engine"], status["paused"]) == ("ready", "")
