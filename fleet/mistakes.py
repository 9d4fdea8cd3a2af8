"""Mistakes in an inventory, gathered until all are known, and shown to the operator at once."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text


@dataclass(frozen=True)
class Mistake:
    """One mistake: `key` is where (`projects.podcast.gpus`), `words` what, why, and what to do."""

    file: Path
    key: str
    words: str

    def __str__(self) -> str:
        return f"{near(self.file)}: {self.key} {self.words}"


class WrongInventory(Exception):
    """An inventory that cannot be deployed; says every mistake in it."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


class Report:
    """Collects the mistakes of one inventory file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def add(self, key: str, words: str) -> None:
        """Note that `key` is wrong; `words` continue the sentence that the key begins."""
        mistake = Mistake(self.file, key, words)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


def near(file: Path) -> str:
    """A path as the operator would type it: relative where it lies below the current folder."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def counted(number: int, noun: str) -> str:
    """`1 GPU`, `2 GPUs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def guess(wrong: object, right: Iterable[str], otherwise: str) -> str:
    """`Did you mean gpus?` where one of `right` is close or begins so, else `otherwise`."""
    right, start = list(right), f"{wrong}."
    close = [name for name in right if name.startswith(start)] or get_close_matches(str(wrong), right, n=1)
    return f"Did you mean {close[0]}?" if close else otherwise


def show(mistakes: Iterable[Mistake]) -> None:
    """Print the report to stderr, one line each; with colours where somebody looks at them."""
    mistakes = tuple(mistakes)
    console = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)
    for mistake in mistakes:
        line = Text(f"{near(mistake.file)}: ", style="dim")
        console.print(line.append(mistake.key, style="bold red").append(f" {mistake.words}", style="default"))
    console.print(f"{counted(len(mistakes), 'mistake')}; nothing was connected to, nothing was changed.")


def refuse(error: WrongInventory) -> NoReturn:
    """Show what is wrong and leave with exit code 1."""
    show(error.mistakes)
    sys.exit(1)
