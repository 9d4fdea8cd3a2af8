"""Several generations at once, in order, each undisturbed, and nobody waits for one that was given up."""

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import LONG, PEAK, SHORT, difference, exact, reach, say, sound, started
from running import APP, Stopped, process_state, wait_for
from vibevoice.engine import (
    Cancelled,
    Engine,
    Event,
    Generation,
    NotReady,
    QueueFull,
    Refused,
    Saved,
    Setup,
    Stream,
    Suspended,
)
from vibevoice.engine.cores import NICE
from vibevoice.script import Turn


@pytest.fixture(scope="module")
def setup(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """float64, so that what should be equal can be told from what is alike."""
    locks = tmp_path_factory.mktemp("locks")
    return exact(checkpoint, locks)


@pytest.fixture(scope="module")
def shared(setup: Setup) -> Iterator[Engine]:
    with started(setup, max_waiting=3) as engine:
        reach(engine, "ready")
        yield engine


@pytest.fixture
def engine(shared: Engine) -> Iterator[Engine]:
    """Two at once, three waiting."""
    yield shared
    shared.cancel_all()
    wait_for(lambda: shared.idle)


def test_the_web_process_does_without_torch() -> None:
    program = (
        "import sys, vibevoice.server, vibevoice.api.limits, vibevoice.api.metrics, vibevoice.ui.page\n"
        "import vibevoice.engine, vibevoice.voices\n"
        "print(*{'torch', 'transformers'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(APP)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "\n"


def test_on_the_cpu_others_go_first(engine: Engine) -> None:
    """Whether the kernel schedules processes or sessions."""
    assert engine.pid is not None
    process = Path("/proc", str(engine.pid))
    assert {os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in process.glob("task/*")} == {NICE}
    assert os.getsid(engine.pid) == engine.pid
    autogroup = process / "autogroup"
    assert not autogroup.exists() or autogroup.read_text().endswith(f"nice {NICE}\n")
    assert os.getpriority(os.PRIO_PROCESS, 0) == 0


def test_nothing_is_taken_before_the_model_is_loaded(setup: Setup) -> None:
    with pytest.raises(NotReady, match="loading"):
        Engine(setup, max_waiting=2).submit(say())


def test_streams_start_in_the_order_in_which_they_came(engine: Engine) -> None:
    happened: list[Event] = []
    engine.listen(happened.append)
    streams = [engine.submit(say(script)) for script in (LONG, SHORT, LONG, SHORT, SHORT)]
    wait([stream.future for stream in streams])
    begun = [event.stream for event in happened if event.kind == "started"]
    assert begun == streams


def test_one_joins_while_another_is_spoken_and_neither_is_the_others_business(engine: Engine) -> None:
    alone = [sound(engine.submit(say(script, seed))) for script, seed in ((LONG, 7), (SHORT, 8))]
    long = engine.submit(say(LONG, 7))
    next(long.frames())
    short = engine.submit(say(SHORT, 8))
    short.future.result()
    assert not long.future.done()
    for stream, expected in zip((long, short), alone, strict=True):
        assert difference(expected, sound(stream)) < PEAK


def test_the_sound_comes_frame_by_frame_and_is_the_speech(engine: Engine) -> None:
    stream = engine.submit(say())
    pieces = list(stream.frames())
    speech = stream.future.result()
    assert {len(piece) for piece in pieces} == {3200}
    assert np.array_equal(np.concatenate(pieces), speech.samples)
    assert stream.count == speech.frames == len(pieces)
    assert stream.samples == len(speech.samples)
    assert stream.started and stream.first_frame and stream.submitted <= stream.started <= stream.first_frame
    # Once more, for one who comes late.
    assert np.array_equal(sound(stream), speech.samples)


def test_a_pause_is_silence_of_its_length(engine: Engine) -> None:
    turns = (Turn(0, "Hello.", pause_ms=500), Turn(0, "Hello."))
    stream = engine.submit(Generation(turns, seed=1))
    [pause] = [piece for piece in stream.frames() if len(piece) != 3200]
    assert len(pause) == 12_000
    assert not pause.any()
    speech = stream.future.result()
    assert len(speech.samples) == 3200 * speech.frames + 12_000
    assert stream.saved and len(stream.saved.parts) == 1


def test_a_drawn_seed_repeats_what_it_gave(engine: Engine) -> None:
    drawn = engine.submit(say(seed=None)).future.result()
    assert 0 <= drawn.seed < 2**32
    again = engine.submit(say(seed=drawn.seed)).future.result()
    assert difference(drawn.samples, again.samples) < PEAK


def test_a_full_queue_refuses(engine: Engine) -> None:
    with Stopped(engine):
        streams = [engine.submit(say()) for _ in range(5)]
        with pytest.raises(QueueFull, match="3 generations wait"):
            engine.submit(say())
        assert (engine.running, engine.waiting) == (0, 5)
    wait([stream.future for stream in streams])
    assert engine.submit(say()).future.result().frames


def test_a_stream_given_up_while_it_waits_never_starts(engine: Engine) -> None:
    with Stopped(engine):
        stream = engine.submit(say())
        stream.cancel()
        assert isinstance(stream.future.exception(), Cancelled)
        assert engine.idle
    assert engine.submit(say()).future.result().frames
    assert stream.started is None


def test_a_stream_given_up_while_it_is_spoken_makes_room(engine: Engine) -> None:
    streams = [engine.submit(say(LONG)) for _ in range(2)]
    after = engine.submit(say())
    for stream in streams:
        next(stream.frames())
        stream.cancel()
        stream.cancel()
    assert after.future.result().frames
    with pytest.raises(Cancelled):
        sound(streams[0])
    wait_for(lambda: engine.capacity().kv_used == 0)


def test_giving_up_what_has_ended_changes_nothing(engine: Engine) -> None:
    stream = engine.submit(say())
    speech = stream.future.result()
    stream.cancel()
    assert stream.suspend() == stream.saved
    assert stream.future.result() is speech


PAUSED = (Turn(0, "Hello.", pause_ms=500), Turn(1, "Hello there my friend, how are you? " * 4))


@pytest.mark.parametrize(
    ("turns", "pieces"), [(say(LONG).turns, 20), (PAUSED, 3), (PAUSED, 15)], ids=["long", "before", "behind"]
)
def test_a_suspended_stream_goes_on_as_if_nothing_had_been(
    engine: Engine, turns: tuple[Turn, ...], pieces: int
) -> None:
    whole = sound(engine.submit(Generation(turns, seed=3)))
    first = engine.submit(Generation(turns, seed=3))
    list(itertools.islice(first.frames(), pieces))
    saved = first.suspend()
    assert isinstance(first.future.exception(), Suspended)
    assert saved and saved.count == first.count
    # As after a night in a file.
    saved = Saved.from_bytes(saved.to_bytes())
    rest = engine.submit(Generation(turns, resume=saved))
    assert difference(whole, np.concatenate([*_until(first), sound(rest)])) < PEAK
    assert rest.seed == 3


def _until(stream: Stream) -> Iterator[np.ndarray]:
    """The sound of a stream that was suspended."""
    try:
        yield from stream.frames()
    except Suspended:
        return


def test_a_stream_that_waits_can_be_suspended_and_has_nothing_to_save(engine: Engine) -> None:
    streams = [engine.submit(say(LONG)) for _ in range(3)]
    assert streams[2].suspend() is None
    assert isinstance(streams[2].future.exception(), Suspended)


def test_what_was_saved_with_other_weights_is_refused(engine: Engine) -> None:
    other = Saved("another checkpoint", 4, bytes(8))
    error = engine.submit(say(resume=other)).future.exception()
    assert isinstance(error, Refused)
    assert error.param == "resume"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"turns": ()}, "nothing to speak"),
        ({"turns": tuple(Turn(n, "Hello.") for n in range(5))}, "5 speakers"),
        ({"voices": (None,) * 5}, "5 voices"),
        ({"voices": (np.zeros(100, np.float32),)}, "voice"),
        ({"voices": (np.full(48_000, np.nan, np.float32),)}, "voice"),
        ({"guidance": 0.0}, "guidance"),
        ({"guidance": 10.1}, "guidance"),
        ({"guidance": math.nan}, "guidance"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"cap": 0}, "cap"),
    ],
)
def test_what_can_never_be_spoken_is_refused_at_once(
    engine: Engine, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words) as caught:
        engine.submit(say(**wrong))
    assert "\n" not in str(caught.value)
    assert engine.idle


