"""Words as they fit on a screen: two lines at a time, broken where a reader would."""

import re
import unicodedata
from itertools import accumulate

from ..script.characters import CJK

COLUMNS = 42
"""Of a line, as broadcasters have it; a Chinese character takes two."""

_OPENING = r"\"'“‘「『《〈（(\["
_CLOSING = r"\"'”’」』》〉）)\].!?,;:。！？，、；：…～~"
# What stays together: a word, or a single Chinese character; each with its marks and the blanks behind it.
_UNIT = re.compile(
    rf"[{_OPENING}]*(?:[{CJK}][{_CLOSING}]*|[^\s{CJK}{_OPENING}][^\s{CJK}]*|[^\s])[{_CLOSING}]*\s*"
)
_SENTENCE = re.compile(r"[.!?。！？…][\"'”’」』》)\]]*\s*$")
_CLAUSE = re.compile(r"[,;:，、；：][\"'”’」』》)\]]*\s*$")
_PAUSE = re.compile(f"{_SENTENCE.pattern}|{_CLAUSE.pattern}")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")


def captions(text: str) -> list[tuple[str, ...]]:
    """A text as captions, each of one or two lines that are not empty. None if the text has no words."""
    units = _units(" ".join(_NO_TEXT.sub(" ", text).split()))
    made: list[tuple[str, ...]] = []
    while units:
        count = _next(units)
        made.append(_lines(units[:count]))
        units = units[count:]
    return made


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _units(text: str) -> list[str]:
    """Nothing of the text is left out; none is wider than a line."""
    units: list[str] = []
    for unit in _UNIT.findall(text):
        while columns(unit.rstrip()) > COLUMNS:
            cut = sum(wide <= COLUMNS for wide in accumulate(map(columns, unit)))
            units.append(unit[:cut])
            unit = unit[cut:]
        units.append(unit)
    return units


def _next(units: list[str]) -> int:
    """How many units the next caption has: as many as fit, or fewer if it then ends where a sentence does."""
    first = _fitting(units)
    most = first + _fitting(units[first:])
    if most == len(units):
        return most
    for end in (_SENTENCE, _CLAUSE):
        for count in range(most, 0, -1):
            if end.search(units[count - 1]) and columns("".join(units[:count])) > COLUMNS // 2:
                return count
    # Not all but a last word.
    rest = len(units) - most
    return (most + rest + 1) // 2 if rest < most // 3 else most


def _fitting(units: list[str]) -> int:
    """How many of them fit into a line."""
    line = ""
    for count, unit in enumerate(units):
        line += unit
        if columns(line.rstrip()) > COLUMNS:
            return count
    return len(units)


def _lines(units: list[str]) -> tuple[str, ...]:
    text = "".join(units).strip()
    if columns(text) <= COLUMNS:
        return (text,)
    halves = (("".join(units[:n]).strip(), "".join(units[n:]).strip()) for n in range(1, len(units)))
    fitting = [pair for pair in halves if all(half and columns(half) <= COLUMNS for half in pair)]
    return min(fitting, key=_unrest)


def _unrest(pair: tuple[str, str]) -> int:
    """How badly two lines are broken. Alike is best, but for a comma one may be a bit longer."""
    upper, lower = pair
    return abs(columns(upper) - columns(lower)) - (COLUMNS // 2 if _PAUSE.search(upper) else 0)
