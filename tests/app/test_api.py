"""The API answers as OpenAI's does, errors included."""

import io
from typing import Any

import httpx
import pytest
import soundfile
from running import Running, Stopped, in_background, wait_for
from vibevoice.api.errors import from_studio
from vibevoice.engine import EngineError, NotReady, Refused, TooLong
from vibevoice.voices import VoiceError

SPEECH = "/v1/audio/speech"
GOOD = {"model": "vibevoice", "voice": "default", "input": "Speaker 1: Hello there.\nSpeaker 2: Hi!"}


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer's error, once it has the envelope's shape."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) - {"line", "column", "reason"} == {"message", "type", "param", "code"}
    assert error["message"]
    return error


def test_a_script_becomes_a_wav_file(api: httpx.Client) -> None:
    answer = api.post(SPEECH, json={**GOOD, "response_format": "wav"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/wav"
    info = soundfile.info(io.BytesIO(answer.content))
    assert (info.format, info.samplerate, info.channels, info.subtype) == ("WAV", 24000, 1, "PCM_16")
    # It is sent as it is spoken, so its header cannot know the length: the samples do.
    samples, _ = soundfile.read(io.BytesIO(answer.content))
    assert len(samples) > 12_000


def test_a_plain_sentence_is_a_script_too(api: httpx.Client) -> None:
    assert api.post(SPEECH, json={**GOOD, "input": "Hello."}).status_code == 200


def test_what_openai_clients_send_besides_is_ignored(api: httpx.Client) -> None:
    extra = {
        "instructions": "cheerful",
        "speed": 1,
        "stream_format": "audio",
        "user": "ana",
        "voice": {"id": "default"},
    }
    assert api.post(SPEECH, json={**GOOD, **extra}).status_code == 200


def test_who_names_no_format_gets_an_mp3(api: httpx.Client) -> None:
    answer = api.post(SPEECH, json=GOOD)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"


@pytest.mark.parametrize("voice", ["alloy", {"id": "alloy"}, "default"])
def test_openais_own_voices_are_the_models_choice(api: httpx.Client, voice: object) -> None:
    assert api.post(SPEECH, json={**GOOD, "voice": voice}).status_code == 200


def test_a_seed_repeats_the_speech(api: httpx.Client) -> None:
    raw = {**GOOD, "response_format": "pcm"}
    first = api.post(SPEECH, json=raw)
    again = api.post(SPEECH, json={**raw, "seed": int(first.headers["x-vibevoice-seed"])})
    assert again.content == first.content


def test_twice_the_speed_takes_half_the_time(api: httpx.Client) -> None:
    slow, fast = (
        api.post(SPEECH, json={**GOOD, "seed": 1, "response_format": "pcm", "speed": speed}).content
        for speed in (1, 2)
    )
    assert len(fast) == pytest.approx(len(slow) / 2, rel=0.1)


def test_speech_is_in_no_history_and_gone_after_the_answer(api: httpx.Client) -> None:
    job = api.post(SPEECH, json=GOOD).headers["x-vibevoice-job"]
    assert job not in [each["id"] for each in api.get("/v1/jobs").json()["data"]]
    wait_for(lambda: api.get(f"/v1/jobs/{job}").status_code == 404)


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "tts-1"}, 404, "model"),
        ({"model": None}, 400, "model"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"voice": {"id": "nobody"}}, 400, "voice"),
        ({"response_format": "ogre"}, 400, "response_format"),
        ({"speed": 4.5}, 400, "speed"),
        ({"speed": "fast"}, 400, "speed"),
        ({"stream_format": "video"}, 400, "stream_format"),
        ({"seed": -1}, 400, "seed"),
        ({"input": ""}, 400, "input"),
        ({"input": 7}, 400, "input"),
        ({"input": "A: Hello.\nB: Hi.\nC: Hi.\nD: Hi.\nE: Hi."}, 400, "input"),
        ({"input": "Hello <|vision_pad|>"}, 400, "input"),
        ({"input": "a" * 100_001}, 400, "input"),
    ],
)
def test_a_wrong_field_is_named(
    api: httpx.Client, change: dict[str, object], status: int, param: str
) -> None:
    error = error_of(api.post(SPEECH, json={**GOOD, **change}), status)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("missing", ["model", "input"])
