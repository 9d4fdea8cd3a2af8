"""A studio behind the door takes only what came through it, and keeps to what the door allows."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import gradio_client
import httpx
import pytest
from door_keeper import Clock, DoorKeeper
from gradio_client.exceptions import AppError
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from running import Process, Running, Stopped, in_background, wait_for
from test_api import GOOD, SPEECH, error_of
from vibevoice.settings import Settings

CLOCK = Clock()
KEEPER = DoorKeeper(CLOCK)
SCRIPT = "Speaker 1: Hello there."


@pytest.fixture(scope="module")
def guarded(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A studio behind the door."""
    changes = {
        "door_key": KEEPER.public_key,
        "data_dir": tmp_path_factory.mktemp("data"),
        "max_waiting": 100,
        # Another GPU than the other studio's.
        "slot": 1,
    }
    with Running(settings.model_copy(update=changes), CLOCK) as studio:
        wait_for(lambda: studio.studio.engine.state == "ready")
        yield studio


@pytest.fixture
def door(guarded: Running) -> Iterator[httpx.Client]:
    """What the gateway is to the studio, once it has let somebody in."""
    CLOCK.next_day()
    with httpx.Client(base_url=guarded.url, headers=KEEPER.headers(), timeout=60) as client:
        yield client


@pytest.fixture
def busy(guarded: Running) -> Iterator[Stopped]:
    """Nothing gets on until the test sets this, or ends."""
    with Stopped(guarded.studio.engine) as stopped:
        yield stopped
    wait_for(lambda: not guarded.studio.store.shares())


def test_a_caller_is_told_who_they_are_and_what_they_may(guarded: Running) -> None:
    headers = KEEPER.headers(user="corp:mia@example.com", streams=3, minutes_per_day=60)
    answer = httpx.get(f"{guarded.url}/v1/me", headers=headers).json()
    assert answer["user"] == "corp:mia@example.com"
    assert answer["project"] == guarded.studio.settings.project
    assert answer["limits"] == {"streams": 3, "upload_bytes": 100_000, "minutes_per_day": 60}
    assert answer["minutes_today"] >= 0


