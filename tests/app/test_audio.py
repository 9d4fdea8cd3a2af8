"""Sound leaves as 16-bit mono WAV."""

import io

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from vibevoice.audio import pcm16, wav

SAMPLES = arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32))


def test_a_wav_file_says_what_it_holds() -> None:
    tone = np.sin(np.arange(24000) / 24000 * 2 * np.pi * 440).astype(np.float32)
    file = io.BytesIO(wav(tone, 24000))
    info = soundfile.info(file)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (24000, 1, "PCM_16", 24000)
    file.seek(0)
    read, _ = soundfile.read(file, dtype="float32")
    np.testing.assert_allclose(read, tone, atol=2 / 32768)


@given(SAMPLES)
def test_any_numbers_become_sound_of_the_same_length(samples: np.ndarray) -> None:
    sound = pcm16(samples)
    assert len(sound) == len(samples)
    assert np.abs(sound.astype(int)).max(initial=0) <= 32767


def test_loud_is_clipped_and_never_wraps() -> None:
    loud = np.array([2.0, -2.0, np.inf, -np.inf, np.nan], dtype=np.float32)
    assert pcm16(loud).tolist() == [32767, -32767, 32767, -32767, 0]
