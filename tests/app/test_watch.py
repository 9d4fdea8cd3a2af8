"""Whoever waits for the store learns of a change, whoever made it, within a moment."""

import asyncio
import shutil
import threading
import time
from pathlib import Path

import pytest
from running import wait_for
from storing import alive, submit
from vibevoice.jobs.store import Store
from vibevoice.jobs.watch import LOOK_S, Watch


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def waited(watch: Watch, seen: int, timeout: float) -> tuple[int, float]:
    """What a wait gave, and how long it took, in seconds."""

    async def wait() -> tuple[int, float]:
        begin = time.monotonic()
        return await watch.wait(seen, timeout), time.monotonic() - begin

    return asyncio.run(wait())


def quiet(watch: Watch) -> int:
    """The count when nothing changes any more."""
    seen = watch.seen
    while (later := waited(watch, seen, 2 * LOOK_S)[0]) != seen:
        seen = later
    return seen


def test_a_change_of_another_container_wakes_who_waits(store: Store) -> None:
    watch = Watch(store)
    seen = quiet(watch)
    other = threading.Timer(0.1, lambda: submit(Store(store.folder)))
    other.start()
    count, took = waited(watch, seen, 10)
    assert count > seen and took < 5
    other.join()


def test_a_change_between_the_look_and_the_wait_is_not_missed(store: Store) -> None:
    watch = Watch(store)
    seen = quiet(watch)
    submit(store)
    count, took = waited(watch, seen, 10)
    assert count > seen and took < 5


def test_a_poke_wakes_at_once_in_every_loop(store: Store) -> None:
    watch = Watch(store)
    seen = quiet(watch)
    answers: list[tuple[int, float]] = []
    threads = [threading.Thread(target=lambda: answers.append(waited(watch, seen, 10))) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(watch._waiting) == 3)
    watch.poke()
    for thread in threads:
        thread.join()
    assert {count for count, _ in answers} == {seen + 1}


def test_without_a_change_a_wait_ends_in_time(store: Store) -> None:
    watch = Watch(store)
    seen = quiet(watch)
    count, took = waited(watch, seen, 0.3)
    assert count == seen and 0.29 < took < 5


def test_a_beat_of_a_runner_wakes_nobody(store: Store) -> None:
    watch = Watch(store)
    seen = quiet(watch)
    alive(store)
    assert waited(watch, seen, 3 * LOOK_S)[0] == seen


def test_nobody_looks_while_nobody_waits(store: Store) -> None:
    watch = Watch(store)
    quiet(watch)
    wait_for(lambda: not any(thread.name == "store-watch" for thread in threading.enumerate()))


def test_a_store_that_is_gone_is_no_error_for_who_waits(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(store.folder)
    watch = Watch(store)
    assert waited(watch, watch.seen, 3 * LOOK_S)[0] == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_wait_that_is_given_up_leaves_nothing(store: Store) -> None:
    watch = Watch(store)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.wait(quiet_count, 60), 0.05)

    quiet_count = quiet(watch)
    asyncio.run(give_up())
    assert not watch._waiting
