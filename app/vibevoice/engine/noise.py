"""Noise that depends on nothing but a stream's seed and what it is for.

So it does not matter what else runs, on which device, or whether the stream was interrupted.
"""

import numpy as np
import torch
from torch import Tensor

# The upper words of the counter: no frame's noise can meet a voice's.
_FRAME, _VOICE = 0, 1


def frame(seed: int, number: int, draws: int, size: int) -> Tensor:
    """What frame `number` of a stream is made from: [draws, size] of unit variance, float32."""
    return _draw(seed, _FRAME, number, draws * size).view(draws, size)


def voice(seed: int, speaker: int, frames: int, size: int) -> tuple[Tensor, Tensor]:
    """How far a voice's latents are shaken: a strength (one number) and a direction [frames, size]."""
    drawn = _draw(seed, _VOICE, speaker, 1 + frames * size)
    return drawn[0], drawn[1:].view(frames, size)


def _draw(seed: int, purpose: int, number: int, count: int) -> Tensor:
    philox = np.random.Philox(key=seed, counter=(0, 0, number, purpose))
    return torch.from_numpy(np.random.Generator(philox).standard_normal(count, dtype=np.float32))
