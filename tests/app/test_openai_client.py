"""OpenAI's official client at a studio: it gets what it asks for, and is told when a full one has room."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from running import Running, wait_for
from sounding import heard
from vibevoice.settings import Settings

RATE = 24_000
TEXT = "Speaker 1: Hello there my friend, how are you?\nSpeaker 2: I am fine, thank you."
STREAMS, WAITING = 8, 8
MOST_REFUSALS = 3


@pytest.fixture(scope="module")
def studio(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    changes = {
        "data_dir": tmp_path_factory.mktemp("data"),
        "slot": 6,
        "streams": STREAMS,
        "max_waiting": WAITING,
    }
    with Running(settings.model_copy(update=changes)) as running:
        wait_for(lambda: running.studio.engine.state == "ready")
        yield running


@pytest.fixture
def client(studio: Running) -> Iterator[openai.OpenAI]:
    """One that takes the first answer for the answer."""
    with openai.OpenAI(base_url=f"{studio.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def speak(client: openai.OpenAI, seed: int = 1, **fields: Any) -> bytes:
    options: dict[str, Any] = {"voice": "alloy", "response_format": "pcm", **fields}
    return client.audio.speech.create(
        model="vibevoice", input=TEXT, extra_body={"seed": seed}, **options
    ).content


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_each_format_is_the_same_speech(client: openai.OpenAI, format: str) -> None:
    plain = len(speak(client)) / 2 / RATE
    coded = len(heard(speak(client, response_format=format))) / RATE
    # Lossy formats begin and end on frames of their own.
    assert coded == pytest.approx(plain, abs=0.15)


def test_a_stream_is_heard_before_its_end(client: openai.OpenAI) -> None:
    long = TEXT * 8
    with client.audio.speech.with_streaming_response.create(
        model="vibevoice", voice="alloy", input=long, response_format="pcm"
    ) as answer:
        times = [time.monotonic() for _ in answer.iter_bytes(4096)]
    assert times[-1] - times[0] > 0.3


def at_once(count: int, action: Callable[[int], object]) -> list[object]:
    """What each of so many callers gets, who begin at the same moment: an answer or an exception."""
    results: list[object] = [None] * count
    start = threading.Barrier(count)

    def call(n: int) -> None:
        start.wait()
        try:
            results[n] = action(n)
        except openai.APIError as error:
            results[n] = error

    threads = [threading.Thread(target=call, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_twenty_at_once_those_with_a_place_are_served_and_the_others_told_so(
    client: openai.OpenAI,
) -> None:
    results = at_once(20, lambda n: speak(client, seed=n))
    served = [result for result in results if isinstance(result, bytes)]
    refused = [result for result in results if isinstance(result, openai.RateLimitError)]
    assert len(served) + len(refused) == 20, results
    assert STREAMS <= len(served) < 20
    for error in refused:
        assert error.code == "queue_full"
        assert int(error.response.headers["retry-after"]) >= 1


def test_who_comes_back_when_told_to_finds_a_place(client: openai.OpenAI, studio: Running) -> None:
    speak(client)  # so that the studio knows its pace
    store = studio.studio.store
    with ThreadPoolExecutor(STREAMS + WAITING) as pool:
        others = [pool.submit(speak, client, seed) for seed in range(STREAMS + WAITING)]
        wait_for(lambda: store.running() + store.waiting() == STREAMS + WAITING)
        with pytest.raises(openai.RateLimitError) as full:
            speak(client)
        refusal = full.value
        # A machine that has others to serve as well becomes slower than it was: then it says so once more.
        for _ in range(MOST_REFUSALS):
            time.sleep(int(refusal.response.headers["retry-after"]))
            try:
                assert speak(client)
                break
            except openai.RateLimitError as again:
                refusal = again
        else:
            pytest.fail(f"refused {MOST_REFUSALS} times more, having waited as long as it was told each time")
        assert all(other.result() for other in others)


def test_a_client_that_retries_by_itself_is_always_served(studio: Running) -> None:
    with openai.OpenAI(base_url=f"{studio.url}/v1", api_key="none", max_retries=5, timeout=120) as client:
        results = at_once(20, lambda n: speak(client, seed=n))
    assert all(isinstance(result, bytes) for result in results)


def test_events_bring_the_sound_and_then_the_usage(studio: Running) -> None:
    body = {"model": "vibevoice", "input": TEXT, "voice": "alloy", "response_format": "pcm", "seed": 1}
    answer = httpx.post(f"{studio.url}/v1/audio/speech", json={**body, "stream_format": "sse"}, timeout=60)
    kinds = [line.partition('"type": "')[2].partition('"')[0] for line in answer.text.splitlines() if line]
    assert set(kinds[:-1]) == {"speech.audio.delta"}
    assert kinds[-1] == "speech.audio.done"
    assert np.all([line.startswith("data: ") for line in answer.text.splitlines() if line])
