"""One character for another, so that a script can be searched without losing its positions."""

import re
import unicodedata

INVISIBLE = "\u200b"
"""Stands for each character without shape or sound: format marks, lone surrogates, private use."""

CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters (and kana), for use within a regular expression's brackets."""


class _Visible(dict[int, str]):
    """Line ends and other controls to blanks, what cannot be seen to INVISIBLE."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if category in ("Cc", "Zs", "Zl", "Zp"):
            char = " "
        # Lone surrogates come out of broken JSON, and no tokenizer takes them. U+FFFC stands for a picture.
        elif category in ("Cf", "Cs", "Co") or char == "\ufffc":
            char = INVISIBLE
        return self.setdefault(code, char)


_VISIBLE = _Visible()

FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""Letters, digits and marks of full width to those of ASCII."""

_FOLDED = FULL_WIDTH | str.maketrans("【〔〖﹝︰﹕】〕〗﹞", "[[[[::]]]]")


def visible(line: str) -> str:
    """A line, as long, with plain blanks for all kinds of them and INVISIBLE for what has no form."""
    return line.translate(_VISIBLE)


def fold(line: str) -> str:
    """A visible line, as long as before, with half-width marks and plain brackets: what the searches read."""
    return line.translate(_FOLDED)


def is_cjk(char: str) -> bool:
    """Whether a character is one of CJK."""
    return bool(re.match(f"[{CJK}]", char))
