"""What a script becomes, by which rules, and what is said of one that cannot be spoken."""

from dataclasses import dataclass

MAX_SPEAKERS = 4
"""Voices that the model was trained to keep apart in one generation."""

LONG_TURN = 240
"""Columns after which a turn goes on under a repeated label; see sentences.width for what a column is.

About 16 seconds of speech. The model gathers speed within a turn, and its authors repeat the label at each
sentence (microsoft/VibeVoice#85). They also say that longer sentences are more stable (#15), and that three
words alone are not: hence several sentences to a turn, up to this length."""


class ScriptError(ValueError):
    """A script that cannot be spoken. The message says where, what is wrong and what to do.

    `line` and `column` count from 1, the column in characters of the line as written (a tab is one, a byte
    order mark at the beginning none). Both are None where no place is to blame, as in an empty script.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason, line, column)
        self.reason, self.line, self.column = reason, line, column

    def __str__(self) -> str:
        return self.reason if self.line is None else f"Line {self.line}, column {self.column}: {self.reason}"


@dataclass(frozen=True)
class Turn:
    """What one speaker says at a stretch. The model is given a label for each turn."""

    speaker: int
    """From 0, in order of the speakers' first turns."""
    text: str
    """Never empty: there is a letter or a digit in it."""
    pause_ms: int = 0
    """Silence after the turn, in milliseconds."""


@dataclass(frozen=True)
class Script:
    """What is said, in order, and by whom."""

    turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    """The labels of those who speak, as first written, in order of appearance; Turn.speaker is an index.
    A script without labels has one speaker, "Speaker 1"."""


@dataclass(frozen=True)
class Rules:
    """What is done to a script besides telling its speakers apart. Each rule can be switched off."""

    names: bool = True
    """`Ana: …` and `[Ana] …` are labels where a script has such. Off: only what always is (labels.py)."""
    directions: bool = True
    """What stands in parentheses, half or full width, is not spoken, nor are sounds like `*sighs*`."""
    brackets: bool = True
    """What stands in square brackets or 【】, and is neither label nor pause, is not spoken."""
    pauses: bool = True
    """`[pause:500ms]` and its relatives become silence."""
    punctuation: bool = True
    """Marks become those that the model reads well: ASCII, for Chinese mostly commas and periods."""
    markdown: bool = True
    """Emphasis, headings, bullets and links leave only their words."""
    emoji: bool = True
    """Emoji and emoticons are dropped."""
    wrapped_lines: bool = True
    """A sentence that was broken into several lines is one again. Off: each line is a turn."""
    long_turn: int = LONG_TURN
    """A turn longer than this many columns is split at sentence ends into turns of one speaker. 0: never."""
