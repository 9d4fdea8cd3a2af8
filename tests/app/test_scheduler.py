"""Between two frames streams join, leave and end, in order, whatever happens, and nothing is left behind."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from running import THOROUGH
from scheduling import World
from vibevoice.audio import Samples
from vibevoice.engine import EngineError, Generation, TooLong
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import End
from vibevoice.engine.memory import PAGE
from vibevoice.engine.messages import Left
from vibevoice.script import Turn

SLOTS, PAGES = 3, 6
SMALL, BIG = "Hi.", "Hello there. " * 8
"""Two pages and four: three small ones fill the memory, or a big and a small one."""
SEQUENCES = 1000 if THOROUGH else 100
# Of two runs of one stream, by the peak of the sound; of two streams it would be about 1.
ALIKE = 1e-3
# What the test itself remembers, and the allocator keeps. A frame that is kept for each stream is 60 MB.
GROWTH_BYTES = 30 * 2**20


@pytest.fixture(scope="module")
def batch(checkpoint: Path) -> Batch:
    """One denoising step, for speed."""
    loaded = load(checkpoint, "cpu")
    config = loaded.model.config.text_config
    # Keys and values of all layers.
    width = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
    token_bytes = 2 * config.num_hidden_layers * width * 4
    batch = Batch(loaded, SLOTS, kv_bytes=PAGES * PAGE * token_bytes, steps=1)
    assert batch.kv_tokens == PAGES * PAGE
    return batch


@pytest.fixture
def world(batch: Batch) -> World:
    return World(batch)


def say(text: str = SMALL, seed: int = 1, cap: int = 2) -> Generation:
    return Generation((Turn(0, text),), seed=seed, cap=cap)


def test_nobody_overtakes_one_that_waits_for_memory(world: World) -> None:
    first, second = world.submit(say(SMALL, cap=3)), world.submit(say(SMALL))
    big = world.submit(say(BIG))
    small = world.submit(say(SMALL))
    world.turn()
    # There is a slot and memory for the small one, and it waits.
    assert world.started == [first, second]
    world.finish()
    assert world.started == [first, second, big, small]


def test_one_who_leaves_makes_room_within_a_frame(world: World) -> None:
    streams = [world.submit(say(cap=30)) for _ in range(SLOTS)]
    waiting = world.submit(say())
    world.turn()
    assert world.batch.running == SLOTS
    world.leave(streams[1])
    world.turn()
    assert isinstance(world[streams[1]].end, Left)
    assert world.started == [*streams, waiting]
    for number in (streams[0], streams[2], waiting):
        world.leave(number)
    world.turn()
    assert world.batch.running == 0
    assert world.batch.kv_free == world.batch.kv_tokens


def test_what_can_never_fit_is_refused_while_others_are_spoken(world: World) -> None:
    first = world.submit(say())
    giant = world.submit(say("Hello there. " * 1000))
    after = world.submit(say())
    world.turn()
    assert isinstance(world[giant].end, TooLong)
    world.finish()
    assert all(isinstance(world[number].end, End) for number in (first, after))


def test_who_reads_too_slowly_is_waited_for_and_still_listened_to(world: World) -> None:
    world.behind = True
    number, other = world.submit(say()), world.submit(say())
    world.turn()
    assert world[number].running
    assert world[number].stream.count == 0
    world.leave(other)
    world.turn()
    assert isinstance(world[other].end, Left)
    world.behind = False
    world.finish()
    assert isinstance(world[number].end, End)


def test_a_failure_while_a_stream_is_let_in_is_its_own(
    world: World, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = batch.admit
    monkeypatch.setattr(batch, "admit", _failing(admit, times=1))
    bad, good = world.submit(say()), world.submit(say())
    world.finish()
    assert isinstance(world[bad].end, EngineError)
    assert isinstance(world[good].end, End)


def _failing(action: Callable, times: int) -> Callable:
    """Out of memory, the first times."""
    left = times

    def act(*arguments: object) -> object:
        nonlocal left
        if left:
            left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return action(*arguments)

    return act


def test_a_failed_step_is_everybodys(world: World, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    number = world.submit(say())
    with monkeypatch.context() as patch:
        patch.setattr(batch, "step", _failing(batch.step, times=1))
        with pytest.raises(torch.OutOfMemoryError):
            world.turn()
    world.leave(number)
    world.turn()


# --- any sequence -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Submit:
    """A new stream."""

    which: int


@dataclass(frozen=True)
class Leave:
    """One of the streams is cancelled, or suspended to be resumed; without any, a new one comes."""

    which: int


@dataclass(frozen=True)
class Resume:
    """One of the suspended streams goes on; without any, a new one comes."""

    which: int


@dataclass(frozen=True)
class Frames:
    """So many frames pass."""

    count: int


GENERATIONS = [
    say("Hi.", seed=1, cap=1),
    say("Hi.", seed=2, cap=3),
    say(BIG, seed=3, cap=2),
    Generation((Turn(0, "Hi.", pause_ms=50), Turn(1, "Ho.")), seed=4, cap=6),
]
WHICH = st.integers(0, 5)
ACTIONS = st.one_of(
    st.builds(Submit, WHICH),
    st.builds(Leave, WHICH),
    st.builds(Resume, WHICH),
    st.builds(Frames, st.integers(1, 6)),
)


class Sequence:
    """Streams that come and go as a test tells them to."""

    def __init__(self, batch: Batch, alone: list[Samples]) -> None:
        self.world, self.alone = World(batch), alone
        self.kind: dict[int, int] = {}
        self.before: dict[int, int] = {}

    def act(self, action: Submit | Leave | Resume | Frames) -> None:
        world = self.world
        match action:
            case Submit(which):
                kind = which % len(GENERATIONS)
                self.kind[world.submit(GENERATIONS[kind])] = kind
            case Leave(which):
                staying = [n for n, heard in world.streams.items() if not heard.asked_to_leave]
                if not staying:
                    return self.act(Submit(which))
                world.leave(staying[which % len(staying)])
            case Resume(which):
                gone = [n for n, heard in world.streams.items() if isinstance(heard.end, Left)]
                gone = [n for n in gone if n not in self.before.values()]
                if not gone:
                    return self.act(Submit(which))
                self._resume(gone[which % len(gone)])
            case Frames(count):
                for _ in range(count):
                    world.turn()
                    self._check_turn()

    def _resume(self, number: int) -> None:
        heard = self.world[number]
        after = self.world.submit(replace(GENERATIONS[self.kind[number]], resume=heard.saved))
        self.kind[after], self.before[after] = self.kind[number], number

    def _check_turn(self) -> None:
        world = self.world
        running = sum(heard.running for heard in world.streams.values())
        # One that was suspended behind its last frame needs no slot to say so.
        assert world.batch.running <= min(running, SLOTS)
        assert world.started == sorted(world.started)
        assert all(heard.end is not None for heard in world.streams.values() if heard.asked_to_leave)

    def check_end(self) -> None:
        """Nobody waits, nothing is held, and everybody said what they say alone."""
        world = self.world
        world.finish()
        assert world.batch.running == 0
        assert not world.batch.busy
        assert world.batch.kv_free == world.batch.kv_tokens
        for number, heard in world.streams.items():
            sound, whole = self._sound(number), self.alone[self.kind[number]]
            if isinstance(heard.end, End):
                assert len(sound) == len(whole)
            else:
                assert isinstance(heard.end, Left)
            assert np.abs(sound - whole[: len(sound)]).max(initial=0) < ALIKE * np.abs(whole).max()

    def _sound(self, number: int) -> Samples:
        before = self.before.get(number)
        earlier = [self._sound(before)] if before else []
        return np.concatenate([*earlier, self.world[number].sound])


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_no_sequence_of_coming_and_going_leaks_or_mixes_anything(batch: Batch) -> None:
    alone: list[Samples] = []
    for generation in GENERATIONS:
        world = World(batch)
        number = world.submit(generation)
        world.finish()
        alone.append(world[number].sound)
    sizes: list[int] = []

    @given(st.lists(ACTIONS, min_size=6, max_size=12))
    @hypothesis_settings(max_examples=SEQUENCES, database=None)
    def go(actions: list[Submit | Leave | Resume | Frames]) -> None:
        sequence = Sequence(batch, alone)
        for action in actions:
            sequence.act(action)
        sequence.check_end()
        sizes.append(resident_bytes())

    go()
    assert len(sizes) >= SEQUENCES
    assert sizes[-1] - sizes[len(sizes) // 10] < GROWTH_BYTES
