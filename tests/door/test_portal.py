"""The portal: one's own studios, how they are, and what to do if they are not there."""

import re
from collections.abc import Iterator

import pytest
from nodes import Node
from visiting import LI, Browser, Site, heading, project, site


@pytest.fixture
def node(house: Site) -> Iterator[Node]:
    """Where the studios are served: podcast runs, debate starts, archive stands still."""
    with Node({"podcast": 200, "debate": 503}) as running:
        projects = [
            project("podcast", ["ana", "li"], [], running.url),
            project("debate", ["ana"], [], running.url),
            project("archive", ["ana"], [], running.url),
            project("secret", ["new"], [], running.url),
        ]
        house.configure(site(projects=projects))
        yield running


def cards(page) -> dict[str, str]:
    """The state of each card, by its project."""
    found = re.findall(r'<h2>(.*?)</h2>\s*<p class="state \w+">(.*?)</p>', page.text)
    return dict(found)


def test_a_stranger_is_sent_to_the_login(browser: Browser) -> None:
    assert browser.get("/vibevoice/").headers["location"] == "/vibevoice/login"


def test_without_its_slash_the_portal_is_found_too(browser: Browser) -> None:
    assert browser.get("/vibevoice").headers["location"] == "/vibevoice/"


def test_everyone_sees_their_own_projects_and_no_others(house: Site, browser: Browser, node: Node) -> None:
    browser.log_in()
    assert cards(browser.get("/vibevoice/")) == {
        "archive": "Stopped",
        "debate": "Starting",
        "podcast": "Running",
    }
    with Browser(house.app) as other:
        other.log_in("li", LI)
        assert cards(other.get("/vibevoice/")) == {"podcast": "Running"}


def test_every_studio_has_its_link(ana: Browser, node: Node) -> None:
    text = ana.get("/vibevoice/").text
    for name in ("podcast", "debate", "archive"):
        assert re.search(rf'<a class="button[^"]*" href="/vibevoice/{name}/" aria-label="Open {name}">', text)


def test_a_stopped_studio_says_whom_to_ask(ana: Browser, node: Node) -> None:
    text = ana.get("/vibevoice/").text
    assert text.count("ask operations to start it") == 1
    assert text.count("is starting, which takes a minute or two") == 1


def test_the_page_looks_again_only_while_something_starts(ana: Browser, node: Node, house: Site) -> None:
    assert '<meta http-equiv="refresh" content="5">' in ana.get("/vibevoice/").text
    house.configure(site(projects=[project("podcast", ["ana"], [], node.url)]))
    assert "refresh" not in ana.get("/vibevoice/").text


def test_whoever_may_open_nothing_is_told_what_to_do(ana: Browser, house: Site) -> None:
    house.configure(site(projects=[project("podcast", ["li"], [])]))
    page = ana.get("/vibevoice/")
    assert (page.status_code, heading(page)) == (200, "No studio is open to you yet")
    assert "Ask operations to add ana to one" in page.text


def test_the_name_and_the_way_out_are_on_the_page(ana: Browser) -> None:
    text = ana.get("/vibevoice/").text
    assert 'title="Logged in as ana"' in text
    assert 'action="/vibevoice/logout"' in text and 'href="/vibevoice/door/keys"' in text
