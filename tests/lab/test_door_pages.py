"""The door as a person meets it, in a real browser: in, around, out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.box.browser import DESKTOP, PHONE, Complaints, chromium, fits, log_in
from tests.box.fixtures import Logins
from tests.box.lab import REPORTS, Lab


@pytest.fixture(scope="module")
def browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(lab, tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(params=["desktop", "phone"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    size = {"desktop": DESKTOP, "phone": PHONE}[request.param]
    fresh = browser.new_context(viewport=ViewportSize(width=size["width"], height=size["height"]))
    yield fresh
    fresh.close()


def _watched(context: BrowserContext) -> tuple[Page, Complaints]:
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page)
    return page, complaints


def test_a_login_leads_back_to_where_one_wanted_to_go(context: BrowserContext, logins: Logins) -> None:
    login = logins["podcast"]
    page, complaints = _watched(context)
    page.goto(f"{login.url}?voice=a")
    assert urlsplit(page.url).path == "/vibevoice/login"
    assert parse_qs(urlsplit(page.url).query)["next"] == ["/vibevoice/podcast/?voice=a"]
    assert fits(page)
    page.locator("input[name=name]").fill(login.user)
    page.locator("input[name=password]").fill(login.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{login.url}?voice=a")
    page.locator("#generate").wait_for(timeout=30_000)
    assert complaints == []


def test_a_wrong_password_stays_outside_and_says_so(context: BrowserContext, logins: Logins) -> None:
    page = context.new_page()
    page.goto(logins["podcast"].url)
    page.locator("input[name=name]").fill(logins["podcast"].user)
    page.locator("input[name=password]").fill("not the password at all")
    page.keyboard.press("Enter")
    page.locator("[role=alert]").wait_for()
    assert urlsplit(page.url).path == "/vibevoice/login"
    assert page.locator("input[name=name]").input_value() == logins["podcast"].user
    assert page.locator("input[name=password]").input_value() == ""


def test_a_person_sees_and_opens_their_own_projects_only(context: BrowserContext, logins: Logins) -> None:
    page, complaints = _watched(context)
    log_in(page, logins["podcast"])
    page.goto(logins["podcast"].url.rsplit("/", 2)[0] + "/")
    assert page.locator("a[href='/vibevoice/podcast/']").count() > 0
    assert page.get_by_text("debate").count() == 0
    assert fits(page)
    assert complaints == []
    answer = page.goto(logins["debate"].url)
    assert answer is not None and answer.status == 403
    assert page.locator("#generate").count() == 0
    assert fits(page)


def test_who_may_open_both_sees_both_with_their_state(browser: Browser, lab: Lab, logins: Logins) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"https://{lab.domain}/")
    assert urlsplit(page.url).path == "/vibevoice/login"
    page.locator("input[name=name]").fill("ana")
    page.locator("input[name=password]").fill(lab.users["ana"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"https://{lab.domain}/vibevoice/")
    for project in logins:
        assert page.locator(f"a[href='/vibevoice/{project}/']").count() > 0
    page.screenshot(path=REPORTS / "door-portal.png")
    assert page.locator(".state.running").count() == 2
    context.close()


def test_logging_out_ends_it_in_every_tab(context: BrowserContext, lab: Lab, logins: Logins) -> None:
    page = context.new_page()
    log_in(page, logins["podcast"])
    replayed = context.cookies()
    page.goto(f"https://{lab.domain}/vibevoice/")
    page.locator("form[action='/vibevoice/logout'] button").click()
    page.wait_for_url("**/vibevoice/login**")
    page.goto(logins["podcast"].url)
    assert urlsplit(page.url).path == "/vibevoice/login"
    # The cookies of before are worth nothing any more, also to whoever kept them.
    context.clear_cookies()
    context.add_cookies(replayed)  # type: ignore[arg-type]
    page.goto(logins["podcast"].url)
    assert urlsplit(page.url).path == "/vibevoice/login"


def test_cookies_are_as_closed_as_they_can_be(context: BrowserContext, logins: Logins) -> None:
    log_in(context.new_page(), logins["podcast"])
    own = [cookie for cookie in context.cookies() if str(cookie.get("name")).startswith("__Host-vv_")]
    assert {cookie.get("name") for cookie in own} >= {"__Host-vv_session", "__Host-vv_device"}
    for cookie in own:
        assert cookie.get("secure") and cookie.get("httpOnly")
        assert cookie.get("sameSite") == "Lax"
        assert cookie.get("path") == "/"


def test_without_any_script_one_logs_in_and_out(browser: Browser, logins: Logins) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, logins["podcast"])
    page.goto(f"{logins['podcast'].url.rsplit('/', 2)[0]}/logout")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/vibevoice/login**")
    context.close()


def test_the_pages_speak_chinese_to_who_asks(browser: Browser, logins: Logins) -> None:
    context = browser.new_context(locale="zh-CN")
    page, complaints = _watched(context)
    page.goto(logins["podcast"].url)
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert "登录" in page.locator("h1").inner_text()
    assert complaints == []
    context.close()
