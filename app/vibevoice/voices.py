"""Voices to clone: a clip of somebody speaking, checked before it reaches the model.

The model takes mono sound at 24 kHz. Nothing is mixed or resampled here: a voice that came out wrong would be
heard in every sentence, so whoever has the original converts it.
"""

import hashlib
import io

import numpy as np
import soundfile

from .audio import SAMPLE_RATE, Samples
from .engine.generation import Refused

# 3 to 10 s are the least that is recommended, 20 to 30 s clone better. Below one second (8 of the model's
# tokens) there is no voice to hear; more than a minute adds nothing but prompt, 7.5 tokens for each second.
MIN_S = 1.0
MAX_S = 60.0
# A recording of nobody: -60 dBFS, far above the noise of 16 bits, 20 dB below a quiet speaker.
SILENCE = 1e-3
# Lossy formats overshoot by a few percent. Far beyond, the numbers are no floats in -1..1.
OVERSHOOT = 2.0
# A minute of mono in 64-bit floats is 11.5 MB; the rest is for pictures and tags.
MAX_BYTES = 16 * 2**20
# An estimate of an MP3's length may be off by a few frames; less than this was cut off.
WHOLE = 0.98

FORMATS = {"WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF"}
NAMES = "WAV, FLAC, Ogg, MP3 or AIFF"
# What people upload instead, by what the file has at an offset.
OTHERS = [
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"%PDF", "a PDF"),
    (0, b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
    (4, b"ftyp", "M4A or MP4"),
]
# Programs that write to a pipe do not know the size, and leave the largest there is.
UNKNOWN_SIZE = 0x7FFF_0000


class VoiceError(Refused):
    """A clip that cannot be used as a voice. One line: what is wrong, what to do."""


def check(samples: np.ndarray, sample_rate: int) -> Samples:
    """The samples as the engine takes them: a new array, float32, mono, 24 kHz, in -1..1.

    `samples` are floats, shape [n]. What overshoots 1 a little is scaled down as a whole (the model brings
    every voice to one loudness anyway). What has passed once passes again unchanged. Raises VoiceError.
    """
    if not isinstance(samples, np.ndarray) or samples.dtype.kind != "f":
        kind = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        raise VoiceError(
            f"The voice is of type {kind}; pass floats in -1..1 (16-bit integers: divide by 32768)."
        )
    if samples.ndim == 2 and samples.size:
        _check_channels(min(samples.shape))
    if samples.ndim != 1:
        raise VoiceError(f"The voice has shape {list(samples.shape)}; pass one dimension, of mono samples.")
    _check_rate(sample_rate)
    _check_length(len(samples))
    if not np.isfinite(samples).all():
        raise VoiceError("The voice has samples that are NaN or infinite; export it again.")
    peak = np.abs(samples).max()
    if peak > OVERSHOOT:
        raise VoiceError(
            f"The voice has samples up to {peak:.4g}, but floats end at 1; divide 16-bit integers by 32768."
        )
    # Around the mean: a constant offset is no sound.
    if samples.std(dtype=np.float64) < SILENCE:
        raise VoiceError("The voice is silent; record it louder, or pick another part of the recording.")
    return np.array(samples / peak if peak > 1 else samples, dtype=np.float32)


def read(content: bytes) -> Samples:
    """A voice from a file as uploaded: WAV, FLAC, Ogg (Vorbis, Opus), MP3 or AIFF; mono, 24 kHz.

    Length, rate and channels are judged by the file's header, and never more than a minute is decoded. Raises
    VoiceError.
    """
    if not content:
        raise VoiceError("The voice's file is empty; upload it again.")
    if len(content) > MAX_BYTES:
        raise VoiceError(
            f"The voice's file has {len(content) / 2**20:.0f} MiB, more than {MAX_S:.0f} s of mono sound "
            "need; cut it shorter."
        )
    for offset, magic, name in OTHERS:
        if content[offset:].startswith(magic):
            raise VoiceError(f"The voice's file is {name}; save it as {NAMES}.")
    if is_cut(content):
        raise cut_off()
    try:
        with soundfile.SoundFile(_File(content)) as file:
            if file.format not in FORMATS:
                raise VoiceError(f"The voice's file is {file.format_info}; save it as {NAMES}.")
            _check_channels(file.channels)
            _check_rate(file.samplerate)
            _check_length(file.frames)
            told = file.frames
            samples = file.read(told, dtype="float32")
    except soundfile.SoundFileError:
        raise VoiceError(f"The voice's file is not audio, or damaged; save it as {NAMES} again.") from None
    if len(samples) < WHOLE * told:
        raise cut_off()
    return check(samples, SAMPLE_RATE)


def content_hash(samples: Samples) -> str:
    """The voice's name in caches: the same for the same samples, SHA-256 in hex."""
    return hashlib.sha256(samples.tobytes()).hexdigest()


class _File(io.BytesIO):
    """A file in memory that takes a damaged header's word for where to go, as one on a disk does."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:  # before the start
            return self.tell()


def _check_channels(channels: int) -> None:
    if channels != 1:
        name = "stereo" if channels == 2 else f"sound of {channels} channels"
        raise VoiceError(f"The voice is {name}; mix it down to mono.")


def _check_rate(rate: int) -> None:
    if rate != SAMPLE_RATE:
        raise VoiceError(f"The voice has {rate} samples per second; resample it to {SAMPLE_RATE}.")


def _check_length(samples: int) -> None:
    seconds = samples / SAMPLE_RATE
    if samples == 0:
        raise VoiceError("The voice is empty; record at least a few seconds.")
    if seconds < MIN_S:
        raise VoiceError(f"The voice has {seconds:.2f} s; use at least {MIN_S:.0f} s, better 10 to 30.")
    if seconds > MAX_S:
        raise VoiceError(f"The voice has {seconds:.0f} s; use at most {MAX_S:.0f} s, 10 to 30 are best.")


def is_cut(content: bytes) -> bool:
    """Whether a WAV or AIFF is shorter than it says; the library reads what is there without a word."""
    if content[:4] not in (b"RIFF", b"FORM"):
        return False
    size = int.from_bytes(content[4:8], "little" if content[:4] == b"RIFF" else "big")
    # Some programs count the byte that pads an odd length, but do not write it.
    return size < UNKNOWN_SIZE and 8 + size > len(content) + 1


def cut_off() -> VoiceError:
    return VoiceError("The voice's file ends before its sound does; upload the whole of it.")
