"""FFmpeg as a child process: fed as sound comes, read as it answers, never left behind."""

import asyncio
import contextlib
import errno
import functools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

import imageio_ffmpeg

BLOCK = 64 * 1024
# Of what it says, the beginning tells: a damaged file has a line for each of its frames.
LONGEST_WORDS = 16 * 1024
_QUIET = ("-nostdin", "-hide_banner", "-nostats")
# Nothing of the studio's own: no variable of FFmpeg's, and no token. An arena of malloc's for each thread
# would reserve 128 MiB of the address space, and may leave none for the next.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "MALLOC_ARENA_MAX": "1"}


class EncodingError(Exception):
    """Sound that could not be brought into another format; one line says why."""

    def __init__(self, message: str, full: bool = False) -> None:
        super().__init__(message)
        self.full = full
        """The disk has no space left."""


class Failed(EncodingError):
    """FFmpeg ran, and did not like what it was given."""


@dataclass(frozen=True)
class Bounds:
    """What a run on a stranger's file may use up. It writes no file, and others' work comes first."""

    memory: int
    """Bytes of address space, some 200 MiB of which are the program itself."""
    cpu_s: int

    def command(self) -> tuple[str, ...]:
        # A shell sets them in the child itself; between fork and exec nothing of Python's would be safe.
        limits = f"ulimit -v {self.memory // 1024} && ulimit -t {self.cpu_s} && ulimit -f 0 && ulimit -c 0"
        return "sh", "-c", f'{limits} && exec nice -n 10 "$0" "$@"'


@functools.cache
def program() -> str:
    """The path of FFmpeg. Raises EncodingError."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise EncodingError("FFmpeg is missing or does not start on this machine.") from None


class Run:
    """One run of FFmpeg."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        pcm: AsyncIterator[bytes] | None = None,
        descriptor: int | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """`pcm` is what it reads from its standard input. `descriptor` is a file that it gets opened, under
        the same number."""
        self._arguments = arguments
        self._pcm = pcm
        self._descriptors = () if descriptor is None else (descriptor,)
        self._before = bounds.command() if bounds else ()
        self._broken: Exception | None = None
        self.said = ""
        """What it wrote to its standard error, the beginning of it; all there once it has ended."""

    async def output(self) -> AsyncGenerator[bytes, None]:
        """What it writes to its standard output, as it comes.

        It runs no faster than this is read, and `pcm` is asked for more only as it is needed. Leaving early
        ends the process. Raises EncodingError, or what `pcm` raises.
        """
        process = await self._start()
        assert process.stdout and process.stderr
        tasks = [asyncio.create_task(self._listen(process.stderr))]
        if self._pcm is not None:
            tasks.append(asyncio.create_task(self._feed(process, self._pcm)))
        try:
            while block := await process.stdout.read(BLOCK):
                yield block
            await tasks[0]
            code = await process.wait()
            if self._broken:
                raise self._broken
            if code:
                raise self._failure(code)
        finally:
            await _end(process, tasks)

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._before,
                program(),
                *_QUIET,
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL if self._pcm is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=self._descriptors,
                env=_ENVIRONMENT,
                limit=BLOCK,
            )
        except OSError as error:
            raise EncodingError(f"FFmpeg does not start: {error.strerror}.") from error

    async def _feed(self, process: asyncio.subprocess.Process, pcm: AsyncIterator[bytes]) -> None:
        pipe = process.stdin
        assert pipe
        try:
            async for block in pcm:
                pipe.write(block)
                await pipe.drain()
            pipe.close()
        except ConnectionError:
            pass  # It has ended, and its exit code says why.
        except Exception as error:
            # A stream that broke must not look like one that ended.
            self._broken = error
            _kill(process)
        finally:
            if isinstance(pcm, AsyncGenerator):
                await pcm.aclose()

    async def _listen(self, pipe: asyncio.StreamReader) -> None:
        said = b""
        while block := await pipe.read(BLOCK):
            said += block[: LONGEST_WORDS - len(said)]
        self.said = said.decode(errors="replace")

    def _failure(self, code: int) -> Failed:
        why = f"was killed by signal {-code}" if code < 0 else f"failed ({code})"
        [first, *_] = self.said.strip().splitlines() or [""]
        # "[mp3 @ 0x5581…] what is wrong"
        reason = first.rpartition("] ")[2]
        full = os.strerror(errno.ENOSPC) in self.said
        return Failed(f"FFmpeg {why}: {reason or 'no reason given'}", full)


async def _end(process: asyncio.subprocess.Process, tasks: list[asyncio.Task[None]]) -> None:
    """Leave nothing of it behind, whether it has ended or not."""
    _kill(process)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # asyncio takes a process for ended once its pipes have been read to their ends.
    for pipe in (process.stdout, process.stderr):
        while pipe and await pipe.read(BLOCK):
            pass
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
