"""Who speaks: the labels at the beginnings of lines.

Always labels, alone or before their text:

    Speaker 1:   voice b：   角色A：   说话人 2:   Host:   旁白：   [1]   [1]:   [角色A]   [Ana]:

`Ana: Hello` and `Remember: this matters` look alike. A name before a colon has up to 3 words and 24 columns,
begins with a letter, and is no word that leads in a sentence or a heading (`Note`, `He said`, `他说`). It is
a label if

- it stands at two lines or more (in lower case only where half of all lines have labels), or
- it stands once, but looks like a name (each word is capitalised; a Chinese one has at most 4 characters),
  the text after it is not in lower case, and half of all lines have labels or the script begins so, or
- it looks like a name or is in lower case, and each line of the script, of two or more, begins so.

`[Ana] Hello`, without a colon, may also be a direction. It is a label if the same name is one elsewhere; or,
in a script without other labels, if at least half of the lines begin so, not in lower case and not with what
is known for a direction (`[Music]`, `【笑】`).

Before a label may stand bullets, a time (`[00:12]`) or emphasis (`**Ana:** Hello`), between it and the colon
a direction (`Ana (laughing): …`). `Speaker 2:` counts within a line, too, behind a sentence's end. Case,
width and blanks do not tell labels apart, and `[1]` is `Speaker 1`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .characters import CJK, INVISIBLE
from .words import is_direction, is_lead_in

# No label ends behind this many characters of its line, which keeps the search linear.
REACH = 160
WORDS, COLUMNS = 3, 24
CHINESE_NAME = 4

# Possessive throughout: what these have taken is never tried again.
_BLANK = rf"[\s{INVISIBLE}]*+"
_EMPHASIS = r"[*_]{0,3}+"
_LABEL = re.compile(
    rf"(?:[\s{INVISIBLE}>#•●▪◦-]|\*\s)*+"
    r"(?:[\[(]?\d{1,2}(?::\d\d){1,2}[\])]?[\s-]{1,3}+)?"
    rf"(?P<all>{_EMPHASIS}"
    rf"(?:\[{_BLANK}(?P<bracket>[^\[\]():]{{1,60}}?){_BLANK}\]"
    rf"|(?P<name>[^\W_][\w\u0300-\u036f .'’·・&{INVISIBLE}-]{{0,60}}?))"
    rf"{_EMPHASIS}{_BLANK}(?:(?P<note>\([^()]{{0,60}}\)|\[[^\[\]]{{0,60}}\]){_BLANK})?+"
    rf"{_EMPHASIS}(?P<colon>(?(name):|:?)){_EMPHASIS})"
)
_NUMBERED = re.compile(
    r"(?:speaker|spk|voice|character|role|person|host|guest|actor"
    r"|角色|说话人|說話人|发言人|發言人|讲者|講者|人物|主持人?|嘉宾|嘉賓|演员)"
    r"\s*[-_#.]?\s*(?P<number>\d{1,4}|[a-z]|[一二三四五六七八九十甲乙丙丁])"
)
_ROLE = re.compile(
    r"speaker|host|co-?host|guest|narrator|moderator|interviewer|interviewee|announcer"
    r"|主持人|主持|嘉宾|嘉賓|旁白|解说|解說|记者|記者|主播|采访者|受访者"
)
_WITHIN = re.compile(r"[.!?。！？…\"”’)\]]\s{0,3}(?=speaker\s?\d{1,3}\s{0,2}:)", re.IGNORECASE)
_DIRECTIONS = re.compile(rf"(?:{_BLANK}(?:\([^()]{{0,60}}\)|\[[^\[\]]{{0,60}}\]|\*[^*]{{1,60}}\*))*+")
_ONE_SPEAKER = re.compile(r"(?:speaker|spk|说话人|說話人|发言人|發言人)\s*[-_#.]?\s*(\d{1,4})")


@dataclass(frozen=True)
class Label:
    """The beginning of a line that may name who speaks."""

    line: int
    """Index of the line, from 0."""
    start: int
    end: int
    """Where the label is, and where the text behind it begins: indices into the line."""
    note: tuple[int, int] | None
    """Where a direction stands within the label."""
    text: str
    """As written, without brackets and emphasis."""
    key: str
    """Equal for labels that mean the same speaker."""
    kind: Literal["certain", "name", "bracket"]
    lower: bool
    """Begins in lower case."""
    proper: bool
    """Looks like a name."""
    leads_in: bool
    """The text that follows begins in lower case, as it does within a sentence."""


def find(lines: Sequence[str], folded: Sequence[str], names: bool) -> dict[int, Label]:
    """The labels of a script by the index of their line. `names`: whether names without a number count."""
    possible = [
        label
        for number, line in enumerate(folded)
        if (label := _possible(number, lines[number], line)) and (names or label.kind == "certain")
    ]
    filled = [number for number, line in enumerate(folded) if any(map(str.isalnum, line))]
    with_colon = [label for label in possible if label.kind != "bracket"]
    count = Counter(label.key for label in with_colon)
    mostly = len(with_colon) >= 2 and 2 * len(with_colon) >= len(filled)
    each = len(with_colon) >= 2 and len(with_colon) == len(filled)

    def counts(label: Label) -> bool:
        if label.kind == "certain":
            return True
        if count[label.key] >= 2:
            return mostly or not label.lower
        if each and (label.lower or label.proper):
            return True
        return label.proper and not label.leads_in and (mostly or label.line == filled[0])

    found = [label for label in with_colon if counts(label)]
    known = {label.key for label in found}
    brackets = [label for label in possible if label.kind == "bracket"]
    if found:
        found += [label for label in brackets if label.key in known]
    elif len(brackets) >= 2 and 2 * len(brackets) >= len(filled):
        found = brackets
    return {label.line: label for label in found}


def split(folded: str) -> list[int]:
    """Where the parts of a line begin that each have a `Speaker 2:` after a sentence's end; the first is 0.

    Scripts lose their line ends on the way through JSON and chat windows, and no prose has this form.
    """
    return [0, *(match.end() for match in _WITHIN.finditer(folded))]


def _possible(number: int, line: str, folded: str) -> Label | None:
    # The first blanks are not part of the reach: a script may be indented.
    skip = len(folded) - len(folded.lstrip(f" {INVISIBLE}"))
    match = _LABEL.match(folded, skip, skip + REACH)
    if match is None or _is_no_label(folded, match):
        return None
    group = "bracket" if match["bracket"] else "name"
    text = line[match.start(group) : match.end(group)].replace(INVISIBLE, "").strip(" *_")
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    lowered = plain.casefold()
    kind = _kind(plain, lowered, in_brackets=group == "bracket", colon=bool(match["colon"]))
    if kind is None:
        return None
    # Directions say nothing about what is said: `Ben: (laughs) Thank you.`
    spoken = _DIRECTIONS.sub("", folded[match.end() :], count=1)
    follows = spoken.lstrip(f" {INVISIBLE}\"'“‘(")[:1]
    return Label(
        line=number,
        start=match.start("all"),
        end=match.end("all"),
        note=match.span("note") if match["note"] else None,
        text=text,
        key=_key(lowered),
        kind=kind,
        lower=plain[0].islower(),
        proper=_is_proper(plain),
        leads_in=follows.islower(),
    )


def _kind(
    plain: str, lowered: str, *, in_brackets: bool, colon: bool
) -> Literal["certain", "name", "bracket"] | None:
    if in_brackets and (lowered.isdecimal() and len(lowered) <= 4):
        return "certain"
    if not colon and not in_brackets:
        return None
    if _NUMBERED.fullmatch(lowered) or _ROLE.fullmatch(lowered):
        return "certain"
    if not plain[:1].isalpha() or len(plain.split()) > WORDS or _columns(plain) > COLUMNS:
        return None
    if is_lead_in(lowered):
        return None
    if in_brackets:
        if is_direction(lowered):
            return None
        return "certain" if colon else None if plain[0].islower() else "bracket"
    return "name"


def _is_proper(plain: str) -> bool:
    if re.search(f"[{CJK}]", plain):
        return len(plain) <= CHINESE_NAME
    return not any(word[0].islower() for word in plain.split())


def _key(lowered: str) -> str:
    speaker = _ONE_SPEAKER.fullmatch(lowered)
    number = speaker[1] if speaker else lowered
    if number.isdecimal():
        return f"speaker {int(number)}"
    return "".join(lowered.split())


def _columns(text: str) -> int:
    return len(text) + len(re.findall(f"[{CJK}]", text))


def _is_no_label(folded: str, match: re.Match[str]) -> bool:
    """`http://…`, `C:\\…`, `std::…`, the 10 of 10:30, or `Yes :)`."""
    if not match["colon"]:
        return False
    before, behind = folded[match.start("colon") - 1], folded[match.end("colon") : match.end("colon") + 2]
    return behind.startswith(("\\", ":", "//", ")", "-)")) or (before.isdecimal() and behind[:1].isdecimal())
