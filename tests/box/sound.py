"""Audio files as FFmpeg decodes them; the studio's environment has one."""

from __future__ import annotations

import functools
import io
import math
import random
import struct
import subprocess
import wave

from tests.box.lab import REPO

RATE = 24000
# A size in a WAV's head that says: to the end of the stream.
OPEN = b"\xff\xff\xff\xff"


@functools.cache
def ffmpeg() -> str:
    """The program's path."""
    python = REPO / ".venv-app" / "bin" / "python"
    ask = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def decoded(content: bytes, format: str = "") -> bytes:
    """Any audio file as s16le mono at 24 kHz; ``format`` names what a file does not say itself (aac).

    Raises AssertionError with FFmpeg's words for anything that it finds wrong in the file.
    """
    given = ["-f", format] if format else []
    command = [ffmpeg(), "-v", "error", "-xerror", *given, "-i", "pipe:0"]
    done = subprocess.run(
        [*command, "-f", "s16le", "-ac", "1", "-ar", str(RATE), "pipe:1"],
        input=content,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr.decode(errors="replace")[-800:]
    return done.stdout


def pcm_of_wav(content: bytes) -> bytes:
    """The samples of a WAV of 16 bit mono at 24 kHz; of one that was streamed, whose length is left open."""
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (RATE, 1, 2)
        said, samples = 2 * sound.getnframes(), sound.readframes(sound.getnframes())
    assert len(samples) == said or content[4:8] == OPEN, f"{len(samples)} bytes of sound, it says {said}"
    return samples


def seconds(content: bytes, format: str = "") -> float:
    """Length of an audio file, by what is in it."""
    return len(decoded(content, format)) / 2 / RATE


def voice(length_s: float = 6.0, seed: int = 1) -> bytes:
    """A WAV that could be somebody's voice: a hum with overtones that rises and falls, and some breath."""
    dice = random.Random(seed)
    samples = []
    phase = 0.0
    for n in range(int(length_s * RATE)):
        at = n / RATE
        phase += 2 * math.pi * (130 + 25 * math.sin(2 * math.pi * 0.7 * at)) / RATE
        hum = sum(math.sin(k * phase) / k for k in range(1, 8)) / 3
        loud = 0.5 + 0.4 * math.sin(2 * math.pi * 2.3 * at)
        samples.append(int(9000 * loud * hum + dice.gauss(0, 120)))
    whole = io.BytesIO()
    with wave.open(whole, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return whole.getvalue()
