"""Where a script is cut, so that each part fits the model's context with the one before it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vibevoice.engine.generation import TooLong
from vibevoice.engine.run import FRAMES_PER_TOKEN, LABEL_TOKENS, SPARE_FRAMES, plan
from vibevoice.script import Turn


def turns(*pauses: int) -> tuple[Turn, ...]:
    return tuple(Turn(number % 4, f"Turn {number}.", pause) for number, pause in enumerate(pauses))


def size(count: int, tokens: int) -> int:
    """Of the context: text, labels, and the speech that it usually is."""
    return tokens + LABEL_TOKENS * count + (SPARE_FRAMES + FRAMES_PER_TOKEN * tokens) // 2


def test_a_script_that_fits_is_one_part() -> None:
    script = turns(0, 0, 0)
    [part] = plan(script, [10, 20, 30], size(3, 60))
    assert (part.turns, part.tokens, part.silence) == (script, 60, 0)
    assert part.cap == 30 + 4 * 60


def test_a_pause_ends_a_part_with_silence() -> None:
    script = turns(0, 500, 0, 20, 0)
    parts = plan(script, [5] * 5, 10_000)
    assert [part.turns for part in parts] == [script[:2], script[2:4], script[4:]]
    assert [part.silence for part in parts] == [12_000, 480, 0]


def test_a_script_that_is_too_long_is_cut_evenly_at_turns() -> None:
    parts = plan(turns(*[0] * 40), [10] * 40, 400)
    assert len(parts) > 2
    assert sum(len(part.turns) for part in parts) == 40
    assert max(len(part.turns) for part in parts) - min(len(part.turns) for part in parts) <= 3


def test_a_turn_that_is_too_long_says_how_long_it_may_be() -> None:
    with pytest.raises(TooLong, match=r"turn of 900 tokens.*has room for 200"):
        plan(turns(0, 0), [10, 900], 1200)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0, 0, 0, 100])), min_size=1, max_size=60),
    st.integers(500, 2000),
)
def test_every_turn_is_in_one_part_and_two_parts_in_a_row_fit(
    lines: list[tuple[int, int]], room: int
) -> None:
    script, tokens = turns(*(pause for _, pause in lines)), [count for count, _ in lines]
    parts = plan(script, tokens, room)
    assert [turn for part in parts for turn in part.turns] == list(script)
    assert sum(part.tokens for part in parts) == sum(tokens)
    for part in parts:
        assert size(len(part.turns), part.tokens) <= room
        # Silence is where the script has it: behind the last turn of a part, and nowhere else.
        assert part.silence == part.turns[-1].pause_ms * 24
        assert all(not turn.pause_ms for turn in part.turns[:-1])
    for one, other in pairwise(parts):
        cut_by_length = not one.silence
        if cut_by_length:
            assert size(len(one.turns) + len(other.turns), one.tokens + other.tokens) <= room + 15
