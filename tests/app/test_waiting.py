"""Nobody gets a page whose button cannot work yet."""

from collections.abc import Callable

import httpx
import pytest
from running import Process, wait_for
from starlette.testclient import TestClient
from test_api import GOOD, SPEECH
from vibevoice.api import application
from vibevoice.api.limits import Limits
from vibevoice.settings import Settings
from vibevoice.studio import Studio
from vibevoice.ui.page import mount

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def loading(settings: Settings) -> TestClient:
    """A studio that loads for ever: its engine is never started."""
    studio = Studio.from_settings(settings)
    return TestClient(Limits(mount(application(studio), studio), studio))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_is_asked_to_wait(loading: TestClient, method: str) -> None:
    answer = loading.request(method, "/", headers=BROWSER)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("headers", [BROWSER, {}])
def test_api_and_health_speak_for_themselves(loading: TestClient, headers: dict[str, str]) -> None:
    assert loading.get("/v1/models", headers=headers).status_code == 200
    assert loading.get("/health/live", headers=headers).status_code == 200
    assert loading.get("/health/ready", headers=headers).json()["state"] == "loading"
    answer = loading.post(SPEECH, json=GOOD, headers=headers)
    assert answer.json()["error"]["code"] == "not_ready"


def test_what_a_program_asks_of_the_page_is_answered(loading: TestClient) -> None:
    assert loading.get("/config", headers={"Accept": "application/json"}).status_code == 200


def test_the_page_opens_as_soon_as_the_studio_is_ready(start: Callable[..., Process]) -> None:
    with start() as studio:
        studio.wait_until("/health/live", 200)
        assert httpx.get(studio.url, headers=BROWSER).status_code == 503
        wait_for(lambda: httpx.get(studio.url, headers=BROWSER).status_code == 200)
        assert studio.status("/health/ready") == 200


def test_a_browser_that_came_around_the_door_is_not_asked_to_wait(settings: Settings) -> None:
    behind = settings.model_copy(update={"door_key": "A" * 43 + "="})
    studio = Studio.from_settings(behind)
    client = TestClient(Limits(mount(application(studio), studio), studio))
    answer = client.get("/", headers=BROWSER)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_through_the_door"
