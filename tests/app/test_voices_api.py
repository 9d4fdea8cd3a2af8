"""The library of voices over HTTP: with consent alone, one's own until it is shared, whatever is sent."""

from collections.abc import Iterator

import httpx
import pytest
from elsewhere import LONG, Elsewhere, User, elsewhere
from sounding import ffmpeg, hum
from test_api import error_of
from vibevoice.audio import wav
from vibevoice.settings import Settings

VOICES = "/v1/audio/voices"
CLIP = wav(hum(3.0), 24_000)
AGREED = "Ana agreed on 1 May."


@pytest.fixture(scope="module")
def module(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    with elsewhere(settings, tmp_path_factory) as studio:
        yield studio


@pytest.fixture
def studio(module: Elsewhere) -> Iterator[Elsewhere]:
    yield module
    module.clear()
    for voice in module.store.library.list(None):
        module.store.library.delete(voice.id, voice.user)


def upload(user: User, content: bytes = CLIP, file: str = "ana.wav", **fields: object) -> httpx.Response:
    data = {"name": "Ana", "consent": AGREED, **fields}
    return user.post(VOICES, files={"file": (file, content)}, data=data)


def test_a_voice_is_kept_with_the_consent_it_came_with(studio: Elsewhere) -> None:
    answer = upload(studio.ana)
    assert answer.status_code == 201, answer.text
    voice = answer.json()
    assert (voice["name"], voice["own"], voice["shared"]) == ("Ana", True, False)
    assert voice["seconds"] == pytest.approx(3.0)
    assert studio.store.library.get(voice["id"], "ana").consent == AGREED
    assert studio.ana.get(f"{VOICES}/{voice['id']}/audio").content[:4] == b"RIFF"


@pytest.mark.parametrize("consent", ["", "false", "no"])
def test_without_consent_there_is_no_voice(studio: Elsewhere, consent: str) -> None:
    assert error_of(upload(studio.ana, consent=consent), 400)["param"] == "consent"
    assert studio.ana.get(VOICES).json()["data"] == []


def test_a_stereo_recording_of_another_rate_is_a_voice(studio: Elsewhere) -> None:
    m4a = ffmpeg("-f", "wav", "-i", "pipe:0", "-ac", "2", "-ar", "44100", "-c:a", "libmp3lame", "-f", "mp3",
                 "pipe:1", content=CLIP)  # fmt: skip
    assert upload(studio.ana, m4a, "ana.mp3").json()["seconds"] == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("content", [b"", b"MZ" + bytes(5000), b"PK\3\4" + bytes(5000), CLIP[:50]])
def test_what_is_no_recording_is_refused(studio: Elsewhere, content: bytes) -> None:
    assert error_of(upload(studio.ana, content), 400)["param"] == "file"


@pytest.mark.parametrize("name", ["../../jobs.db", "a/b", "C:\\voice", "..", "<script>alert(1)</script>"])
def test_a_name_is_never_a_path(studio: Elsewhere, name: str) -> None:
    before = {path.name for path in studio.store.folder.iterdir()}
    answer = upload(studio.ana, file=name, name=name)
    assert answer.status_code in (201, 400)
    assert {path.name for path in studio.store.folder.iterdir()} == before
    assert {path.suffix for path in (studio.store.folder / "voices").iterdir()} <= {".wav"}


def test_a_name_with_control_characters_is_refused(studio: Elsewhere) -> None:
    assert error_of(upload(studio.ana, name="A\tna"), 400)["param"] == "name"


def test_two_voices_of_one_name_are_told_apart(studio: Elsewhere) -> None:
    assert upload(studio.ana).status_code == 201
    error_of(upload(studio.ana), 409)
    assert upload(studio.li).status_code == 201


def test_a_voice_is_its_owners_until_it_is_shared(studio: Elsewhere) -> None:
    own, shared = upload(studio.ana).json()["id"], upload(studio.ana, name="All", shared=True).json()["id"]
    assert [voice["id"] for voice in studio.li.get(VOICES).json()["data"]] == [shared]
    for path in (f"{VOICES}/{own}", f"{VOICES}/{own}/audio"):
        error_of(studio.li.get(path), 404)
    for voice in (own, shared):
        error_of(studio.li.delete(f"{VOICES}/{voice}"), 404)
    error_of(studio.li.post("/v1/jobs", json={"input": LONG, "voices": {"Ana": own}}), 400)
    assert studio.li.post("/v1/jobs", json={"input": LONG, "voices": {"Ana": shared}}).status_code == 201


def test_a_deleted_voice_is_gone_but_for_jobs_that_wait(studio: Elsewhere) -> None:
    voice = upload(studio.ana).json()["id"]
    studio.ana.hands_in(LONG, voices={"Ana": "Ana"})
    assert studio.ana.delete(f"{VOICES}/{voice}").json()["deleted"] is True
    error_of(studio.ana.get(f"{VOICES}/{voice}"), 404)
    assert len(studio.store.library.samples(voice)) == 3 * 24_000
