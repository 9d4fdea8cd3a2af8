"""Subtitles say who says what and when, in lines that can be read."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.audio import SAMPLE_RATE
from vibevoice.audio.captions import COLUMNS, captions, columns
from vibevoice.audio.subtitles import Cue, cues, srt, vtt
from vibevoice.jobs.model import Job, Piece, Segment, Take
from vibevoice.script import Turn

FRAME = 3200

ENGLISH = (
    "Welcome back to the show. Today we talk about something that everybody has an opinion about, and nobody "
    "seems to know: how much sleep do you really need?"
)
CHINESE = "大家好，欢迎收听今天的节目，我们今天要讨论一个大家都很关心的话题：人工智能会不会取代我们的工作？"

TEXT = st.text(st.characters(), max_size=400) | st.text(
    st.sampled_from("ab, 。我《》(.!&<>-\n\0"), max_size=400
)
TIMES = st.floats(0, 20_000, allow_nan=False)
CUES = st.lists(st.builds(Cue, TIMES, TIMES, st.sampled_from(["", "Ana", "Ben", "王"]), TEXT), max_size=8)
STAMPS = re.compile(
    r"^(\d{2,}):(\d\d):(\d\d)[.,](\d{3}) --> (\d{2,}):(\d\d):(\d\d)[.,](\d{3})$", re.MULTILINE
)


def times(subtitles: str) -> list[tuple[int, int]]:
    """Start and end of each, in milliseconds."""

    def clock(hours: str, minutes: str, seconds: str, thousandths: str) -> int:
        return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(thousandths)

    return [(clock(*stamp[:4]), clock(*stamp[4:])) for stamp in STAMPS.findall(subtitles)]


def letters(text: str) -> str:
    """All that can be seen of a text."""
    return "".join(
        char for char in text if not char.isspace() and unicodedata.category(char) not in ("Cc", "Cs", "Cn")
    )


def take(*frames: int, parts: tuple[int, ...] = (), silence: int = 0, state: str = "done") -> Take:
    """One that was spoken under several leases."""
    pieces = [Piece(n, count * FRAME, count) for n, count in enumerate(frames)]
    pieces[-1] = replace(pieces[-1], samples=pieces[-1].samples + silence)
    return Take(0, 7, "done" if state == "done" else "running", pieces=tuple(pieces), parts=parts)


def job(turns: tuple[Turn, ...], *segments: Segment) -> Job:
    return Job(
        id="job_4f7a",
        number=1,
        user="ana",
        kind="job",
        state="done",
        title="Sleep",
        script="",
        turns=turns,
        speakers=("Ana", "Ben"),
        voices=(None, None),
        seed=7,
        guidance=None,
        steps=None,
        one_take=False,
        format="mp3",
        batch=None,
        created=0.0,
        segments=segments,
    )


def test_subrip_numbers_its_captions_and_names_who_begins_to_speak() -> None:
    said = [Cue(0, 2.5, "Ana", "Hello."), Cue(3, 4, "Ana", "You?"), Cue(4, 5.0006, "Ben", "Fine & <well>.")]
    assert srt(said) == (
        "1\n00:00:00,000 --> 00:00:02,500\nAna: Hello.\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\nYou?\n\n"
        "3\n00:00:04,000 --> 00:00:05,001\nBen: Fine & <well>.\n\n"
    )


def test_webvtt_gives_each_speaker_a_voice() -> None:
    said = [Cue(3599, 3600.25, "Q & A", "Is 1 < 2?"), Cue(3601, 3602, "", "--> Yes.")]
    assert vtt(said) == (
        "WEBVTT\n\n"
        "00:59:59.000 --> 01:00:00.250\n<v Q &amp; A>Is 1 &lt; 2?\n\n"
        "01:00:01.000 --> 01:00:02.000\n--&gt; Yes.\n\n"
    )


def test_a_monologue_names_nobody() -> None:
    assert "Ana" not in srt([Cue(0, 2, "Ana", "Hello."), Cue(2, 3, "Ana", "So.")])


def test_a_long_turn_is_broken_where_a_reader_would() -> None:
    assert captions(ENGLISH) == [
        ("Welcome back to the show.",),
        ("Today we talk about something that", "everybody has an opinion about,"),
        ("and nobody seems to know:", "how much sleep do you really need?"),
    ]


def test_a_chinese_character_takes_two_columns() -> None:
    for caption in captions(CHINESE * 3):
        assert all(len(line) <= COLUMNS // 2 for line in caption)
        assert all(line[0] not in "，。：？" for line in caption)
    assert letters("".join("".join(caption) for caption in captions(CHINESE))) == letters(CHINESE)


def test_a_long_turn_shares_its_time_by_its_words() -> None:
    shown = times(srt([Cue(10, 20, "Ana", ENGLISH)]))
    assert (shown[0][0], shown[-1][1]) == (10_000, 20_000)
    assert all(before[1] == after[0] for before, after in pairwise(shown))
    lengths = [len(" ".join(caption)) for caption in captions(ENGLISH)]
    for (start, end), length in zip(shown, lengths, strict=True):
        assert end - start == pytest.approx(10_000 * length / sum(lengths), abs=50)


@given(TEXT)
def test_any_text_becomes_lines_that_fit_and_none_of_it_is_lost(text: str) -> None:
    shown = captions(text)
    assert all(1 <= len(caption) <= 2 for caption in shown)
    for caption in shown:
        assert all(line == line.strip() and line and columns(line) <= COLUMNS for line in caption)
    kept = "".join("".join(caption) for caption in shown)
    assert letters(kept) == letters(text)


@given(CUES, st.sampled_from([srt, vtt]))
def test_captions_never_overlap_and_none_is_empty(
    said: list[Cue], written: Callable[[list[Cue]], str]
) -> None:
    subtitles = written(said)
    shown = times(subtitles)
    assert len(shown) == subtitles.count("-->")
    assert all(start < end for start, end in shown)
    assert all(before[1] <= after[0] for before, after in pairwise(shown))
    blocks = [block.split("\n") for block in subtitles.removeprefix("WEBVTT\n\n").split("\n\n")[:-1]]
    head = 2 if written is srt else 1
    assert all(head < len(block) <= head + 2 and all(block) for block in blocks)
    assert len(blocks) == len(shown)


TALK = (Turn(0, "Good morning, how are you?"), Turn(1, "Fine, thank you."), Turn(0, "So am I."))


def test_segments_follow_each_other_to_the_sample() -> None:
    made = cues(job(TALK, Segment(0, 0, 2, 4.0, take(20, 17)), Segment(1, 2, 3, 4.0, take(9))))
    assert [(cue.speaker, cue.text) for cue in made] == [(("Ana", "Ben")[t.speaker], t.text) for t in TALK]
    assert [made[0].start_s, made[2].start_s, made[2].end_s] == pytest.approx(
        [0, 37 * FRAME / SAMPLE_RATE, 46 * FRAME / SAMPLE_RATE]
    )
    # Within a segment by the length of the words: 26 columns and 16.
    assert made[0].end_s == made[1].start_s == pytest.approx(37 * FRAME / SAMPLE_RATE * 26 / 42)


def test_a_take_that_was_asked_for_anew_counts_once_it_is_done() -> None:
    anew = Segment(0, 0, 3, 4.0, take(20), coming=take(90, state="running"))
    assert cues(job(TALK, anew))[-1].end_s == pytest.approx(20 * FRAME / SAMPLE_RATE)


def test_what_is_not_spoken_yet_has_no_subtitles() -> None:
    begun = job(
        TALK, Segment(0, 0, 1, 4.0, take(20)), Segment(1, 1, 2, 4.0, None, take(3)), Segment(2, 2, 3, 4.0)
    )
    assert [cue.text for cue in cues(begun)] == [TALK[0].text]


@pytest.mark.parametrize("parts", [(8,), (8, 20)])
def test_a_pause_is_silent_and_lies_where_it_is_heard(parts: tuple[int, ...]) -> None:
    turns = (Turn(0, "Good morning.", 500), Turn(1, "Fine, thank you."), Turn(0, "So am I, so am I."))
    made = cues(job(turns, Segment(0, 0, 3, 4.0, take(20, parts=parts, silence=SAMPLE_RATE // 2))))
    assert made[0].end_s == pytest.approx(8 * FRAME / SAMPLE_RATE)
    assert made[1].start_s == pytest.approx(made[0].end_s + 0.5)
    assert made[2].end_s == pytest.approx(20 * FRAME / SAMPLE_RATE + 0.5)


def test_a_pause_at_the_end_is_no_speech() -> None:
    turns = (Turn(0, "Good morning."), Turn(1, "Fine, thank you.", 2000))
    made = cues(job(turns, Segment(0, 0, 2, 4.0, take(20, parts=(20,), silence=2 * SAMPLE_RATE))))
    assert made[-1].end_s == pytest.approx(20 * FRAME / SAMPLE_RATE)


@given(
    st.lists(st.builds(Turn, st.sampled_from([0, 1]), st.just("So am I."), st.integers(0, 3000)), min_size=1),
    st.lists(st.integers(0, 50), min_size=1, max_size=4),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_any_take_gives_times_in_order(turns: list[Turn], frames: list[int], parts: list[int]) -> None:
    silence = sum(turn.pause_ms * SAMPLE_RATE // 1000 for turn in turns)
    heard = take(*frames, parts=tuple(sorted(parts)), silence=silence)
    made = cues(job(tuple(turns), Segment(0, 0, len(turns), 4.0, heard)))
    assert [cue.text for cue in made] == [turn.text for turn in turns]
    assert all(cue.start_s <= cue.end_s for cue in made)
    assert all(before.end_s <= after.start_s for before, after in pairwise(made))
    assert made[-1].end_s <= heard.seconds + 1e-6
