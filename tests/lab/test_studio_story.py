"""The studio as a creator meets it: write, choose a voice, listen while it is made, leave, come back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect

from tests.box.browser import DESKTOP, PHONE, Complaints, chromium, fits, open_studio
from tests.box.fixtures import Logins
from tests.box.jobs import Jobs, talk
from tests.box.lab import Lab, Login
from tests.box.sound import seconds, voice

# About two minutes of the tiny model's speech for two minutes of an idle machine's time.
STORY = talk(40, "Nobody had told us that the lighthouse keeper kept bees as well, in year")
SPOKEN_WITHIN_MS = 300_000
ADVANCES_WITHIN_MS = 60_000
TIMES = re.compile(r"^(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})$")


@pytest.fixture(scope="module")
def browser(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(lab, tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def clean(lab: Lab, logins: Logins) -> Iterator[Jobs]:
    """Li's jobs and voices; what a test makes is gone at its end."""
    with Jobs(lab, logins["podcast"]) as jobs:
        _clear(jobs)
        yield jobs
        _clear(jobs)


def _clear(jobs: Jobs) -> None:
    for job in jobs.history(limit=100):
        jobs.delete(job["id"])
    for found in jobs.ask("GET", "v1/audio/voices").json()["data"]:
        if found["own"]:
            jobs.ask("DELETE", f"v1/audio/voices/{found['id']}").raise_for_status()


def _visit(browser: Browser, login: Login, size: dict[str, int] = DESKTOP) -> tuple[Page, Complaints]:
    context = browser.new_context(
        viewport=ViewportSize(width=size["width"], height=size["height"]), accept_downloads=True
    )
    page, complaints = context.new_page(), Complaints()
    complaints.watch(page)
    open_studio(page, login)
    return page, complaints


def _card(page: Page, id: str, view: str = "now") -> Locator:
    return page.locator(f"#{view}-jobs article[data-job='{id}']")


def _add_voice(page: Page, name: str) -> None:
    page.locator("#tab-voices").click()
    page.locator("#voice-file").set_input_files(
        {"name": "keeper.wav", "mimeType": "audio/wav", "buffer": voice()}
    )
    page.locator("#voice-name").fill(name)
    page.locator("#consent").check()
    page.locator("#voice-save").click()
    expect(page.locator("#voices li.voice").filter(has_text=name)).to_be_visible(timeout=30_000)


def _generate(page: Page, title: str, script: str, voice_name: str) -> str:
    """Write, give the first speaker a voice, start; the id of the job."""
    page.locator("#tab-write").click()
    page.locator("#title").fill(title)
    page.locator("#script-text").fill(script)
    expect(page.locator("#speakers .chip")).to_have_count(2, timeout=15_000)
    expect(page.locator("#estimate")).not_to_be_empty()
    page.locator("#cast select").first.select_option(label=voice_name)
    page.locator("#generate").click()
    card = page.locator("#now-jobs article").filter(has_text=title)
    expect(card).to_be_visible(timeout=30_000)
    return str(card.get_attribute("data-job"))


def _hear(page: Page, card: Locator) -> None:
    """Press play; the sound's clock has to advance while the job is still being spoken."""
    expect(card).to_have_attribute("data-state", "running", timeout=ADVANCES_WITHIN_MS)
    card.locator(".player .round").first.click()
    audio = card.locator("audio").first.element_handle()
    page.wait_for_function("audio => audio.currentTime > 1", arg=audio, timeout=ADVANCES_WITHIN_MS)
    assert card.get_attribute("data-state") == "running", "it was heard only when it was done: make it longer"


def _download(page: Page, card: Locator, kind: str) -> bytes:
    card.locator("details.pull > summary").click()
    with page.expect_download(timeout=60_000) as download:
        card.locator(f"details.pull a[href*='format={kind}']").click()
    assert download.value.suggested_filename.endswith(f".{kind}")
    return download.value.path().read_bytes()


def _cues(srt: str) -> list[tuple[float, float, str]]:
    """(start, end, words) of each subtitle; AssertionError for anything that is no SRT."""
    cues = []
    for number, block in enumerate(srt.strip().split("\n\n"), 1):
        counted, times, *words = block.splitlines()
        assert counted == str(number)
        found = TIMES.match(times)
        assert found, times
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, found.groups())
        start, end = h1 * 3600 + m1 * 60 + s1 + ms1 / 1000, h2 * 3600 + m2 * 60 + s2 + ms2 / 1000
        assert words
        cues.append((start, end, "\n".join(words)))
    return cues


@pytest.mark.thorough
def test_a_story_outlives_the_browser_that_began_it(browser: Browser, logins: Logins, clean: Jobs) -> None:
    login = logins["podcast"]
    page, complaints = _visit(browser, login)
    _add_voice(page, "The keeper")
    id = _generate(page, "The lighthouse", STORY, "The keeper")
    _hear(page, _card(page, id))
    assert complaints == []
    page.context.close()

    page, complaints = _visit(browser, login)
    card = _card(page, id)
    expect(card).to_have_attribute("data-state", "running", timeout=30_000)
    expect(card).to_have_attribute("data-state", "done", timeout=SPOKEN_WITHIN_MS)
    mp3, srt = _download(page, card, "mp3"), _download(page, card, "srt").decode()

    job = clean.get(id)
    length = job["progress"]["audio_s"]
    assert job["voices"][0] and job["voices"][1] is None
    assert seconds(mp3) == pytest.approx(length, abs=0.1)
    assert b"Generated by AI" in mp3[:4096] or b"G\0e\0n\0e\0r\0a\0t\0e\0d" in mp3[:4096]
    cues = _cues(srt)
    assert len(cues) >= len(STORY.splitlines())
    assert all(start < end for start, end, _ in cues)
    assert all(one[1] <= other[0] + 0.001 for one, other in itertools.pairwise(cues))
    assert cues[-1][1] == pytest.approx(length, abs=0.05)
    assert complaints == []
    page.context.close()


