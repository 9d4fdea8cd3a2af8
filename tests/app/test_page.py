"""The page, asked as its own script in the browser and as Gradio's client ask it."""

import json
import re
import time
from collections.abc import Iterator

import gradio_client
import httpx
import pytest
import soundfile
from gradio_client.exceptions import AppError
from running import Running, Stopped, switches, wait_for
from vibevoice.ui.files import Files
from vibevoice.ui.head import policy

PROXIED = {"x-forwarded-host": "studio.example.com", "x-forwarded-proto": "https"}
PUBLIC = "https://studio.example.com/vibevoice/podcast"


@pytest.fixture
def page(running: Running) -> Iterator[gradio_client.Client]:
    client = gradio_client.Client(running.url, verbose=False)
    yield client
    client.close()


def test_generate_gives_a_sound_its_status_and_its_job(page: gradio_client.Client, api: httpx.Client) -> None:
    sound, status, job = page.predict("Speaker 1: Hello there.\nSpeaker 2: Hi!", api_name="/generate")
    info = soundfile.info(sound)
    assert (info.format, info.samplerate, info.channels, info.subtype) == ("WAV", 24000, 1, "PCM_16")
    assert status.startswith(f"{info.duration:.1f} s of speech")
    assert api.get(f"/v1/jobs/{job}").json()["state"] == "done"


def test_a_studio_at_rest_rests(page: gradio_client.Client) -> None:
    page.predict("Speaker 1: Hello.", api_name="/generate")
    before = switches()
    time.sleep(3)
    assert switches() - before < 3 * 300


def test_progress_is_shown_while_it_waits_and_speaks(
    page: gradio_client.Client, gpu_is_busy: Stopped
) -> None:
    job = page.submit("Speaker 1: " + "Hello there. " * 60, api_name="/generate")
    wait_for(lambda: bool(job.outputs()))
    assert re.match("Waiting|Speaking: it begins", job.outputs()[0][1])
    gpu_is_busy.set()
    job.result()
    assert any("so far" in status for _, status, _ in job.outputs())


def test_a_bad_script_is_told_in_the_scripts_own_terms(page: gradio_client.Client) -> None:
    with pytest.raises(AppError, match="Line 1, column 12: This pause has no end"):
        page.predict("Speaker 1: [pause:1s Hello.", api_name="/generate")


def test_a_client_that_is_lost_leaves_its_job_to_be_spoken(
    page: gradio_client.Client, api: httpx.Client, gpu_is_busy: Stopped
) -> None:
    job = page.submit("Speaker 1: Hello there.", api_name="/generate")
    wait_for(lambda: bool(job.outputs()))
    id = job.outputs()[0][2]
    job.cancel()
    page.close()
    gpu_is_busy.set()
    wait_for(lambda: api.get(f"/v1/jobs/{id}").json()["state"] == "done")


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


def test_all_that_the_page_names_is_relative_to_it_and_there(api: httpx.Client) -> None:
    html = api.get("/").text
    assets = re.findall(r'(?:src|href)="(\./(?:assets|page)/[^"]+)"', html)
    assert any(asset.endswith("/main.js") for asset in assets)
    for asset in assets:
        assert api.get("/" + asset.removeprefix("./")).status_code == 200


def test_the_pages_files_are_kept_until_they_change(api: httpx.Client) -> None:
    version = Files().version
    assert "immutable" in api.get(f"/page/{version}/main.js").headers["cache-control"]
    assert api.get("/page/of-another-version/main.js").headers["cache-control"] == "no-store"
    assert api.get("/").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpage.py", "%2e%2e/head.py"])
def test_there_are_no_other_files(api: httpx.Client, name: str) -> None:
    assert api.get(f"/page/{Files().version}/{name}").status_code == 404


def test_the_page_names_no_foreign_origin(api: httpx.Client, running: Running) -> None:
    html = api.get("/").text
    loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(https?://[^"]+)"', html)
    loaded += re.findall(r'<meta[^>]+content="(https?://[^"]+)"', html)
    assert [url for url in loaded if not url.startswith(running.url)] == []
    files = Files()
    for name in ("base.css", "desk.css", "jobs.css"):
        assert "http" not in api.get(f"/page/{files.version}/{name}").text


def test_the_theme_has_no_font_to_fetch(api: httpx.Client) -> None:
    assert "@font-face" not in api.get("/theme.css").text
    assert "fonts.googleapis" not in api.get("/").text


def test_the_page_runs_its_own_scripts_alone(api: httpx.Client) -> None:
    rule = api.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in rule
    scripts = rule.partition("script-src")[2].partition(";")[0]
    assert "'unsafe-inline'" not in scripts
    assert scripts.count("'sha256-") == len(
        set(re.findall(r"<script(?![^>]*src=)[^>]*>(.+?)</script>", api.get("/").text, re.DOTALL))
    )


def test_a_script_inside_the_page_is_named_by_its_hash() -> None:
    # echo -n 'alert(1)' | openssl sha256 -binary | base64
    hash = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    assert hash in policy(b"<script>alert(1)</script>")
    assert hash not in policy(b'<script src="./main.js">alert(1)</script>')


def test_the_page_names_its_icon_before_a_browser_guesses(running: Running) -> None:
    page = running.get("/")
    head, _, _ = page.text.partition("</head>")
    assert '<link rel="icon" type="image/svg+xml" href="./favicon.ico">' in head
    assert page.text.rstrip().endswith("</html>")
    assert running.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_what_operators_write_is_no_html(running: Running) -> None:
    name = '"><script>alert(1)</script>'
    shown = running.settings.model_copy(update={"disclaimer": name, "port": 0})
    studio = running.studio
    before, studio.settings = studio.settings, shown
    try:
        text = running.get("/").text
    finally:
        studio.settings = before
    assert name not in text
    assert "&quot;&gt;&lt;script&gt;" in text
