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


def test_a_generation_shows_from_its_submission_to_its_end(
    api: httpx.Client, running: Running, gpu_is_busy: Stopped
) -> None:
    with api.stream("GET", "/v1/events") as answer:
        stream = events(answer.iter_lines())
        next(stream)
        done = running.studio.submit("Speaker 1: Hello there.").future
        assert next(status for _, status in stream if status["waiting"])["running"] == 0
        gpu_is_busy.set()
        assert next(status for _, status in stream if status["running"])["waiting"] == 0
        assert next(status for _, status in stream if not status["running"])["waiting"] == 0
        assert done.result().frames
