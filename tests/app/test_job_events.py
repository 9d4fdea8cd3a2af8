"""What happens to jobs as events over HTTP: none is missed, whoever was away, and nobody hears of others'."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from elsewhere import JOBS, Elsewhere, User, elsewhere
from running import wait_for
from test_api import error_of
from vibevoice.settings import Settings


@pytest.fixture(scope="module")
def module(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with elsewhere(settings, tmp_path_factory) as studio:
        yield studio


@pytest.fixture
def studio(module: Elsewhere) -> Iterator[Elsewhere]:
    yield module
    module.clear()


class Listening:
    """Somebody with an event stream open."""

    def __init__(self, user: User, path: str, last: int | None = None) -> None:
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.beats = 0
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        self._stream = user.stream("GET", path, headers=headers)
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        number, kind = 0, ""
        # The studio, or the test's end, closes it.
        with suppress(httpx.TransportError), self._stream as answer:
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                self.beats += line.startswith(":")
                if name == "id":
                    number = int(value)
                elif name == "event":
                    kind = value
                elif name == "data":
                    self.events.append((number, kind, json.loads(value)))

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.events]


def test_a_job_is_followed_from_its_place_in_the_queue_to_its_end(studio: Elsewhere) -> None:
    id = studio.ana.hands_in()["id"]
    listening = Listening(studio.ana, f"{JOBS}/{id}/events")
    wait_for(lambda: bool(listening.events))
    assert listening.events[0][2]["state"] == "queued"
    studio.speak(id, 1000)
    listening.thread.join(60)
    assert listening.kinds()[-1] == "done"
    assert listening.kinds().count("segment") == 2
    numbers = [number for number, _, _ in listening.events]
    assert numbers == sorted(numbers)
    assert listening.events[-1][2]["audible"] is True


def test_who_was_away_hears_of_the_end(studio: Elsewhere) -> None:
    id = studio.ana.hands_in()["id"]
    last = studio.store.last_event()
    studio.speak(id)
    back = Listening(studio.ana, f"{JOBS}/{id}/events", last)
    back.thread.join(60)
    assert back.kinds()[-1] == "done"
    # And who knows that it is over is told so, which ends a browser's asking.
    again = studio.ana.get(f"{JOBS}/{id}/events", headers={"Last-Event-ID": str(back.events[-1][0])})
    assert again.status_code == 204


def test_who_waits_hears_heartbeats_however_busy_the_others_are(
    studio: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(seen: int, timeout: float) -> int:
        await asyncio.sleep(0.001)
        return seen + 1

    monkeypatch.setattr(studio.running.studio.watch, "wait", busy)
    id = studio.ana.hands_in()["id"]
    listening = Listening(studio.ana, f"{JOBS}/{id}/events")
    wait_for(lambda: listening.beats > 2)
    assert listening.kinds() == ["progress"]
    studio.ana.post(f"{JOBS}/{id}/cancel")
    listening.thread.join(60)
    assert listening.kinds()[-1] == "done"


def test_all_of_ones_jobs_come_in_one_stream_and_nobody_elses(studio: Elsewhere) -> None:
    listening = Listening(studio.ana, f"{JOBS}/events")
    hers, his = studio.ana.hands_in()["id"], studio.li.hands_in()["id"]
    studio.ana.post(f"{JOBS}/{hers}/cancel")
    studio.li.post(f"{JOBS}/{his}/cancel")
    wait_for(lambda: "done" in listening.kinds())
    wait_for(lambda: listening.beats > 2)
    assert {data["id"] for _, _, data in listening.events} == {hers}


def test_nobody_elses_job_has_events(studio: Elsewhere) -> None:
    id = studio.ana.hands_in()["id"]
    error_of(studio.li.get(f"{JOBS}/{id}/events"), 404)


def test_listeners_are_told_when_the_studio_stops(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with elsewhere(settings, tmp_path_factory) as leaving:
        leaving.ana.hands_in()
        listening = Listening(leaving.ana, f"{JOBS}/events")
        wait_for(lambda: bool(listening.events))
        leaving.running.server.handle_exit(15, None)
        listening.thread.join(60)
    assert listening.kinds()[-1] == "bye"
