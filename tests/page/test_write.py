"""From a script to its sound, as a creator goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.page.conftest import Studio, Visitor

SCRIPT = "Ana: Read this aloud, please.\nBen: With pleasure."
LONG = "\n".join(f"{name}: " + "This goes on for quite a while. " * 8 for name in ("Ana", "Ben") * 20)


def generate(page: Page, script: str) -> None:
    page.locator("#script-text").fill(script)
    page.locator("#generate").click()


def newest(page: Page, state: str) -> None:
    expect(page.locator("#now-jobs article").first).to_have_attribute("data-state", state, timeout=90_000)


def test_a_script_is_spoken_heard_and_downloaded(visitor: Visitor) -> None:
    page = visitor.open()
    generate(page, SCRIPT)
    newest(page, "done")
    card = page.locator("#now-jobs article").first
    card.locator(".player button").first.click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0.2)")
    for wanted, begins in (("format=flac", b"fLaC"), ("subtitles?format=srt", b"1\n00:00:00")):
        card.locator("summary").click()
        with page.expect_download() as download:
            card.locator(f'a[href*="{wanted}"]').click()
        assert download.value.path().read_bytes().startswith(begins)
    assert visitor.complaints == []
    assert visitor.elsewhere == []


def test_it_is_heard_before_its_end_and_stopped(visitor: Visitor) -> None:
    page = visitor.open()
    generate(page, LONG)
    newest(page, "running")
    card = page.locator("#now-jobs article").first
    card.locator(".player button").first.click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0.2)")
    expect(card).to_have_attribute("data-state", "running")
    card.locator("[data-word=stop]").click()
    newest(page, "cancelled")
    expect(card.locator(".doing")).to_contain_text("Stopped after")


def test_what_plays_is_not_torn_down_by_news(visitor: Visitor) -> None:
    page = visitor.open()
    generate(page, LONG)
    newest(page, "running")
    card = page.locator("#now-jobs article").first
    card.locator(".player button").first.click()
    page.evaluate("() => { window.heard = document.querySelector('#now-jobs audio'); }")
    expect(card.locator(".doing")).to_contain_text("Segment 2 of", timeout=90_000)
    page.wait_for_function("() => window.heard.isConnected && window.heard.currentTime > 1")
    card.locator("[data-word=stop]").click()
    newest(page, "cancelled")


def test_speakers_length_and_errors_are_told_while_one_writes(visitor: Visitor) -> None:
    page = visitor.open()
    area = page.locator("#script-text")
    area.fill("Ana: Hello.\nBen: Hello, Ana. Ana: no.\n")
    expect(page.locator("#speakers .chip")).to_have_text(["Ana", "Ben"])
    expect(page.locator("#cast .role")).to_have_count(2)
    expect(page.locator("#estimate")).to_contain_text("of speech")
    area.fill("Ana: Hello.\nBen: 👋 [pause:1s hello.")
    expect(page.locator("#script-error")).to_contain_text("Line 2, column 8: This pause has no end")
    page.locator("#to-error").click()
    chosen = (
        "() => { const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd); }"
    )
    assert page.evaluate(chosen) == "[pause:1s hello."


def test_nothing_is_submitted_with_a_wrong_script(visitor: Visitor) -> None:
    page = visitor.open()
    generate(page, "Ana: [pause:1s Hello.")
    expect(page.locator("#script-error")).to_be_visible()
    assert page.locator("#now-jobs article").count() == 0


def test_the_draft_outlives_the_page(visitor: Visitor, context: BrowserContext, studio: Studio) -> None:
    page = visitor.open()
    page.locator("#title").fill("Morning news")
    page.locator("#script-text").fill(SCRIPT)
    page.locator("#format").select_option("flac")
    page.close()
    again = Visitor(context, studio).open()
    expect(again.locator("#title")).to_have_value("Morning news")
    expect(again.locator("#script-text")).to_have_value(SCRIPT)
    expect(again.locator("#format")).to_have_value("flac")


def test_control_and_enter_generate(visitor: Visitor) -> None:
    page = visitor.open()
    page.locator("#script-text").fill("Ana: Hello there, you.")
    page.keyboard.press("Control+Enter")
    newest(page, "done")


def test_a_double_click_makes_one_job(visitor: Visitor) -> None:
    page = visitor.open()
    page.locator("#script-text").fill("Ana: Only once, please.")
    page.locator("#generate").dblclick()
    newest(page, "done")
    page.locator("#tab-history").click()
    page.locator("#search").fill("only once, please")
    expect(page.locator("#history-jobs article")).to_have_count(1)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["podcast", "debate", "message"])
def test_the_examples_can_be_spoken(visitor: Visitor, language: str, name: str) -> None:
    page = visitor.open()
    page.locator("#examples").select_option(f"{name}-{language}.txt")
    speakers = {"podcast": 2, "debate": 4, "message": 1}[name]
    expect(page.locator("#speakers .chip")).to_have_count(speakers)
    expect(page.locator("#script-error")).to_be_hidden()
    assert page.locator("#script-text").input_value()


def test_several_files_become_a_batch(visitor: Visitor, tmp_path: Path) -> None:
    srt = (
        "1\n00:00:01,000 --> 00:00:02,000\nAna: Hello there.\n\n2\n00:00:02,000 --> 00:00:03,000\nBen: Hi.\n"
    )
    (tmp_path / "talk.srt").write_text(srt)
    (tmp_path / "播客.txt").write_bytes("小安：你好。\n小白：再见。".encode("gb18030"))
    (tmp_path / "crowd.md").write_text("\n".join(f"{name}: Me, too." for name in "ABCDE"))
    page = visitor.open()
    page.locator("#upload-files").set_input_files(sorted(tmp_path.iterdir()))
    go = page.locator("#dialog-actions button").first
    expect(go).to_have_text("Generate 2")
    expect(page.locator("#dialog .wrong")).to_contain_text("would be speaker 5")
    go.click()
    expect(page.locator("#now-jobs h3")).to_have_text(["播客", "talk"])
    expect(page.locator('#now-jobs article[data-state="done"]')).to_have_count(2, timeout=90_000)


def test_a_dropped_or_uploaded_script_lands_on_the_desk(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "episode.txt").write_bytes("Ana: Grüße.".encode("utf-16"))
    page = visitor.open()
    page.locator("#upload-files").set_input_files(tmp_path / "episode.txt")
    expect(page.locator("#title")).to_have_value("episode")
    expect(page.locator("#script-text")).to_have_value("Ana: Grüße.")


def test_sixty_thousand_characters_are_no_trouble(visitor: Visitor) -> None:
    page = visitor.open()
    lines = (
        "Ana: This is a sentence of a long script, one of many.\nBen: So it is, and here comes the next.\n"
    )
    page.locator("#script-text").fill(lines * 620)
    expect(page.locator("#estimate")).to_contain_text("segments")
    took = page.evaluate("""async () => {
      const area = document.getElementById('script-text');
      const began = performance.now();
      for (let n = 0; n < 10; n += 1) {
        area.setRangeText('x', area.value.length, area.value.length, 'end');
        area.dispatchEvent(new Event('input', { bubbles: true }));
      }
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return performance.now() - began;
    }""")
    assert took < 1000
