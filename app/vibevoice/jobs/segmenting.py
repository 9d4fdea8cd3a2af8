"""How long a script will be, and into which segments it is cut: whole turns, one to two minutes each."""

from collections.abc import Sequence

from ..script import Turn
from ..script.sentences import width

COLUMNS_PER_S = 15
"""Of sentences.width; measured on speech of the released models."""
SHORTEST_S, LONGEST_S = 60.0, 120.0
"""A shorter segment's voice has little to go on with, a longer one takes long to be spoken anew."""

Cut = tuple[int, int, float]
"""First turn, last turn (not included), estimated seconds."""


def seconds(turn: Turn) -> float:
    """Expected length of a turn and the pause behind it."""
    return width(turn.text) / COLUMNS_PER_S + turn.pause_ms / 1000


def segments(turns: Sequence[Turn], one_take: bool = False) -> tuple[Cut, ...]:
    """The turns as segments, in order, none left out; one_take: a single one.

    A cut is at a change of speakers or at a pause if there is one in time: there a join is least heard. Only
    a turn that is longer by itself makes a segment longer than LONGEST_S; what is short at the end joins the
    segment before, or the two share what they have.
    """
    lengths = [seconds(turn) for turn in turns]
    ends = [len(turns)] if one_take else _balanced(_ends(turns, lengths), lengths)
    begins = [0, *ends[:-1]]
    return tuple((first, last, sum(lengths[first:last])) for first, last in zip(begins, ends, strict=True))


def _ends(turns: Sequence[Turn], lengths: Sequence[float]) -> list[int]:
    """Where segments end, from the first turn on."""
    ends: list[int] = []
    begin, sofar = 0, 0.0
    for n, length in enumerate(lengths):
        full = sofar + length > LONGEST_S
        good = sofar >= SHORTEST_S and (turns[n].speaker != turns[n - 1].speaker or turns[n - 1].pause_ms)
        if n > begin and (full or good):
            ends.append(n)
            begin, sofar = n, 0.0
        sofar += length
    return [*ends, len(turns)]


def _balanced(ends: list[int], lengths: Sequence[float]) -> list[int]:
    """The same, with no short rest at the end where that can be helped."""
    if len(ends) < 2:
        return ends
    begin = ends[-3] if len(ends) > 2 else 0
    last, both = sum(lengths[ends[-2] :]), sum(lengths[begin:])
    if last >= SHORTEST_S:
        return ends
    if both <= LONGEST_S:
        return [*ends[:-2], ends[-1]]
    middle = min(range(begin + 1, len(lengths)), key=lambda n: abs(sum(lengths[begin:n]) - both / 2))
    return [*ends[:-2], middle, ends[-1]]
