"""What stands in brackets: directions that nobody speaks, and pauses.

Parentheses and brackets may be nested and may run over the ends of lines within one speech. One that is never
closed stays as it is written, with all that follows: a forgotten bracket should not silence the rest. Only
`[pause:` without its end is an error.

A pause is `[pause]` or `[停顿]`, for a second, or has a length behind a colon or a blank: `500ms`, `1.5s`,
`2 seconds`, `500毫秒`, `1秒`, or a bare number of milliseconds (`[pause:500]`, as in other tools for this
model). `[break …]`, `[silence …]` and the same in parentheses, `(pause)`, are pauses where they have this
form, and directions elsewhere, as is `[pause for effect]`. But `[pause:abc]` is an error.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from .characters import INVISIBLE
from .model import Rules, ScriptError
from .words import is_direction

MAX_PAUSE_MS = 10_000
"""The longest single pause."""
BARE_PAUSE_MS = 1_000
"""How long `[pause]` is."""
SHORTEST_BARE_NUMBER = 10
"""`[pause:2]` surely means no two milliseconds."""

LONGEST_TAG = 80
"""Characters of a bracket that are looked at; brackets within brackets are so read in linear time."""

_BLANK = rf"[\s{INVISIBLE}]*+"
_PAUSE = re.compile(
    rf"{_BLANK}(?:(?P<word>pause|停顿|停頓)|break|silence){_BLANK}(?P<colon>[:=])?(?P<length>.*)",
    re.IGNORECASE | re.DOTALL,
)
_LENGTH = re.compile(
    r"(?P<number>\d{1,9}(?:\.\d{0,9})?)\s*(?P<unit>ms|msec|milliseconds?|毫秒|s|secs?|seconds?|秒钟?)?",
    re.IGNORECASE,
)
_MILLISECONDS = ("ms", "msec", "millisecond", "milliseconds", "毫秒")
_SOUND = re.compile(r"(?<![\w*])\*([^*\n]{1,60})\*(?![\w*])")
_CLOSES = {")": "(", "]": "["}


@dataclass(frozen=True)
class Cut:
    """A stretch of a text that is not spoken: from `start` up to `end`."""

    start: int
    end: int
    pause_ms: int | None = None
    """Set for a pause."""


def find(text: str, rules: Rules, place: Callable[[int], tuple[int, int]]) -> list[Cut]:
    """The cuts in a folded text, in order, without overlaps.

    `place` gives line and column of an index. Raises ScriptError for a pause that is malformed or too long.
    """
    cuts: list[Cut] = []
    # Open brackets; one that meets a closing bracket of a kind opened before it will never be closed.
    opened: list[int] = []
    waiting = {"(": 0, "[": 0}
    for match in re.finditer(r"[()\[\]]", text):
        char = match[0]
        if char in waiting:
            opened.append(match.start())
            waiting[char] += 1
        elif waiting[_CLOSES[char]]:
            start = -1
            while start < 0 or text[start] != _CLOSES[char]:
                start = opened.pop()
                waiting[text[start]] -= 1
            if cut := _cut(text, start, match.end(), rules, place):
                while cuts and cuts[-1].start > start:
                    cuts.pop()
                cuts.append(cut)
    if rules.pauses:
        for start in opened:
            tag = _PAUSE.match(text[start + 1 : start + LONGEST_TAG]) if text[start] == "[" else None
            if tag and tag["word"] and tag["colon"]:
                raise ScriptError("This pause has no end: add ']'.", *place(start))
    return _with_sounds(text, cuts) if rules.directions else cuts


def _cut(
    text: str, start: int, end: int, rules: Rules, place: Callable[[int], tuple[int, int]]
) -> Cut | None:
    square = text[start] == "["
    if rules.pauses and (match := _PAUSE.fullmatch(text[start + 1 : min(end - 1, start + LONGEST_TAG)])):
        length = match["length"].replace(INVISIBLE, "").strip()
        pause_ms = _milliseconds(length, bare=not match["colon"])
        strict = square and match["word"] and (match["colon"] or length[:1].isdecimal())
        if strict and pause_ms is None:
            shown = " ".join(text[start:end].replace(INVISIBLE, "").split())
            shown = shown if len(shown) <= 40 else f"{shown[:39]}…"
            raise ScriptError(
                f"'{shown}' is no pause. Write its length as in [pause:500ms] or [pause:1.5s].", *place(start)
            )
        if pause_ms is not None and pause_ms > MAX_PAUSE_MS:
            raise ScriptError(f"A pause may be {MAX_PAUSE_MS // 1000} seconds long at most.", *place(start))
        if pause_ms is not None:
            return Cut(start, end, pause_ms)
    return Cut(start, end) if (rules.brackets if square else rules.directions) else None


def _milliseconds(length: str, *, bare: bool) -> int | None:
    """None for what is no length of time."""
    if not length:
        return BARE_PAUSE_MS if bare else None
    match = _LENGTH.fullmatch(length)
    if match is None:
        return None
    number, unit = float(match["number"]), (match["unit"] or "").lower()
    if not unit:
        return int(number) if number.is_integer() and number >= SHORTEST_BARE_NUMBER else None
    return round(number if unit in _MILLISECONDS else number * 1000)


def _with_sounds(text: str, cuts: list[Cut]) -> list[Cut]:
    """Add `*sighs*` and the like; other words between asterisks are emphasised, and spoken."""
    starts = [cut.start for cut in cuts]
    free = []
    for match in _SOUND.finditer(text):
        before = bisect_right(starts, match.start())
        inside = before > 0 and cuts[before - 1].end > match.start()
        around = bisect_right(starts, match.end()) > before
        if not inside and not around and is_direction(match[1].strip().casefold()):
            free.append(Cut(*match.span()))
    return sorted(cuts + free, key=lambda cut: cut.start)
