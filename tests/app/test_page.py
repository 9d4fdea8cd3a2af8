"""The page, asked as its own script in the browser asks it."""

import json
import re
from collections.abc import Iterator

import gradio_client
import httpx
import pytest
import soundfile
from gradio_client.exceptions import AppError
from running import Running, Stopped, wait_for

PROXIED = {"x-forwarded-host": "studio.example.com", "x-forwarded-proto": "https"}
PUBLIC = "https://studio.example.com/vibevoice/podcast"


@pytest.fixture
def page(running: Running) -> Iterator[gradio_client.Client]:
    client = gradio_client.Client(running.url, verbose=False)
    yield client
    client.close()


def test_generate_gives_a_sound_to_play_and_keep(page: gradio_client.Client) -> None:
    sound, status = page.predict("Speaker 1: Hello there.\nSpeaker 2: Hi!", api_name="/generate")
    info = soundfile.info(sound)
    assert (info.format, info.samplerate, info.channels, info.subtype) == ("WAV", 24000, 1, "PCM_16")
    assert status.startswith(f"{info.duration:.1f} s of speech")


def test_progress_is_shown_while_it_waits_and_speaks(
    page: gradio_client.Client, gpu_is_busy: Stopped
) -> None:
    job = page.submit("Speaker 1: " + "Hello there. " * 30, api_name="/generate")
    wait_for(lambda: bool(job.outputs()))
    assert "Waiting for the GPU" in job.outputs()[0][1]
    gpu_is_busy.set()
    job.result()
    assert any("so far" in status for _, status in job.outputs())


def test_a_bad_script_is_told_in_the_scripts_own_terms(page: gradio_client.Client) -> None:
    with pytest.raises(AppError, match="Line 1, column 12: This pause has no end"):
        page.predict("Speaker 1: [pause:1s Hello.", api_name="/generate")


def test_a_visitor_who_cancels_gives_the_gpu_back(
    page: gradio_client.Client, running: Running, gpu_is_busy: Stopped
) -> None:
    job = page.submit("Speaker 1: Hello there.", api_name="/generate")
    wait_for(lambda: running.studio.engine.waiting == 1)
    job.cancel()
    wait_for(lambda: running.studio.engine.waiting == 0)


def config(api: httpx.Client) -> dict[str, object]:
    html = api.get("/", headers=PROXIED).text
    found = re.search(r"window\.gradio_config = (\{.*?\});", html)
    assert found
    return json.loads(found[1])


def test_below_the_proxys_path_the_page_knows_its_address(api: httpx.Client) -> None:
    assert config(api)["root"] == PUBLIC


def test_a_sounds_address_is_below_the_proxys_path(api: httpx.Client) -> None:
    asked = api.post(
        "/gradio_api/call/generate", json={"data": ["Speaker 1: Hello there."]}, headers=PROXIED
    ).json()["event_id"]
    answer = api.get(f"/gradio_api/call/generate/{asked}", headers=PROXIED).text
    final = json.loads(answer.split("event: complete\ndata: ")[1].splitlines()[0])
    url = final[0]["url"]
    assert url.startswith(f"{PUBLIC}/gradio_api/file=")
    # The proxy strips the project's path again.
    sound = api.get(url.removeprefix(PUBLIC))
    assert sound.status_code == 200
    assert sound.content[:4] == b"RIFF"


def test_assets_are_asked_for_relative_to_the_page_and_are_there(api: httpx.Client) -> None:
    html = api.get("/").text
    assets = re.findall(r'(?:src|href)="(\./assets/[^"]+)"', html)
    assert assets
    for asset in assets:
        assert api.get("/" + asset.removeprefix("./")).status_code == 200


def test_the_page_asks_nobody_else_for_anything_it_needs(api: httpx.Client, running: Running) -> None:
    html = api.get("/").text
    outside = re.findall(r'<script[^>]+src="(https?://[^"]+)"', html)
    assert [url for url in outside if not url.startswith(running.url)] == []


def test_the_page_names_its_icon_before_a_browser_guesses(running: Running) -> None:
    page = running.get("/")
    head, _, _ = page.text.partition("</head>")
    assert '<link rel="icon" type="image/svg+xml" href="./favicon.ico">' in head
    assert page.text.rstrip().endswith("</html>")
    assert running.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
