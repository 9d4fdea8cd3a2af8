"""Five times something is killed (THOROUGH=1: fifty), and no listener to what was spoken can tell."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from engines import exact, reach, started
from jobbing import Sound, assert_same, seeds_of, sound_of, talk, undisturbed
from running import THOROUGH, Process, children, free_ports, process_state, wait_for
from vibevoice.jobs.model import Job, Take
from vibevoice.jobs.store import Store

ENGINE_KILLS, WEB_KILLS = (30, 20) if THOROUGH else (3, 2)
MOMENTS = 20261125
LEASE_S = 2
# So many jobs are under way or wait for as long as things are killed; each has four segments with pauses.
UNDER_WAY, SEGMENTS, SEEDS = 4, 4, 3


class Studio:
    """`python -m vibevoice`, which somebody starts again whenever it is gone, as Docker does."""

    def __init__(self, slot: int, **variables: object) -> None:
        self._variables = {"slot": slot, "streams": 2, "lease_s": LEASE_S, "drain_s": 0, **variables}
        self.start()

    def start(self) -> None:
        """One more."""
        self.process = Process(*free_ports(), **self._variables)

    @property
    def pid(self) -> int:
        return self.process.process.pid

    @property
    def engine(self) -> int | None:
        """Its engine's process, if there is one just now."""
        return next((child for child in children(self.pid) if _is_engine(child)), None)

    def kill_web(self) -> None:
        """Kill it, see that its engine does not outlive it nor keep the GPU, and start another."""
        engine = self.engine
        self.process.kill()
        if engine:
            wait_for(lambda: process_state(engine) == "")
        self.start()

    def kill_engine(self) -> None:
        """Kill its engine's process, as soon as there is one."""
        wait_for(lambda: self.engine is not None)
        os.kill(self.engine or 0, signal.SIGKILL)

    def stop(self) -> None:
        """In order; nothing of it is left."""
        self.process.wait_until("/health/ready", 200)
        engine = self.engine
        self.process.process.terminate()
        assert self.process.end()[0] == 0
        assert engine is None or process_state(engine) == ""


def _is_engine(process: int) -> bool:
    try:
        return b"vibevoice.engine" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def two_studios(**variables: object) -> Iterator[list[Studio]]:
    """Of one project, each with a GPU of its own. Nothing of them is left behind."""
    studios = [Studio(slot, **variables) for slot in range(2)]
    try:
        yield studios
        for studio in studios:
            studio.stop()
    finally:
        for studio in studios:
            studio.process.kill()


def progress(store: Store) -> dict[str, float]:
    """By job, seconds that are on the disk."""
    return {job.id: job.audio_s for job in store.list(limit=1000)}


def at_work(store: Store, before: dict[str, float]) -> list[int]:
    """The slots of the studios in the midst of a segment that have saved some of it since `before`."""
    slots = {runner.id: runner.slot for runner in store.runners() if runner.engine == "ready"}
    return [
        slots[job.runner]
        for job in store.list(limit=1000)
        if job.runner in slots
        and job.audio_s > before.get(job.id, 0)
        and any(take.pieces and take.pieces[-1].epoch == job.epoch for take in coming(job))
    ]


def coming(job: Job) -> list[Take]:
    """The takes that are not finished."""
    return [segment.coming for segment in job.segments if segment.coming]


def keep_busy(store: Store, jobs: list[Job]) -> None:
    """Hand in more, so that there is always something to lose."""
    while store.running() + store.waiting() < UNDER_WAY:
        jobs += store.submit([talk(SEGMENTS, seed=len(jobs) % SEEDS)], "ana")


def somebody_at_work(store: Store, jobs: list[Job], before: dict[str, float]) -> list[int]:
    """`at_work`, as soon as that is anybody."""
    slots: list[int] = []

    def found() -> bool:
        keep_busy(store, jobs)
        slots[:] = at_work(store, before)
        return bool(slots)

    wait_for(found)
    return slots


def killed(studios: list[Studio], store: Store, dice: random.Random) -> list[Job]:
    """Kill engines and web processes at random moments of their work; the jobs."""
    jobs: list[Job] = []
    kills = ["engine"] * ENGINE_KILLS + ["web"] * WEB_KILLS
    dice.shuffle(kills)
    for kill in kills:
        before = progress(store)
        # Three deaths without a word in between are held against the script: somebody has to get on.
        somebody_at_work(store, jobs, before)
        time.sleep(dice.uniform(0, 0.3))
        # And be at it when killed: in a pause between segments there is nothing to lose.
        studio = studios[dice.choice(somebody_at_work(store, jobs, before))]
        if kill == "web":
            studio.kill_web()
        else:
            studio.kill_engine()
    return jobs


def assert_written_once(store: Store, job: Job) -> None:
    """Each piece has a file of its own, with all that was saved of it, under a lease of its own."""
    for segment in job.segments:
        take = segment.heard
        assert take
        epochs = [piece.epoch for piece in take.pieces]
        assert epochs == sorted(set(epochs))
        for piece in take.pieces:
            path = store.piece_path(job.id, segment.n, take.number, piece.epoch, "pcm")
            assert path.stat().st_size >= 2 * piece.samples


def test_kills_at_any_moment_cost_no_job_a_sample(checkpoint: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    variables = {
        "model_dir": checkpoint,
        "lock_dir": tmp_path,
        "data_dir": tmp_path / "data",
        "dtype": "float64",
        "kv_memory": "64MiB",
        "disk_reserve": "1MiB",
    }
    with two_studios(**variables) as studios:
        jobs = killed(studios, store, random.Random(MOMENTS))
        wait_for(lambda: all(store.get(job.id).final for job in jobs))
    expected = spoken_in_peace(checkpoint, tmp_path, [store.get(job.id) for job in jobs[:SEEDS]])
    interrupted = 0
    for job in (store.get(job.id) for job in jobs):
        assert_same(sound_of(store, job), expected[job.seed])
        assert_written_once(store, job)
        interrupted += sum(len(segment.heard.pieces) - 1 for segment in job.segments if segment.heard)
    # A killed engine's segment goes on under the same lease: only web processes leave a piece each.
    assert interrupted >= WEB_KILLS // 2, "most kills hit nothing"


def spoken_in_peace(checkpoint: Path, folder: Path, jobs: list[Job]) -> dict[int, Sound]:
    """By seed."""
    with started(exact(checkpoint, folder)) as engine:
        reach(engine, "ready")
        return {job.seed: np.concatenate(undisturbed(engine, job, seeds_of(job))) for job in jobs}
