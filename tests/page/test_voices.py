"""The library of voices, from file and microphone to a script that is spoken with one."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.page.conftest import Visitor


def add(page: Page, name: str, recording: Path) -> None:
    page.locator("#voice-name").fill(name)
    page.locator("#voice-file").set_input_files(recording)
    page.locator("#consent").check()
    page.locator("#voice-save").click()


def test_a_voice_is_uploaded_heard_and_deleted(visitor: Visitor, recording: Path) -> None:
    page = visitor.open("voices")
    add(page, "Ana at home", recording)
    card = page.locator("#voices li", has_text="Ana at home")
    card.locator(".player button").click()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0.2)")
    card.get_by_role("button", name="Delete").click()
    page.locator("#dialog button.danger").click()
    expect(card).to_have_count(0)
    assert visitor.complaints == []
    assert visitor.elsewhere == []


def test_a_voice_is_recorded(visitor: Visitor) -> None:
    page = visitor.open("voices")
    page.locator("#voice-name").fill("Microphone")
    page.locator("#voice-record").click()
    expect(page.locator("#recording-time")).to_contain_text("0:03")
    page.locator("#voice-record").click()
    expect(page.locator("#clip .player")).to_be_visible()
    page.locator("#consent").check()
    page.locator("#voice-save").click()
    expect(page.locator("#voices li", has_text="Microphone")).to_be_visible()


def test_no_voice_is_taken_without_consent(visitor: Visitor, recording: Path) -> None:
    page = visitor.open("voices")
    page.locator("#voice-name").fill("Somebody")
    page.locator("#voice-file").set_input_files(recording)
    page.locator("#voice-save").click()
    expect(page.locator("#voice-error")).to_contain_text("only with consent")
    assert page.locator("#voices li", has_text="Somebody").count() == 0


def test_a_script_is_spoken_with_a_voice_of_the_library(visitor: Visitor, recording: Path) -> None:
    page = visitor.open("voices")
    add(page, "Narrator", recording)
    expect(page.locator("#voices li", has_text="Narrator")).to_be_visible()
    page.locator("#tab-write").click()
    page.locator("#script-text").fill("Ana: Spoken with a voice.\nBen: And I without one.")
    page.locator("#cast select").first.select_option(label="Narrator")
    page.locator("#generate").click()
    expect(page.locator("#now-jobs article").first).to_have_attribute("data-state", "done", timeout=90_000)
    newest = "() => fetch('v1/jobs?limit=1').then(r => r.json()).then(l => l.data[0].voices)"
    voice, none = page.evaluate(newest)
    assert voice.startswith("voice_")
    assert none is None


def test_what_is_no_recording_is_refused_in_the_readers_language(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open("voices")
    (tmp_path / "notes.txt").write_text("This is not a sound at all. " * 50)
    add(page, "Notes", tmp_path / "notes.txt")
    expect(page.locator("#voice-error")).to_contain_text("not audio")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("#voice-error")).to_contain_text("文件不是音频")
