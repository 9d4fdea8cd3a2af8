"""What the engine is asked for, what it gives back, and why it may not. Imports no torch: for both sides."""

import json
from dataclasses import dataclass

from ..audio import Samples
from ..script import Turn

_MAGIC = b"vibevoice saved 1\n"


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
    """This request can never be served here: too many speakers, other steps, a bad voice, …"""

    param: str | None = None
    """Which of the request's fields is to blame, where that is known."""

    def __init__(self, message: str = "", param: str | None = None) -> None:
        super().__init__(message)
        if param is not None:
            self.param = param


class CheckpointError(Exception):
    """The folder of weights cannot be used; one line: which file, what is wrong with it, what to do."""


@dataclass(frozen=True)
class Saved:
    """All that a stream has spoken so far: any engine with the same weights goes on behind it.

    Opaque but for its length. Small: about 0.4 KB for each frame.
    """

    weights: str
    """Fingerprint of checkpoint and dtype; an engine with another one refuses this."""
    frame_bytes: int
    frames: bytes
    """`frame_bytes` for each frame: the acoustic latent, then the semantic features."""
    parts: tuple[int, ...] = ()
    """Number of frames at which each finished part ended (pauses, long form), ascending."""
    seed: int = 0

    @property
    def count(self) -> int:
        """Frames spoken."""
        return len(self.frames) // self.frame_bytes

    def to_bytes(self) -> bytes:
        """For a file; `from_bytes` reads it."""
        head = {
            "weights": self.weights,
            "frame_bytes": self.frame_bytes,
            "parts": self.parts,
            "seed": self.seed,
        }
        return _MAGIC + json.dumps(head).encode() + b"\n" + self.frames

    @classmethod
    def from_bytes(cls, content: bytes) -> "Saved":
        """What `to_bytes` wrote. Raises ValueError for anything else, a file that was cut off included."""
        head, newline, frames = content.removeprefix(_MAGIC).partition(b"\n")
        if not content.startswith(_MAGIC) or not newline:
            raise ValueError("this is no saved stream")
        try:
            read = json.loads(head)
        except ValueError:
            read = None
        match read:
            case {"weights": str(weights), "frame_bytes": int(size), "parts": list(parts), "seed": int(seed)}:
                saved = cls(weights, size, frames, tuple(parts), seed)
            case _:
                raise ValueError("the saved stream's head is damaged")
        if size < 1 or len(frames) % size:
            raise ValueError(f"the saved stream has {len(frames)} bytes: not a number of frames of {size}")
        ordered = all(isinstance(part, int) for part in parts) and list(parts) == sorted(parts)
        if not ordered or (parts and not 0 <= parts[0] <= parts[-1] <= saved.count):
            raise ValueError("the saved stream's parts do not fit its frames")
        return saved


@dataclass(frozen=True)
class Prefix:
    """A finished stream that a new one continues in voice and mood."""

    turns: tuple[Turn, ...]
    saved: Saved


# Compared by identity: arrays have no truth value.
@dataclass(frozen=True, eq=False)
class Generation:
    """One script to speak."""

    turns: tuple[Turn, ...]
    voices: tuple[Samples | None, ...] = ()
    """By speaker: float32 mono 24 kHz in -1..1; None or missing: a random voice."""
    seed: int | None = None
    """The same seed gives the same speech; None: the engine draws one (below 2**32) and tells it."""
    guidance: float | None = None
    """How strongly the text leads (classifier-free guidance); None: the checkpoint's own."""
    steps: int | None = None
    """Denoising steps for each frame. One number for each engine: another one than its own is refused."""
    cap: int | None = None
    """Most frames; None: by the text's length."""
    prefix: Prefix | None = None
    resume: Saved | None = None
    """Go on behind these frames."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of speech, 1/7.5 s."""

    samples: Samples
    """[3200] float32."""
    state: bytes
    """The frame as `Saved` keeps it."""


@dataclass(frozen=True)
class PartEnd:
    """A part of the stream has ended (a pause follows, or the script's next part). Noted in `Saved.parts`."""

    silence: int
    """Samples of silence that follow; 0: none."""


@dataclass(frozen=True)
class End:
    """The stream has ended."""

    capped: bool
    """The model did not end by itself: cut off at the cap."""


Spoken = Frame | PartEnd | End


@dataclass(frozen=True)
class Speech:
    """Speech and how it came about."""

    samples: Samples
    """Empty if the stream kept none (Engine.submit)."""
    length: int
    """In samples, silence included."""
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
        return self.length / self.sample_rate
