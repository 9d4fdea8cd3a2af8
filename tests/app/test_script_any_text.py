"""Whatever is pasted: turns, or an error with a place in the script; and in linear time."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vibevoice.script import MAX_SPEAKERS, Rules, Script, ScriptError, parse

PIECES = [
    *"()[]（）【】［］*_`~#>-:：.。!！?？,，；、…—～“”‘’「」《》<|>\\/^'",
    *" \t\n\r\u200b\ufeff\ud800\ue000\u0301",
    *"aZß1９中文あ😀🇨❤\ufe0f",
    "Speaker 1:",
    "speaker２：",
    "[3]",
    "[角色A]",
    "Ana:",
    "Ben: ",
    "**Eve:** ",
    "小明：",
    "[pause:500ms]",
    "[pause",
    "[pause:x]",
    "(laughs)",
    "*sighs*",
    "<|end|>",
    "[a](http://b)",
    "Dr. Who. ",
    "10:30",
    "\r\n",
    "\n\n",
    "the quick brown fox ",
    "一二三四五六七八九十。",
]
TEXTS = st.text(st.characters(codec=None, exclude_categories=[]), max_size=200) | st.lists(
    st.sampled_from(PIECES), max_size=60
).map("".join)
RULES = st.builds(
    Rules,
    **{
        name: st.booleans()
        for name in (
            "names",
            "directions",
            "brackets",
            "pauses",
            "punctuation",
            "markdown",
            "emoji",
            "wrapped_lines",
        )
    },
    long_turn=st.sampled_from([0, 1, 20, 240]),
)


def parsed(text: str, rules: Rules) -> Script | None:
    """None for a script that is refused; then with a place in it, or because it says nothing."""
    try:
        return parse(text, rules)
    except ScriptError as refused:
        error = refused
    if error.line is None or error.column is None:
        assert str(error).startswith("The script is empty")
    else:
        lines = text.removeprefix("\ufeff").splitlines()
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= max(1, len(lines[error.line - 1]))
        assert str(error).startswith(f"Line {error.line}, column {error.column}: ")
    return None


@settings(max_examples=1500)
@given(TEXTS, RULES)
def test_any_text_is_spoken_or_refused_with_its_place(text: str, rules: Rules) -> None:
    if script := parsed(text, rules):
        assert 1 <= len(script.speakers) <= MAX_SPEAKERS
        assert list(dict.fromkeys(turn.speaker for turn in script.turns)) == list(range(len(script.speakers)))
        assert sum(turn.pause_ms for turn in script.turns) <= 600_000
        for turn in script.turns:
            assert turn.text == turn.text.strip()
            assert any(char.isalnum() for char in turn.text)
            assert not re.search(r"[\u200b\ufeff\ud800-\udfff\ue000\r\n\t]|<\|[^<>|]*\|>", turn.text)
            assert turn.pause_ms >= 0


@settings(max_examples=1000)
@given(TEXTS)
def test_no_direction_and_no_pause_is_left(text: str) -> None:
    if script := parsed(text, Rules()):
        for turn in script.turns:
            assert not re.search(r"\([^()]*\)|（[^（）]*）|\[[^\[\]]*\]|【[^【】]*】", turn.text)


@settings(max_examples=300)
@given(TEXTS)
def test_splitting_long_turns_loses_nothing(text: str) -> None:
    whole, cut = parsed(text, Rules(long_turn=0)), parsed(text, Rules(long_turn=10))
    assert (whole is None) == (cut is None)
    if whole and cut:

        def letters(script: Script) -> str:
            return "".join(char for turn in script.turns for char in turn.text if char.isalnum())

        assert letters(whole) == letters(cut)
        assert whole.speakers == cut.speakers


ADVERSARIAL = [
    "(", ")", "[", "]", "([", "(]", "[pause:", "[pause ", "[pause]", "[pause:1ms]", "[pause:0ms]",
    "(a)", "*", "* ", "*a", "_", "`", "~", "_a", "**a** ", "*a* ", " ", "\t", "\u200b", " \u200b", "-",
    "- ", "> ", "#", "# ", "1. ", ".", ". ", "...a", "…", "，", "，。", "——", "—", "“", "”", '"', "'",
    ":", ": ", "a:", "Ana: ", "A: a\n", "\n", "\n\n", "a\n", "[a](http:", "[](http:", "[", "<|", "<|a",
    ":)", ":( ", "1:", "00:12 ", "[00:12] ", "a ", "a", "中", "中。", "中—", "Dr. ", "A.", "a.b", "😀",
    "中😀", "1️⃣", "\u0301", "e\u0301", "\ud83d", "＜｜", "［", "Speaker 1: (", "**", "***a", "‘",
    "1～", "1，000",
]  # fmt: skip


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_a_hundred_thousand_characters_of_anything_are_read(piece: str) -> None:
    parsed(piece * (100_000 // len(piece)) + "x", Rules())
