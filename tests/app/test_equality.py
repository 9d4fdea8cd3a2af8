"""The engine says what transformers says: same weights, same noise, same speech."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import Reference
from vibevoice.audio import Samples
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import Frame, Generation
from vibevoice.engine.solver import Algorithm
from vibevoice.script import Turn

FRAMES = 60
# One, two and four speakers; the text is longer than 60 frames are, or ends on its way.
TALKS: dict[int, tuple[Turn, ...]] = {
    1: (Turn(0, "Good morning, and welcome to the show in which we ask how a machine learns to speak."),),
    2: (
        Turn(0, "Hello there, how are you?"),
        Turn(1, "Fine, thank you. And this is rather a longer answer, is it not?"),
        Turn(0, "It is, and not yet the end."),
    ),
    4: tuple(Turn(speaker, f"I am number {speaker}, and so on.") for speaker in (0, 1, 2, 3, 1)),
}


@pytest.fixture(scope="module")
def reference(lively: Path) -> Callable[[torch.dtype], Reference]:
    known: dict[torch.dtype, Reference] = {}
    return lambda dtype: known.get(dtype) or known.setdefault(dtype, Reference(lively, dtype))


@pytest.fixture(scope="module")
def batch(lively: Path) -> Callable[..., Batch]:
    known: dict[tuple[torch.dtype, str], Batch] = {}

    def make(dtype: torch.dtype, algorithm: str = "dpmsolver++") -> Batch:
        if (dtype, algorithm) not in known:
            known[dtype, algorithm] = Batch(load(lively, "cpu", dtype), solver=algorithm, slots=1)
        return known[dtype, algorithm]

    return make


def voices(count: int) -> tuple[Samples, ...]:
    """Coloured noise, each of another length."""
    rng = np.random.default_rng(count)
    sounds = [rng.standard_normal(24_000 + 7_001 * number).cumsum() for number in range(count)]
    return tuple((sound / np.abs(sound).max() * 0.5).astype(np.float32) for sound in sounds)


def speak(batch: Batch, generation: Generation) -> tuple[torch.Tensor, list[int]]:
    """Samples, and the tokens that led to them, until the end."""
    marks: list[int] = []
    run = batch.prepare(generation)
    assert batch.admit(run)
    spoken = []
    while batch.busy:
        spoken += [event.samples for _, event in batch.step() if isinstance(event, Frame)]
        marks.append(int(batch._state.mark[0]))
    return torch.from_numpy(np.concatenate(spoken)), [batch.parts.marks.ids[mark] for mark in marks]


def furthest(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference, in parts of the reference's peak."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("algorithm", ["dpmsolver++", "sde-dpmsolver++"])
@pytest.mark.parametrize("cloned", [False, True], ids=["any-voice", "cloned"])
@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_in_float64_sixty_frames_are_the_references(
    reference: Callable[..., Reference],
    batch: Callable[..., Batch],
    speakers: int,
    cloned: bool,
    algorithm: Algorithm,
) -> None:
    turns, clips = TALKS[speakers], voices(speakers) if cloned else ()
    expected = reference(torch.float64).speak(turns, clips, seed=7, frames=FRAMES, algorithm=algorithm)
    generation = Generation(turns, clips, seed=7, cap=FRAMES)
    samples, tokens = speak(batch(torch.float64, algorithm), generation)
    assert tokens == expected.tokens
    assert len(samples) == len(expected.samples)
    assert furthest(samples, expected.samples) < 1e-6


@pytest.mark.parametrize("cloned", [False, True], ids=["any-voice", "cloned"])
@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_in_float32_ten_frames_are_the_references(
    reference: Callable[..., Reference], batch: Callable[..., Batch], speakers: int, cloned: bool
) -> None:
    turns, clips = TALKS[speakers], voices(speakers) if cloned else ()
    expected = reference(torch.float32).speak(turns, clips, seed=11, frames=10)
    samples, tokens = speak(batch(torch.float32), Generation(turns, clips, seed=11, cap=10))
    assert tokens == expected.tokens
    assert furthest(samples, expected.samples) < 1e-3


@pytest.mark.parametrize(("guidance", "steps"), [(1.0, 10), (3.0, 10), (1.3, 5), (1.3, 20)])
def test_guidance_and_steps_are_the_references(
    reference: Callable[..., Reference], lively: Path, guidance: float, steps: int
) -> None:
    expected = reference(torch.float64).speak(TALKS[2], seed=1, frames=12, guidance=guidance, steps=steps)
    batch = Batch(load(lively, "cpu", torch.float64), steps=steps, slots=1)
    samples, _ = speak(batch, Generation(TALKS[2], seed=1, cap=12, guidance=guidance))
    assert furthest(samples, expected.samples) < 1e-6
