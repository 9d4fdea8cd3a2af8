"""Long turns go on under a repeated label, cut where sentences end."""

import pytest
from vibevoice.script import LONG_TURN, Rules, Turn, parse

ENGLISH = "The river was high that spring. Nobody had seen it so high before. " * 12
CHINESE = "那年春天河水涨得很高。没有人见过这样的水！大家都到岸边去看。" * 12


def texts(script: str, long_turn: int) -> list[str]:
    return [turn.text for turn in parse(script, Rules(long_turn=long_turn)).turns]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_a_long_turn_becomes_several_of_the_same_speaker_without_pauses(text: str) -> None:
    turns = parse(f"Speaker 1: Hi.\nSpeaker 2: {text}").turns[1:]
    assert len(turns) > 2
    assert {(turn.speaker, turn.pause_ms) for turn in turns} == {(1, 0)}
    assert all(turn.text[-1] in ".!" for turn in turns)
    whole = parse(f"Speaker 2: {text}", Rules(long_turn=0)).turns
    assert whole == (Turn(0, " ".join(turn.text for turn in turns)),)


def test_a_turn_of_usual_length_stays_whole() -> None:
    text = ("One two three. " * 30)[: LONG_TURN - 1].strip()
    assert len(parse(text).turns) == 1


def test_each_part_is_as_long_as_it_may_be() -> None:
    assert (
        texts("One two three four five. " * 4, 60)
        == ["One two three four five. One two three four five."] * 2
    )


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met Mr. J. K. Jones at 3.14 p.m. in the U.S. Capitol, e.g. for tea, i.e. nothing.",
        "She asked “Why?” and left... then came back! so we went on and on and on about it?",
        "See Fig. 3, No. 5 and vol. 12 of www.example.com/a.b?c=d for more about version 1.2.3 of it.",
        "A sentence without any end that goes on and on and on and on and on and on and on",
    ],
)
def test_no_cut_is_made_within_a_sentence(text: str) -> None:
    assert texts(text, 30) == [text.replace("“", '"').replace("”", '"')]


def test_a_cut_is_made_behind_quotes_and_every_kind_of_end() -> None:
    text = (
        "“Are you coming today, Ben?” He was not coming along! “Then alone.” So I went… "
        "I slept in the hay for once."
    )
    assert texts(text, 30) == [
        '"Are you coming today, Ben?"',
        "He was not coming along!",
        '"Then alone." So I went...',
        "I slept in the hay for once.",
    ]


def test_chinese_is_cut_at_its_own_marks_too() -> None:
    turns = parse(
        "今天的天气非常不错。“我们出去走走吧！”好的我马上就过来", Rules(punctuation=False, long_turn=30)
    ).turns
    assert [turn.text for turn in turns] == ["今天的天气非常不错。", "“我们出去走走吧！”", "好的我马上就过来"]


def test_a_few_words_are_not_left_alone() -> None:
    assert texts("The quick brown fox jumps over it. Yes.", 36) == ["The quick brown fox jumps over it. Yes."]
    assert texts("Yes. The quick brown fox jumps over it.", 36) == ["Yes. The quick brown fox jumps over it."]
