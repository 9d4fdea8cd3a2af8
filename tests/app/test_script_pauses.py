"""Pauses become silence of the length that was written."""

import pytest
from vibevoice.script import Rules, ScriptError, Turn, parse


def test_a_pause_ends_the_turn_and_its_speaker_goes_on() -> None:
    turns = parse("Speaker 1: Welcome to today's lecture. [pause:1000ms] Let's dive right in.").turns
    assert turns == (Turn(0, "Welcome to today's lecture.", 1000), Turn(0, "Let's dive right in."))


@pytest.mark.parametrize(
    ("tag", "pause_ms"),
    [
        ("[pause:500ms]", 500),
        ("[pause]", 1000),
        ("[PAUSE: 1.5 s]", 1500),
        ("[pause 500]", 500),
        ("[pause=2 seconds]", 2000),
        ("[pause:10s]", 10_000),
        ("［pause：５００ms］", 500),
        ("【停顿：500ms】", 500),
        ("[停顿:2秒]", 2000),
        ("[停顿 800毫秒]", 800),
        ("[停顿]", 1000),
        ("(pause)", 1000),
        ("（停顿）", 1000),
        ("(pause 700ms)", 700),
        ("[silence 3s]", 3000),
    ],
)
def test_a_pause_is_read_as_people_write_it(tag: str, pause_ms: int) -> None:
    assert parse(f"Ana: One, {tag} two.").turns == (Turn(0, "One,", pause_ms), Turn(0, "two."))


def test_pauses_in_a_row_add_up() -> None:
    assert parse("One. [pause:9s] [pause:8s](sighs)[pause]\n[pause:500ms]\n\nTwo.").turns == (
        Turn(0, "One.", 18_500),
        Turn(0, "Two."),
    )


def test_a_pause_before_a_speaker_begins_follows_the_speaker_before() -> None:
    assert parse("Speaker 1: Ready?\nSpeaker 2: [pause:700ms] Yes. [pause:2s]").turns == (
        Turn(0, "Ready?", 700),
        Turn(1, "Yes.", 2000),
    )


def test_a_pause_before_anything_is_said_is_dropped() -> None:
    assert parse("[pause:2s] Hello.").turns == (Turn(0, "Hello."),)


def test_a_pause_of_no_length_changes_nothing() -> None:
    assert parse("One [pause:0ms] two.").turns == (Turn(0, "One two."),)


def test_a_mark_behind_a_pause_does_not_begin_a_turn() -> None:
    assert [
        turn.text for turn in parse("Well [pause], I think... [pause]. Yes [pause] .5 percent.").turns
    ] == [
        "Well",
        "I think...",
        "Yes",
        ".5 percent.",
    ]


def test_a_pause_goes_behind_the_last_part_of_a_long_turn() -> None:
    turns = parse("The day is long and warm. " * 20 + "[pause:300ms] Good night.").turns
    assert [turn.pause_ms for turn in turns] == [0] * (len(turns) - 2) + [300, 0]


@pytest.mark.parametrize(
    "tag",
    [
        "[pause for effect]",
        "(pause for effect)",
        "[pauses]",
        "(pause, then a sigh)",
        "[break: 2 cups]",
        "(pause:x)",
    ],
)
def test_a_direction_about_a_pause_is_a_direction(tag: str) -> None:
    assert parse(f"One {tag} two.").turns == (Turn(0, "One two."),)


@pytest.mark.parametrize(
    "tag",
    ["[pause:abc]", "[pause:]", "[pause:-5ms]", "[pause:1.5]", "[pause:2]", "[pause 5x]", "[pause:1,5s]"],
)
def test_a_malformed_pause_is_refused_with_its_place(tag: str) -> None:
    with pytest.raises(ScriptError) as refused:
        parse(f"Ana: Hello.\nBen: One\ntwo {tag} three.")
    assert str(refused.value) == (
        f"Line 3, column 5: '{tag}' is no pause. Write its length as in [pause:500ms] or [pause:1.5s]."
    )


@pytest.mark.parametrize("tag", ["[pause:10001ms]", "[pause:11s]", "(pause:60s)", "[pause:999999999s]"])
def test_a_pause_of_more_than_ten_seconds_is_refused_with_its_place(tag: str) -> None:
    with pytest.raises(ScriptError, match=r"^Line 1, column 8: A pause may be 10 seconds long at most\.$"):
        parse(f"Ana: a {tag} b")


def test_a_pause_without_an_end_is_refused_with_its_place() -> None:
    with pytest.raises(ScriptError, match=r"^Line 2, column 3: This pause has no end: add '\]'\.$"):
        parse("Ana: Hello.\na [pause:500ms Yes.")


def test_silence_is_limited_in_sum() -> None:
    assert len(parse("a[pause:10s]" * 60).turns) == 60
    with pytest.raises(ScriptError, match=r"^Line 1, column 722: .* more than 10 minutes of silence"):
        parse("a[pause:10s]" * 61)


def test_without_the_rule_pauses_are_directions_like_others() -> None:
    assert parse("One [pause:500ms] two.", Rules(pauses=False)).turns == (Turn(0, "One two."),)
    assert parse("One [pause:x] two.", Rules(pauses=False, brackets=False)).turns == (
        Turn(0, "One [pause:x] two."),
    )


def test_pauses_need_no_other_rule() -> None:
    rules = Rules(
        names=False, directions=False, brackets=False, punctuation=False, markdown=False, emoji=False
    )
    assert parse("One [pause] (two)", rules).turns == (Turn(0, "One", 1000), Turn(0, "(two)"))
