"""What a frame makes the host do, at the real depth: half of what transformers does, at any length."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from vibevoice.bench.profile import Counts, counted
from vibevoice.bench.reference import Reference
from vibevoice.bench.streams import Streams
from vibevoice.engine.batch import Batch
from vibevoice.shapes import Source

CPU = torch.device("cpu")
SCRIPT = 4000


@pytest.fixture(scope="module")
def source() -> Source:
    return Source("standard", "cpu")


@pytest.fixture(scope="module")
def streams(source: Source) -> Streams:
    return Streams(Batch(source.checkpoint(), slots=4))


@pytest.fixture(scope="module")
def at_frame(streams: Streams) -> Callable[[int], Counts]:
    """What a frame takes when so many have been spoken."""

    @cache
    def at_frame(frame: int) -> Counts:
        with streams.long(frame, SCRIPT):
            streams.batch.step()
            return counted(CPU, streams.batch.step, frames=1, memory=True)

    return at_frame


def test_a_frame_takes_at_most_half_of_transformers_operators(source: Source, streams: Streams) -> None:
    checkpoint = source.checkpoint()
    theirs = Reference(checkpoint, checkpoint.defaults["num_diffusion_steps"]).counts(frames=1, warm=2)
    assert streams.counts(1, frames=1, warm=2).operators <= theirs.operators / 2


def test_a_longer_stream_takes_no_operator_more(at_frame: Callable[[int], Counts]) -> None:
    assert at_frame(20).operators == at_frame(400).operators == at_frame(6000).operators


def test_a_longer_stream_allocates_no_byte_more(at_frame: Callable[[int], Counts]) -> None:
    # Attention on a CPU works on 512 keys at a time: up to there its scratch memory is as small as they are.
    assert at_frame(600).allocated == at_frame(6000).allocated
    assert at_frame(20).allocated == pytest.approx(at_frame(600).allocated, rel=0.01)


def test_four_streams_take_not_even_twice_the_operators_of_one(streams: Streams) -> None:
    one, four = (streams.counts(count, frames=1, warm=1) for count in (1, 4))
    assert four.operators < 2 * one.operators
