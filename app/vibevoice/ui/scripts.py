"""Scripts from files: plain text as it is, subtitles as turns."""

import codecs
import html
import re
from pathlib import PurePath

LARGEST = 2 * 2**20
"""Bytes: the longest script that is spoken, in four bytes a character and with a subtitle's numbers."""
SUFFIXES = (".txt", ".md", ".srt", ".vtt")
PARAGRAPH_S = 2.0
"""A silence between two subtitles after which a line of its own begins."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_STAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}[^\n]*")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,60})>")
# As in {\an8} and <font color=…>.
_MARKUP = re.compile(r"\{\\[^}\n]{0,80}\}|</?[a-zA-Z][^>\n]{0,200}>|<\d[\d:.]*>")
_LABEL = re.compile(r"\s*(?:\[[^\[\]\n]{1,40}\]\s*:?|[^\W_][^:：\n]{0,40}[:：])\s*\S")


class UnreadableScript(ValueError):
    """A file that is no script. `code` names the fault."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def read(name: str, content: bytes) -> str:
    """The script in a file, by the file's name; lines end with \\n. Raises UnreadableScript."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableScript(
            f"The file is no script; use one of {', '.join(SUFFIXES)}.", code="script_file_kind"
        )
    if len(content) > LARGEST:
        raise UnreadableScript(
            f"The file has more than {LARGEST // 2**20} MiB, more than any script; split it.",
            code="script_file_large",
        )
    text = "\n".join(decode(content).splitlines())
    script = from_subtitles(text) if suffix in (".srt", ".vtt") else text
    if not script.strip():
        raise UnreadableScript("There is no text in the file.", code="script_file_empty")
    return script


def decode(content: bytes) -> str:
    """Text in UTF-8, UTF-16 (with or without a mark) or GBK. Raises UnreadableScript for anything else."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    for encoding in (_unmarked_utf16(content), "utf-8", "gb18030"):
        try:
            text = content.decode(encoding) if encoding else None
        except UnicodeDecodeError:
            continue
        # A picture may decode as well.
        if text is not None and "\0" not in text:
            return text
    raise _unknown()


def from_subtitles(text: str) -> str:
    """SRT or WebVTT as a script: who speaks where the subtitles say so, sentences joined again.

    Raises UnreadableScript if there is no subtitle in it.
    """
    lines = text.split("\n")
    cues = [number for number, line in enumerate(lines) if _TIMES.fullmatch(line)]
    if not cues:
        raise UnreadableScript("There are no subtitles in the file.", code="script_file_no_subtitles")
    script: list[str] = []
    before_s = 0.0
    for here, following in zip(cues, [*cues[1:], len(lines) + 1], strict=True):
        match = _TIMES.fullmatch(lines[here])
        assert match
        # The line before the next times is its number.
        spoken = lines[here + 1 : following]
        if following <= len(lines) and spoken and re.fullmatch(r"\s*\d*\s*", spoken[-1]):
            spoken = spoken[:-1]
        gap = _seconds(match.groups()[:4]) - before_s
        before_s = _seconds(match.groups()[4:])
        for n, line in enumerate(_clean(spoken)):
            if script and not _LABEL.match(line) and (n or gap < PARAGRAPH_S):
                script[-1] += _between(script[-1], line) + line
            else:
                script.append(line)
    return "\n".join(script)


def _clean(lines: list[str]) -> list[str]:
    """What is said in one subtitle, with the speaker's name as a label."""
    cleaned = []
    for line in lines:
        named = _VOICE.sub(lambda match: f"{match[1].strip()}: ", line)
        bare = html.unescape(_MARKUP.sub("", named)).strip()
        bare = re.sub(r"^[-–—]\s+", "", bare)
        if bare:
            cleaned.append(bare)
    return cleaned


def _between(before: str, after: str) -> str:
    wide = "\u2e80" <= before[-1] <= "\uffef" and "\u2e80" <= after[0] <= "\uffef"
    return "" if wide else " "


def _seconds(stamp: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = stamp
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _unmarked_utf16(content: bytes) -> str:
    """Which UTF-16 a text without a mark is likely in: one with ASCII in it has every other byte zero."""
    start = content[:400]
    if len(content) % 2 or not start:
        return ""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even == odd or max(even, odd) * 8 < len(start):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise _unknown() from None


def _unknown() -> UnreadableScript:
    return UnreadableScript(
        "The file's text cannot be read; save it as UTF-8 (or GBK, UTF-16).", code="script_file_encoding"
    )
