"""The way of a script: lines, speeches, pieces between pauses, turns."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from . import directions, labels, sentences, wording
from .characters import INVISIBLE, fold, visible
from .model import MAX_SPEAKERS, Rules, Script, ScriptError, Turn

MAX_SILENCE_MS = 600_000
"""The most silence in one script: a few bytes must not ask for hours of sound."""

# The tokenizer would take these for its own control tokens, and the placeholders of voices among them.
_CONTROL_TOKEN = re.compile(r"<\|[^|<>]*\|>")
_ALL_RULES = Rules()
_DEFAULT_LABEL = "Speaker 1"
_BLANKS = f" {INVISIBLE}"
_UNLESS = {"certain": "", "name": ", or drop the colon if it is no name", "bracket": ""}


@dataclass(frozen=True)
class _Row:
    """A line, or what stands in a line from a second label on."""

    text: str
    folded: str
    line: int
    """From 1."""
    column: int
    """Of its first character, from 1."""


@dataclass
class _Speech:
    """What a speaker says in lines that follow each other, put together from parts of these."""

    label: labels.Label | None
    label_place: tuple[int, int]
    parts: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    length: int = 0

    def add(self, row: _Row, start: int, end: int, between: str) -> None:
        """Add what stands between two indices of a row, after `between` if it is not the first."""
        text = row.text[start:end]
        if self.parts:
            self.parts.append(between)
            self.length += len(between)
        self.starts.append(self.length)
        self.places.append((row.line, row.column + start))
        self.parts.append(text)
        self.length += len(text)

    def place(self, index: int) -> tuple[int, int]:
        """Line and column of a character."""
        part = bisect_right(self.starts, index) - 1
        line, column = self.places[part]
        return line, column + index - self.starts[part]


def parse(script: str, rules: Rules = _ALL_RULES) -> Script:
    """Read a script.

    A pause belongs to the turn before it, whoever speaks; one before anything is said is dropped, for sound
    begins with speech. Text without a letter or digit (`……`) cannot be spoken and is dropped.

    Raises ScriptError, with line and column, for a fifth speaker, a control token of the model and a pause
    that is malformed or longer than 10 seconds; without, for a script in which nobody says anything.
    """
    cast = _Cast()
    turns: list[Turn] = []
    silence = 0
    for speech in _speeches(_rows(script, rules), rules):
        for text, pause_ms, place in _pieces(speech, rules):
            silence += pause_ms
            if silence > MAX_SILENCE_MS:
                raise ScriptError(
                    f"With this pause there are more than {MAX_SILENCE_MS // 60_000} minutes of silence"
                    " in the script.",
                    *place,
                )
            for part in _turns(text, rules):
                # There are ways to write one so that only smoothing brings it out: `<**|endoftext|>`.
                _refuse_control_tokens(part, *speech.place(0), exact=False)
                turns.append(Turn(cast.number(speech.label, speech.label_place), part))
            if pause_ms and turns:
                turns[-1] = replace(turns[-1], pause_ms=turns[-1].pause_ms + pause_ms)
    if not turns:
        raise ScriptError("The script is empty: write at least one line, such as 'Speaker 1: Hello.'")
    return Script(tuple(turns), tuple(cast.names))


class _Cast:
    """The speakers so far. Dense and ascending by first use: the model numbers voices so."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, label: labels.Label | None, place: tuple[int, int]) -> int:
        """The number of who has this label, which stands at a place. Raises ScriptError for one too many."""
        key = label.key if label else ""
        if key not in self._numbers:
            if label and len(self.names) == MAX_SPEAKERS:
                raise ScriptError(
                    f"'{label.text}' would be speaker {MAX_SPEAKERS + 1}, but {MAX_SPEAKERS} are the most:"
                    f" {', '.join(self.names)}. Give these lines to one of them{_UNLESS[label.kind]}.",
                    *place,
                )
            self._numbers[key] = len(self.names)
            self.names.append(label.text if label else _DEFAULT_LABEL)
        return self._numbers[key]


def _refuse_control_tokens(text: str, line: int, column: int, *, exact: bool = True) -> None:
    """Raises ScriptError for a token in a text that begins at this place, or came out of one that does."""
    if match := _CONTROL_TOKEN.search(text):
        token = match[0].replace(INVISIBLE, "")
        shown = token if len(token) <= 40 else f"{token[:39]}…"
        raise ScriptError(
            f"'{shown}' is a control token of the model. Remove it.",
            line,
            column + match.start() if exact else column,
        )


def _rows(script: str, rules: Rules) -> list[_Row]:
    rows = []
    for number, line in enumerate(script.removeprefix("\ufeff").splitlines(), start=1):
        text = visible(line)
        text = wording.unlink(text) if rules.markdown else text
        folded = fold(text)
        _refuse_control_tokens(folded, number, 1)
        for start, end in pairwise([*labels.split(folded), len(text)]):
            rows.append(_Row(text[start:end], folded[start:end], number, start + 1))
    return rows


def _speeches(rows: list[_Row], rules: Rules) -> Iterator[_Speech]:
    """A speech ends at an empty line or at the next label."""
    found = labels.find([row.text for row in rows], [row.folded for row in rows], rules.names)
    # Nobody is named yet: whoever is named first.
    label, place = (found[min(found)] if found else None), (1, 1)
    speech = _Speech(label, place)
    for number, row in enumerate(rows):
        start, end = 0, len(row.text)
        if (new := found.get(number)) or not row.text.strip(_BLANKS):
            yield speech
            if new:
                label, place = new, (row.line, row.column + new.start)
            speech = _Speech(label, place)
        if new:
            if new.note:
                speech.add(row, *new.note, between=" ")
            start = new.end
        speech.add(row, start, end, " " if new and new.note else "\n")
    yield speech


def _pieces(speech: _Speech, rules: Rules) -> Iterator[tuple[list[str], int, tuple[int, int]]]:
    """What is said between two pauses, line by line, with the pause behind it and where that is."""
    text = "".join(speech.parts)
    if not text.strip(f"{_BLANKS}\n"):
        return
    if rules.emoji:
        text = wording.EMOTICON.sub(lambda match: INVISIBLE * len(match[0]), text)
    piece, begin = [], 0
    for cut in directions.find(fold(text), rules, speech.place):
        piece += [text[begin : cut.start], wording.GAP]
        begin = cut.end
        if cut.pause_ms:
            yield _lines(piece, rules), cut.pause_ms, speech.place(cut.start)
            piece = [wording.GAP]
    piece.append(text[begin:])
    yield _lines(piece, rules), 0, speech.place(begin)


def _lines(piece: list[str], rules: Rules) -> list[str]:
    lines = [line for text in "".join(piece).split("\n") if (line := wording.clean(text, rules))]
    if piece[0] == wording.GAP and lines:
        lines[0] = wording.begin(lines[0])
    return sentences.join_wrapped(lines) if rules.wrapped_lines else lines


def _turns(lines: list[str], rules: Rules) -> Iterator[str]:
    for line in lines:
        for text in sentences.split(line, rules.long_turn):
            if any(char.isalnum() for char in text):
                yield text
