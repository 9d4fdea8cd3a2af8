"""Engines that run for a test, and what they are given to speak."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from running import wait_for
from vibevoice.audio import Samples
from vibevoice.engine import Engine, Generation, Patience, Setup, State, Stream
from vibevoice.script import parse

STAND_IN = Path(__file__).parent / "engine_stand_in.py"
# A few frames, and a hundred. Not more: the last bit of a number grows by a factor of ten in about 16 frames.
SHORT, LONG = "Speaker 1: Hello.", "Speaker 1: " + "Hello there my friend, how are you? " * 4
PEAK = 1e-6
"""Most that two float64 runs of one stream differ, by the peak of the sound."""


def say(script: str = SHORT, seed: int | None = 1, **changes: Any) -> Generation:
    return replace(Generation(parse(script).turns, seed=seed), **changes)


def exact(checkpoint: Path, locks: Path) -> Setup:
    """Two streams at once; float64, so that what should be equal can be told from what is alike."""
    return Setup(checkpoint, "cpu", lock_dir=locks, streams=2, kv_bytes=2**26, dtype="float64")


def reach(engine: Engine, state: State) -> None:
    """Wait until the engine is in a state; fails if it failed instead."""
    wait_for(lambda: engine.state in (state, "failed"))
    assert engine.state == state, engine.reason


@contextmanager
def _kept(engine: Engine) -> Iterator[Engine]:
    """Start an engine, and end it with the block."""
    engine.start()
    try:
        yield engine
    finally:
        engine.cancel_all()
        engine.close()
        assert engine.join(60)


def started(
    setup: Setup, max_waiting: int = 8, patience: Patience | None = None
) -> AbstractContextManager[Engine]:
    """An engine that is loading, and is ended with the block."""
    return _kept(Engine(setup, max_waiting=max_waiting, patience=patience or Patience(pause_s=0.1)))


def stand_in(fault: str, patience: Patience | None = None) -> AbstractContextManager[Engine]:
    """An engine process with a fault that a real one cannot be made to have."""
    engine = Engine(
        Setup(Path()),
        max_waiting=8,
        patience=patience or Patience(pause_s=0.01),
        command=[sys.executable, str(STAND_IN), fault],
    )
    return _kept(engine)


def sound(stream: Stream) -> Samples:
    """All that a stream said, as one who listens gets it."""
    return np.concatenate([np.zeros(0, np.float32), *stream.frames()])


def difference(one: Samples, other: Samples) -> float:
    """Of two sounds of one length, by the peak of the first."""
    assert len(one) == len(other) > 0
    return float(np.abs(one - other).max() / np.abs(one).max())