WRONG = {
    "missing": {},
    "forged": DoorKeeper(CLOCK).headers(),
    "foreign": KEEPER.headers(project="debate"),
    "expired": KEEPER.headers(exp=CLOCK.now - 31),
    "garbage": {"X-Auth-Limits": "let me in"},
    "by name alone": {"X-Auth-User": "ana", "X-Auth-Project": "podcast"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SPEECH),
        ("GET", "/v1/events"),
        ("GET", "/v1/models"),
        ("GET", "/v1/nothing"),
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/config"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/run/generate"),
        ("GET", "/health"),
        ("GET", "//health/ready"),
        ("GET", "/Health/ready"),
        ("OPTIONS", "/v1/models"),
    ],
)
def test_around_the_door_nothing_answers(
    guarded: Running, wrong: dict[str, str], method: str, path: str
) -> None:
    answer = httpx.request(method, guarded.url + path, headers=wrong, json=GOOD if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    if method != "HEAD":
        error = error_of(answer, 401)
        assert (error["code"], error["type"]) == ("not_through_the_door", "authentication_error")


def test_two_passes_are_none(guarded: Running) -> None:
    answer = httpx.get(f"{guarded.url}/v1/models", headers=[*KEEPER.headers().items()] * 2)
    error_of(answer, 401)


# What HTTP lets into a header at all.
VISIBLE = st.lists(st.sampled_from([*range(32, 127), *range(128, 256)]), max_size=300).map(bytes)


@given(VISIBLE)
def test_whatever_a_header_holds_the_answer_is_401(guarded: Running, value: bytes) -> None:
    answer = httpx.get(f"{guarded.url}/v1/models", headers={b"X-Auth-Limits": value.strip()})
    error_of(answer, 401)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_door(guarded: Running, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_through_the_door_page_and_api_answer(door: httpx.Client) -> None:
    assert door.post(SPEECH, json=GOOD).status_code == 200
    assert door.get("/").headers["content-type"].startswith("text/html")


def test_a_pass_that_was_good_once_is_refused_when_it_has_expired(door: httpx.Client) -> None:
    assert door.get("/v1/models").status_code == 200
    CLOCK.now += 151
    error_of(door.get("/v1/models"), 401)


def test_without_a_door_its_header_is_ignored(running: Running) -> None:
    for headers in (*WRONG.values(), KEEPER.headers(streams=0, upload_bytes=0, minutes_per_day=0)):
        assert httpx.post(running.url + SPEECH, json=GOOD, headers=headers, timeout=60).status_code == 200


def under_way(guarded: Running) -> int:
    """Jobs that are not over."""
    return guarded.studio.store.running() + guarded.studio.store.waiting()


def test_a_script_beyond_the_projects_streams_is_refused_at_once(
    door: httpx.Client, guarded: Running, busy: Stopped
) -> None:
    mine = KEEPER.headers(streams=2)
    waiting = [in_background(lambda: door.post(SPEECH, json=GOOD, headers=mine)) for _ in range(2)]
    wait_for(lambda: under_way(guarded) == 2)
    refused = door.post(SPEECH, json=GOOD, headers=mine)
    error = error_of(refused, 429)
    assert (error["code"], error["type"]) == ("too_many_streams", "rate_limit_error")
    assert "2 streams" in str(error["message"])
    assert refused.headers["retry-after"] == "2"
    # No stream, so never counted.
    assert door.get("/v1/models", headers=mine).status_code == 200
    assert door.get("/", headers=mine).status_code == 200
    busy.set()
    for thread, answers in waiting:
        thread.join()
        assert answers[0].status_code == 200
    assert door.post(SPEECH, json=GOOD, headers=mine).status_code == 200


def test_event_streams_count_until_they_are_closed(door: httpx.Client) -> None:
    mine = KEEPER.headers(streams=3)
    with ExitStack() as open_streams:
        for _ in range(3):
            answer = open_streams.enter_context(door.stream("GET", "/v1/events", headers=mine))
            assert answer.status_code == 200
        for refused in (
            door.get("/v1/events", headers=mine),
            door.post(SPEECH, json=GOOD, headers=mine),
        ):
            assert error_of(refused, 429)["code"] == "too_many_streams"
    wait_for(lambda: door.post(SPEECH, json=GOOD, headers=mine).status_code == 200)


def test_listening_to_what_is_still_spoken_is_a_stream(door: httpx.Client, busy: Stopped) -> None:
    mine = KEEPER.headers(streams=1)
    job = door.post("/v1/jobs", json={"input": SCRIPT}, headers=mine).json()["id"]
    live = f"/v1/jobs/{job}/audio?live=1"
    with door.stream("GET", live, headers=mine) as answer:
        assert answer.status_code == 200
        assert error_of(door.get(live, headers=mine), 429)["code"] == "too_many_streams"
        busy.set()
        assert answer.read()
    # A file is none: it has an end.
    with door.stream("GET", "/v1/events", headers=mine) as events:
        assert events.status_code == 200
        assert door.get(f"/v1/jobs/{job}/audio", headers=mine).status_code == 200


def test_streams_of_all_the_projects_studios_count(
    door: httpx.Client, guarded: Running, start: Callable[..., Process]
) -> None:
    mine = KEEPER.headers(streams=1, exp=2**40)
    with start(project="podcast", data_dir=guarded.settings.data_dir, door_key=KEEPER.public_key) as other:
        other.wait_until("/health/live", 200)
        with httpx.stream("GET", f"{other.url}/v1/events", headers=mine) as answer:
            assert answer.status_code == 200
            error_of(door.get("/v1/events", headers=mine), 429)
            other.process.kill()
            other.process.wait()
        with door.stream("GET", "/v1/events", headers=mine) as answer:
            assert answer.status_code == 200


@pytest.fixture
def page(guarded: Running) -> Iterator[Callable[..., gradio_client.Client]]:
    """Open the page with an allowance."""
    CLOCK.next_day()
    clients: list[gradio_client.Client] = []

    def open_page(**changes: object) -> gradio_client.Client:
        headers = KEEPER.headers(**changes)
        clients.append(gradio_client.Client(guarded.url, headers=headers, verbose=False))
        return clients[-1]

    yield open_page
    for client in clients:
        client.close()


def test_the_page_works_through_the_door(page: Callable[..., gradio_client.Client]) -> None:
    # Not even one stream more than the generation itself.
    _, status, _ = page(streams=1).predict(SCRIPT, api_name="/generate")
    assert "s of speech" in status


def test_watching_a_job_on_the_page_is_a_stream(
    page: Callable[..., gradio_client.Client], door: httpx.Client, guarded: Running, busy: Stopped
) -> None:
    mine = page(streams=1)
    first = mine.submit(SCRIPT, api_name="/generate")
    wait_for(lambda: under_way(guarded) == 1)
    with pytest.raises(AppError, match="1 streams open already"):
        mine.predict(SCRIPT, api_name="/generate")
    error_of(door.post(SPEECH, json=GOOD, headers=KEEPER.headers(streams=1)), 429)
    first.cancel()
    busy.set()
    wait_for(lambda: door.post(SPEECH, json=GOOD, headers=KEEPER.headers(streams=1)).status_code == 200)
    assert mine.predict(SCRIPT, api_name="/generate")


def test_a_job_that_nobody_watches_any_more_gives_its_stream_back(
    door: httpx.Client, guarded: Running, busy: Stopped
) -> None:
    # Gradio's direct call takes a generator's first word and lets go of it.
    mine = KEEPER.headers(streams=1)
    assert door.post("/gradio_api/run/generate", json={"data": [SCRIPT]}, headers=mine).status_code == 200
    busy.set()
    wait_for(lambda: not under_way(guarded))
    wait_for(lambda: door.post(SPEECH, json=GOOD, headers=mine).status_code == 200)


def large(size: int, head: bytes = b"") -> Iterator[bytes]:
    """A body whose length nobody says."""
    yield head
    for _ in range(size // 10_000):
        yield b" " * 10_000


FORM = {"content-type": "multipart/form-data; boundary=x"}
FILE = b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
JSON = {"content-type": "application/json"}


def upload_size_of(error: dict[str, str | None]) -> int:
    """The size that a refusal names before the limit, in bytes."""
    assert (error["code"], error["type"]) == ("upload_too_large", "invalid_request_error")
    size, limit = re.findall(r"[0-9][0-9,]+", str(error["message"]))
    assert limit == "100,000"
    return int(size.replace(",", ""))


@pytest.mark.parametrize("path", [SPEECH, "/v1/models", "/gradio_api/upload", "/gradio_api/queue/join", "/"])
def test_a_body_that_says_it_is_too_large_is_refused_unread(door: httpx.Client, path: str) -> None:
    error = error_of(door.post(path, content=b" " * 100_001, headers=JSON), 413)
    assert upload_size_of(error) == 100_001
    assert door.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "head"),
    [(SPEECH, JSON, b""), ("/gradio_api/upload", FORM, FILE), ("/gradio_api/queue/join", JSON, b"")],
)
def test_a_body_that_turns_out_too_large_is_refused(
    door: httpx.Client, path: str, headers: dict[str, str], head: bytes
) -> None:
    error = error_of(door.post(path, content=large(200_000, head), headers=headers), 413)
    assert 100_000 < upload_size_of(error) <= 200_000 + len(head)
    assert door.get("/v1/models").status_code == 200


def test_a_body_of_just_the_upload_size_is_taken(door: httpx.Client) -> None:
    for size, status in ((1000, 200), (1001, 413)):
        body = b'{"model": "vibevoice", "input": "Hello."}'.ljust(size)
        for content in (body, iter([body[:500], body[500:]])):
            answer = door.post(SPEECH, content=content, headers={**KEEPER.headers(upload_bytes=1000), **JSON})
            assert answer.status_code == status


def memory(studio: Process) -> float:
    """Of the studio's process, in bytes."""
    for family in text_string_to_metric_families(httpx.get(f"{studio.metrics_url}/metrics").text):
        if family.name == "process_resident_memory_bytes":
            return family.samples[0].value
    raise AssertionError("no such metric")


def test_a_refused_upload_takes_no_memory(start: Callable[..., Process]) -> None:
    headers = KEEPER.headers(exp=2**40)
    size = 200_000_000
    with start(project="podcast", door_key=KEEPER.public_key) as studio:
        studio.wait_until("/health/ready", 200)
        before = memory(studio)
        for path, kind, head in ((SPEECH, JSON, b""), ("/gradio_api/upload", FORM, FILE)):
            body = large(size, head)
            answer = httpx.post(studio.url + path, content=body, headers={**headers, **kind}, timeout=60)
            error_of(answer, 413)
        assert memory(studio) - before < size / 10
        studio.process.terminate()
        code, errors = studio.end()
    assert code == 0
    assert "Traceback" not in errors


def speak(door: httpx.Client) -> float:
    """Seconds of one job more today, which is over."""
    job = door.post("/v1/jobs", json={"input": SCRIPT}).json()["id"]
    wait_for(lambda: door.get(f"/v1/jobs/{job}").json()["state"] == "done")
    return door.get(f"/v1/jobs/{job}").json()["progress"]["audio_s"]


def test_the_days_minutes_end_and_begin_again_at_midnight(door: httpx.Client, guarded: Running) -> None:
    seconds = speak(door) + speak(door)
    assert door.get("/v1/me").json()["minutes_today"] == pytest.approx(seconds / 60, abs=0.01)

    def ask(minutes: float) -> httpx.Response:
        return door.post(SPEECH, json=GOOD, headers=KEEPER.headers(minutes_per_day=minutes))

    refused = ask(seconds / 60 * 0.999)
    error = error_of(refused, 429)
    assert (error["code"], error["type"]) == ("daily_minutes_used", "rate_limit_error")
    assert refused.headers["retry-after"] == str(12 * 3600)
    assert ask(seconds / 60 * 1.001).status_code == 200
    # What that one made counts as well.
    error_of(ask(seconds / 60 * 1.001), 429)
    CLOCK.now += 12 * 3600 - 1
    assert ask(seconds / 60).headers["retry-after"] == "1"
    CLOCK.now += 1
    assert ask(0.0001).status_code == 200
    error_of(ask(0.0001), 429)
    CLOCK.now -= 12 * 3600


def test_a_script_that_is_wrong_is_told_so_although_the_minutes_are_used_up(door: httpx.Client) -> None:
    headers = KEEPER.headers(minutes_per_day=0)
    error_of(door.post(SPEECH, json={**GOOD, "model": "tts-1"}, headers=headers), 404)


def test_the_page_tells_of_used_up_minutes_in_the_same_words(
    page: Callable[..., gradio_client.Client], door: httpx.Client, guarded: Running
) -> None:
    speak(door)
    limits = {"minutes_per_day": 0.001}
    message = error_of(door.post(SPEECH, json=GOOD, headers=KEEPER.headers(**limits)), 429)["message"]
    assert message
    mine = page(**limits)
    with pytest.raises(AppError) as caught:
        mine.predict(SCRIPT, api_name="/generate")
    assert message in str(caught.value)
    # The refused one holds no stream.
    with pytest.raises(AppError, match="minutes"):
        page(**limits, streams=1).predict(SCRIPT, api_name="/generate")
    CLOCK.now += 12 * 3600
    assert page(**limits).predict(SCRIPT, api_name="/generate")
    CLOCK.now -= 12 * 3600


def test_a_broken_file_of_minutes_refuses_nobody(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    (folder / "usage.db").write_bytes(b"This is no database." * 1000)
    changes = {"door_key": KEEPER.public_key, "data_dir": folder, "slot": 2}
    with Running(settings.model_copy(update=changes), CLOCK) as studio:
        wait_for(lambda: studio.get("/health/ready").status_code == 200)
        for _ in range(2):
            answer = httpx.post(
                studio.url + SPEECH, json=GOOD, headers=KEEPER.headers(minutes_per_day=0.001), timeout=60
            )
            assert answer.status_code == 200
