"""The official clients through the gateway, with a key of the door: six formats, and sound as it is made."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.box.fixtures import JobsOf
from tests.box.jobs import talk
from tests.box.lab import Lab
from tests.box.people import Visitor
from tests.box.programs import gradio_generate, openai_client
from tests.box.sound import RATE, pcm_of_wav, seconds

SHORT = talk(2, "A few words about the sea in")
LONG = talk(24)


@pytest.fixture(scope="module")
def key(lab: Lab) -> Iterator[str]:
    """One of li's keys of podcast, revoked in the end."""
    with Visitor(lab) as li:
        assert li.log_in("li", lab.users["li"]).status_code == 303
        made = li.make_key("podcast")
        yield made
        li.revoke_key(made)


@pytest.fixture
def client(lab: Lab, key: str) -> openai.OpenAI:
    return openai_client(lab, "podcast", key)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_speech_comes_in_the_format_that_was_asked_for(client: openai.OpenAI, format: str) -> None:
    spoken = client.audio.speech.create(
        model="vibevoice",
        voice="alloy",
        input=SHORT,
        response_format=format,  # type: ignore[arg-type]
        extra_body={"seed": 7},
    ).content
    plain = client.audio.speech.create(
        model="vibevoice", voice="alloy", input=SHORT, response_format="pcm", extra_body={"seed": 7}
    ).content
    length = len(plain) / 2 / RATE
    assert length > 1
    assert _seconds(spoken, format) == pytest.approx(length, abs=0.15)


def _seconds(content: bytes, format: str) -> float:
    match format:
        case "pcm":
            return len(content) / 2 / RATE
        case "wav":
            return len(pcm_of_wav(content)) / 2 / RATE
        case _:
            return seconds(content, "aac" if format == "aac" else "")


def test_a_stream_is_heard_long_before_its_end(client: openai.OpenAI) -> None:
    begin = time.monotonic()
    with client.audio.speech.with_streaming_response.create(
        model="vibevoice", voice="alloy", input=LONG, response_format="mp3"
    ) as answer:
        blocks = answer.iter_bytes()
        content = next(blocks)
        first_s = time.monotonic() - begin
        content += b"".join(blocks)
    whole_s = time.monotonic() - begin
    assert first_s < whole_s / 2, f"the first sound came after {first_s:.1f} of {whole_s:.1f} s"
    assert seconds(content) > 20


def test_events_bring_the_sound_and_the_usage(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="vibevoice", voice="alloy", input=SHORT, response_format="pcm", stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    *deltas, last = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert len(b"".join(base64.b64decode(event["audio"]) for event in deltas)) > RATE
    assert last["type"] == "speech.audio.done"
    assert last["usage"]["output_tokens"] > 0


def test_mistakes_are_told_in_openais_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Line 1"):
        client.audio.speech.create(model="vibevoice", voice="alloy", input="Speaker 1: [pause:1s Hello.")
    with pytest.raises(openai.NotFoundError):
        client.audio.speech.create(model="whisper-1", voice="alloy", input=SHORT)


def test_gradio_client_gets_the_sound_and_the_job(
    lab: Lab, key: str, tmp_path: Path, jobs_of: JobsOf
) -> None:
    sound, status, id = gradio_generate(lab, "podcast", key, SHORT, str(tmp_path))
    jobs = jobs_of("podcast", "li")
    job = jobs.get(id)
    assert seconds(Path(sound).read_bytes()) == pytest.approx(job["progress"]["audio_s"], abs=0.01)
    assert "s of speech in" in status
    jobs.delete(id)
