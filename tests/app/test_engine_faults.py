"""An engine may die at any moment, or hang: its streams end complete, and as if nothing had been."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import LONG, PEAK, SHORT, difference, reach, say, sound, stand_in, started
from running import APP, PATIENCE_S, process_state, wait_for
from vibevoice.audio import Samples
from vibevoice.engine import Engine, EngineError, Event, NotReady, Patience, Setup

SEEDS = range(4)
WEB = """
import sys, time
from pathlib import Path
from vibevoice.engine import Engine, Setup

engine = Engine(Setup(Path(sys.argv[1]), "cpu"), max_waiting=0)
engine.start()
while engine.state == "loading" and sys.argv[2] == "ready" or not engine.pid:
    time.sleep(0.01)
print(engine.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def setup(checkpoint: Path) -> Setup:
    """Three at once; float64, so that what should be equal can be told from what is alike."""
    return Setup(checkpoint, "cpu", streams=3, kv_bytes=2**26, dtype="float64")


@pytest.fixture(scope="module")
def engine(setup: Setup) -> Iterator[Engine]:
    with started(setup, patience=Patience(stall_s=4, pause_s=0.1)) as engine:
        reach(engine, "ready")
        yield engine


@pytest.fixture(scope="module")
def undisturbed(engine: Engine) -> list[Samples]:
    """What the seeds give when nothing happens."""
    streams = [engine.submit(say(LONG, seed)) for seed in SEEDS]
    return [stream.future.result().samples for stream in streams]


def strike(engine: Engine, sig: signal.Signals, undisturbed: list[Samples]) -> None:
    """Send the engine a signal in the middle of three streams, with a fourth waiting; all end complete."""
    deaths = engine.restarts
    streams = [engine.submit(say(LONG, seed)) for seed in SEEDS]
    listeners = [stream.frames() for stream in streams[:3]]
    for listener in listeners:
        for _ in range(10):
            next(listener)
    assert engine.pid
    os.kill(engine.pid, sig)
    for stream, expected in zip(streams, undisturbed, strict=True):
        assert difference(expected, sound(stream)) < PEAK
        assert difference(expected, stream.future.result().samples) < PEAK
    assert engine.restarts > deaths


def test_an_engine_that_is_killed_costs_nobody_a_sample(engine: Engine, undisturbed: list[Samples]) -> None:
    strike(engine, signal.SIGKILL, undisturbed)


def test_an_engine_that_stands_still_is_replaced(engine: Engine, undisturbed: list[Samples]) -> None:
    strike(engine, signal.SIGSTOP, undisturbed)


def test_an_engine_that_dies_while_nothing_is_spoken_is_replaced(engine: Engine) -> None:
    pid = engine.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: engine.state == "restarting")
    # Taken meanwhile, and spoken by the next one.
    assert engine.submit(say()).future.result().frames
    assert engine.pid != pid
    assert not process_state(pid)


def test_streams_of_a_dead_engine_can_be_given_up(engine: Engine) -> None:
    streams = [engine.submit(say(LONG)) for _ in range(2)]
    next(streams[0].frames())
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: engine.state == "restarting")
    saved = streams[0].suspend()
    assert saved and saved.count == streams[0].count
    streams[1].cancel()
    assert engine.idle


@pytest.mark.parametrize("moment", ["loading", "ready"])
def test_an_engine_ends_with_its_web_process(checkpoint: Path, moment: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WEB, str(checkpoint), moment],
        env={**os.environ, "PYTHONPATH": str(APP)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as web:
        assert web.stdout
        pid = int(web.stdout.readline())
        assert process_state(pid)
        web.kill()
        wait_for(lambda: not process_state(pid))


def test_engines_that_only_end_are_given_up_with_the_reason() -> None:
    with stand_in("exits") as engine:
        wait_for(lambda: engine.state == "failed")
        assert engine.restarts == 4
        assert "5 engines in a row" in engine.reason
        assert "exit code 7" in engine.reason
        with pytest.raises(NotReady, match="failed"):
            engine.submit(say())


def test_an_engines_last_words_are_the_reason() -> None:
    with stand_in("says why") as engine:
        wait_for(lambda: engine.state == "failed")
        assert "the device is on fire" in engine.reason


@pytest.mark.parametrize("fault", ["hangs", "loads for ever"])
def test_an_engine_that_says_nothing_for_too_long_is_ended(fault: str) -> None:
    with stand_in(fault, Patience(stall_s=0.1, load_s=0.5, pause_s=0.01)) as engine:
        wait_for(lambda: engine.state == "failed")
        assert "it said nothing for" in engine.reason


def test_an_engine_that_says_what_nobody_understands_is_ended() -> None:
    with stand_in("garbage") as engine:
        wait_for(lambda: engine.state == "failed")
        assert "nobody understands" in engine.reason


def test_a_stream_that_kills_engines_is_given_up_and_its_company_is_not() -> None:
    with stand_in("poison") as engine:
        reach(engine, "ready")
        died: list[Event] = []
        engine.listen(lambda event: died.append(event) if event.kind == "died" else None)
        company = engine.submit(say("Speaker 1: Good company."))
        poison = engine.submit(say("Speaker 1: Poison."))
        after = engine.submit(say(SHORT))
        error = poison.future.exception(PATIENCE_S)
        assert isinstance(error, EngineError)
        assert "died 3 times" in str(error)
        # The stream ends a moment before the listeners are told what ended it.
        wait_for(lambda: len(died) == 3)
        assert after.future.result(PATIENCE_S).frames == 3
        assert company.count == 3 * 4
        assert not company.future.done()
        assert engine.state == "ready"
