"""What goes by itself, and what never does."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from storing import Clock, Speaker, claim, done, files, heard, new_job, submit
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import Store

HOUR_S, DAY_S = 3600, 24 * 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sweep(
    store: Store, older_than_s: float = 30 * DAY_S, most_bytes: int = 2**40, reserve: int = 0
) -> list[str]:
    return store.sweep(older_than_s=older_than_s, most_bytes=most_bytes, reserve=reserve)


def large(store: Store, clock: Clock) -> str:
    """A finished job of about 1 MiB on the disk; its id."""
    clock.now += 1
    return done(store, segments=1, frames=75_000).id


def unused(path: Path, seconds: float) -> Path:
    """As if nobody had touched the file for so long."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_bytes(b"encoded")
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_a_job_goes_when_it_is_old_enough_with_all_that_it_has(store: Store, clock: Clock) -> None:
    old = done(store)
    clock.now += DAY_S
    young = done(store)
    clock.now += 29 * DAY_S
    assert sweep(store) == [old.id]
    assert store.list() == [young] and [f.name for f in (store.folder / "jobs").iterdir()] == [young.id]


@pytest.mark.parametrize("state", ["queued", "running", "disk_full"])
def test_a_job_that_is_not_finished_stays_however_old_and_large(
    store: Store, clock: Clock, state: str
) -> None:
    submit(store)
    if state != "queued":
        speaker = Speaker(store, claim(store))
        speaker.begin(0)
        speaker.speak(1000)
        if state == "disk_full":
            store.release(speaker.job, "disk_full")
    clock.now += 1000 * DAY_S
    before = files(store.folder / "jobs")
    assert sweep(store, 0, 0, 2**60) == []
    assert len(store.list()) == 1 and files(store.folder / "jobs") == before


def test_a_regenerated_job_is_as_young_as_its_new_end(store: Store, clock: Clock) -> None:
    job = done(store)
    clock.now += 31 * DAY_S
    store.regenerate(job.id, 0)
    assert sweep(store) == []
    Speaker(store, claim(store)).all()
    assert sweep(store) == []


def test_speech_goes_an_hour_after_its_end(store: Store, clock: Clock) -> None:
    job = done(store, kind="speech")
    clock.now += HOUR_S - 1
    assert sweep(store) == []
    clock.now += 1
    assert sweep(store) == [job.id]
    assert files(store.folder / "jobs") == set()


def test_when_all_take_too_much_the_oldest_go_until_the_rest_fits(store: Store, clock: Clock) -> None:
    ids = [large(store, clock) for _ in range(4)]
    half = store.usage() // 2
    assert sweep(store, most_bytes=half) == ids[:2]
    assert store.usage() <= half and [job.id for job in store.list()] == [ids[3], ids[2]]


def test_when_the_disk_is_short_the_oldest_go_until_there_is_room(store: Store, clock: Clock) -> None:
    ids = [large(store, clock) for _ in range(3)]
    room = store.room(0)
    assert sweep(store, reserve=room + 2**19) == ids[:1]


def test_nothing_goes_in_vain_when_others_have_filled_the_disk(store: Store, clock: Clock) -> None:
    job = large(store, clock)
    assert sweep(store, reserve=2**60) == []
    assert store.get(job).audible


def test_encoded_files_go_when_nobody_asked_for_them_for_a_day(store: Store) -> None:
    folder = store.folder_of(done(store).id)
    old = unused(folder / "encoded" / "a.mp3", DAY_S + 1)
    young = unused(folder / "encoded" / "b.mp3", DAY_S - 60)
    sweep(store)
    assert not old.exists() and young.exists()


def test_encoded_files_go_before_any_job_when_space_is_short(store: Store, clock: Clock) -> None:
    id = large(store, clock)
    encoded = unused(store.folder_of(id) / "encoded" / "a.wav", 3600)
    encoded.write_bytes(bytes(2**20))
    unused(encoded, 3600)
    making = unused(store.folder_of(id) / "encoded" / "b.wav", 1)
    assert sweep(store, most_bytes=3 * 2**19) == []
    assert not encoded.exists() and making.exists()


def test_folders_without_a_job_go(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(1)
    store.delete(speaker.job.id)
    # A runner that has yet to hear of it makes the folder again.
    store.folder_of(speaker.job.id).mkdir()
    speaker.write(1)
    assert files(store.folder / "jobs")
    sweep(store)
    assert files(store.folder / "jobs") == set()


def test_what_is_no_jobs_folder_is_left_alone(store: Store) -> None:
    (store.folder / "jobs" / "lost+found").mkdir()
    (store.folder / "jobs" / "notes.txt").write_text("x")
    sweep(store, 0, 0, 2**60)
    assert {path.name for path in (store.folder / "jobs").iterdir()} == {"lost+found", "notes.txt"}


def test_pieces_that_no_take_has_any_more_go_an_hour_later(store: Store) -> None:
    job = done(store)
    store.regenerate(job.id, 0)
    after = Speaker(store, claim(store)).all()
    folder = store.folder_of(job.id)
    sweep(store)
    assert len(files(folder)) == 6
    for path in folder.iterdir():
        unused(path, HOUR_S + 1)
    sweep(store)
    assert files(folder) == {f"{name}.{kind}" for name in ("0-1-2", "1-0-1") for kind in ("pcm", "state")}
    assert heard(b"".join(whole(store, after)))[0] == (0, 1, 0)


def test_pieces_of_a_job_that_is_spoken_stay_though_the_store_does_not_know_them_yet(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.write(1)
    for path in store.folder_of(speaker.job.id).iterdir():
        unused(path, 2 * HOUR_S)
    sweep(store)
    assert len(files(store.folder_of(speaker.job.id))) == 2


def test_segments_events_go_a_day_after_the_end_and_the_end_stays(store: Store, clock: Clock) -> None:
    done(store)
    clock.now += DAY_S - 1
    sweep(store)
    assert len(store.events(0)) == 3
    clock.now += 1
    sweep(store)
    assert [event.kind for event in store.events(0)] == ["done"]


def test_old_keys_and_deleted_voices_go(store: Store, clock: Clock) -> None:
    voice = store.library.add("a", "ana", False, np.ones(24_000, np.float32), "yes")
    (job,) = store.submit([new_job(voices=(voice.id,))], "ana", key="k")
    store.library.delete(voice.id)
    sweep(store)
    assert files(store.folder / "voices")
    store.cancel(job.id)
    clock.now += DAY_S
    sweep(store)
    assert files(store.folder / "voices") == set()
    with store.file.reading() as db:
        assert db.execute("SELECT count(*) FROM keys").fetchone()[0] == 0


def test_two_that_sweep_at_once_do_each_others_work(store: Store, clock: Clock) -> None:
    ids = [large(store, clock) for _ in range(3)]
    shutil.rmtree(store.folder_of(ids[0]))
    other = Store(store.folder, clock)
    gone = sweep(store, 0) + sweep(other, 0)
    assert sorted(gone) == sorted(ids) and sweep(other, 0) == []