def test_one_bad_generation_does_not_stop_the_next(engine: Engine) -> None:
    error = engine.submit(say(steps=3)).future.exception()
    assert isinstance(error, Refused)
    assert engine.submit(say()).future.result().frames


def test_a_cap_ends_a_stream(engine: Engine) -> None:
    speech = engine.submit(say(LONG, cap=3)).future.result()
    assert speech.frames == 3
    assert speech.capped


def test_an_engine_that_closes_finishes_what_is_there_and_hands_over_its_gpu(
    shared: Engine, setup: Setup
) -> None:
    """Two engines, one GPU: the second waits, with what it is given, until the first has ended.

    The last test with the shared engine, which it ends.
    """
    with started(setup) as second:
        reach(second, "waiting")
        early = second.submit(say())
        assert shared.submit(say()).future.result().frames
        late = [shared.submit(say(LONG)) for _ in range(3)]
        pid = shared.pid
        assert pid
        shared.close()
        with pytest.raises(NotReady, match="closed"):
            shared.submit(say())
        assert all(stream.future.result().frames for stream in late)
        assert shared.join(60)
        assert not process_state(pid)
        assert early.future.result().frames
        assert second.state == "ready"


def test_a_missing_checkpoint_is_a_failed_engine(tmp_path: Path) -> None:
    with started(Setup(tmp_path, "cpu")) as engine:
        wait_for(lambda: engine.state == "failed")
        assert str(tmp_path) in engine.reason
        assert engine.restarts == 0
        with pytest.raises(NotReady, match="failed"):
            engine.submit(say())


@pytest.mark.parametrize("wrong", [{"steps": 5000}, {"solver": "euler"}, {"kv_bytes": 1000}])
def test_an_engine_that_is_set_up_wrong_fails_at_once(setup: Setup, wrong: dict[str, Any]) -> None:
    with started(replace(setup, **wrong)) as engine:
        wait_for(lambda: engine.state == "failed")
        assert engine.reason
        assert engine.restarts == 0


def test_a_lock_that_cannot_be_made_is_a_failed_engine(checkpoint: Path, tmp_path: Path) -> None:
    with started(Setup(checkpoint, "cpu", lock_dir=tmp_path / "missing")) as engine:
        wait_for(lambda: engine.state == "failed")
        assert "VV_LOCK_DIR" in engine.reason


def test_an_engine_that_is_closed_while_it_loads_ends(setup: Setup) -> None:
    engine = Engine(setup, max_waiting=0)
    engine.start()
    wait_for(lambda: engine.pid is not None)
    engine.close()
    assert engine.join(60)
