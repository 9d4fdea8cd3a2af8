"""A few frames of speech before an engine says that it can speak."""

import numpy as np

from ..script import Turn
from .batch import Batch
from .generation import CheckpointError, Frame, Generation

FRAMES = 4
# A model that ends before its first frame does so at once; marks between frames take a step each.
MOST_STEPS = 32


def speak(batch: Batch) -> None:
    """Speak a word and forget it: a checkpoint that loads and then says nothing, or no numbers, must not take
    the place of one that works.

    Args:
        batch: with no stream in it; afterwards it is as before.

    Raises CheckpointError if that was no sound, and whatever the device raises.
    """
    run = batch.prepare(Generation((Turn(0, "One, two, three."),), seed=0, cap=FRAMES))
    if not batch.admit(run):
        raise CheckpointError("there is no memory for even a word. Use a larger GPU, or fewer streams")
    heard: list[np.ndarray] = []
    try:
        for _ in range(MOST_STEPS):
            heard += [spoken.samples for _, spoken in batch.step() if isinstance(spoken, Frame)]
            if len(heard) >= FRAMES or not batch.busy:
                break
    finally:
        batch.remove(run)
    sound = np.concatenate(heard) if heard else np.zeros(0, np.float32)
    if not np.isfinite(sound).all():
        raise CheckpointError("the model speaks, but no numbers come out. Fetch the weights again")
    if not sound.any():
        raise CheckpointError("the model loads, but speaks nothing. Fetch the weights again")
