"""Jobs that real runners speak for a test, and what they should come to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from running import wait_for
from vibevoice.audio import pcm16
from vibevoice.engine import Engine, Generation, Prefix, Saved
from vibevoice.jobs.model import Job, NewJob
from vibevoice.jobs.runner import Runner, RunnerEvent
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import Store
from vibevoice.script import Turn

Sound = np.ndarray[Any, np.dtype[np.int16]]
WORDS = "Hello there my friend, how are you?"
"""About 27 frames."""


def talk(count: int = 2, words: str = WORDS, seed: int = 1, **fields: Any) -> NewJob:
    """So many segments, each of two turns by two speakers with a pause between them."""
    turns = tuple(Turn(n % 2, words, pause_ms=0 if n % 2 else 200) for n in range(2 * count))
    return NewJob(
        **{
            "script": "As read.",
            "turns": turns,
            "speakers": ("Ana", "Ben"),
            "segments": tuple((2 * n, 2 * n + 2, 8.0) for n in range(count)),
            "seed": seed,
            **fields,
        }
    )


def submitted(store: Store, new: NewJob, user: str = "ana") -> Job:
    [job] = store.submit([new], user)
    return job


class Work:
    """A runner that works for a test, and what it tells."""

    def __init__(self, store: Store, engine: Engine, name: str, **options: Any) -> None:
        self.store = store
        self.events: list[RunnerEvent] = []
        self.spoken: list[tuple[str, float]] = []
        options.setdefault("spoken", lambda job, seconds: self.spoken.append((job.id, seconds)))
        self.runner = Runner(store, engine, name=name, slot=0, **options)
        self.runner.listen(self.events.append)
        self.runner.start()

    def submit(self, new: NewJob, user: str = "ana") -> Job:
        job = submitted(self.store, new, user)
        self.runner.poke()
        return job

    def kinds(self, job: Job) -> list[str]:
        return [event.kind for event in self.events if event.job.id == job.id]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runner, name)


@contextmanager
def at_work(store: Store, engine: Engine, name: str = "runner", **options: Any) -> Iterator[Work]:
    """A runner that hands over with the block's end what it has."""
    work = Work(store, engine, name, **options)
    try:
        yield work
    finally:
        work.drain(0)


def ended(store: Store, job: Job) -> Job:
    """The job, once it is over."""
    wait_for(lambda: store.get(job.id).final)
    return store.get(job.id)


def spoken_some(store: Store, job: Job, seconds: float = 0.1) -> None:
    """Wait until so much of it is to be heard, and it is not over."""
    wait_for(lambda: store.get(job.id).audio_s >= seconds)
    assert not store.get(job.id).final


def sound_of(store: Store, job: Job, segment: int | None = None) -> Sound:
    """What is to be heard of a job that is done."""
    job = store.get(job.id)
    assert job.state == "done", job.error_message
    return np.frombuffer(b"".join(whole(store, job, segment)), "<i2")


def undisturbed(engine: Engine, new: Job | NewJob, seeds: list[int], alone: bool = False) -> list[Sound]:
    """What the segments come to when an engine speaks them one after the other and nothing happens.

    `alone`: none goes on from the one before.
    """
    sounds: list[Sound] = []
    prefix: Prefix | None = None
    for turns, seed in zip(_turns(new), seeds, strict=True):
        stream = engine.submit(Generation(turns, seed=seed, prefix=None if alone else prefix))
        sounds.append(pcm16(stream.future.result(120).samples))
        saved = stream.saved
        assert isinstance(saved, Saved)
        prefix = Prefix(turns, saved)
    return sounds


def _turns(new: Job | NewJob) -> list[tuple[Turn, ...]]:
    if isinstance(new, Job):
        return [new.turns[segment.first : segment.last] for segment in new.segments]
    return [new.turns[first:last] for first, last, _ in new.segments]


def seeds_of(job: Job) -> list[int]:
    """Of what is heard of each segment."""
    return [segment.heard.seed for segment in job.segments if segment.heard]


def assert_same(one: Sound, other: Sound) -> None:
    """To the sample, and within one step of 16 bits."""
    assert len(one) == len(other) > 0
    assert np.abs(one.astype(np.int32) - other.astype(np.int32)).max() <= 1


def assert_undisturbed(store: Store, engine: Engine, job: Job, alone: bool = False) -> None:
    """A job's sound is as if nothing had ever happened."""
    job = store.get(job.id)
    expected = undisturbed(engine, job, seeds_of(job), alone or job.one_take)
    assert_same(sound_of(store, job), np.concatenate(expected))


class Gate:
    """What a runner runs into: it stands still there, as if its process had been stopped."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def __call__(self, *_: object) -> None:
        if not self._open.is_set():
            self.closed.set()
            assert self._open.wait(120)
