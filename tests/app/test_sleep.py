"""An engine can be done without for a while; a stream whose sound is taken as it comes keeps none of it."""

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engines import LONG, PEAK, difference, exact, reach, say, sound, started
from running import process_state, wait_for
from vibevoice.audio import Samples
from vibevoice.engine import Cancelled, Engine, Event, Generation, NotReady, Setup, Stream
from vibevoice.engine.generation import Frame, PartEnd
from vibevoice.script import Turn

PAUSED = (Turn(0, "Hello.", pause_ms=500), Turn(0, "Hello."))
NINETY_MINUTES = 40_500
"""Of frames."""


@pytest.fixture(scope="module")
def setup(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    locks = tmp_path_factory.mktemp("locks")
    return exact(checkpoint, locks)


@pytest.fixture(scope="module")
def shared(setup: Setup) -> Iterator[Engine]:
    with started(setup) as engine:
        reach(engine, "ready")
        yield engine


@pytest.fixture
def engine(shared: Engine) -> Engine:
    """One that is awake."""
    shared.wake()
    reach(shared, "ready")
    return shared


def taken(stream: Stream) -> list[Frame | PartEnd]:
    """All that a stream said, as one who takes it gets it."""
    news = threading.Event()
    stream.listen(news.set)
    got: list[Frame | PartEnd] = []
    while not stream.future.done():
        news.wait(60)
        news.clear()
        got += stream.take_new()
    return got + stream.take_new()


def heard(got: list[Frame | PartEnd]) -> Samples:
    pieces = (new.samples if isinstance(new, Frame) else np.zeros(new.silence, np.float32) for new in got)
    return np.concatenate(list(pieces))


def test_an_engine_that_sleeps_has_no_process_and_takes_nothing(engine: Engine) -> None:
    pid = engine.pid
    assert pid
    assert engine.sleep()
    assert engine.state == "asleep"
    assert engine.pid is None
    assert not process_state(pid)
    assert engine.capacity().kv_tokens == 0
    with pytest.raises(NotReady, match="asleep"):
        engine.submit(say())


def test_one_that_was_woken_speaks_as_before(engine: Engine) -> None:
    before, restarts = sound(engine.submit(say())), engine.restarts
    happened: list[Event] = []
    engine.listen(happened.append)
    assert engine.sleep()
    engine.wake()
    reach(engine, "ready")
    assert difference(before, sound(engine.submit(say()))) < PEAK
    assert [event.kind for event in happened[:3]] == ["state"] * 3
    assert engine.restarts == restarts


def test_its_gpu_is_anothers_while_it_sleeps(engine: Engine, setup: Setup) -> None:
    assert engine.sleep()
    with started(setup) as other:
        reach(other, "ready")
        engine.wake()
        reach(engine, "waiting")
    reach(engine, "ready")


def test_one_that_speaks_is_not_put_to_sleep(engine: Engine) -> None:
    stream = engine.submit(say(LONG))
    assert not engine.sleep()
    assert stream.future.result().frames
    assert engine.state == "ready"


def test_to_sleep_and_to_wake_twice_changes_nothing(engine: Engine) -> None:
    pid = engine.pid
    engine.wake()
    assert engine.pid == pid
    assert engine.sleep()
    assert not engine.sleep()


def test_one_that_loads_can_be_put_to_sleep(engine: Engine) -> None:
    engine.sleep()
    engine.wake()
    wait_for(lambda: engine.pid is not None)
    pid = engine.pid
    assert pid
    assert engine.sleep()
    assert not process_state(pid)


def test_one_that_sleeps_can_be_closed(setup: Setup) -> None:
    with started(setup) as engine:
        assert engine.sleep()
    assert engine.state == "closed"
    engine.wake()
    assert engine.state == "closed"


@pytest.mark.parametrize("turns", [say(LONG).turns, PAUSED], ids=["long", "paused"])
def test_what_is_taken_as_it_comes_is_the_speech(engine: Engine, turns: tuple[Turn, ...]) -> None:
    kept = engine.submit(Generation(turns, seed=1)).future.result()
    stream = engine.submit(Generation(turns, seed=1), keep=False)
    got = taken(stream)
    assert difference(kept.samples, heard(got)) < PEAK
    states = b"".join(new.state for new in got if isinstance(new, Frame))
    assert stream.saved and stream.saved.frames == states
    speech = stream.future.result()
    assert len(speech.samples) == 0
    assert (speech.frames, speech.length, speech.duration) == (kept.frames, kept.length, kept.duration)
    assert stream.samples == kept.length
    assert stream.take_new() == []


def test_who_listens_late_is_told_at_once(engine: Engine) -> None:
    stream = engine.submit(say(), keep=False)
    stream.future.result()
    told: list[bool] = []
    stream.listen(lambda: told.append(True))
    assert told


def test_who_listens_is_told_of_a_cancelled_end(engine: Engine) -> None:
    stream = engine.submit(say(LONG), keep=False)
    ended = threading.Event()
    stream.listen(lambda: ended.set() if stream.future.done() else None)
    stream.cancel()
    assert ended.wait(60)
    assert isinstance(stream.future.exception(), Cancelled)


def test_ninety_minutes_that_are_taken_as_they_come_fill_no_memory() -> None:
    stream = Stream(say(), lambda *_: None, keep=False)
    samples, state = np.zeros(3200, np.float32), bytes(384)
    tracemalloc.start()
    try:
        for number in range(NINETY_MINUTES):
            stream.take(Frame(samples.copy(), state), "weights")
            if number % 10 == 0:
                stream.take_new()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stream.samples == NINETY_MINUTES * 3200
    # The states of all frames, with the room that their memory leaves to grow; the sound would be 518 MB.
    assert most < 2 * NINETY_MINUTES * len(state)
