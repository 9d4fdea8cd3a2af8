"""The studio's page below its prefix, in a real browser."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.box import web as outside
from tests.box.browser import DESKTOP, PHONE, Complaints, chromium, log_in
from tests.box.fixtures import Logins
from tests.box.lab import REPORTS, Lab, Login
from tests.box.web import TIMEOUT_S

SPOKEN_WITHIN_MS = 90_000
BOTH_WITHIN_S = 90
SCRIPT = "Speaker 1: Read this aloud, please.\nSpeaker 2: With pleasure."


@pytest.fixture(scope="module")
def browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(lab, tmp_path_factory.mktemp("home")) as started:
        yield started


def _visit(browser: Browser, login: Login, size: dict[str, int]) -> BrowserContext:
    context = browser.new_context(
        viewport=ViewportSize(width=size["width"], height=size["height"]), accept_downloads=True
    )
    page = context.new_page()
    log_in(page, login)
    page.close()
    return context


@pytest.fixture
def podcast(browser: Browser, logins: Logins) -> Iterator[BrowserContext]:
    context = _visit(browser, logins["podcast"], DESKTOP)
    yield context
    context.close()


def _open(context: BrowserContext, url: str) -> tuple[Page, Complaints]:
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page)
    page.goto(url, wait_until="load")
    page.locator("#generate").wait_for(timeout=30_000)
    page.wait_for_timeout(500)
    return page, complaints


def _generate(page: Page) -> None:
    page.locator("#script textarea").fill(SCRIPT)
    page.locator("#generate").click()
    page.locator("#status", has_text="of speech in").wait_for(timeout=SPOKEN_WITHIN_MS)


def test_the_page_opens_below_its_prefix_without_a_red_line(podcast: BrowserContext, logins: Logins) -> None:
    page, complaints = _open(podcast, logins["podcast"].url)
    REPORTS.mkdir(exist_ok=True)
    page.screenshot(path=REPORTS / "studio-desktop.png")
    assert page.title().startswith("podcast")
    assert complaints == []


def test_the_address_without_a_slash_opens_the_page(podcast: BrowserContext, logins: Logins) -> None:
    page, complaints = _open(podcast, logins["podcast"].url.rstrip("/"))
    assert page.url == logins["podcast"].url
    assert complaints == []


def test_a_script_is_spoken_played_and_downloaded(podcast: BrowserContext, logins: Logins) -> None:
    page, complaints = _open(podcast, logins["podcast"].url)
    _generate(page)
    page.screenshot(path=REPORTS / "studio-spoken.png")
    _plays(page)
    with page.expect_download(timeout=30_000) as download:
        page.locator("#speech").get_by_role("link", name="Download").or_(
            page.locator("#speech [aria-label='Download'], #speech a[download]")
        ).first.click()
    content = download.value.path().read_bytes()
    with wave.open(io.BytesIO(content)) as sound:
        assert sound.getframerate() == 24000
        assert sound.getnframes() > 12000
    assert complaints == []


def _plays(page: Page) -> None:
    """Press the player's button; its clock has to move."""
    page.locator("#speech [aria-label^='Play']").first.click()
    clock = "#speech #time"
    page.wait_for_function(
        f"() => {{ const clock = document.querySelector('{clock}');"
        " const media = [...document.querySelectorAll('#speech audio')];"
        " return (clock && /[1-9]/.test(clock.textContent)) || media.some(one => one.currentTime > 0); }",
        timeout=20_000,
    )


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


def test_the_page_fits_a_phone(browser: Browser, logins: Logins) -> None:
    context = _visit(browser, logins["debate"], PHONE)
    page, complaints = _open(context, logins["debate"].url)
    _generate(page)
    page.screenshot(path=REPORTS / "studio-phone.png", full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert complaints == []
    context.close()


def test_without_a_login_there_is_no_page(browser: Browser, logins: Logins) -> None:
    page = browser.new_page()
    page.goto(logins["podcast"].url)
    assert urlsplit(page.url).path == "/vibevoice/login"
    assert page.locator("#generate").count() == 0
    page.close()
