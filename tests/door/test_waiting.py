"""What stands in for a studio that is not there."""

from collections.abc import Iterator

import pytest
from door.pages import HEADERS
from nodes import Node
from visiting import Browser, Site, heading, project, site

REFRESH = '<meta http-equiv="refresh" content="5">'


@pytest.fixture
def node(house: Site) -> Iterator[Node]:
    with Node({}) as running:
        house.configure(site(projects=[project("podcast", ["ana"], [], running.url)]))
        yield running


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (503, "The studio is starting"),
        (404, "The studio is not running"),
        (200, "The studio is there again"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/vibevoice/door/waiting?project=podcast", "/vibevoice/podcast/", "/vibevoice/podcast/a/b?c"]
)
def test_the_page_says_what_the_studio_does_and_looks_again(
    browser: Browser, node: Node, status: int, title: str, path: str
) -> None:
    node.states["podcast"] = status
    page = browser.get(path)
    assert (page.status_code, page.headers["retry-after"], heading(page)) == (503, "5", title)
    assert REFRESH in page.text and "Project podcast" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/vibevoice/door/waiting",
        "/vibevoice/door/waiting?project=",
        "/vibevoice/door/waiting?project=nothing",
        "/vibevoice/door/waiting?project=Podcast",
        "/vibevoice/door/waiting?project=../podcast",
        "/vibevoice/nothing/",
        "/vibevoice/p/",
        "/elsewhere",
        "/",
    ],
)
def test_a_project_that_is_none_is_not_named_and_asked_for(browser: Browser, node: Node, path: str) -> None:
    page = browser.get(path)
    assert (page.status_code, heading(page)) == (503, "The studio is not running")
    assert "Project " not in page.text and "nothing" not in page.text
    assert node.asked == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
def test_programs_get_json(browser: Browser, method: str, accept: str) -> None:
    answer = browser.request(method, "/vibevoice/podcast/v1/audio/speech", headers={"accept": accept})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {
        "error": {
            "message": "The studio is not running at the moment. Try again in 5 seconds.",
            "type": "server_error",
            "param": None,
            "code": "studio_unavailable",
        }
    }
    assert all(answer.headers[name] == value for name, value in HEADERS.items())


def test_a_form_sent_to_a_studio_gets_json(browser: Browser) -> None:
    answer = browser.request("POST", "/vibevoice/podcast/", headers={"accept": "text/html"})
    assert answer.json()["error"]["code"] == "studio_unavailable"


def test_the_page_needs_no_login_and_opens_in_any_frame_of_the_proxys(browser: Browser, node: Node) -> None:
    page = browser.get("/vibevoice/door/waiting?project=podcast", headers={"sec-fetch-dest": "iframe"})
    assert page.status_code == 503


def test_the_page_speaks_the_visitors_language(browser: Browser, node: Node) -> None:
    page = browser.get("/vibevoice/podcast/", headers={"accept-language": "zh-CN"})
    assert heading(page) == "工作室未在运行"


def test_the_switch_of_languages_works_where_the_proxy_shows_the_page_under_a_studios_address(
    browser: Browser, node: Node
) -> None:
    page = browser.get("/vibevoice/door/waiting?project=podcast")
    switch = "/vibevoice/door/waiting?project=podcast&direct=1&lang=zh"
    assert f'href="{switch.replace("&", "&amp;")}"' in page.text
    assert heading(browser.get(switch)) == "工作室未在运行"
    assert heading(browser.get("/vibevoice/door/waiting?project=podcast")) == "工作室未在运行"


def test_whoever_waits_here_themselves_goes_on_when_the_studio_is_there(browser: Browser, node: Node) -> None:
    node.states["podcast"] = 200
    answer = browser.get("/vibevoice/door/waiting?project=podcast&direct=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/vibevoice/podcast/")


def test_a_head_has_the_pages_headers(browser: Browser) -> None:
    answer = browser.request("HEAD", "/vibevoice/podcast/")
    assert answer.status_code == 503 and answer.headers["content-type"].startswith("text/html")