def test_a_missing_field_is_named(api: httpx.Client, missing: str) -> None:
    body = {key: value for key, value in GOOD.items() if key != missing}
    assert error_of(api.post(SPEECH, json=body), 400)["param"] == missing


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(api: httpx.Client, body: bytes) -> None:
    error_of(api.post(SPEECH, content=body, headers={"content-type": "application/json"}), 400)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/chat/completions"), ("GET", "/v1/audio"), ("DELETE", "/v1/nothing")]
)
def test_what_is_not_here_says_so_in_the_envelope(api: httpx.Client, method: str, path: str) -> None:
    assert error_of(api.request(method, path), 404)["code"] == "not_found"


def test_the_models_are_listed(api: httpx.Client) -> None:
    names = [model["id"] for model in api.get("/v1/models").json()["data"]]
    assert names == ["vibevoice", "tiny"]
    assert api.get("/v1/models/tiny").json()["object"] == "model"
    assert api.post(SPEECH, json={**GOOD, "model": "tiny"}).status_code == 200
    error_of(api.get("/v1/models/gpt"), 404)


@pytest.mark.parametrize(
    ("error", "status", "param"),
    [
        (VoiceError("The voice is 0.1 s long: …"), 400, "voice"),
        (Refused("guidance is 11: …", "guidance"), 400, "guidance"),
        (Refused("Something else."), 400, None),
        (TooLong("The script has …"), 400, "input"),
        (NotReady("the engine is loading"), 503, None),
        (EngineError("The engine died 3 times …"), 500, None),
    ],
)
def test_the_engines_errors_have_their_status(error: EngineError, status: int, param: str | None) -> None:
    told = from_studio(error)
    assert (told.status, told.param) == (status, param)


def under_way(running: Running) -> int:
    """Jobs that are not over."""
    return running.studio.store.running() + running.studio.store.waiting()


def test_a_full_queue_is_429_and_those_in_it_are_served(
    api: httpx.Client, running: Running, gpu_is_busy: Stopped
) -> None:
    # One stream, and one that may wait besides.
    waiting = [in_background(lambda: api.post(SPEECH, json=GOOD)) for _ in range(2)]
    wait_for(lambda: under_way(running) == 2)
    refused = api.post(SPEECH, json=GOOD)
    error = error_of(refused, 429)
    assert (error["code"], error["type"]) == ("queue_full", "rate_limit_error")
    assert int(refused.headers["retry-after"]) >= 1
    gpu_is_busy.set()
    for thread, answers in waiting:
        thread.join()
        assert [answer.status_code for answer in answers] == [200]


def test_health_answers_while_speech_waits(api: httpx.Client, running: Running, gpu_is_busy: Stopped) -> None:
    requests = [in_background(lambda: api.post(SPEECH, json=GOOD)) for _ in range(2)]
    wait_for(lambda: under_way(running) == 2)
    assert api.get("/health/live").status_code == 200

    def told() -> tuple[int, int]:
        status = api.get("/health/ready").json()
        return status["running"], status["waiting"]

    # The store is asked now and then, not for each question.
    wait_for(lambda: told() == (1, 1))
    gpu_is_busy.set()
    for thread, answers in requests:
        thread.join()
        assert answers[0].status_code == 200


def test_a_caller_who_hangs_up_gives_the_gpu_back(
    api: httpx.Client, running: Running, gpu_is_busy: Stopped
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        api.post(SPEECH, json=GOOD, timeout=httpx.Timeout(60, read=0.2))
    # Nobody frees the GPU: only the hang-up can end the job.
    wait_for(lambda: under_way(running) == 0)
