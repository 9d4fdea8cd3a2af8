"""Jobs over HTTP: handed in, listed, renamed, stopped, spoken anew."""

import json
from collections.abc import Iterator

import httpx
import pytest
from elsewhere import JOBS, LONG, Elsewhere, elsewhere
from test_api import error_of
from vibevoice.settings import Settings

SCRIPT = "Ana: Hello there.\nLi: Hi, Ana!"


@pytest.fixture(scope="module")
def module(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with elsewhere(settings, tmp_path_factory, jobs_waiting=5, job_minutes=10) as studio:
        yield studio


@pytest.fixture
def studio(module: Elsewhere) -> Iterator[Elsewhere]:
    yield module
    module.clear()


def test_a_script_is_a_job_at_once(studio: Elsewhere) -> None:
    job = studio.ana.hands_in(
        SCRIPT, title="Greetings", seed=5, guidance=1.5, one_take=True, response_format="flac"
    )
    assert (job["object"], job["state"], job["position"], job["user"]) == ("job", "queued", 1, "ana")
    assert (job["title"], job["seed"], job["guidance"], job["format"]) == ("Greetings", 5, 1.5, "flac")
    assert (job["speakers"], job["voices"], job["one_take"]) == (["Ana", "Li"], [None, None], True)
    assert (job["audible"], job["error"], job["batch"]) == (False, None, None)
    (segment,) = job["segments"]
    assert (segment["n"], segment["speakers"], segment["state"]) == (0, ["Ana", "Li"], "waiting")
    assert segment["text"] == "Hello there. Hi, Ana!"
    assert studio.ana.job(job["id"]) == job


def test_a_job_without_title_is_named_by_its_first_words(studio: Elsewhere) -> None:
    assert studio.ana.hands_in("Hello there.")["title"] == "Hello there."
    assert studio.ana.hands_in("Word " * 40)["title"] == " ".join(["Word"] * 12) + " …"


def test_the_script_comes_back_as_it_was_written(studio: Elsewhere) -> None:
    script = "Ana: “Grüße”, (laughs) 世界!\r\n\r\nLi: Hi. "
    job = studio.ana.hands_in(script)
    answer = studio.ana.get(f"{JOBS}/{job['id']}/script")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == script


def test_a_long_script_has_segments_that_follow_each_other(studio: Elsewhere) -> None:
    job = studio.ana.hands_in(LONG)
    listed = studio.ana.get(f"{JOBS}/{job['id']}/segments").json()["data"]
    assert listed == job["segments"]
    assert [segment["n"] for segment in listed] == [0, 1]
    assert [segment["start_s"] for segment in listed] == [0.0, listed[0]["end_s"]]
    assert listed[-1]["end_s"] == pytest.approx(job["progress"]["total_s"])


def test_a_batch_is_taken_as_a_whole(studio: Elsewhere) -> None:
    answer = studio.ana.post(JOBS, json={"batch": [{"input": "One."}, {"input": "Two.", "title": "Second"}]})
    assert answer.status_code == 201, answer.text
    jobs = answer.json()["data"]
    assert [job["title"] for job in jobs] == ["One.", "Second"]
    assert len({job["batch"] for job in jobs}) == 1
    assert jobs[0]["batch"]


def test_a_batch_with_a_fault_is_not_taken_at_all(studio: Elsewhere) -> None:
    bad = [{"input": "One."}, {"input": "Two. [pause:9"}]
    error = error_of(studio.ana.post(JOBS, json={"batch": bad}), 400)
    assert (error["param"], error["line"], error["column"]) == ("input", 1, 6)
    assert "script 2 of 2" in str(error["message"])
    error = error_of(studio.ana.post(JOBS, json={"batch": [{"input": "One."}, {"input": 2}]}), 400)
    assert error["param"] == "batch.1.input"
    assert not studio.store.waiting()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": None}, "input"),
        ({"input": "a" * 100_001}, "input"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a" * 201}, "title"),
        ({"title": 5}, "title"),
        ({"voices": ["default"] * 3}, "voices"),
        ({"voices": {"Max": "default"}}, "voices"),
        ({"voices": "default"}, "voices"),
        ({"voices": ["nobody"]}, "voice"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": "5"}, "seed"),
        ({"guidance": 0}, "guidance"),
        ({"guidance": 11}, "guidance"),
        ({"steps": 0}, "steps"),
        ({"one_take": "yes"}, "one_take"),
        ({"response_format": "m4a"}, "response_format"),
    ],
)
def test_a_wrong_field_is_named(studio: Elsewhere, fields: dict[str, object], param: str) -> None:
    answer = studio.ana.post(JOBS, json={"input": SCRIPT, **fields})
    error = error_of(answer, 400)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert not studio.store.waiting()


HALF = "\ud800"
HALVES = [
    ({"input": f"An{HALF}a: Hello {HALF} there.\nLi: Hi."}, 201),
    ({"input": HALF}, 400),
    ({"title": f"A {HALF}"}, 400),
    ({"voices": [HALF]}, 400),
    ({"voices": {HALF: "default"}}, 400),
    ({"voices": {"Ana": HALF}}, 400),
    ({"response_format": HALF}, 400),
]


@pytest.mark.parametrize(("fields", "status"), HALVES)
def test_half_a_pair_of_surrogates_breaks_nothing(
    studio: Elsewhere, fields: dict[str, object], status: int
) -> None:
    body = json.dumps({"input": SCRIPT, **fields}).encode()
    answer = studio.ana.post(JOBS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    if status == 201:
        assert answer.json()["speakers"] == ["Ana", "Li"]
        assert studio.ana.get(f"{JOBS}/{answer.json()['id']}/script").text.count("\ufffd") == 2


def test_unknown_fields_are_ignored(studio: Elsewhere) -> None:
    assert studio.ana.hands_in(SCRIPT, user="bob", stream=True)["user"] == "ana"


def test_a_script_that_takes_too_long_is_refused_with_its_length(studio: Elsewhere) -> None:
    answer = studio.ana.post(JOBS, json={"input": "Hello there, my friend. " * 1000})
    assert "27 minutes" in str(error_of(answer, 400)["message"])


def test_no_more_wait_than_may(studio: Elsewhere) -> None:
    for _ in range(5):
        studio.ana.hands_in("Hello.")
    answer = studio.li.post(JOBS, json={"input": "Hello."})
    error = error_of(answer, 429)
    assert (error["code"], error["type"]) == ("queue_full", "rate_limit_error")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_key_makes_a_job_once(studio: Elsewhere) -> None:
    def ask(user: httpx.Client, script: str) -> httpx.Response:
        return user.post(JOBS, json={"input": script}, headers={"Idempotency-Key": "k 1"})

    first = ask(studio.ana, "One.").json()["id"]
    assert ask(studio.ana, "One.").json()["id"] == first
    error = error_of(ask(studio.ana, "Two."), 409)
    assert error["code"] == "idempotency_key_reused"
    assert ask(studio.li, "Two.").json()["id"] != first
    assert studio.store.waiting() == 2


@pytest.mark.parametrize("key", ["", "a" * 201, "a\tb"])
def test_a_key_that_is_none_is_refused(studio: Elsewhere, key: str) -> None:
    answer = studio.ana.post(JOBS, json={"input": "One."}, headers={"Idempotency-Key": key})
    assert error_of(answer, 400)["param"] == "Idempotency-Key"


def test_the_history_has_pages_and_no_scripts(studio: Elsewhere) -> None:
    made = [studio.ana.hands_in(f"Page {n}.")["id"] for n in range(5)]
    seen, before = [], None
    while True:
        page = studio.ana.get(JOBS, params={"limit": 2, **({"before": before} if before else {})}).json()
        seen += [job["id"] for job in page["data"]]
        assert all("segments" not in job and "script" not in job for job in page["data"])
        before = page["next_before"]
        assert page["has_more"] == (before is not None)
        if before is None or len(seen) >= 5:
            break
    assert seen[:5] == made[::-1]


def test_the_history_is_searched_by_words_and_states(studio: Elsewhere) -> None:
    job = studio.ana.hands_in("Ana: The Zebra said hello.", title="Talk")["id"]
    studio.ana.hands_in("Nothing else.")

    def found(**query: object) -> list[str]:
        return [each["id"] for each in studio.ana.get(JOBS, params=query).json()["data"]]  # pyright: ignore[reportArgumentType]

    assert found(search="zebra") == [job]
    assert found(search="zebra", state="done") == []
    assert found(search="zebra", state=["done", "queued"]) == [job]
    error_of(studio.ana.get(JOBS, params={"state": "lost"}), 400)
    error_of(studio.ana.get(JOBS, params={"limit": 101}), 400)


def test_a_job_is_renamed(studio: Elsewhere) -> None:
    job = studio.ana.hands_in(SCRIPT)
    answer = studio.ana.patch(f"{JOBS}/{job['id']}", json={"title": " 早安 "})
    assert answer.json()["title"] == "早安"
    assert studio.ana.job(job["id"])["title"] == "早安"
    for title in ("", "a\x07b", "a" * 201, None):
        error_of(studio.ana.patch(f"{JOBS}/{job['id']}", json={"title": title}), 400)


def test_a_job_that_waits_is_cancelled_and_tried_again(studio: Elsewhere) -> None:
    job = studio.ana.hands_in(SCRIPT)
    assert studio.ana.post(f"{JOBS}/{job['id']}/cancel").json()["state"] == "cancelled"
    assert studio.ana.post(f"{JOBS}/{job['id']}/retry").json()["state"] == "queued"
    studio.speak(job["id"])
    error_of(studio.ana.post(f"{JOBS}/{job['id']}/retry"), 409)
    assert studio.ana.post(f"{JOBS}/{job['id']}/cancel").json()["state"] == "done"


def test_a_segment_is_spoken_anew_while_the_old_take_is_heard(studio: Elsewhere) -> None:
    job = studio.spoken()
    answer = studio.ana.post(f"{JOBS}/{job['id']}/segments/1/regenerate", json={"seed": 9}).json()
    assert (answer["state"], answer["audible"]) == ("queued", True)
    segment = answer["segments"][1]
    assert (segment["take"], segment["seed"], segment["state"]) == (1, 9, "waiting")
    error_of(studio.ana.post(f"{JOBS}/{job['id']}/segments/1/regenerate"), 409)
    studio.speak(job["id"])
    assert studio.ana.job(job["id"])["segments"][1]["state"] == "done"
    error_of(studio.ana.post(f"{JOBS}/{job['id']}/segments/2/regenerate"), 409)


def test_a_deleted_job_is_gone_with_its_sound(studio: Elsewhere) -> None:
    job = studio.spoken()
    assert studio.ana.delete(f"{JOBS}/{job['id']}").json() == {
        "id": job["id"],
        "object": "job",
        "deleted": True,
    }
    error_of(studio.ana.get(f"{JOBS}/{job['id']}"), 404)
    error_of(studio.ana.delete(f"{JOBS}/{job['id']}"), 404)
    assert not studio.store.folder_of(job["id"]).exists()


def test_why_a_job_failed_is_told(studio: Elsewhere) -> None:
    job = studio.ana.hands_in(SCRIPT)
    studio.store.finish(studio.claim(job["id"]).job, "failed", "generation_failed", "The engine gave it up.")
    told = studio.ana.job(job["id"])
    assert told["state"] == "failed"
    assert told["error"] == {"type": "generation_failed", "message": "The engine gave it up."}


def test_a_script_is_looked_at_without_being_taken(studio: Elsewhere) -> None:
    look = studio.ana.post("/v1/scripts", json={"input": LONG}).json()
    assert (look["speakers"], look["segments"]) == (["Ana", "Li"], 2)
    assert look["seconds"] == pytest.approx(studio.ana.hands_in(LONG)["progress"]["total_s"], abs=0.1)
    error = error_of(studio.ana.post("/v1/scripts", json={"input": "Hi.\nAna: [pause:1h] Hello."}), 400)
    assert (error["line"], error["column"]) == (2, 6)
    assert str(error["message"]).endswith(str(error["reason"]))


@pytest.mark.parametrize("path", ["/v1/scripts", JOBS, "/v1/audio/speech"])
@pytest.mark.parametrize("length", [True, False], ids=["length told", "length unknown"])
def test_a_hundred_megabytes_of_script_are_refused(studio: Elsewhere, path: str, length: bool) -> None:
    block = b'"' + b"a" * (2**20 - 1)
    headers = {"content-type": "application/json"}
    content = b'{"input": ' + block * 100 if length else iter([block] * 100)
    answer = studio.ana.post(path, content=content, headers=headers)
    assert error_of(answer, 413)["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", JOBS, "GET, POST"),
        ("POST", f"{JOBS}/job_x/script", "GET"),
        ("GET", "/v1/audio/speech", "POST"),
        ("TRACE", "/v1/models", "GET"),
        ("OPTIONS", "/v1/audio/voices", "GET, POST"),
    ],
)
def test_another_method_is_405_with_those_that_are_allowed(
    studio: Elsewhere, method: str, path: str, allowed: str
) -> None:
    answer = studio.ana.request(method, path)
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == allowed
