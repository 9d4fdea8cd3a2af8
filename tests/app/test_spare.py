"""A disk without a byte left still takes word of why a job waits."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from storing import claim, submit
from vibevoice.jobs.base import SPARE, SPARE_BYTES
from vibevoice.jobs.errors import StoreError
from vibevoice.jobs.model import Job
from vibevoice.jobs.store import Store


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 8 MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", tmp_path], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def fill(folder: Path) -> None:
    """To the last byte."""
    with (folder / "filler").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def write_on(store: Store, job: Job) -> None:
    """As long as there is room."""
    for _ in range(1000):
        store.renew("runner", {job.id: job.epoch}, 15)


def test_the_spare_is_held_once_and_given_up_when_there_is_nothing_else(small: Path) -> None:
    store = Store(small)
    for _ in range(2):
        store.keep_spare()
    assert (small / SPARE).stat().st_blocks * 512 == SPARE_BYTES
    submit(store)
    job = claim(store)
    fill(small)
    with pytest.raises(StoreError) as full:
        write_on(store, job)
    assert full.value.full
    store.spend_spare()
    store.release(job, "disk_full")
    assert (store.get(job.id).state, store.get(job.id).reason) == ("queued", "disk_full")
    fill(small)
    with pytest.raises(StoreError):
        store.keep_spare()
