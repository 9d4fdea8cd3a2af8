"""Voices that people keep: theirs, exact, and gone when they say so."""

import re

import numpy as np
import pytest
import soundfile
from storing import Clock, Speaker, claim, files, submit
from vibevoice.audio import Samples
from vibevoice.jobs.library import Library
from vibevoice.jobs.store import Conflict, Damaged, NoSuchVoice, Store
from vibevoice.voices import check, content_hash


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def library(store: Store) -> Library:
    return store.library


def clip(seed: int = 0) -> Samples:
    """Two seconds of noise."""
    return check(np.random.default_rng(seed).uniform(-0.9, 0.9, 48_000), 24_000)


def add(library: Library, name: str = "Ana", user: str = "ana", shared: bool = False, seed: int = 0):
    return library.add(name, user, shared, clip(seed), "I may use this voice.")


def test_a_voice_comes_back_to_the_sample(library: Library, store: Store) -> None:
    voice = add(library)
    again = Store(store.folder).library
    assert again.get(voice.id) == voice
    assert np.array_equal(again.samples(voice.id), clip()) and again.samples(voice.id).dtype == np.float32
    assert (voice.sha256, voice.seconds, voice.consent) == (
        content_hash(clip()),
        2.0,
        "I may use this voice.",
    )
    assert re.fullmatch(r"voice_[A-Za-z0-9]{16}", voice.id)


def test_a_voices_file_is_a_mono_wav_of_24_khz(library: Library) -> None:
    about = soundfile.info(library.path(add(library)))
    assert (about.format, about.channels, about.samplerate, about.frames) == ("WAV", 1, 24_000, 48_000)


def test_a_user_sees_their_own_voices_and_the_shared_ones(library: Library) -> None:
    own, shared = add(library, "b", "li"), add(library, "A", "ana", shared=True)
    add(library, "c", "ana")
    assert library.list("li") == [shared, own]
    assert [voice.name for voice in library.list()] == ["A", "b", "c"]


def test_a_users_own_voice_goes_before_a_shared_one_of_that_name(library: Library) -> None:
    shared, own = add(library, user="ana", shared=True), add(library, user="li", seed=1)
    assert library.get("Ana", "li") == own and library.get("Ana", "max") == shared
    assert library.get(shared.id, "li") == shared


def test_anothers_own_voice_is_not_there(library: Library) -> None:
    voice = add(library, user="ana")
    for word in (voice.id, voice.name, "nobody", ""):
        with pytest.raises(NoSuchVoice):
            library.get(word, "li")
    with pytest.raises(NoSuchVoice):
        library.delete(voice.id, "li")
    assert library.list("li") == []


def test_a_shared_voice_is_deleted_by_its_owner_alone(library: Library) -> None:
    voice = add(library, user="ana", shared=True)
    with pytest.raises(NoSuchVoice):
        library.delete(voice.id, "li")
    library.delete(voice.id, "ana")
    assert library.list() == []


def test_a_user_has_a_name_once(library: Library) -> None:
    voice = add(library)
    with pytest.raises(Conflict, match="Ana"):
        add(library, seed=1)
    assert library.list() == [voice]
    add(library, user="li")
    library.delete(voice.id, "ana")
    assert add(library).id != voice.id


def test_a_deleted_voice_leaves_nothing(library: Library, store: Store) -> None:
    voice = add(library)
    library.delete(voice.id, "ana")
    assert files(store.folder / "voices") == set()
    with pytest.raises(NoSuchVoice):
        library.samples(voice.id)
    with pytest.raises(NoSuchVoice):
        library.delete(voice.id, "ana")


def test_equal_clips_share_a_file_that_stays_for_the_last_of_them(library: Library, store: Store) -> None:
    hers, his = add(library, user="ana"), add(library, user="li")
    assert len(files(store.folder / "voices")) == 1
    library.delete(hers.id, "ana")
    assert np.array_equal(library.samples(his.id), clip())
    library.delete(his.id, "li")
    assert files(store.folder / "voices") == set()


def test_a_job_under_way_keeps_the_voice_that_was_deleted(library: Library, store: Store) -> None:
    voice = add(library)
    submit(store, voices=(voice.id,))
    library.delete(voice.id, "ana")
    assert library.list() == []
    with pytest.raises(NoSuchVoice):
        library.get(voice.id)
    speaker = Speaker(store, claim(store))
    assert len(library.samples(voice.id)) == 48_000
    speaker.all()
    library.sweep()
    assert files(store.folder / "voices") == set()


def test_a_name_is_never_a_path(library: Library, store: Store) -> None:
    for name in ("../../x", "/etc/passwd", "a\0b", "", "x" * 5000, "'; DROP TABLE voices; --"):
        voice = add(library, name)
        assert library.get(voice.id).name == name
        assert library.path(voice).parent == store.folder / "voices"
    assert len(library.list()) == 6


def test_a_clip_that_was_damaged_is_never_spoken_with(library: Library) -> None:
    voice = add(library)
    path = library.path(voice)
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(4))
    with pytest.raises(Damaged, match="not what was uploaded"):
        library.samples(voice.id)
    path.write_bytes(content[:10])
    with pytest.raises(Damaged, match="cannot be read"):
        library.samples(voice.id)
    path.unlink()
    with pytest.raises(Damaged, match="cannot be read"):
        library.samples(voice.id)
