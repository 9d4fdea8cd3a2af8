"""Voices as people have them: any audio file, of any rate, in stereo or mono.

A file is a stranger's. FFmpeg reads it in a process that has little time, little memory and nothing but an
open file: it can open no other, by any name or protocol. It may only take it for one of a few formats and use
a few decoders; playlists and pictures are none of them, and of a video it sees the sound.
"""

import asyncio
import contextlib
import os
import re
import weakref

import numpy as np

from . import voices
from .audio import SAMPLE_RATE, Samples
from .audio.ffmpeg import Bounds, Failed, Run
from .voices import MAX_S, VoiceError

# A minute of stereo at 48 kHz has 17 MB in 24 bits, 23 MB in floats.
MAX_BYTES = 25 * 2**20
PATIENCE_S = 20
# The program itself takes 230 MiB of address space, whatever it decodes.
BOUNDS = Bounds(memory=400 * 2**20, cpu_s=2 * PATIENCE_S)
# Conversions at a time: they share processor and memory with the engine.
AT_ONCE = 2
# Lossy formats count what they put before the sound.
SLACK_S = 0.2
# Of what is decoded: more than a minute is refused, whatever it is.
_MOST_S = MAX_S + 1
_MOST_BYTES = int(_MOST_S * SAMPLE_RATE) * 4

NAMES = "WAV, MP3, M4A, FLAC, Ogg or WebM"
_CONTAINERS = "wav,w64,mp3,flac,ogg,mov,matroska,aiff,aac,amr,caf"
_DECODERS = ",".join(
    (
        *(f"pcm_{kind}" for kind in ("u8", "s8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be")),
        *(f"pcm_{kind}" for kind in ("f32le", "f32be", "f64le", "f64be", "alaw", "mulaw")),
        *(
            "mp3",
            "mp3float",
            "mp2",
            "mp2float",
            "aac",
            "aac_latm",
            "alac",
            "flac",
            "vorbis",
            "libvorbis",
            "opus",
        ),
        *("libopus", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "amrnb", "amrwb"),
    )
)
READING = (
    *("-loglevel", "info", "-protocol_whitelist", "fd", "-format_whitelist", _CONTAINERS),
    *("-codec_whitelist", _DECODERS, "-max_streams", "16", "-max_alloc", str(64 * 2**20)),
    *("-threads", "1", "-vn", "-sn", "-dn"),
)
WRITING = (
    # As good as resampling gets; nothing happens to what has the right rate.
    *("-map", "0:a:0", "-af", "aresample=resampler=soxr:precision=28", "-ac", "1", "-ar", str(SAMPLE_RATE)),
    *("-t", str(_MOST_S), "-threads", "1", "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"),
)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
_MOVING = re.compile(r"^ *Stream #.* Video: (?!.*\(attached pic\))", re.MULTILINE)
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


async def convert(content: bytes) -> Samples:
    """A voice from a file as uploaded, whatever its channels and its rate: float32, mono, 24 kHz.

    Takes at most PATIENCE_S and a few copies of a minute of sound. Raises VoiceError.
    """
    _look(content)
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with turn:
        try:
            async with asyncio.timeout(PATIENCE_S):
                sound, said = await _decode(content)
        except TimeoutError:
            raise VoiceError(
                f"The voice's file takes more than {PATIENCE_S} s to read; save it as WAV or MP3 again."
            ) from None
        except Failed:
            raise VoiceError(
                f"The voice's file is not audio, or damaged; save it as {NAMES} again."
            ) from None
    return await asyncio.to_thread(_judge, sound, said)


def _look(content: bytes) -> None:
    """Refuse what needs no FFmpeg to be refused."""
    if not content:
        raise VoiceError("The voice's file is empty; upload it again.")
    if len(content) > MAX_BYTES:
        raise VoiceError(
            f"The voice's file has {len(content) / 2**20:.0f} MiB, more than {MAX_S:.0f} s of sound need; "
            "cut it shorter."
        )
    for magic, name in ((b"PK\x03\x04", "a ZIP archive"), (b"%PDF", "a PDF")):
        if content.startswith(magic):
            raise VoiceError(f"The voice's file is {name}; save it as {NAMES}.")
    if voices.is_cut(content):
        raise voices.cut_off()


async def _decode(content: bytes) -> tuple[bytearray, str]:
    """The sound, 32-bit floats, and what FFmpeg says of the file."""
    descriptor = await asyncio.to_thread(_in_memory, content)
    try:
        source = ("-fd", str(descriptor), "-i", "fd:")
        run = Run((*READING, *source, *WRITING), descriptor=descriptor, bounds=BOUNDS)
        sound = bytearray()
        async with contextlib.aclosing(run.output()) as blocks:
            async for block in blocks:
                sound += block
                if len(sound) > _MOST_BYTES:
                    break
        return sound, run.said
    finally:
        os.close(descriptor)


def _in_memory(content: bytes) -> int:
    """An open file that has no name, for FFmpeg to go to and fro in."""
    descriptor = os.memfd_create("voice")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _judge(sound: bytearray, said: str) -> Samples:
    samples = np.frombuffer(sound, np.float32, len(sound) // 4)
    if len(samples) > MAX_S * SAMPLE_RATE:
        raise VoiceError(f"The voice has more than {MAX_S:.0f} s; use at most that, 10 to 30 are best.")
    # The file's own word on its length, unless it is a guess, or that of a picture which lasts longer.
    told = _DURATION.search(said)
    if told and "Estimating duration" not in said and not _MOVING.search(said):
        hours, minutes, seconds = told.groups()
        length = (int(hours) * 60 + int(minutes)) * 60 + float(seconds)
        if len(samples) / SAMPLE_RATE < voices.WHOLE * length - SLACK_S:
            raise voices.cut_off()
    return voices.check(samples, SAMPLE_RATE)
