"""Subtitles of a job, as SRT and VTT.

The length of each segment is known to the sample, and so is where it pauses. In between, turns share the time
by the length of their words, right to about a second: the model does not say where in its text it is.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ..jobs.model import Job, Take
from ..script import Turn
from ..script.sentences import width
from .captions import captions
from .samples import SAMPLE_RATE


@dataclass(frozen=True)
class Cue:
    """What is said from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    speaker: str
    text: str


def cues(job: Job) -> list[Cue]:
    """The turns of a job in the order and at the times they are heard, as far as there is finished sound."""
    made: list[Cue] = []
    start = 0
    for segment in job.segments:
        if segment.heard is None:
            break
        turns = job.turns[segment.first : segment.last]
        for turn, (begin, end) in zip(turns, _times(turns, segment.heard), strict=True):
            times = (start + begin) / SAMPLE_RATE, (start + end) / SAMPLE_RATE
            made.append(Cue(*times, job.speakers[turn.speaker], turn.text))
        start += segment.heard.samples
    return made


def srt(cues: Sequence[Cue]) -> str:
    """As SubRip. Of several speakers, whoever begins is named before the words."""
    several = len({cue.speaker for cue in cues}) > 1
    shown: list[Cue] = []
    before = ""
    for cue in cues:
        named = several and cue.speaker and cue.speaker != before
        shown.append(replace(cue, text=f"{cue.speaker}: {cue.text}") if named else cue)
        before = cue.speaker
    return "".join(
        # There is no way to write an arrow that is none.
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_joined(lines).replace('-->', '→')}\n\n"
        for number, (start, end, lines, _) in enumerate(_timed(shown), 1)
    )


def vtt(cues: Sequence[Cue]) -> str:
    """As WebVTT. Speakers are voices, which players may show."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{_voice(speaker)}{_escaped(_joined(lines))}\n\n"
        for start, end, lines, speaker in _timed(cues)
    )


def _times(turns: Sequence[Turn], take: Take) -> list[tuple[float, float]]:
    """When each turn is heard, in samples from the take's beginning."""
    silences = [turn.pause_ms * SAMPLE_RATE // 1000 for turn in turns]
    spoken = max(take.samples - sum(silences), 0)
    shares = _shares(turns, take)
    times, now = [], 0.0
    for share, silence in zip(shares, silences, strict=True):
        end = now + spoken * share / sum(shares)
        times.append((now, end))
        now = end + silence
    return times


def _shares(turns: Sequence[Turn], take: Take) -> list[float]:
    """Each turn's share of the speech. Frames are counted from pause to pause, words within."""
    words = [width(turn.text) for turn in turns]
    ends = [n for n, turn in enumerate(turns, 1) if turn.pause_ms or n == len(turns)]
    frames = [*take.parts, take.frames] if len(take.parts) < len(ends) else list(take.parts)
    # A take that had to be cut elsewhere, too, has more parts than pauses.
    if len(frames) != len(ends) or frames != sorted(frames) or not frames[-1] == take.frames > 0:
        return [float(columns) for columns in words]
    shares: list[float] = []
    for first, last, begin, end in zip([0, *ends], ends, [0, *frames], frames, strict=False):
        shares += [(end - begin) * columns / sum(words[first:last]) for columns in words[first:last]]
    return shares


def _timed(cues: Sequence[Cue]) -> Iterator[tuple[int, int, tuple[str, ...], str]]:
    """Captions with their times in milliseconds, one after the other: (start, end, lines, speaker)."""
    last = 0
    for cue in cues:
        shown = captions(cue.text)
        if not shown:
            continue
        # Each has a time of its own, whatever the cue says.
        start = max(round(1000 * cue.start_s), last)
        last = max(round(1000 * cue.end_s), start + len(shown))
        shares = list(accumulate(width(_joined(lines)) for lines in shown))
        begin = start
        for n, (lines, share) in enumerate(zip(shown, shares, strict=True), 1):
            end = start + (last - start) * share // shares[-1]
            end = min(max(end, begin + 1), last - len(shown) + n)
            yield begin, end, lines, cue.speaker
            begin = end


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _voice(speaker: str) -> str:
    name = _escaped(" ".join(speaker.split()))
    return f"<v {name}>" if name else ""


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
