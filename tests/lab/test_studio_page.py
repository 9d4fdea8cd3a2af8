"""The studio's page below its prefix, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.box import web as outside
from tests.box.browser import DESKTOP, Complaints, chromium, log_in
from tests.box.fixtures import Logins
from tests.box.lab import Lab
from tests.box.web import TIMEOUT_S

BOTH_WITHIN_S = 90


@pytest.fixture(scope="module")
def browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(lab, tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def podcast(browser: Browser, logins: Logins) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=ViewportSize(width=DESKTOP["width"], height=DESKTOP["height"]))
    log_in(context.new_page(), logins["podcast"])
    yield context
    context.close()


def _open(context: BrowserContext, url: str) -> tuple[Page, Complaints]:
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page)
    page.goto(url, wait_until="load")
    page.locator("#studio[data-ready]").wait_for(timeout=30_000)
    return page, complaints


def test_the_page_opens_below_its_prefix_without_a_red_line(podcast: BrowserContext, logins: Logins) -> None:
    page, complaints = _open(podcast, logins["podcast"].url)
    assert page.title().startswith("podcast")
    assert complaints == []


def test_the_address_without_a_slash_opens_the_page(podcast: BrowserContext, logins: Logins) -> None:
    page, complaints = _open(podcast, logins["podcast"].url.rstrip("/"))
    assert page.url == logins["podcast"].url
    assert complaints == []


def test_twenty_reloads_stay_on_one_container(podcast: BrowserContext, logins: Logins) -> None:
    url = logins["podcast"].url
    page, _ = _open(podcast, url)
    chosen = _container(podcast)
    for _ in range(20):
        page.reload(wait_until="domcontentloaded")
        assert _container(podcast) == chosen
    slots = {
        page.evaluate("() => fetch('health/ready').then(r => r.json()).then(s => s.slot)") for _ in range(10)
    }
    assert len(slots) == 1


def test_both_containers_have_visitors(lab: Lab, logins: Logins) -> None:
    # One request each: a browser sends a second one without the cookie now and then, and the balancer takes
    # turns. It passes over a studio that is late with a health check, as on a busy machine.
    login, chosen = logins["podcast"], list[str]()
    end = time.monotonic() + BOTH_WITHIN_S
    while len(set(chosen)) < 2 and time.monotonic() < end:
        with outside.session(lab.domain, lab.gateway_ip, lab.ca_root) as visitor:
            visitor.get(login.url, auth=login.auth, timeout=TIMEOUT_S).raise_for_status()
            chosen.append(str(visitor.cookies["vv_podcast_gpu"]))
    assert len(set(chosen)) == 2, f"{len(chosen)} visitors were all sent to {chosen[0]}"


def _container(context: BrowserContext) -> str:
    """The node proxy's cookie, which names the container."""
    (cookie,) = [one for one in context.cookies() if one.get("name") == "vv_podcast_gpu"]
    assert cookie.get("secure")
    assert cookie.get("httpOnly")
    assert cookie.get("path") == "/vibevoice/podcast"
    return str(cookie.get("value"))


def test_without_a_login_there_is_no_page(browser: Browser, logins: Logins) -> None:
    page = browser.new_page()
    page.goto(logins["podcast"].url)
    assert urlsplit(page.url).path == "/vibevoice/login"
    assert page.locator("#generate").count() == 0
    page.close()
