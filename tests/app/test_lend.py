"""A studio that is to be replaced lends its GPU to the one that comes, or takes it back where that fails."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from engines import exact, reach, started
from jobbing import (
    WORDS,
    Work,
    assert_same,
    at_work,
    ended,
    seeds_of,
    sound_of,
    spoken_some,
    talk,
    undisturbed,
)
from running import Process, free_ports, wait_for
from vibevoice.engine import Engine
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import CheckpointError, Frame, Generation
from vibevoice.engine.probe import FRAMES, speak
from vibevoice.jobs.store import Store
from vibevoice.script import Turn

SEGMENTS = 6
SCRIPT = f"Speaker 1: {WORDS * 10}"


@pytest.fixture
def variables(checkpoint: Path, tmp_path: Path) -> dict[str, object]:
    """Of two studios on one GPU; one that stops gives open answers no time, unless another speaks for it."""
    return {
        "model_dir": checkpoint,
        "lock_dir": tmp_path,
        "data_dir": tmp_path / "data",
        "slot": 0,
        "dtype": "float64",
        "kv_memory": "64MiB",
        "disk_reserve": "1MiB",
        "drain_s": 0,
        "stop_grace_s": 0,
        "heartbeat_s": 0.2,
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


@pytest.fixture
def old(variables: dict[str, object]) -> Iterator[Process]:
    with Process(*free_ports(), **variables) as studio:
        studio.reach("ready")
        yield studio


@pytest.fixture
def new(variables: dict[str, object], old: Process) -> Iterator[Process]:
    """Started beside the old one, and in line for its GPU."""
    with Process(*free_ports(), **variables) as studio:
        studio.reach("waiting")
        yield studio


def begun(store: Store) -> str:
    """A job that is being spoken, with more to come."""
    [job] = store.submit([talk(SEGMENTS)], "ana")
    wait_for(lambda: store.get(job.id).audio_s > 1)
    return job.id


def assert_whole(store: Store, id: str, variables: dict[str, object], tmp_path: Path) -> None:
    """Done, by two, and the same as if one had spoken it."""
    wait_for(lambda: store.get(id).final)
    job = store.get(id)
    assert job.state == "done", job.error_message
    assert any(len(segment.heard.pieces) > 1 for segment in job.segments if segment.heard), "nobody took over"
    with started(exact(variables["model_dir"], tmp_path)) as engine:  # type: ignore[arg-type]
        reach(engine, "ready")
        assert_same(sound_of(store, job), np.concatenate(undisturbed(engine, job, seeds_of(job))))


@pytest.mark.thorough  # on the lab, a rolling update does that in every run
def test_a_job_goes_on_in_the_studio_that_comes(
    store: Store, old: Process, new: Process, variables: dict[str, object], tmp_path: Path
) -> None:
    id = begun(store)
    assert new.status("/health/ready") == 200, "it takes jobs before it has the GPU"

    old.process.send_signal(signal.SIGUSR1)
    new.reach("ready")
    wait_for(lambda: old.says().get("engine") == "waiting")
    assert old.status("/health/ready") == 200, "it goes on taking jobs"

    old.process.terminate()
    assert old.end()[0] == 0
    assert new.says()["engine"] == "ready"
    new.process.terminate()  # hands over what it has not ended
    assert new.end()[0] == 0
    with Process(*free_ports(), **variables) as last:
        last.reach("ready")
        wait_for(lambda: store.get(id).final)
    assert_whole(store, id, variables, tmp_path)


def test_speech_goes_on_in_the_studio_that_comes_and_is_passed_on_to_its_end(
    old: Process, new: Process
) -> None:
    thread, answers = old.speak(SCRIPT, seed=5, response_format="pcm")
    with httpx.stream("GET", f"{old.url}/v1/events", timeout=None) as events:
        lines = events.iter_lines()
        next(lines)
        old.process.send_signal(signal.SIGUSR1)
        old.process.terminate()
        assert "event: bye" in list(lines), "the page goes to the new one at once"
    assert thread.is_alive(), "it was spoken before it could be handed over"
    new.reach("ready")
    thread.join()
    assert old.end()[0] == 0
    again, same = new.speak(SCRIPT, seed=5, response_format="pcm")
    again.join()
    assert answers[0].status_code == 200
    assert_same(*(np.frombuffer(each.content, np.int16) for each in (*answers, *same)))


@pytest.mark.thorough  # on the lab, a version that cannot speak does that in every run
def test_the_gpu_comes_back_when_the_studio_that_came_dies(
    store: Store, old: Process, new: Process, variables: dict[str, object], tmp_path: Path
) -> None:
    id = begun(store)
    old.process.send_signal(signal.SIGUSR1)
    new.reach("ready")
    new.kill()
    old.reach("ready")
    wait_for(lambda: store.get(id).final)
    old.process.terminate()
    assert old.end()[0] == 0
    assert_whole(store, id, variables, tmp_path)


def test_an_engine_that_sleeps_has_nothing_to_lend(store: Store, work: Work, engine: Engine) -> None:
    assert engine.sleep()
    work.runner.lend()
    assert work.runner.lent
    job = work.submit(talk(1))
    # It is woken by the job, as if nobody had asked.
    assert ended(store, job).state == "done"
    assert not work.runner.lent


def test_lending_without_anybody_who_waits_costs_a_moment(store: Store, work: Work, engine: Engine) -> None:
    job = work.submit(talk(2))
    spoken_some(store, job, 1)
    pid = engine.pid
    work.runner.lend()
    assert ended(store, job).state == "done"
    assert engine.pid != pid
    assert not work.runner.paused
    assert not work.runner.lent, "it has its GPU back"


@pytest.fixture
def engine(checkpoint: Path, tmp_path: Path) -> Iterator[Engine]:
    with started(exact(checkpoint, tmp_path)) as engine:
        reach(engine, "ready")
        yield engine


@pytest.fixture
def work(store: Store, engine: Engine) -> Iterator[Work]:
    with at_work(store, engine) as work:
        yield work


# --- the first word ----------------------------------------------------------------------------------------


@pytest.fixture
def batch(checkpoint: Path) -> Batch:
    return Batch(load(checkpoint, "cpu"), slots=2, kv_bytes=2**26)


def spoken(batch: Batch) -> np.ndarray:
    run = batch.prepare(Generation((Turn(0, "Hello there."),), seed=3, cap=5))
    assert batch.admit(run)
    sound = []
    while batch.busy:
        sound += [what.samples for _, what in batch.step() if isinstance(what, Frame)]
    return np.concatenate(sound)


def test_a_word_is_spoken_and_leaves_nothing_behind(checkpoint: Path, batch: Batch) -> None:
    free = batch.kv_free
    speak(batch)
    assert (batch.running, batch.busy, batch.kv_free) == (0, False, free)
    untouched = Batch(load(checkpoint, "cpu"), slots=2, kv_bytes=2**26)
    np.testing.assert_array_equal(spoken(batch), spoken(untouched))


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "no numbers"), (0.0, "speaks nothing")])
def test_a_model_that_says_nothing_is_not_ready(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, value: float, words: str
) -> None:
    advance = batch._advance

    def broken(count: int, bound: int) -> None:
        advance(count, bound)
        batch._state.samples.fill_(value)

    monkeypatch.setattr(batch, "_advance", broken)
    with pytest.raises(CheckpointError, match=words):
        speak(batch)
    assert batch.running == 0


def test_the_probe_is_short(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = batch.step

    def counted() -> object:
        nonlocal steps
        steps += 1
        return step()

    monkeypatch.setattr(batch, "step", counted)
    speak(batch)
    assert steps <= 2 * FRAMES + 2, "a word, not a sentence"
