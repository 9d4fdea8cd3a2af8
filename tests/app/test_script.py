"""Scripts become turns, or the writer learns where and why not."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.script import MAX_SPEAKERS, Rules, Script, ScriptError, Turn, parse

WORDS = st.text(st.sampled_from("abcxyz ,.!?'"), min_size=1, max_size=30).filter(
    lambda text: any(char.isalpha() for char in text)
)
LINES = st.lists(st.tuples(st.integers(1, MAX_SPEAKERS), WORDS), min_size=1, max_size=20)


def spoken(script: str, rules: Rules = Rules()) -> list[str]:  # noqa: B008
    return [turn.text for turn in parse(script, rules).turns]


def written(lines: list[tuple[int, str]]) -> str:
    return "\n".join(f"Speaker {label}: {text}" for label, text in lines)


def test_labels_name_the_speakers() -> None:
    script = parse("Speaker 1: Hello.\nSpeaker 2: Hi!")
    assert script == Script((Turn(0, "Hello."), Turn(1, "Hi!")), ("Speaker 1", "Speaker 2"))


def test_a_line_without_a_label_continues_the_last_speaker() -> None:
    turns = parse("Speaker 1: One.\nSpeaker 2: Two.\n\nAnd more.\n").turns
    assert turns == (Turn(0, "One."), Turn(1, "Two."), Turn(1, "And more."))


def test_text_without_any_label_is_one_speakers() -> None:
    assert parse("Just this.") == Script((Turn(0, "Just this."),), ("Speaker 1",))


def test_text_before_any_label_is_the_first_speakers() -> None:
    script = parse("Welcome to the show.\nBen: Hi.\nAna: Hello.\nBen: Go.")
    assert [turn.speaker for turn in script.turns] == [0, 0, 1, 0]
    assert script.speakers == ("Ben", "Ana")


def test_a_label_may_stand_alone_before_its_text() -> None:
    turns = parse("Speaker 3:\n  Hello.\nSpeaker 1: Hi.").turns
    assert turns == (Turn(0, "Hello."), Turn(1, "Hi."))


def test_who_says_nothing_is_no_speaker() -> None:
    assert parse("Ana: Hi.\nBen: (nods)\nEve: Hello.\nAna: Bye.").speakers == ("Ana", "Eve")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
def test_lines_end_as_they_do_anywhere(end: str) -> None:
    assert parse(f"\ufeffSpeaker 1:\tOne.{end}{end}Speaker 2: Two.{end}").turns == (
        Turn(0, "One."),
        Turn(1, "Two."),
    )


def test_what_cannot_be_seen_is_dropped() -> None:
    assert spoken("Speaker 1: co\u00adope\u200brate\x07 now\u2060 \ue000\ud83d!") == ["cooperate now !"]
    assert spoken("\u200bSpeaker\u00a01: Hi.") == ["Hi."]


@given(LINES)
def test_speakers_are_dense_and_ascend_by_first_use(lines: list[tuple[int, str]]) -> None:
    script = parse(written(lines))
    first_uses = list(dict.fromkeys(turn.speaker for turn in script.turns))
    assert first_uses == list(range(len({label for label, _ in lines}))) == list(range(len(script.speakers)))
    assert len(script.turns) == len(lines)


@given(LINES)
def test_no_word_is_lost(lines: list[tuple[int, str]]) -> None:
    turns = parse(written(lines), Rules(punctuation=False)).turns
    assert [turn.text.split() for turn in turns] == [text.split() for _, text in lines]


def test_a_script_crosses_to_another_process_and_serves_as_a_key() -> None:
    script = parse("Ana: Hi. [pause] Well.")
    assert pickle.loads(pickle.dumps(script)) == script
    assert {script: 1}[parse("Ana: Hi. [pause] Well.")] == 1
    error = pickle.loads(pickle.dumps(ScriptError("Wrong.", 3, 14)))
    assert (str(error), error.line, error.column) == ("Line 3, column 14: Wrong.", 3, 14)


@pytest.mark.parametrize(
    "script", ["", " \n\n\t", "Speaker 1:", "Speaker 1:\nSpeaker 2: \n", "\u200b", "(sighs)", "……", "😀"]
)
def test_a_script_without_text_is_refused_without_a_place(script: str) -> None:
    with pytest.raises(ScriptError, match=r"^The script is empty: write at least") as refused:
        parse(script)
    assert refused.value.line is None


def test_a_fifth_speaker_is_refused_with_place_name_and_the_other_four() -> None:
    script = "Ana: 1\nBen: 2\r\nCarl: 3\n[4]: 4\n\n \tEve: 5"
    with pytest.raises(ScriptError) as refused:
        parse(script)
    assert str(refused.value) == (
        "Line 6, column 3: 'Eve' would be speaker 5, but 4 are the most: Ana, Ben, Carl, 4. "
        "Give these lines to one of them, or drop the colon if it is no name."
    )


@pytest.mark.parametrize("token", ["<|vision_pad|>", "<|endoftext|>", "＜｜im_start｜＞", "<|im\u200b_end|>"])
def test_the_models_control_tokens_are_refused(token: str) -> None:
    with pytest.raises(ScriptError, match=r"^Line 2, column 12: '<\|.*' is a control token of the model"):
        parse(f"Speaker 1: Hello.\nSpeaker 2: {token} world")


@pytest.mark.parametrize("hidden", ["<**|endoftext|>", "<\u200b|endoftext|>", "<`|`a|>"])
def test_a_control_token_is_also_refused_in_disguise(hidden: str) -> None:
    with pytest.raises(ScriptError, match="control token"):
        parse(f"Speaker 1: {hidden}")
