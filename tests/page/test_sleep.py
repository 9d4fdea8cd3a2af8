"""A connection that goes and comes: the page goes on by itself, and nothing is lost."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.page.conftest import Studio, Visitor
from tests.page.test_history import LONG, spoken, submit


def test_a_page_outlives_the_studios_restart(visitor: Visitor, studio: Studio) -> None:
    id = submit(studio, input=LONG, title="Through a restart")
    page = visitor.open("history")
    card = page.locator(f'#history-jobs [data-job="{id}"]')
    expect(card).to_have_attribute("data-state", "running", timeout=90_000)
    page.evaluate("() => { window.before = true; }")
    studio.stop()
    expect(page.locator("#notices")).to_contain_text("does not answer")
    studio.start()
    expect(page.locator("#notices")).to_be_empty()
    spoken(page, id)
    assert page.evaluate("() => window.before"), "the page was loaded anew"


def test_a_laptop_that_slept_catches_up(visitor: Visitor, context: BrowserContext, studio: Studio) -> None:
    page = visitor.open("history")
    expect(page.locator("#history-jobs")).to_have_attribute("aria-busy", "false")
    context.set_offline(True)
    id = submit(studio, input="Ana: Spoken while you slept.", title="Meanwhile")
    context.set_offline(False)
    spoken(page, id)


def test_whoever_is_logged_out_is_told(visitor: Visitor) -> None:
    page = visitor.open()
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"error": {"message": "no"}}))
    page.locator("#script-text").fill("Ana: Hello.")
    expect(page.locator("#notices")).to_contain_text("You are logged out")
    page.locator("#generate").click()
    expect(page.locator("#generate-error")).to_contain_text("your draft is kept")


def test_without_a_free_stream_the_page_asks_now_and_then(visitor: Visitor, studio: Studio) -> None:
    error = {"error": {"message": "no more", "code": "too_many_streams"}}
    visitor.page.route(
        "**/v1/jobs/events", lambda route: route.fulfill(status=429, json=error, headers={"Retry-After": "2"})
    )
    page = visitor.open("history")
    expect(page.locator("#history-jobs")).to_have_attribute("aria-busy", "false")
    spoken(page, submit(studio, input="Ana: Found by asking.", title="Polled"))
