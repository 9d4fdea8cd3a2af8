"""What was made stays, is found again, and nobody's words are taken for the page's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.box.browser import PHONE
from tests.page.conftest import Studio, Visitor

SCRIPT = "Ana: What was made stays here.\nBen: So it does."
LONG = "\n".join(f"{name}: " + "This goes on for quite a while. " * 8 for name in ("Ana", "Ben") * 12)
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '<img src="x" onerror="window.hacked = 2">',
    '"><svg onload=window.hacked=3>',
    "javascript:alert(1) ${window.hacked = 4} {{7*7}}",
    "مرحبا بالعالم \u202eevil\u202c",
    "W" * 200,
)


def submit(studio: Studio, **order: Any) -> str:
    """Hand a script in around the page; the job's id."""
    answer = requests.post(f"{studio.url}v1/jobs", json=order, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def spoken(page: Page, id: str) -> None:
    expect(page.locator(f'#history-jobs [data-job="{id}"]')).to_have_attribute(
        "data-state", "done", timeout=900_000
    )


@pytest.fixture
def phone(browser: Browser, studio: Studio) -> Iterator[Visitor]:
    size = ViewportSize(width=PHONE["width"], height=PHONE["height"])
    context: BrowserContext = browser.new_context(viewport=size, locale="zh-CN")
    yield Visitor(context, studio)
    context.close()


def test_a_job_appears_and_gets_on_by_itself(visitor: Visitor, studio: Studio) -> None:
    page = visitor.open("history")
    expect(page.locator("#history-jobs")).to_have_attribute("aria-busy", "false")
    spoken(page, submit(studio, input=SCRIPT, title="From a program"))
    assert visitor.complaints == []


def test_a_job_is_renamed_found_written_on_and_deleted(visitor: Visitor, studio: Studio) -> None:
    id = submit(studio, input=SCRIPT, title="Old name")
    page = visitor.open("history")
    spoken(page, id)
    card = page.locator(f'#history-jobs [data-job="{id}"]')
    card.locator("[data-word=rename]").click()
    page.locator("#dialog-line").fill("Zebra crossing")
    page.keyboard.press("Enter")
    expect(card.locator("h3")).to_have_text("Zebra crossing")
    page.locator("#search").fill("zebra")
    expect(page.locator("#history-jobs article")).to_have_count(1)
    card.locator("[data-word=use_script]").click()
    expect(page.locator("#script-text")).to_have_value(SCRIPT)
    page.locator("#tab-history").click()
    card.locator("[data-word=delete]").click()
    page.locator("#dialog button.danger").click()
    expect(page.locator("#history-empty")).to_contain_text("Nothing found")
    assert requests.get(f"{studio.url}v1/jobs/{id}", timeout=30).status_code == 404


def test_a_segment_is_heard_alone_and_spoken_anew(visitor: Visitor, studio: Studio) -> None:
    id = submit(studio, input=LONG, title="In segments")
    page = visitor.open("history")
    spoken(page, id)
    card = page.locator(f'#history-jobs [data-job="{id}"]')
    card.locator("[data-word=segments]").click()
    second = card.locator(".segments li").nth(1)
    second.locator(".player button").click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0.2)")
    before = requests.get(f"{studio.url}v1/jobs/{id}", timeout=30).json()["segments"][1]["take"]
    second.locator("> button").click()
    expect(card.locator("[data-word=stop]")).to_be_visible()
    spoken(page, id)
    assert requests.get(f"{studio.url}v1/jobs/{id}", timeout=30).json()["segments"][1]["take"] == before + 1


def test_a_stopped_job_is_tried_again(visitor: Visitor, studio: Studio) -> None:
    id = submit(studio, input=LONG, title="To be stopped")
    page = visitor.open("history")
    card = page.locator(f'#history-jobs [data-job="{id}"]')
    card.locator("[data-word=stop]").click()
    expect(card).to_have_attribute("data-state", "cancelled")
    card.locator("[data-word=retry]").click()
    spoken(page, id)


def test_hostile_titles_and_scripts_stay_text(visitor: Visitor, studio: Studio) -> None:
    ids = [submit(studio, input=f"{words}: Hello.\nAna: {words} Yes.", title=words) for words in HOSTILE[:4]]
    ids += [submit(studio, input="Ana: Hello there.", title=words) for words in HOSTILE[4:]]
    page = visitor.open("history")
    for id, words in zip(ids, HOSTILE, strict=True):
        spoken(page, id)
        card = page.locator(f'#history-jobs [data-job="{id}"]')
        expect(card.locator("h3")).to_have_text(words)
        card.locator("[data-word=segments]").click()
        expect(card.locator(".segments li")).to_have_count(1)
    assert page.evaluate("() => window.hacked") is None
    assert page.locator("#studio script, #studio img").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert visitor.complaints == []


def test_even_a_slip_would_run_nobodys_script(visitor: Visitor) -> None:
    page = visitor.open()
    page.evaluate("""() => {
      document.getElementById('notices').innerHTML = '<img src="x" onerror="window.hacked = 1">';
      const script = document.createElement('script');
      script.textContent = 'window.hacked = 2';
      document.body.append(script);
    }""")
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.hacked") is None


def test_the_page_fits_a_phone_and_speaks_its_language(phone: Visitor, studio: Studio) -> None:
    submit(studio, input="Ana: " + "W" * 300, title="W" * 200)
    for view in ("write", "history", "voices"):
        page = phone.open(view)
        page.wait_for_timeout(500)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate("() => document.documentElement.lang") == "zh-Hans"
    expect(page.locator("#tab-history")).to_contain_text("历史")
    assert phone.complaints == []


def test_the_language_is_switched_in_place_and_remembered(visitor: Visitor) -> None:
    page = visitor.open()
    page.locator("#script-text").fill("Ana: Kept.")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("#generate")).to_have_text("生成")
    expect(page.locator("#script-text")).to_have_value("Ana: Kept.")
    page.reload()
    expect(page.locator("#generate")).to_have_text("生成")


def test_tabs_are_walked_by_keyboard_and_go_back(visitor: Visitor) -> None:
    page = visitor.open()
    page.locator("#tab-write").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#view-history")).to_be_visible()
    assert page.evaluate("() => document.activeElement.id") == "tab-history"
    page.go_back()
    expect(page.locator("#view-write")).to_be_visible()
