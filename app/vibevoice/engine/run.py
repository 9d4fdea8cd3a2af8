"""One generation's life in the engine: the parts it is spoken in, and what has been spoken."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..script import Turn
from ..voices import SAMPLE_RATE
from .generation import Generation, TooLong
from .memory import PAGE

# People speak about two frames for each token of text. A model that goes on for twice as long has lost its
# way, and would do so for 90 minutes; the constant is for one-word scripts.
FRAMES_PER_TOKEN = 4
SPARE_FRAMES = 30
# A turn's label and line end, at most.
LABEL_TOKENS = 6
# A row's first token without text, and steps that are under way when the end is seen (one, on CUDA).
SPARE_TOKENS = 3


@dataclass(frozen=True)
class Part:
    """Turns that are spoken in one go, and the samples of silence behind them."""

    turns: tuple[Turn, ...]
    tokens: int
    silence: int = 0

    @property
    def cap(self) -> int:
        """The most frames that these turns may take."""
        return SPARE_FRAMES + FRAMES_PER_TOKEN * self.tokens


def plan(turns: Sequence[Turn], tokens: Sequence[int], room: int) -> tuple[Part, ...]:
    """Cut a script where it pauses, and where the model's context is too short for it.

    Args:
        turns, tokens: the turns and how many tokens of text each has.
        room: tokens of context that text and speech may fill together.

    Raises TooLong if a single turn does not fit.
    """
    parts: list[Part] = []
    start = 0
    for end, turn in enumerate(turns, start=1):
        if turn.pause_ms or end == len(turns):
            pieces = _pieces(turns[start:end], tokens[start:end], room)
            parts += pieces[:-1]
            parts.append(Part(pieces[-1].turns, pieces[-1].tokens, turn.pause_ms * SAMPLE_RATE // 1000))
            start = end
    return tuple(parts)


def _pieces(turns: Sequence[Turn], tokens: Sequence[int], room: int) -> list[Part]:
    """As one part if it fits with the speech that it will usually be; else even parts, of which any two in a
    row fit: the first of them lends its voice and mood to the second."""
    if _size(turns, sum(tokens)) <= room:
        return [Part(tuple(turns), sum(tokens))]
    pieces: list[Part] = []
    count = -(-_size(turns, sum(tokens)) // (room // 2))
    most = _size(turns, sum(tokens)) / count
    begin = 0
    for end in range(1, len(turns) + 1):
        size = _size(turns[begin:end], sum(tokens[begin:end]))
        if size > room // 2:
            raise TooLong(
                f"A turn of {tokens[end - 1]} tokens is too long: the model's context has room for "
                f"{room // 2 // (1 + FRAMES_PER_TOKEN // 2)} with their speech. Break it into lines."
            )
        following = _size(turns[begin : end + 1], sum(tokens[begin : end + 1]))
        if end == len(turns) or following > most or following > room // 2:
            pieces.append(Part(tuple(turns[begin:end]), sum(tokens[begin:end])))
            begin = end
    return pieces


def _size(turns: Sequence[Turn], tokens: int) -> int:
    """What turns usually take of the context: their text and labels, and half of their cap."""
    return tokens + LABEL_TOKENS * len(turns) + (SPARE_FRAMES + FRAMES_PER_TOKEN * tokens) // 2


@dataclass(eq=False)
class Run:
    """A generation that a Batch has prepared, and then speaks."""

    generation: Generation
    seed: int
    guidance: float
    parts: tuple[Part, ...]
    frame_bytes: int
    """Of each frame in `states`."""
    pages: tuple[int, int] = (0, 0)
    """Of the store: with and without the text."""
    prior: int = 0
    """Frames at the beginning of `states` that were spoken before this generation (its prefix)."""
    states: bytearray = field(default_factory=bytearray)
    """All frames, as Saved keeps them."""
    ends: list[int] = field(default_factory=list)
    """Number of frames, `prior` included, at which each finished part ended."""
    capped: bool = False

    # While it has a slot:
    slot: int | None = None
    entered: int = 0
    """The batch's step with which it entered its slot: what earlier ones left there is another's."""
    first: int = 0
    """Its frames, without `prior`, when it entered."""
    length: int = 0
    """Tokens of context when it entered."""
    steps: int = 0
    """In this part, marks included."""
    limit: int = 0
    """Most steps of this part."""

    @property
    def count(self) -> int:
        """Frames in `states`."""
        return len(self.states) // self.frame_bytes

    @property
    def part(self) -> Part:
        """The one that is being spoken, or is next."""
        return self.parts[len(self.ends)]

    @property
    def tokens(self) -> int:
        """Of the store, that are reserved while it has a slot."""
        return sum(self.pages) * PAGE

    @property
    def done(self) -> bool:
        return len(self.ends) == len(self.parts)
