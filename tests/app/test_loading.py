"""A studio is there before its model is: it takes jobs, shows its page, and speaks when it can."""

from collections.abc import Callable

import httpx
import pytest
from running import Process, wait_for
from starlette.testclient import TestClient
from vibevoice.api import application
from vibevoice.api.limits import Limits
from vibevoice.settings import Settings
from vibevoice.studio import Studio
from vibevoice.ui.page import mount

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SCRIPT = "Speaker 1: Good morning."


def client_of(settings: Settings) -> TestClient:
    """Of a studio that loads for ever: its engine is never started."""
    studio = Studio.from_settings(settings)
    return TestClient(Limits(mount(application(studio), studio), studio))


@pytest.fixture
def loading(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return client_of(settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("data")}))


def test_it_is_ready_and_says_that_its_engine_loads(loading: TestClient) -> None:
    answer = loading.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() | {"state": "ready", "engine": "loading"} == answer.json()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_gets_the_page(loading: TestClient, method: str) -> None:
    answer = loading.request(method, "/", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_a_job_is_taken_and_waits(loading: TestClient) -> None:
    answer = loading.post("/v1/jobs", json={"input": SCRIPT})
    assert answer.status_code == 201, answer.text
    job = loading.get(f"/v1/jobs/{answer.json()['id']}").json()
    assert (job["state"], job["position"]) == ("queued", 1)


@pytest.mark.thorough
def test_what_was_taken_before_the_model_was_there_is_spoken(start: Callable[..., Process]) -> None:
    with start() as studio:
        studio.wait_until("/health/ready", 200)
        job = studio.submit(SCRIPT)
        assert studio.job(job)["state"] == "queued"
        wait_for(lambda: studio.job(job)["state"] == "done")


def test_a_request_for_speech_waits_for_the_model(start: Callable[..., Process]) -> None:
    with start() as studio:
        studio.wait_until("/health/ready", 200)
        assert studio.says()["engine"] == "loading"
        speech = {"model": "vibevoice", "input": SCRIPT}
        answer = httpx.post(f"{studio.url}/v1/audio/speech", json=speech, timeout=None)
        assert answer.status_code == 200, answer.text


def test_around_the_door_nothing_is_shown_meanwhile(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changes = {"door_key": "A" * 43 + "=", "data_dir": tmp_path_factory.mktemp("data")}
    answer = client_of(settings.model_copy(update=changes)).get("/", headers=BROWSER)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_through_the_door"
