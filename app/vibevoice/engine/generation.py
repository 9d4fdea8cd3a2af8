"""What the engine is asked for, what it gives back, and why it may not."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..audio import Samples
from ..script import Turn


class EngineError(Exception):
    """A generation that did not happen, for a reason its caller should know."""


class NotReady(EngineError):
    """The model is loading, or the studio is about to stop."""


class QueueFull(EngineError):
    """As many generations wait as may."""


class TooLong(EngineError):
    """The script does not fit into the model's context."""


class Cancelled(EngineError):
    """Stopped before its end, by its caller or because the studio stops."""


class Refused(EngineError):
    """This request can never be served here: too many speakers, other steps, a bad voice."""


class CheckpointError(Exception):
    """The weights' folder cannot be used. One line: which file, what is wrong, what to do."""


@dataclass(frozen=True)
class Generation:
    """One script to speak."""

    turns: tuple[Turn, ...]
    seed: int | None = None
    """The same seed gives the same speech; None draws one."""
    guidance: float | None = None
    """How strongly the text leads (classifier-free guidance); None is the checkpoint's own."""
    steps: int | None = None
    """Denoising steps for each frame; None is the checkpoint's own."""


@dataclass(frozen=True)
class Speech:
    """Speech and how it came about."""

    samples: Samples
    sample_rate: int
    frames: int
    seed: int
    seconds: float
    """Time it took, in seconds, without waiting."""
    capped: bool
    """The model did not end by itself: cut off at the limit that the text's length sets."""

    @property
    def duration(self) -> float:
        """Length of the sound in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass
class Stream:
    """A generation under way, shared by its caller and the engine's thread."""

    generation: Generation
    future: "Future[Speech]" = field(default_factory=Future)
    frames: int = 0
    """Frames spoken so far, of 1/7.5 s each."""
    started: float | None = None
    submitted: float = field(default_factory=time.monotonic)
    _cancel: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask for the end: at the next frame, or before the first if it still waits."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()