def test_the_history_searches_renames_speaks_anew_and_deletes(
    browser: Browser, logins: Logins, clean: Jobs
) -> None:
    id = clean.submit(talk(2, "A few words about a whale in"), title="Whales")
    other = clean.submit(talk(2, "A few words about an owl in"), title="Owls")
    clean.done(id)
    clean.done(other)
    page, complaints = _visit(browser, logins["podcast"])
    page.locator("#tab-history").click()
    card = _card(page, id, "history")
    expect(card).to_be_visible(timeout=15_000)
    page.locator("#search").fill("whale")
    expect(page.locator("#history-jobs article")).to_have_count(1, timeout=15_000)

    card.get_by_role("button", name="Rename").click()
    page.locator("#dialog input").fill("Of whales")
    page.locator("#dialog-actions button").first.click()
    expect(card.locator("h3")).to_have_text("Of whales", timeout=15_000)

    card.get_by_role("button", name="Segments", exact=True).click()
    card.locator(".segments li .small.second").first.click()
    clean.until(
        id, lambda job: job["state"] == "done" and job["segments"][0]["take"] == 1, 120, "spoken anew"
    )
    expect(card).to_have_attribute("data-state", "done", timeout=30_000)

    card.get_by_role("button", name="Delete", exact=True).click()
    page.locator("#dialog-actions button").first.click()
    expect(card).to_have_count(0, timeout=15_000)
    assert [job["id"] for job in clean.history()] == [other]
    assert complaints == []
    page.context.close()


@pytest.fixture(scope="module")
def under_way(lab: Lab) -> Iterator[str]:
    """Ana's library and history, and a job of hers that goes on until all pictures are taken."""
    with Jobs(lab, lab.login("podcast", "ana")) as jobs:
        _clear(jobs)
        for n, name in enumerate(("Mara", "Theo")):
            jobs.ask(
                "POST",
                "v1/audio/voices",
                files={"audio_sample": (f"{name}.wav", voice(5, seed=n), "audio/wav")},
                data={"name": name, "consent": "It is my own voice.", "shared": "false"},
            ).raise_for_status()
        earlier = [
            jobs.submit("Mara: Welcome back.\nTheo: It is good to be here.", title="Episode 12: Lighthouses"),
            jobs.submit("玛拉：欢迎回来。\n西奥：很高兴见到大家。", title="第十二期：灯塔"),
        ]
        for one in earlier:
            jobs.done(one)
        long = talk(700, "Nobody had told us that the lighthouse keeper kept bees as well, in year")
        id = jobs.submit(
            long.replace("Speaker 1", "Mara").replace("Speaker 2", "Theo"), title="Episode 13: Bees"
        )
        jobs.speaking(id)
        yield id
        _clear(jobs)


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["desktop", "phone"])
def anas(
    request: pytest.FixtureRequest, browser: Browser, lab: Lab, language: str, under_way: str
) -> Iterator[Page]:
    """Ana's page; its context's width and language are the test's."""
    size = {"desktop": DESKTOP, "phone": PHONE}[request.param]
    context: BrowserContext = browser.new_context(
        viewport=ViewportSize(width=size["width"], height=size["height"]),
        locale={"en": "en-GB", "zh": "zh-CN"}[language],
    )
    page = context.new_page()
    open_studio(page, lab.login("podcast", "ana"))
    yield page
    context.close()


def test_every_page_fits_the_screen_and_speaks_the_visitors_language(
    anas: Page, language: str, screenshots: Path, under_way: str
) -> None:
    complaints = Complaints()
    complaints.watch(anas)
    width = (anas.viewport_size or DESKTOP)["width"]
    ending = ("desktop" if width > 600 else "phone") + ("" if language == "en" else f"-{language}")

    def picture(name: str) -> None:
        assert fits(anas), f"{name} is wider than the screen"
        anas.screenshot(path=screenshots / f"studio-{name}-{ending}.png", full_page=True)

    assert str(anas.locator("html").get_attribute("lang")).startswith(language)
    words = {"en": ("Write", "Done"), "zh": ("写", "完成")}[language]
    assert words[0] in anas.locator("#tab-write").inner_text()
    anas.locator("#examples").select_option(value=f"podcast-{language}.txt")
    expect(anas.locator("#speakers .chip").first).to_be_visible(timeout=15_000)
    expect(anas.locator("#estimate")).not_to_be_empty()
    anas.locator("#now").evaluate("now => now.hidden = true")
    picture("write")
    anas.locator("#now").evaluate("now => now.hidden = false")
    card = _card(anas, under_way)
    expect(card).to_have_attribute("data-state", "running", timeout=30_000)
    assert fits(anas)
    card.screenshot(path=screenshots / f"studio-job-{ending}.png")
    anas.locator("#tab-history").click()
    expect(anas.locator("#history-jobs article[data-state=done]").first).to_contain_text(words[1])
    picture("history")
    anas.locator("#tab-voices").click()
    expect(anas.locator("#voices li.voice")).to_have_count(2)
    picture("voices")
    assert complaints == []
