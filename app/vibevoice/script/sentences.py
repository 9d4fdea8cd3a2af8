"""Lines to speeches, and long speeches to several."""

import re
import unicodedata

from .characters import CJK, is_cjk

# Where a line as long as this ends without a mark, its author's editor broke it.
WRAPPED = 50
SHORT = 24
"""Columns under which a piece of a long turn is no turn of its own."""

_END = re.compile(rf"(?<![.!?。！？…])[.!?。！？…]++[\"'”’」』》)\]]*+(?=[\s{CJK}“‘「『《]|$)")
_ENDS = re.compile(r"[.!?。！？…;；:：][\"'”’」』》)\]]*\s*$")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:Mr|Mrs|Ms|Mx|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|vs|cf"
    r"|approx|e\.g|i\.e|a\.m|p\.m|[A-Z](?:\.[A-Z])*)\.$"
)
_NUMBER = re.compile(r"\b(?:nos?|vols?|figs?|ch|art|sec|pp?)\.$", re.IGNORECASE)


def join_wrapped(lines: list[str]) -> list[str]:
    """Lines of one speech, with those joined again that were broken within a sentence.

    A line goes on in the next if it ends without the mark of a sentence's end, and either the next begins in
    lower case or the line is WRAPPED columns wide, so that verses and lists keep their lines. Nothing comes
    between Chinese characters, a blank elsewhere.
    """
    joined: list[list[str]] = []
    for line in lines:
        before = joined[-1][-1] if joined else ""
        broken = bool(before and line) and not _ENDS.search(before[-8:])
        if broken and (line[0].islower() or _columns(before) >= WRAPPED):
            blank = "" if is_cjk(before[-1]) and is_cjk(line[0]) else " "
            joined[-1] += [blank, line]
        elif line:
            joined.append([line])
    return ["".join(parts) for parts in joined]


def width(text: str) -> int:
    """The length in columns of about 1/15 s of speech: one a letter, three a Chinese character."""
    return len(text) + 2 * len(re.findall(f"[{CJK}]", text))


def split(text: str, longest: int) -> list[str]:
    """A text as turns of at most `longest` columns, each of whole sentences; a longer sentence stays whole.

    Less than SHORT columns are not left alone, for the model stumbles over a few words.
    """
    if not longest or width(text) <= longest:
        return [text]
    turns: list[list[str]] = []
    room = 0
    sentences = _sentences(text)
    for sentence in sentences:
        columns = width(sentence)
        tail = sentence is sentences[-1] and columns < SHORT
        if turns and (columns <= room or tail or longest - room < SHORT):
            turns[-1].append(sentence)
            room -= columns
        else:
            turns.append([sentence])
            room = longest - columns
    return [turn for parts in turns if (turn := "".join(parts).strip())]


def _sentences(text: str) -> list[str]:
    """The sentences with the blanks behind them. No cut after `Dr.`, in `3.14`, before lower case."""
    sentences, start = [], 0
    for match in _END.finditer(text):
        end = match.end()
        while end < len(text) and text[end].isspace():
            end += 1
        opening = text[end : end + 2].lstrip("\"'“‘「『《(")[:1]
        if opening.islower() or _is_abbreviation(text, match, opening):
            continue
        sentences.append(text[start:end])
        start = end
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def _is_abbreviation(text: str, match: re.Match[str], opening: str) -> bool:
    before = text[max(0, match.end() - 12) : match.end()]
    numbered = opening.isdecimal() and _NUMBER.search(before)
    return match[0] == "." and bool(numbered or _ABBREVIATION.search(before))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
