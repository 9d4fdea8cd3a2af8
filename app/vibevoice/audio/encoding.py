"""From samples to files and streams in any of the formats."""

import asyncio
import contextlib
import errno
import math
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

from .ffmpeg import EncodingError, Run
from .formats import FORMATS, Format, Tags
from .samples import SAMPLE_RATE

SLOWEST, FASTEST = 0.25, 4.0


async def encode(
    pcm: AsyncIterator[bytes], format: str, tags: Tags, *, speed: float = 1.0
) -> AsyncGenerator[bytes, None]:
    """A stream in one of FORMATS, of 16-bit mono samples at 24 kHz as they come.

    What `pcm` has yielded is heard at once: what lies in between is some tenths of a second, for all formats.
    `speed` (0.25 to 4) keeps the pitch. Leaving the generator early ends `pcm` and the encoder. Raises
    EncodingError, or what `pcm` raises; KeyError and ValueError for what is no format or no speed.
    """
    made, tempo = FORMATS[format], _tempo(speed)
    if format == "pcm" and not tempo:
        blocks = _as_it_is(pcm)
    else:
        arguments = _arguments(made, tags, tempo, *made.live, "-flush_packets", "1", "pipe:1")
        blocks = Run(arguments, pcm=pcm).output()
    async with contextlib.aclosing(blocks):
        async for block in blocks:
            yield block


async def encode_file(
    pcm: Iterator[bytes], format: str, tags: Tags, path: Path, *, speed: float = 1.0
) -> None:
    """A whole file in one of FORMATS at `path`, which is there complete or not at all.

    `pcm` is read in threads; samples and exceptions are as for `encode`. EncodingError.full: the disk is.
    """
    made, tempo = FORMATS[format], _tempo(speed)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    run = Run(_arguments(made, tags, tempo, f"file:{part}"), pcm=_in_threads(pcm))
    try:
        async with contextlib.aclosing(run.output()) as output:
            async for _ in output:
                pass
        await asyncio.to_thread(_settle, part, path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise EncodingError(f"{path.name} cannot be made: {error.strerror}.", full) from error
    finally:
        part.unlink(missing_ok=True)


def _arguments(made: Format, tags: Tags, tempo: tuple[str, ...], *output: str) -> list[str]:
    # Samples need no guessing: the first goes straight on.
    raw = ("-f", "s16le", "-ar", str(SAMPLE_RATE), "-ch_layout", "mono")
    named = [word for name, text in tags.fields().items() for word in ("-metadata", f"{name}={text}")]
    source = ("-loglevel", "error", "-probesize", "32", *raw, "-i", "pipe:0")
    return [*source, *tempo, *named, *made.encoder, *output]


def _tempo(speed: float) -> tuple[str, ...]:
    """FFmpeg's options for a speed. Beyond 2 one filter would leave samples out, so that several share it."""
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"The speed is {speed:g}; use {SLOWEST:g} to {FASTEST:g}.")
    if speed == 1:
        return ()
    filters = math.ceil(abs(math.log2(speed)))
    return ("-af", ",".join([f"atempo={speed ** (1 / filters):.6f}"] * filters))


async def _as_it_is(pcm: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    try:
        async for block in pcm:
            yield block
    finally:
        if isinstance(pcm, AsyncGenerator):
            await pcm.aclose()


async def _in_threads(pcm: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What an iterator yields that reads from a disk: nobody else waits for it."""
    while (block := await asyncio.to_thread(next, pcm, None)) is not None:
        yield block


def _settle(part: Path, path: Path) -> None:
    """Give a finished file its name. After a power cut, too, the name means all of it."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(path)
