"""Sound as numbers: mono, 24 kHz, floats in -1..1 or 16-bit integers."""

import io

import numpy as np
import soundfile

SAMPLE_RATE = 24_000
"""Samples per second of everything that the model hears and says."""

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


def pcm16(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Float samples in -1..1 as 16-bit integers. Louder ones are clipped, what is no number is silence."""
    sound = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.rint(np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)


def wav(samples: Samples, sample_rate: int) -> bytes:
    """A WAV file of float samples in -1..1 at `sample_rate` Hz."""
    file = io.BytesIO()
    soundfile.write(file, pcm16(samples), sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
