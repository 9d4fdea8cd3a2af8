"""A job store under test: jobs to submit, a runner that speaks what can be told apart, a clock to set."""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vibevoice.jobs.model import Job, NewJob, RunnerState, Take
from vibevoice.jobs.store import Store
from vibevoice.script import Turn

# A frame of these tests is four samples that say which one it is.
FRAME = struct.Struct("<4h")
STATE = struct.Struct("<3h")
LEASE_S = 15.0


@dataclass
class Clock:
    """Stands still until a test moves it. Begins when a store was made, for files have times of their own."""

    now: float = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def new_job(segments: int = 2, script: str = "Ana: Hello.", **fields: Any) -> NewJob:
    """A job of so many segments, each of one turn and expected to take 10 s."""
    return NewJob(
        **{
            "script": script,
            "turns": tuple(Turn(0, f"turn {n}") for n in range(segments)),
            "speakers": ("Ana",),
            "segments": tuple((n, n + 1, 10.0) for n in range(segments)),
            "seed": 7,
            **fields,
        }
    )


def submit(store: Store, user: str = "ana", segments: int = 2, **fields: Any) -> Job:
    """One job in the store."""
    (job,) = store.submit([new_job(segments, **fields)], user)
    return job


def alive(store: Store, name: str = "runner", streams: int = 1, pace: float = 2.0, running: int = 0) -> None:
    """A runner beats."""
    store.beat(RunnerState(name, 0, "ready", streams, running, pace))


def claim(store: Store, runner: str = "runner") -> Job:
    """The job whose turn it is."""
    (job,) = store.claim(runner, LEASE_S, 1)
    return job


@dataclass
class Speaker:
    """Speaks one claimed job, frame by frame, the way a runner does: files first, then the store."""

    store: Store
    job: Job
    n: int = -1
    take: Take = field(default_factory=lambda: Take(0, 0))
    written: int = 0
    """Frames of this lease's piece."""

    def begin(self, n: int) -> Take:
        """Go on with a segment."""
        self.n, self.take, self.written = n, self.store.begin(self.job, n), 0
        return self.take

    def write(self, frames: int) -> None:
        """Put more frames into the files, without a word to the store."""
        done = sum(piece.frames for piece in self.take.pieces if piece.epoch != self.job.epoch)
        first = done + self.written
        numbers = [k % 2**15 for k in range(first, first + frames)]
        sound = b"".join(FRAME.pack(self.n, self.take.number, k, self.job.epoch) for k in numbers)
        state = b"".join(STATE.pack(self.n, self.take.number, k) for k in numbers)
        self._append("pcm", sound)
        self._append("state", state)
        self.written += frames

    def _append(self, kind: Literal["pcm", "state"], content: bytes) -> None:
        path = self.store.piece_path(self.job.id, self.n, self.take.number, self.job.epoch, kind)
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fdatasync(file.fileno())

    def save(self) -> None:
        """Tell the store what the files have."""
        self.store.save(
            self.job,
            self.n,
            samples=4 * self.written,
            frames=self.written,
            weights="weights",
            frame_bytes=STATE.size,
            parts=(),
        )

    def speak(self, frames: int) -> None:
        self.write(frames)
        self.save()

    def end(self) -> Job:
        """The take is whole."""
        self.job = self.store.finish_take(self.job, self.n, capped=False)
        return self.job

    def all(self, frames: int = 3) -> Job:
        """Everything that is to come, so many frames each, to the end."""
        for segment in self.job.segments:
            if segment.coming:
                self.begin(segment.n)
                self.speak(frames)
                self.end()
        self.job = self.store.finish(self.job, "done")
        return self.job


def done(store: Store, user: str = "ana", segments: int = 2, frames: int = 3, **fields: Any) -> Job:
    """A job that was submitted and spoken; nothing else may wait."""
    job = submit(store, user, segments, **fields)
    claimed = claim(store)
    assert claimed.id == job.id
    return Speaker(store, claimed).all(frames)


def heard(sound: bytes) -> list[tuple[int, int, int]]:
    """The frames of a sound: segment, take, number within the take."""
    return [frame[:3] for frame in FRAME.iter_unpack(sound)]


def frames_of(spoken: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """All frames of (segment, take, how many), in order."""
    return [(n, take, k) for n, take, count in spoken for k in range(count)]


def files(folder: Path) -> set[str]:
    """The files below a folder, by their paths in it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
