"""Sound to encode, and what another run of FFmpeg makes of a file."""

import subprocess
from collections.abc import AsyncGenerator, Iterator, Sequence

import numpy as np
from vibevoice.audio import SAMPLE_RATE, Samples, Tags, pcm16
from vibevoice.audio.ffmpeg import program

TAGS = Tags(title="Grüße = 播客", project="podcast", model="1.5b", job="job_4f7a")


def hum(seconds: float = 3.0, rate: int = SAMPLE_RATE, peak: float = 0.5, pitch: float = 180) -> Samples:
    """A tone that swells and fades, as speech does."""
    time = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * pitch * time) * np.abs(np.sin(2 * time))).astype(np.float32)


def blocks(samples: Samples, length: int = 3200) -> Iterator[bytes]:
    """As 16-bit samples, `length` of them at a time: 3200 are a frame of the model's."""
    for start in range(0, len(samples), length):
        yield pcm16(samples[start : start + length]).tobytes()


async def stream(samples: Samples, length: int = 3200) -> AsyncGenerator[bytes, None]:
    for block in blocks(samples, length):
        yield block


def ffmpeg(*arguments: str, content: bytes = b"") -> bytes:
    """What FFmpeg answers to a file on its standard input."""
    command = [program(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    return subprocess.run(command, input=content, capture_output=True, check=True, timeout=60).stdout


def heard(content: bytes, format: str = "") -> Samples:
    """The samples of a file, mono, 24 kHz. Needs no complete file: what has come is heard."""
    raw = ("-f", "s16le", "-ar", str(SAMPLE_RATE))
    source = raw if format == "pcm" else ()
    made = ffmpeg(*source, "-i", "pipe:0", "-map", "0:a:0", "-ac", "1", *raw, "pipe:1", content=content)
    return (np.frombuffer(made, np.int16) / 32768).astype(np.float32)


def told(content: bytes, options: Sequence[str] = ()) -> dict[str, str]:
    """The tags of a file."""
    # Those of an Ogg file belong to its stream, others' to the file.
    where = ("-map_metadata", "0:s:0" if content.startswith(b"OggS") else "0")
    text = ffmpeg(*options, "-i", "pipe:0", *where, "-f", "ffmetadata", "pipe:1", content=content).decode()
    lines = (line.partition("=") for line in text.replace("\\", "").splitlines()[1:])
    return {name.lower(): value for name, _, value in lines}


def loudest(samples: Samples) -> float:
    """The pitch that stands out, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * SAMPLE_RATE / len(samples)
