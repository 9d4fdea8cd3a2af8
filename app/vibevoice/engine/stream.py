"""A generation under way, as its caller sees it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace

import numpy as np

from ..audio import Samples
from .generation import Cancelled, End, EngineError, Frame, Generation, PartEnd, Saved, Speech, Spoken

SUSPEND_S = 10.0


class Suspended(Cancelled):
    """Let go by its caller before its end, to go on from what was saved."""


class Stream:
    """A generation that waits, is spoken, or has ended. For any thread.

    What has been spoken is kept here and not in the engine: if that dies, it costs a stream time and nothing
    else. A second of sound takes 96 kB, of `saved` 3 kB. Who takes the sound as it comes (`take_new`) has
    none of it kept, be the stream hours long.
    """

    def __init__(
        self,
        generation: Generation,
        leave: "Callable[[Stream, EngineError, bool], None]",
        *,
        keep: bool = True,
    ) -> None:
        """`leave` ends a stream with an error: at once if it is told so, else when the engine has let go.
        `keep`: all sound, for `frames` and the speech; else each piece until `take_new` has handed it out."""
        self.generation = generation
        self.future: Future[Speech] = Future()
        # A caller that goes away cancels the stream, never the future that the engine will fill.
        self.future.set_running_or_notify_cancel()
        before = generation.resume
        self.seed = before.seed if before and generation.seed is None else generation.seed
        """The one asked for or saved, else drawn by the engine and known once it has started."""
        self.submitted = time.monotonic()
        self.started: float | None = None
        """When it first got a slot (monotonic)."""
        self.first_frame: float | None = None
        """When its first frame arrived (monotonic)."""
        self._leave, self._keep = leave, keep
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._new: list[Frame | PartEnd] = []
        self._sound = bytearray()
        self._ends: list[int] = []
        self._frames = self._samples = 0
        before = before or Saved("", 0, b"")
        self._weights, self._frame_bytes = before.weights, before.frame_bytes
        self._state, self._parts = bytearray(before.frames), list(before.parts)

    @property
    def count(self) -> int:
        """Frames spoken so far, of 1/7.5 s each; those of `generation.resume` not among them."""
        return self._frames

    @property
    def samples(self) -> int:
        """Length of the sound so far, silence included, in samples."""
        return self._samples

    @property
    def weights(self) -> str:
        """What spoke it last (Saved.weights); empty before the first frame."""
        return self._weights

    @property
    def saved(self) -> Saved | None:
        """All that has been spoken, with `generation.resume` before it; None before the first frame."""
        with self._changed:
            if not self._state:
                return None
            seed = self.seed or 0
            return Saved(self._weights, self._frame_bytes, bytes(self._state), tuple(self._parts), seed)

    @property
    def rest(self) -> Generation:
        """What is still to be spoken."""
        return replace(self.generation, seed=self.seed, resume=self.saved)

    def frames(self) -> Iterator[Samples]:
        """The sound from the first frame on as it comes, [n] float32 each: frames, and silence between parts.

        Waits for more; ends with the stream. Any number of readers. Raises EngineError once there is no more
        because the stream was cancelled, suspended or failed.
        """
        assert self._keep, "what is not kept can only be taken"
        begin = 0
        for number in itertools.count():
            with self._changed:
                while number == len(self._ends) and not self.future.done():
                    self._changed.wait()
                if number == len(self._ends):
                    break
                end = self._ends[number]
                sound = np.frombuffer(self._sound[begin:end], np.float32)
            yield sound
            begin = end
        self.future.result()

    def take_new(self) -> list[Frame | PartEnd]:
        """What has come since the last call. Once the future is done, one more call takes the last of it."""
        assert not self._keep, "what is kept is read by frames()"
        with self._changed:
            new, self._new = self._new, []
            return new

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever something new is there, and at the end; at once if there is already.

        It is called in the engine's thread or whoever's brings the end, and must neither block nor raise.
        """
        with self._changed:
            self._listeners.append(listener)
            already = self._frames or self.future.done()
        if already:
            listener()

    def cancel(self) -> None:
        """End it now, if it has not ended. The engine has its slot back within a frame."""
        self._leave(self, Cancelled("cancelled"), True)

    def suspend(self, timeout: float = SUSPEND_S) -> Saved | None:
        """Let go of the engine and return what is there; the future raises Suspended.

        Waits up to `timeout` seconds for the engine to hand over its last frames, after which there is one
        less to speak again; without them nothing is lost either. A stream that has ended stays as it is.
        """
        self._leave(self, Suspended("suspended"), False)
        if not wait([self.future], timeout).done:
            self._leave(self, Suspended("suspended"), True)
        return self.saved

    # What follows is the client's: nobody else calls it.

    def began(self, seed: int) -> None:
        """It has a slot."""
        with self._changed:
            self.seed = seed
            self.started = self.started or time.monotonic()

    def take(self, spoken: Spoken, weights: str) -> None:
        """Keep what an engine with these weights has spoken."""
        if isinstance(spoken, End):
            return
        with self._changed:
            match spoken:
                case Frame(samples, state):
                    self.first_frame = self.first_frame or time.monotonic()
                    self._frames += 1
                    self._samples += len(samples)
                    self._weights, self._frame_bytes = weights, len(state)
                    self._state += state
                case PartEnd(silence):
                    self._samples += silence
                    self._parts.append(len(self._state) // max(self._frame_bytes, 1))
            if self._keep:
                self._add(
                    spoken.samples.tobytes() if isinstance(spoken, Frame) else bytes(4 * spoken.silence)
                )
            else:
                self._new.append(spoken)
        self._tell()

    def _add(self, sound: bytes) -> None:
        if sound:
            self._sound += sound
            self._ends.append(len(self._sound))
            self._changed.notify_all()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def speech(self, sample_rate: int, capped: bool) -> Speech:
        """The whole, once it has ended; the sound is the stream's memory, and none if that keeps none."""
        now = time.monotonic()
        return Speech(
            samples=np.frombuffer(self._sound, np.float32),
            length=self._samples,
            sample_rate=sample_rate,
            frames=self._frames,
            seed=self.seed or 0,
            seconds=now - (self.started or now),
            capped=capped,
        )

    def finish(self, speech: Speech | None, error: BaseException | None) -> None:
        """The end; called once."""
        # Outside of the lock: whoever waits for the future may have a callback there.
        if speech is not None:
            self.future.set_result(speech)
        else:
            self.future.set_exception(error or Cancelled("cancelled"))
        with self._changed:
            self._changed.notify_all()
        self._tell()
