"""From a script as people write it to turns a model can speak.

    Speaker 1: Welcome back.
    Speaker 2: Thank you. It is
    good to be here.

A line without a label continues the last speaker; text before any label is Speaker 1's.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_SPEAKERS = 4
_LABEL = re.compile(r"\s*speaker\s*(\d+)\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL)
# The tokenizer would take these for its own control tokens, and the placeholders of voices among them.
_CONTROL_TOKEN = re.compile(r"<\|[^|<>]*\|>")
# Marks the model was hardly trained on, to those it knows (it skips or misreads text around them).
_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "，": ",", "。": ".", "！": "!", "？": "?", "：": ":", "；": ";"}
)


class ScriptError(ValueError):
    """A script that cannot be spoken; the message says which line and why."""


@dataclass(frozen=True)
class Turn:
    """What one speaker says before the next line. Speakers count from 0, in order of their first turn."""

    speaker: int
    text: str
    pause_ms: int = 0
    """Silence after the turn."""


@dataclass(frozen=True)
class Script:
    """What is said, in order, and by whom."""

    turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    """The labels as written, in order of first appearance; Turn.speaker counts them from 0."""


def parse(script: str) -> Script:
    """Split a script into turns, one for each line with text.

    Raises ScriptError for an empty script, a label outside 1..4 or a control token of the model.
    """
    label, turns = 1, []
    for number, line in enumerate(script.splitlines(), start=1):
        if match := _LABEL.fullmatch(line):
            label, line = _label(match[1], number), match[2]
        if text := _spoken(line, number):
            turns.append((label, text))
    if not turns:
        raise ScriptError("The script is empty: write at least one line, such as 'Speaker 1: Hello.'")
    # Dense and ascending by first use: the model numbers voices so.
    order = list(dict.fromkeys(label for label, _ in turns))
    return Script(
        tuple(Turn(order.index(label), text) for label, text in turns),
        tuple(f"Speaker {label}" for label in order),
    )


def _label(digits: str, number: int) -> int:
    if digits not in {str(speaker) for speaker in range(1, MAX_SPEAKERS + 1)}:
        raise ScriptError(
            f"Line {number}: there is no Speaker {digits[:9]}. Use Speaker 1 to Speaker {MAX_SPEAKERS}."
        )
    return int(digits)


def _spoken(line: str, number: int) -> str:
    if token := _CONTROL_TOKEN.search(line):
        raise ScriptError(f"Line {number}: '{token[0]}' is a control token of the model. Remove it.")
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Cf") else char for char in line)
    return " ".join(visible.translate(_PLAIN).split())
