"""A job as the store has it: what is to be spoken, for whom, and what there is of it.

A job is spoken in segments, each of whole turns. A segment is spoken in takes: the first, and one for each
time that somebody asks for it anew. A take's sound lies in pieces, one for each lease under which it was
spoken (`epoch`): nobody ever writes into another's file.
"""

from dataclasses import dataclass
from typing import Literal

from ..script import Turn
from ..voices import SAMPLE_RATE

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")
Kind = Literal["job", "speech"]
"""`speech`: asked for by a program that waits for the answer. In no history, gone once it was answered."""
TakeState = Literal["waiting", "running", "done"]


@dataclass(frozen=True)
class Piece:
    """What was spoken of a take under one lease, as far as it is safely on the disk."""

    epoch: int
    samples: int
    frames: int


@dataclass(frozen=True)
class Take:
    """One try at a segment."""

    number: int
    """From 0."""
    seed: int
    state: TakeState = "waiting"
    capped: bool = False
    """The model did not end by itself."""
    weights: str = ""
    """What spoke it (Saved.weights); empty before the first frame. With `frame_bytes`, for Saved."""
    frame_bytes: int = 0
    parts: tuple[int, ...] = ()
    """Saved.parts: numbers of frames, over all pieces, at which the parts ended."""
    pieces: tuple[Piece, ...] = ()
    """By epoch."""

    @property
    def samples(self) -> int:
        return sum(piece.samples for piece in self.pieces)

    @property
    def frames(self) -> int:
        return sum(piece.frames for piece in self.pieces)

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Segment:
    """Whole turns of a job, `first` to `last` (not included)."""

    n: int
    """From 0."""
    first: int
    last: int
    estimate_s: float
    """Expected length of its sound, in seconds."""
    heard: Take | None = None
    """The finished take that is in the job's sound."""
    coming: Take | None = None
    """The take that is to be spoken, or is being spoken."""

    @property
    def take(self) -> Take | None:
        """What there is to hear of it now."""
        return self.heard or self.coming


@dataclass(frozen=True)
class Job:
    """One job, at the moment of the question."""

    id: str
    """`job_` and 24 letters and digits."""
    number: int
    """Counts up in order of submission."""
    user: str
    """Who submitted it; empty where there is no door."""
    kind: Kind
    state: State
    title: str
    script: str
    """As written."""
    turns: tuple[Turn, ...]
    """As read when it was submitted, a spoken disclaimer included: a later parser may read it otherwise."""
    speakers: tuple[str, ...]
    voices: tuple[str | None, ...]
    """A voice's id for each speaker; None: the model's own choice."""
    seed: int
    guidance: float | None
    steps: int | None
    one_take: bool
    format: str
    """What its owner wants to download, one of audio.FORMATS."""
    batch: str | None
    created: float
    """Unix seconds, as all times here."""
    segments: tuple[Segment, ...]
    started: float | None = None
    """When a runner first claimed it."""
    ended: float | None = None
    runner: str | None = None
    """Who holds the lease."""
    epoch: int = 0
    """Number of the lease: each claim has a higher one."""
    cancelling: bool = False
    """Somebody asked for its end; its runner has yet to hear of it."""
    reason: str = ""
    """Why it waits though there may be room: `disk_full`, `gpu_released`, `yielded`; else empty."""
    error_type: str = ""
    error_message: str = ""

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def audible(self) -> bool:
        """Every segment has a finished take: there is a whole to download."""
        return all(segment.heard for segment in self.segments)

    @property
    def samples(self) -> int:
        """Of sound that there is."""
        return sum(segment.take.samples for segment in self.segments if segment.take)

    @property
    def audio_s(self) -> float:
        return self.samples / SAMPLE_RATE

    @property
    def estimate_s(self) -> float:
        """Expected length of the whole, in seconds; what is finished counts as it is."""
        return sum(
            segment.heard.seconds if segment.heard else segment.estimate_s for segment in self.segments
        )


@dataclass(frozen=True)
class NewJob:
    """What is submitted. `segments` are (first, last, estimate_s), each at least one turn, none left out."""

    script: str
    turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    segments: tuple[tuple[int, int, float], ...]
    seed: int
    voices: tuple[str | None, ...] = ()
    title: str = ""
    kind: Kind = "job"
    guidance: float | None = None
    steps: int | None = None
    one_take: bool = False
    format: str = "mp3"


@dataclass(frozen=True)
class Place:
    """Where a job stands: its position among those that wait (1: the next; None: it does not wait), and the
    seconds until it will have ended (None: nobody can say)."""

    position: int | None
    eta_s: float | None


@dataclass(frozen=True)
class Event:
    """What happened to a job; `number` counts up over all jobs of the project."""

    number: int
    job: str
    kind: Literal["progress", "segment", "done", "error"]
    data: dict[str, object]


@dataclass(frozen=True)
class Voice:
    """A voice of the library."""

    id: str
    """`voice_` and 16 letters and digits."""
    name: str
    user: str
    shared: bool
    """For everybody of the project."""
    sha256: str
    """Of its samples (voices.content_hash); the clip lies at voices/<sha256>.wav, mono, 24 kHz."""
    seconds: float
    consent: str
    """The words that whoever uploaded it agreed to."""
    created: float


@dataclass(frozen=True)
class RunnerState:
    """What a runner says of itself with every beat."""

    id: str
    slot: int
    engine: str
    """engine.State"""
    streams: int
    """Jobs that it can speak at once; 0 while it takes none."""
    running: int
    pace: float
    """Seconds of expected sound that one stream makes in a second, of late; 0: not known yet."""
