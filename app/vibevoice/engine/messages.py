"""What the web process and the engine process say to each other.

They share nothing but one local socket, framed by multiprocessing.connection.Connection. It pickles: both
ends are the same code of the same image, and the engine inherits the socket from the process that started it,
so nobody else can reach it. Streams are known by a number that is given once for each time a generation is
handed to an engine, and never again: what a dead engine still said means nothing to the next one.
"""

from dataclasses import dataclass

from .generation import EngineError, Generation, Spoken

# How an engine process ends, for the log: told to (its socket was closed), unable to begin, device lost.
ENDED, CANNOT_BEGIN, DEVICE_LOST = 0, 3, 4


@dataclass(frozen=True)
class Submit:
    """Speak this as soon as those before it leave room."""

    number: int
    generation: Generation


@dataclass(frozen=True)
class Leave:
    """Let go of a stream within a frame, wherever it is; answered by `Left` if the engine still had it."""

    number: int


@dataclass(frozen=True)
class Waiting:
    """Another process holds the GPU; sent again every second."""

    path: str


@dataclass(frozen=True)
class Ready:
    """The weights are on the device; what was submitted until now and from now on is spoken."""

    weights: str
    device: str
    sample_rate: int
    """Samples for each second."""
    slots: int
    """Streams at once."""
    steps: int
    """Denoising steps for each frame."""
    kv_tokens: int
    """Room for keys and values, in tokens of both branches of guidance."""


@dataclass(frozen=True)
class Heartbeat:
    """At least every second: the engine gets on."""

    kv_free: int


@dataclass(frozen=True)
class Trying:
    """A stream is first, and the engine begins with it. Comes before the device is touched: should the engine
    die now, it is known of whom."""

    number: int


@dataclass(frozen=True)
class Started:
    """A stream has its slot."""

    number: int
    seed: int


@dataclass(frozen=True)
class Step:
    """What one step of the engine gave, by stream."""

    spoken: tuple[tuple[int, Spoken], ...]


@dataclass(frozen=True)
class Left:
    """The engine has let go of a stream, as asked. Nothing of it follows."""

    number: int


@dataclass(frozen=True)
class Ended:
    """A stream ended before its end; the others go on."""

    number: int
    error: EngineError


@dataclass(frozen=True)
class Dying:
    """The engine ends, and why."""

    reason: str
    hopeless: bool
    """The next engine would fare the same: a checkpoint that cannot be used, a lock that cannot be made."""


FromWeb = Submit | Leave
FromEngine = Waiting | Ready | Heartbeat | Trying | Started | Step | Left | Ended | Dying
