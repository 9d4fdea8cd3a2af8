"""A job in its runner's hands: what is being spoken of it, what of that is on the disk, how it leaves."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..audio import Samples, pcm16
from ..engine import Engine, EngineError, Generation, Prefix, Refused, Stream, TooLong
from ..engine.generation import Frame
from ..voices import SAMPLE_RATE, VoiceError
from .errors import Damaged, NoSuchVoice
from .model import Job, State, Take
from .piece import PieceFiles
from .store import Store

log = logging.getLogger(__name__)
# From one write to the next: the first frame goes to the disk at once, for whoever listens already; what
# comes later may wait the longer the more there is to listen to.
FIRST_WRITE_S, WRITE_S = 0.1, 0.5


@dataclass(frozen=True)
class Leave:
    """How a job leaves its runner: with its end, or to wait again."""

    state: State | None = None
    """None: it waits again, for `reason` (Job.reason)."""
    reason: str = ""
    error_type: str = ""
    error_message: str = ""


class Speaking:
    """One job under one lease. For the runner's thread; `urgent` for the engine's, too."""

    def __init__(self, job: Job, wake: Callable[[], None]) -> None:
        """`wake` is called, in any thread, when there is something that cannot wait."""
        self.job = job
        self.n: int | None = None
        """The segment that is being spoken."""
        self.stream: Stream | None = None
        self.ended = False
        """The stream has ended, and all of it is in the files."""
        self.leave: Leave | None = None
        """Set: it is to leave as soon as the store knows."""
        self.alone = False
        """This segment cannot go on from the one before."""
        self.silent = job.samples == 0
        """Nothing is to be heard of the job yet."""
        self.busy_s = self.stream_s = 0.0
        """Time of the device, and of the stream, since the last save."""
        self._wake = wake
        self._files: PieceFiles | None = None
        self._reset(None)

    def _reset(self, take: Take | None) -> None:
        self.take = take
        self._sound, self._frames = bytearray(), bytearray()
        # Of this lease's piece, in samples and frames: in the files, and known to the store.
        self._written = self._saved = (0, 0)
        self._parts = list(take.parts) if take else []
        self._frame_bytes = take.frame_bytes if take else 0
        self._write_s, self.write_at = FIRST_WRITE_S, 0.0
        self._news = False

    # --- a segment's stream --------------------------------------------------------------------------------

    @property
    def to_speak(self) -> int | None:
        """The next segment that has a take to come; None: all are spoken."""
        return next((segment.n for segment in self.job.segments if segment.coming), None)

    def start(self, store: Store, engine: Engine, n: int, take: Take) -> None:
        """Speak a segment's take, on from where it stands.

        Raises EngineError if it cannot be spoken now, or ever; NoSuchVoice; StoreError, OSError.
        """
        assert all(piece.epoch != self.job.epoch for piece in take.pieces), "a piece is never begun twice"
        self._reset(take)
        self.n, self.ended = n, False
        self.stream = engine.submit(self._generation(store, n, take), keep=False)
        pcm, state = (
            store.piece_path(self.job.id, n, take.number, self.job.epoch, kind) for kind in ("pcm", "state")
        )
        # While the engine reads the prompt.
        self._files = PieceFiles(pcm, state)
        self.stream.listen(self._heard)

    def _generation(self, store: Store, n: int, take: Take) -> Generation:
        job, segment = self.job, self.job.segments[n]
        return Generation(
            job.turns[segment.first : segment.last],
            voices=tuple(None if voice is None else _clip(store, voice) for voice in job.voices),
            seed=take.seed,
            guidance=job.guidance,
            steps=job.steps,
            prefix=None if self.alone else self._prefix(store, n),
            resume=store.saved(job, n, take),
        )

    def _prefix(self, store: Store, n: int) -> Prefix | None:
        """The segment before, in whose voice and mood this one goes on."""
        job = self.job
        if n == 0 or job.one_take or (heard := job.segments[n - 1].heard) is None:
            return None
        before = job.segments[n - 1]
        try:
            saved = store.saved(job, before.n, heard)
        except Damaged as error:
            log.error("It does not go on from the one before: %s", error, extra={"job": job.id, "segment": n})
            return None
        return saved and Prefix(job.turns[before.first : before.last], saved)

    @property
    def prefixed(self) -> bool:
        """The stream goes on from the segment before."""
        return self.stream is not None and self.stream.generation.prefix is not None

    def _heard(self) -> None:
        """In the engine's thread: there is something new."""
        self._news = True
        if self.urgent(time.monotonic()):
            self._wake()

    def urgent(self, now: float) -> bool:
        """There is something to be done about it now."""
        over = self.stream is not None and self.stream.future.done()
        return self.leave is not None or over or (self._news and now >= self.write_at)

    def stop(self) -> None:
        """Be done with the stream, wherever it is; what was saved stays."""
        if self.stream:
            self.stream.cancel()
        if self._files:
            self._files.close()
        self.stream = self._files = None
        self.ended = False

    def stand_alone(self) -> None:
        """Speak the segment anew, without the one before."""
        self.alone = True
        self.stop()

    def next_segment(self, job: Job) -> None:
        """One is whole, and the job is now this."""
        self.job, self.alone = job, False
        self.stop()

    def go(self, leave: Leave) -> None:
        """Speak no more, and leave with what there is; a first reason stays the reason."""
        self.leave = self.leave or leave
        if self.stream:
            # Without waiting for the engine: a frame more or less, and it may hang.
            self.stream.suspend(0)

    # --- what has been spoken ------------------------------------------------------------------------------

    def write(self, now: float) -> None:
        """Put all that the stream has spoken into the files. Raises OSError; then it is for the next call."""
        if self.stream is None or self._files is None:
            return
        ended = self.stream.future.done()
        self._news = False
        samples, frames = self._written
        for new in self.stream.take_new():
            if isinstance(new, Frame):
                self._sound += pcm16(new.samples).tobytes()
                self._frames += new.state
                self._frame_bytes = len(new.state)
            else:
                self._sound += bytes(2 * new.silence)
                self._parts.append(self._before + frames + self._held)
        if self._sound:
            self._files.append(bytes(self._sound), bytes(self._frames))
            self._written = (samples + len(self._sound) // 2, frames + self._held)
            self._sound.clear()
            self._frames.clear()
            self.write_at, self._write_s = now + self._write_s, min(2 * self._write_s, WRITE_S)
        self.ended = ended

    def forget_unsaved(self) -> None:
        """Whatever the store does not know yet is not to be: it is spoken again."""
        if self.stream:
            self.stream.suspend(0)
            self.stream.take_new()
        self._sound.clear()
        self._frames.clear()
        self._written = self._saved
        self.ended = False

    @property
    def _held(self) -> int:
        """Frames that are in no file yet."""
        return len(self._frames) // self._frame_bytes if self._frames else 0

    @property
    def _before(self) -> int:
        """Frames of the take's earlier pieces."""
        return self.take.frames if self.take else 0

    @property
    def unsaved_s(self) -> float:
        """Seconds of sound that are in the files, and the store has yet to be told."""
        return (self._written[0] - self._saved[0]) / SAMPLE_RATE

    def save(self, store: Store) -> None:
        """Tell the store. Raises LeaseLost, StoreError."""
        assert self.stream and self.n is not None
        samples, frames = self._written
        store.save(
            self.job,
            self.n,
            samples=samples,
            frames=frames,
            weights=self.stream.weights,
            frame_bytes=self._frame_bytes,
            parts=tuple(self._parts),
        )

    def saved(self) -> None:
        """The store knows for good."""
        self._saved = self._written


def failed(error: Exception) -> Leave:
    """How a job leaves that this keeps from being spoken, now and later."""
    match error:
        case TooLong():
            kind = "invalid_input"
        case VoiceError() | NoSuchVoice():
            kind = "invalid_voice"
        case Refused():
            kind = "refused"
        case EngineError():
            kind = "generation_failed"
        case _:
            return Leave("failed", "", "generation_failed", "The studio made a mistake; its log says which.")
    return Leave("failed", "", kind, str(error))


def _clip(store: Store, voice: str) -> Samples:
    try:
        return store.library.samples(voice)
    except Damaged as error:
        log.error("%s", error)
        raise VoiceError("A voice's file is damaged; upload the voice again.") from error
