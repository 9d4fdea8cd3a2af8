"""Streams of one batch: who runs beside them, and what interrupts them, is not heard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from speaking import TALK, admitted, saved, sound, speak, spoken
from vibevoice.engine.attention import Reach, gathered
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import (
    End,
    Frame,
    Generation,
    PartEnd,
    Prefix,
    Refused,
    Saved,
    Spoken,
    TooLong,
)
from vibevoice.engine.memory import PAGE
from vibevoice.script import Turn

SHORT = (Turn(0, "Hello there."),)
PAUSED = (Turn(0, "Before the pause.", pause_ms=500), Turn(1, "And behind it."), Turn(0, "The end."))


@pytest.fixture(scope="module")
def batch(lively: Path) -> Batch:
    """Four slots, and every step takes all four: what is in the others must not matter."""
    return Batch(load(lively, "cpu", torch.float64), slots=4, buckets=(4,))


@pytest.fixture(autouse=True)
def nothing_is_left(batch: Batch) -> None:
    assert (batch.running, batch.busy, batch.kv_free) == (0, False, batch.kv_tokens)


def test_a_stream_among_others_equals_its_solo_run(batch: Batch) -> None:
    generations = [Generation(TALK, seed=seed, guidance=1 + seed / 4) for seed in range(4)]
    alone = [sound(speak(batch, generation)) for generation in generations]
    together = spoken(batch, *(admitted(batch, generation) for generation in generations))
    for solo, said in zip(alone, together, strict=True):
        assert np.array_equal(solo, sound(said))
    assert not np.array_equal(alone[0], alone[1])


def test_a_stream_may_come_and_others_go_in_its_middle(batch: Batch) -> None:
    first, second = Generation(TALK, seed=1), Generation(TALK, seed=2)
    alone = sound(speak(batch, first))
    given_up = admitted(batch, second)
    for _ in range(5):
        batch.step()
    run, said = admitted(batch, first), list[Spoken]()
    for step in range(1000):
        if not batch.busy:
            break
        if step == 3:
            batch.remove(given_up)
        if step == 6:
            admitted(batch, Generation(SHORT, seed=3))
        said += [event for one, event in batch.step() if one is run]
    assert np.array_equal(sound(said), alone)


def test_a_stream_goes_on_in_another_slot_when_those_below_fall_empty(lively: Path) -> None:
    moving = Batch(load(lively, "cpu", torch.float64), slots=4)
    alone = sound(speak(moving, Generation(TALK, seed=1)))
    below = [admitted(moving, Generation(TALK, seed=seed)) for seed in (5, 6, 7)]
    run, said, slots = admitted(moving, Generation(TALK, seed=1)), list[Spoken](), []
    while moving.busy:
        slots.append(run.slot)
        said += [event for one, event in moving.step() if one is run]
        if len(slots) in (4, 8, 12):
            moving.remove(below.pop())
    assert [slot for slot in dict.fromkeys(slots) if slot is not None] == [3, 2, 1, 0]
    assert np.abs(sound(said) - alone).max() < 1e-6


def test_where_slots_are_few_across_buckets_the_first_other_frame_is_late(lively: Path) -> None:
    """Other shapes round otherwise: how long two runs agree is told, and it is not nothing."""
    wide = Batch(load(lively, "cpu", torch.float32), slots=8, buckets=(8,))
    narrow = Batch(load(lively, "cpu", torch.float32), slots=1)
    one, other = (sound(speak(batch, Generation(TALK, seed=5))) for batch in (wide, narrow))
    frames = np.abs(one - other).reshape(-1, 3200).max(1) / np.abs(other).max()
    diverged = np.flatnonzero(frames > 1e-3)
    first = int(diverged[0]) if len(diverged) else None
    print(f"1 and 8 slots: {len(frames)} frames, the first that differs by 1e-3 of the peak is {first}")
    assert first is None or first > 10


@pytest.mark.parametrize("cut", [1, 2, 7, 23, 28])
def test_a_resumed_stream_equals_the_uninterrupted_one(batch: Batch, cut: int) -> None:
    generation = Generation(TALK, seed=9)
    whole = speak(batch, generation)
    rest = speak(batch, replace(generation, resume=saved(batch, whole[:cut])))
    assert sum(isinstance(event, Frame) for event in whole) > cut
    assert np.abs(sound(rest) - sound(whole[cut:])).max() < 1e-6 * np.abs(sound(whole)).max()
    assert rest[-1] == whole[-1]


def test_a_resumed_stream_needs_no_seed_of_its_own(batch: Batch) -> None:
    run = admitted(batch, Generation(TALK))
    [whole] = spoken(batch, run)
    rest = speak(batch, Generation(TALK, resume=saved(batch, whole[:5], run.seed)))
    assert np.abs(sound(rest) - sound(whole[5:])).max() < 1e-6


def test_a_pause_is_silence_of_that_length(batch: Batch) -> None:
    said = speak(batch, Generation(PAUSED, seed=1))
    [pause] = [event for event in said if isinstance(event, PartEnd)]
    assert pause.silence == 12_000
    place = said.index(pause)
    assert all(isinstance(event, Frame) for event in (*said[:place], *said[place + 1 : -1]))
    assert isinstance(said[-1], End)
    assert place > 3
    assert len(said) - place > 3


def test_a_pause_at_the_very_end_is_heard_too(batch: Batch) -> None:
    said = speak(batch, Generation((Turn(0, "Good night.", pause_ms=100),), seed=1))
    assert said[-2:] == [PartEnd(2400), End(capped=False)]


@pytest.mark.parametrize("behind", [0, 1, 6])
def test_a_stream_is_resumed_in_its_second_part(batch: Batch, behind: int) -> None:
    whole = speak(batch, Generation(PAUSED, seed=4))
    place = 1 + next(number for number, event in enumerate(whole) if isinstance(event, PartEnd)) + behind
    rest = speak(batch, Generation(PAUSED, seed=4, resume=saved(batch, whole[:place])))
    assert np.abs(sound(rest) - sound(whole[place:])).max() < 1e-6
    assert isinstance(rest[-1], End)


def test_a_stream_resumed_at_its_very_end_only_ends(batch: Batch) -> None:
    script = (Turn(0, "Good night.", pause_ms=100),)
    whole = speak(batch, Generation(script, seed=1))
    assert speak(batch, Generation(script, seed=1, resume=saved(batch, whole))) == [End(capped=False)]


def test_a_new_stream_continues_a_prefix(batch: Batch) -> None:
    whole = speak(batch, Generation(PAUSED, seed=1))
    place = next(number for number, event in enumerate(whole) if isinstance(event, PartEnd))
    first = saved(batch, whole[:place])
    mine = speak(batch, Generation(PAUSED[1:], seed=8, prefix=Prefix(PAUSED[:1], first)))
    other = speak(batch, Generation(PAUSED[1:], seed=8))
    assert len(sound(mine)) > 3 * 3200
    assert not np.array_equal(sound(mine)[:3200], sound(other)[:3200])
    again = speak(batch, Generation(PAUSED[1:], seed=8, prefix=Prefix(PAUSED[:1], first)))
    assert np.array_equal(sound(mine), sound(again))


def test_a_continued_stream_can_be_resumed(batch: Batch) -> None:
    before = speak(batch, Generation(SHORT, seed=1))
    generation = Generation(TALK, seed=2, prefix=Prefix(SHORT, saved(batch, before)))
    whole = speak(batch, generation)
    rest = speak(batch, replace(generation, resume=saved(batch, whole[:7])))
    assert np.abs(sound(rest) - sound(whole[7:])).max() < 1e-6


def test_a_prompt_may_be_read_in_pieces(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sound(speak(batch, Generation(TALK, seed=1)))
    monkeypatch.setattr("vibevoice.engine.language.CHUNK", 13)
    assert np.abs(sound(speak(batch, Generation(TALK, seed=1))) - whole).max() < 1e-6


def test_all_ways_of_attention_are_one() -> None:
    generator = torch.Generator().manual_seed(1)
    query, keys, values = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((3, 6, 16), (1, 2, 1024, 16), (1, 2, 1024, 16))
    )
    reach = Reach(torch.tensor([512, 0, 256]), torch.tensor([300, 1, 77]), 512)
    found = reach.attend(query, keys, values)
    assert found.shape == (3, 96)
    torch.testing.assert_close(found, gathered(reach, query, keys, values))


def test_a_cap_ends_a_stream_at_that_frame(batch: Batch) -> None:
    said = speak(batch, Generation(TALK, seed=1, cap=4))
    assert [type(event) for event in said] == [Frame] * 4 + [End]
    assert said[-1] == End(capped=True)
    rest = speak(batch, Generation(TALK, seed=1, cap=4, resume=saved(batch, said)))
    assert rest == [End(capped=True)]


def test_a_cap_counts_over_all_parts(batch: Batch) -> None:
    whole = speak(batch, Generation(PAUSED, seed=1))
    place = next(number for number, event in enumerate(whole) if isinstance(event, PartEnd))
    said = speak(batch, Generation(PAUSED, seed=1, cap=place + 2))
    assert sum(isinstance(event, Frame) for event in said) == place + 2
    assert said[-1] == End(capped=True)


def test_a_removed_stream_is_gone_at_once(batch: Batch) -> None:
    run = admitted(batch, Generation(TALK, seed=1))
    batch.step()
    batch.remove(run)
    assert (batch.running, batch.kv_free) == (0, batch.kv_tokens)
    assert batch.step() == []
    batch.remove(run)


def test_slots_are_limited(batch: Batch) -> None:
    runs = [admitted(batch, Generation(SHORT, seed=seed)) for seed in range(4)]
    late = batch.prepare(Generation(SHORT))
    assert not batch.admit(late)
    batch.remove(runs[2])
    assert batch.admit(late)
    for run in (*runs, late):
        batch.remove(run)


def test_memory_is_limited_and_what_never_fits_is_refused(lively: Path) -> None:
    checkpoint = load(lively, "cpu")
    small = Batch(checkpoint, slots=4, kv_bytes=5 * PAGE * 512)
    assert small.kv_tokens == 5 * PAGE
    first, second = (small.prepare(Generation(TALK * 2, seed=seed)) for seed in range(2))
    assert first.tokens == 3 * PAGE
    assert small.admit(first)
    assert not small.admit(second)
    assert small.kv_free == 2 * PAGE
    small.remove(first)
    assert small.admit(second)
    small.remove(second)
    with pytest.raises(TooLong, match=r"memory for [0-9]+ tokens.*1280 in all.*VV_KV_MEMORY"):
        small.prepare(Generation(TALK * 12))


def test_a_run_whose_prompt_fails_leaves_nothing_behind(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no room for the prompt")

    run = batch.prepare(Generation(SHORT))
    monkeypatch.setattr(batch.parts.language, "prefill", fails)
    with pytest.raises(RuntimeError, match="no room"):
        batch.admit(run)


@pytest.mark.parametrize(
    ("generation", "complaint"),
    [
        (Generation(()), "nothing to say"),
        (Generation(SHORT, steps=11), "10 denoising steps for every stream, not 11"),
        (Generation(SHORT, resume=Saved("another", 256, b"")), "resume was spoken by another model"),
        (Generation(SHORT, prefix=Prefix(SHORT, Saved("another", 256, b""))), "prefix was spoken by another"),
    ],
)
def test_what_can_never_be_spoken_is_refused(batch: Batch, generation: Generation, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        batch.prepare(generation)


def test_a_resumed_stream_with_more_parts_than_its_script_is_refused(batch: Batch) -> None:
    foreign = Saved(batch.weights, batch.frame_bytes, bytes(batch.frame_bytes), (1, 1))
    with pytest.raises(Refused, match="more parts"):
        batch.prepare(Generation(SHORT, resume=foreign))
