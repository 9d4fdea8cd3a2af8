"""A disk that is full, gone or broken costs an error, and never what was there before."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from storing import Speaker, claim, done, files, heard, new_job, submit
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import Store, StoreError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    if os.geteuid():
        pytest.fail("run as root: a full disk is a small file system that is mounted for the test")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    return path


def repeat(action: Callable[[], object]) -> None:
    """Until it fails, which must not take for ever."""
    for _ in range(10_000):
        action()


def test_on_a_full_disk_nothing_is_accepted_and_all_is_still_told(small_disk: Path) -> None:
    store = Store(small_disk)
    job = done(store)
    others = fill(small_disk)
    # What fits into the log's last page may still be accepted.
    accepted = [job.id]
    with pytest.raises(StoreError) as caught:
        repeat(lambda: accepted.append(submit(store, script="x" * 5000).id))
    assert caught.value.full
    assert {each.id for each in store.list(limit=10_000)} == set(accepted)
    assert heard(b"".join(whole(store, store.get(job.id)))) and store.events(0)
    others.unlink()
    assert submit(store).state == "queued"


def test_a_store_that_is_opened_on_a_full_disk_says_so(small_disk: Path) -> None:
    others = fill(small_disk)
    with pytest.raises(StoreError) as caught:
        Store(small_disk)
    assert caught.value.full
    others.unlink()
    assert submit(Store(small_disk)).state == "queued"


def test_what_was_being_spoken_when_the_disk_was_full_goes_on_once_it_is_not(small_disk: Path) -> None:
    store = Store(small_disk)
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    others = fill(small_disk)
    with pytest.raises((StoreError, OSError)):
        repeat(lambda: speaker.speak(50))
    saved = store.get(speaker.job.id).segments[0].coming
    assert saved and saved.frames >= 2 and store.room(0) < 2**16 and store.room(2**20) < 0
    others.unlink()
    store.release(speaker.job, "disk_full")
    again = Speaker(store, claim(store))
    again.begin(0)
    again.speak(1)
    assert heard(b"".join(whole(store, again.end(), 0))) == [(0, 0, k) for k in range(saved.frames + 1)]


def test_a_voice_that_does_not_fit_is_not_added(small_disk: Path) -> None:
    store = Store(small_disk)
    others = fill(small_disk)
    with pytest.raises(StoreError) as caught:
        store.library.add("ana", "ana", False, np.ones(24_000, np.float32), "yes")
    assert caught.value.full and store.library.list() == [] and files(small_disk / "voices") == set()
    others.unlink()
    assert store.library.add("ana", "ana", False, np.ones(24_000, np.float32), "yes").seconds == 1


def test_a_store_that_is_deleted_is_an_error_and_does_not_come_back_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    submit(store)
    shutil.rmtree(tmp_path / "data")
    for question in (store.list, store.last_event, lambda: submit(store)):
        with pytest.raises(StoreError) as caught:
            question()
        assert not caught.value.full
    assert not (tmp_path / "data").exists()


def test_a_store_that_another_made_anew_is_used(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    submit(store)
    shutil.rmtree(tmp_path / "data")
    job = submit(Store(tmp_path / "data"))
    assert store.list() == [job]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        Store(tmp_path / "file")


def test_a_file_that_is_no_database_is_an_error_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path)
    assert (tmp_path / "jobs.db").read_bytes() == b"something else" * 1000


def test_an_error_leaves_the_thread_able_to_ask_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError), store.file.writing() as db:
        db.execute("INSERT INTO jobs (nothing) VALUES (1)")
    assert submit(store).state == "queued"


def test_who_waits_for_another_that_holds_the_store_for_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibevoice.jobs.database.BUSY_S", 0.1)
    store, other = Store(tmp_path), Store(tmp_path)
    with other.transaction():
        with pytest.raises(StoreError, match="let go") as caught:
            submit(store)
        assert not caught.value.full
        # Whoever only looks waits for nobody.
        assert store.list() == []
    assert submit(store).state == "queued"


def test_another_program_may_look_into_the_store_at_any_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = submit(store)
    db = sqlite3.connect(f"file:{tmp_path}/jobs.db?mode=ro", uri=True)
    try:
        db.execute("BEGIN")
        assert db.execute("SELECT id FROM jobs").fetchall() == [(job.id,)]
        store.submit([new_job(script="x" * 10**6) for _ in range(8)], "ana")
        assert len(store.list()) == 9
    finally:
        db.close()


def test_nothing_of_a_transaction_that_failed_on_its_way_is_kept(small_disk: Path) -> None:
    store = Store(small_disk)
    job = submit(store)
    fill(small_disk)

    def all_in_spite() -> None:
        with store.transaction():
            store.rename(job.id, "before")
            with suppress(sqlite3.Error):
                store.rename(job.id, "x" * 4 * 2**20)
            store.rename(job.id, "after")

    with pytest.raises(StoreError):
        all_in_spite()
    assert store.get(job.id) == job
