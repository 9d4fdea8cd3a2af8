"""A studio throws away what is too old or too much by itself, and knows whether its store is there."""

import asyncio
import time
from pathlib import Path

import pytest
from storing import new_job
from vibevoice import upkeep
from vibevoice.jobs.errors import NoSuchJob
from vibevoice.jobs.store import Store
from vibevoice.jobs.watch import Watch
from vibevoice.settings import Settings

DAY_S = 86_400


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_S", "SWEEP_S", "LOOK_S"):
        monkeypatch.setattr(upkeep, name, 0.05)


def cancelled(store: Store) -> str:
    """A job that is over; its id."""
    (job,) = store.submit([new_job()], "ana")
    return store.cancel(job.id).id


async def kept(work: upkeep.Upkeep, seconds: float) -> None:
    """Let it work for so long."""
    tasks = [asyncio.create_task(work.look()), asyncio.create_task(work.sweep())]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_old_jobs_go_and_others_stay(tmp_path: Path) -> None:
    long_ago = Store(tmp_path, lambda: time.time() - 8 * DAY_S)
    old, (waiting,) = cancelled(long_ago), long_ago.submit([new_job()], "ana")
    store = Store(tmp_path)
    young = cancelled(store)
    settings = Settings.model_validate({"data_dir": tmp_path, "job_days": 7, "disk_reserve": 1})
    asyncio.run(kept(upkeep.Upkeep(store, Watch(store), settings, lambda: None), 1))
    with pytest.raises(NoSuchJob):
        store.get(old)
    assert [store.get(id).state for id in (young, waiting.id)] == ["cancelled", "queued"]


def test_a_store_that_is_replaced_under_a_studio_counts_as_gone_until_it_is_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (job,) = store.submit([new_job()], "ana")
    told: list[bool] = []
    settings = Settings.model_validate({"data_dir": tmp_path, "disk_reserve": 1})
    work = upkeep.Upkeep(store, Watch(store), settings, lambda: told.append(work.broken_since is not None))
    file, aside = tmp_path / "jobs.db", tmp_path / "aside"

    async def replaced() -> None:
        task = asyncio.create_task(work.look())
        await asyncio.sleep(0.5)
        file.rename(aside)
        file.write_bytes(b"")
        await asyncio.sleep(0.5)
        aside.rename(file)
        await asyncio.sleep(0.5)
        task.cancel()

    asyncio.run(replaced())
    assert told == [False, True, False]
    assert (work.waiting, work.running) == (1, 0)
    assert store.get(job.id)
