"""What a batch is given to speak, and what it says."""

from collections.abc import Sequence

import numpy as np
from vibevoice.engine.batch import Batch
from vibevoice.engine.generation import Frame, Generation, PartEnd, Saved, Spoken
from vibevoice.engine.run import Run
from vibevoice.script import Turn

TALK = (Turn(0, "Good morning, how are you?"), Turn(1, "Fine, thank you."), Turn(0, "So am I."))


def admitted(batch: Batch, generation: Generation) -> Run:
    run = batch.prepare(generation)
    assert batch.admit(run)
    return run


def spoken(batch: Batch, *runs: Run) -> list[list[Spoken]]:
    """What each run says until the batch is empty."""
    said: dict[Run, list[Spoken]] = {run: [] for run in runs}
    while batch.busy:
        for run, event in batch.step():
            said[run].append(event)
    return list(said.values())


def speak(batch: Batch, generation: Generation) -> list[Spoken]:
    [said] = spoken(batch, admitted(batch, generation))
    return said


def sound(said: Sequence[Spoken]) -> np.ndarray:
    """Frames, and zeros where there is silence."""
    pieces = []
    for event in said:
        match event:
            case Frame(samples):
                pieces.append(samples)
            case PartEnd(silence):
                pieces.append(np.zeros(silence, np.float32))
    return np.concatenate(pieces)


def saved(batch: Batch, said: Sequence[Spoken], seed: int = 0) -> Saved:
    """What a client keeps of a stream."""
    states, parts = [], []
    for event in said:
        match event:
            case Frame(_, state):
                states.append(state)
            case PartEnd():
                parts.append(len(states))
    return Saved(batch.weights, batch.frame_bytes, b"".join(states), tuple(parts), seed)
