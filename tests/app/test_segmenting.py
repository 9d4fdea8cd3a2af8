"""A script is cut into segments of one to two minutes, where the cut is least heard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.jobs.segmenting import COLUMNS_PER_S, LONGEST_S, SHORTEST_S, seconds, segments
from vibevoice.script import Turn


def turn(length_s: float, speaker: int = 0, pause_ms: int = 0) -> Turn:
    return Turn(speaker, "a" * round(length_s * COLUMNS_PER_S), pause_ms)


TURNS = st.lists(
    st.builds(turn, st.floats(0.1, 150), st.integers(0, 3), st.sampled_from([0, 500, 10_000])),
    min_size=1,
    max_size=60,
)


@given(TURNS, st.booleans())
def test_every_turn_is_in_one_segment_and_in_order(turns: list[Turn], one_take: bool) -> None:
    cuts = segments(turns, one_take)
    assert [n for first, last, _ in cuts for n in range(first, last)] == list(range(len(turns)))
    assert all(last > first for first, last, _ in cuts)
    assert sum(estimate for _, _, estimate in cuts) == pytest.approx(sum(map(seconds, turns)))


@given(TURNS)
def test_only_a_single_turn_is_longer_than_the_longest_segment(turns: list[Turn]) -> None:
    *most, end = segments(turns)
    for first, last, estimate in most[:-1]:
        assert estimate <= LONGEST_S or last == first + 1
    # The last two may share what is too much for one and too little for two.
    for first, last, estimate in (*most[-1:], end):
        assert estimate <= LONGEST_S + max(map(seconds, turns[first:last]))


def test_a_short_script_is_one_segment() -> None:
    assert segments([turn(10), turn(20, 1)]) == ((0, 2, pytest.approx(30)),)


def test_one_take_is_one_segment_however_long() -> None:
    assert [cut[:2] for cut in segments([turn(16)] * 200, one_take=True)] == [(0, 200)]


def test_a_conversation_is_cut_where_the_speaker_changes() -> None:
    turns = [turn(16, speaker) for _ in range(10) for speaker in (0, 0, 1)]
    for first, _, _ in segments(turns)[1:-1]:
        assert turns[first].speaker != turns[first - 1].speaker


def test_a_monologue_is_cut_at_its_pauses() -> None:
    turns = [turn(16, pause_ms=1000 if n % 5 == 4 else 0) for n in range(30)]
    assert [last for _, last, _ in segments(turns)] == [5, 10, 15, 20, 25, 30]


def test_no_short_rest_is_left_at_the_end_of_an_hour() -> None:
    for length in range(3500, 3700):
        cuts = segments([turn(16, n % 2) for n in range(length // 16)] + [turn(1 + length % 16)])
        assert min(estimate for _, _, estimate in cuts) >= SHORTEST_S - 16


def test_chinese_takes_as_long_as_it_is_spoken() -> None:
    assert seconds(Turn(0, "欢迎收听")) == pytest.approx(12 / COLUMNS_PER_S)
