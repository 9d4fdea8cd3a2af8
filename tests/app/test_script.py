"""Scripts become turns, or the writer learns why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.script import MAX_SPEAKERS, ScriptError, Turn, parse

WORDS = st.text(st.sampled_from("abcxyz ,.!?'"), min_size=1, max_size=30).filter(str.strip)
LINES = st.lists(st.tuples(st.integers(1, MAX_SPEAKERS), WORDS), min_size=1, max_size=20)


def test_labels_name_the_speakers() -> None:
    assert parse("Speaker 1: Hello.\nSpeaker 2: Hi!").turns == (Turn(0, "Hello."), Turn(1, "Hi!"))


def test_a_line_without_a_label_continues_the_last_speaker() -> None:
    turns = parse("Speaker 1: One.\nSpeaker 2: Two,\n\nand more.\n").turns
    assert turns == (Turn(0, "One."), Turn(1, "Two,"), Turn(1, "and more."))


def test_text_without_any_label_is_one_speakers() -> None:
    assert parse("Just this.").turns == (Turn(0, "Just this."),)


def test_a_label_may_stand_alone_before_its_text() -> None:
    assert parse("Speaker 3:\n  Hello.\nSpeaker 1: Hi.").turns == (Turn(0, "Hello."), Turn(1, "Hi."))


def test_labels_are_read_as_people_type_them() -> None:
    assert parse("  speaker 2 ： 你好。\nSPEAKER1:Hi").turns == (Turn(0, "你好."), Turn(1, "Hi"))


def test_marks_the_model_does_not_know_become_plain_ones() -> None:
    assert parse("Speaker 1: “It’s\u00a0fine”\u200b，\tshe said").turns == (
        Turn(0, '"It\'s fine" , she said'),
    )


@given(LINES)
def test_speakers_are_dense_and_ascend_by_first_use(lines: list[tuple[int, str]]) -> None:
    turns = parse("\n".join(f"Speaker {label}: {text}" for label, text in lines)).turns
    first_uses = list(dict.fromkeys(turn.speaker for turn in turns))
    assert first_uses == list(range(len({label for label, _ in lines})))
    assert len(turns) == len(lines)


@given(LINES)
def test_no_word_is_lost(lines: list[tuple[int, str]]) -> None:
    turns = parse("\n".join(f"Speaker {label}: {text}" for label, text in lines)).turns
    assert [turn.text.split() for turn in turns] == [text.split() for _, text in lines]


@given(st.text())
def test_any_text_is_spoken_or_refused(text: str) -> None:
    try:
        turns = parse(text).turns
    except ScriptError:
        return
    assert turns
    assert all(turn.text and 0 <= turn.speaker < MAX_SPEAKERS for turn in turns)


@pytest.mark.parametrize("script", ["", " \n\n\t", "Speaker 1:", "Speaker 1:\nSpeaker 2: \n", "\u200b"])
def test_a_script_without_text_is_refused(script: str) -> None:
    with pytest.raises(ScriptError, match="empty"):
        parse(script)


@pytest.mark.parametrize("label", ["0", "5", "10", "007", "9" * 5000])
def test_a_fifth_speaker_is_refused_with_the_line(label: str) -> None:
    with pytest.raises(ScriptError, match=r"Line 2: there is no Speaker .{1,9}\. Use Speaker 1 to Speaker 4"):
        parse(f"Speaker 1: Hello.\nSpeaker {label}: Hi.")


@pytest.mark.parametrize("token", ["<|vision_pad|>", "<|endoftext|>", "<|im_start|>"])
def test_the_models_control_tokens_are_refused(token: str) -> None:
    with pytest.raises(ScriptError, match="Line 1: '<"):
        parse(f"Speaker 1: Hello {token} world")
