"""The words that are spoken: without markup and emoji, with the marks that the model reads well."""

import re
import unicodedata

from .characters import CJK, FULL_WIDTH, INVISIBLE, is_cjk
from .model import Rules

GAP = "\ue000"
"""Stands where something was cut out. Private use: `visible` leaves none in a script."""

_EMOJI = re.compile(
    # Pictures, flags, dingbats, and such technical symbols, stars and arrows as phones draw as emoji.
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u231a-\u231b\u2328\u23cf\u23e9-\u23fa\u25b6\u25c0"
    # What joins, varies or frames them: `1` with a frame remains a 1.
    "\ufe00-\ufe0f\u20e3\U000e0000-\U000e007f]"
)
EMOTICON = re.compile(rf"(?<![A-Za-z0-9(\[])[:;=]['’]?[-^o]?[()](?=[\s.,!?{CJK}]|$)")

_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\((?:https?:|www\.|mailto:|/|#)[^\s()]*\)")
_LEAD = re.compile(r"(?:(?:[-*+>•●▪◦]|#{1,6})\s+)*+")
_MARKUP = re.compile(r"\*+|_+|~~+|`+")

_MARKS = str.maketrans(
    {
        # The authors recommend English marks in Chinese text too, "preferably only commas and periods", and
        # their own Chinese scripts have a blank after each: `你开玩笑吧, 你花五千块钱买了一件衣服.`
        "，": ",",
        "。": ".",
        "．": ".",
        "｡": ".",
        "！": "!",  # No period: the authors' scripts have `啊!` and `这谁啊?`, and it carries the tone.
        "？": "?",
        "、": ",",  # A list's comma has no ASCII mark of its own.
        "､": ",",
        "；": ",",  # Joins two halves of one sentence, which a period would make fall apart.
        "：": ",",  # `他说：“…”`. A colon would look like the one after the model's own labels.
        "…": "...",  # `……` is one; ASCII dots are what English scripts have.
        "～": ",",  # `好的～` draws the word out.
        "〜": ",",
    }
)
_QUOTES = str.maketrans(
    {
        # Chinese quotation marks "may occasionally cause pronunciation issues", the authors say.
        "“": '"',
        "”": '"',
        "„": '"',
        "‟": '"',
        "‘": "'",
        "’": "'",
        "‚": "'",
        "「": '"',
        "」": '"',
        "『": "'",  # Quotes within quotes.
        "』": "'",
        "《": '"',  # Titles of books: silent, but they set off the words as quotes do.
        "》": '"',
        "〈": "'",
        "〉": "'",
        "«": '"',
        "»": '"',
    }
)
_FULL_WIDTH = FULL_WIDTH | {ord("￥"): "¥", ord("￡"): "£"}
# Commas, too; English dashes are left, the authors' scripts have many.
_DASH = re.compile(rf"[—―]{{2,}}+|(?<=[{CJK}])[—―]|[—―](?=[{CJK}])")
_DOT_IN_NAME = re.compile(rf"(?<=[{CJK}])[·・•](?=[{CJK}])")
# Marks of a time, a range or a number: `10：30`, `3～5`, `1，000`.
_BETWEEN_DIGITS = re.compile(r"(?<=[\d０-９])(?:[：～〜．]|，(?=[\d０-９]{3}(?![\d０-９])))(?=[\d０-９])")
_RUN = re.compile(r"([，。．｡！？、､；：…～〜]+)([”’」』》〉]*)\s*")
_LEADING = " ,;:"

_ANY_MARK = ".!?,;:。！？，；：、…"
_OPENING = "\"'“‘「『《("
_CLOSING = "\"'”’」』》)]!?！？…"
_GAPS = re.compile(rf" ?(?:{GAP} ?)++(?P<marks>[,.;:，。；：、]*)")


def clean(text: str, rules: Rules) -> str:
    """One line as it will be spoken. GAP marks what was cut out before."""
    text = text.replace(INVISIBLE, "")
    if rules.emoji:
        text = _EMOJI.sub(GAP, text)
    if rules.markdown:
        text = text[_blanks_and_lead(text) :]
        text = _MARKUP.sub(_unless_meant, text)
    if rules.punctuation:
        text = _plain_marks(text)
    return unicodedata.normalize("NFC", _close_gaps(" ".join(text.split())))


def unlink(line: str) -> str:
    """A line, as long as before, in which Markdown links have left nothing but their words."""

    def hide(match: re.Match[str]) -> str:
        before, after = match.start(1) - match.start(), match.end() - match.end(1)
        return INVISIBLE * before + match[1] + INVISIBLE * after

    return _LINK.sub(hide, line)


def begin(text: str) -> str:
    """A text that begins where something was cut off, without the marks that belonged to what was there."""
    text = text.lstrip(f"{_LEADING}!?")
    return text.lstrip(f"{_LEADING}.!?") if re.match(r"\.(?!\d)", text) else text


def _blanks_and_lead(text: str) -> int:
    blanks = len(text) - len(text.lstrip())
    match = _LEAD.match(text, blanks)
    return match.end() if match else blanks


def _unless_meant(match: re.Match[str]) -> str:
    """Markup goes; what is between letters (`f**k`, `snake_case`) or stands alone (`2 * 3`) is meant."""
    before, after = _neighbours(match)
    inside = _is_ascii_word(before) and _is_ascii_word(after)
    alone = not before.strip() and not after.strip()
    return match[0] if match[0][0] in "*_" and (inside or alone) else ""


def _is_ascii_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _plain_marks(text: str) -> str:
    text = _BETWEEN_DIGITS.sub(lambda match: {"：": ":", "．": ".", "，": ","}.get(match[0], "~"), text)
    text = _DOT_IN_NAME.sub(" ", _DASH.sub("，", text))
    text = _RUN.sub(_run, text)
    return text.translate(_QUOTES).translate(_FULL_WIDTH).strip().lstrip(_LEADING)


def _run(match: re.Match[str]) -> str:
    """Marks in a row, and the quotes that they close, in ASCII and with a blank behind them."""
    marks = re.sub(r"\.{2,}", "...", match[1].translate(_MARKS).translate(_QUOTES))
    strongest = marks.replace(",", "") or ","
    return f"{strongest}{match[2].translate(_QUOTES)} "


def _close_gaps(text: str) -> str:
    """Nothing at the ends, within quotes, before marks and between Chinese characters; elsewhere a blank.

    Of the marks before and after a gap the first are enough: `Well, (laughs), yes`.
    """

    def fill(match: re.Match[str]) -> str:
        before, after = _neighbours(match)
        if before and before in _ANY_MARK:
            return " " if after.strip() and after not in _CLOSING else ""
        marks = match["marks"]
        if marks or not before or not after or after in _CLOSING:
            return marks
        if before in _OPENING and not match[0].startswith(" "):
            return ""
        return "" if " " not in match[0] and is_cjk(before) and is_cjk(after) else " "

    # Of two gaps with but a mark between them, each takes the other for a word.
    return _GAPS.sub(fill, text).strip()


def _neighbours(match: re.Match[str]) -> tuple[str, str]:
    """The characters before and after a match; empty at the ends."""
    text = match.string
    return text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
