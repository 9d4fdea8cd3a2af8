"""Voices in prompts, and the noise that everything is made from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from speaking import sound, speak
from vibevoice.audio import Samples
from vibevoice.engine import noise
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import Generation
from vibevoice.script import Turn

TALK = (Turn(0, "Hello."), Turn(1, "Hello to you."))


@pytest.fixture(scope="module")
def batch(checkpoint: Path) -> Batch:
    return Batch(load(checkpoint, "cpu"), slots=1)


def clip(seed: int, seconds: float = 1.0) -> Samples:
    return (np.random.default_rng(seed).standard_normal(int(24_000 * seconds)) * 0.1).astype(np.float32)


def test_a_voice_is_heard(batch: Batch) -> None:
    one, other, none = (
        sound(speak(batch, Generation(TALK, voices, seed=1, cap=3)))
        for voices in ((clip(1), clip(2)), (clip(1), clip(3)), ())
    )
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, none)


def test_a_voice_is_encoded_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encode = batch.parts.encode_voice

    def noting(samples: torch.Tensor) -> torch.Tensor:
        encoded.append(len(samples))
        return encode(samples)

    monkeypatch.setattr(batch.parts, "encode_voice", noting)
    voices = clip(11), clip(12, 1.01)
    first = sound(speak(batch, Generation(TALK, voices, seed=1, cap=3)))
    # Whole frames of 3200 samples.
    assert encoded == [25_600, 25_600]
    again = sound(speak(batch, Generation(TALK, tuple(voice.copy() for voice in voices), seed=1, cap=3)))
    assert len(encoded) == 2
    assert np.array_equal(first, again)


def test_a_voice_of_any_length_is_the_same_in_pieces(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = torch.from_numpy(clip(5, 4))
    whole = batch.parts.encode_voice(samples)
    assert whole.shape == (30, batch.parts.latent_size)
    monkeypatch.setattr("vibevoice.engine.parts.VOICE_PIECE", 3)
    torch.testing.assert_close(batch.parts.encode_voice(samples), whole, rtol=1e-4, atol=1e-5)


def test_a_speaker_without_a_voice_may_stand_beside_one_with(batch: Batch) -> None:
    ids = batch.prompter.ids(TALK, (None, clip(1)))
    assert ids.count(batch.parts.pad_id) == 8
    assert len(sound(speak(batch, Generation(TALK, (None, clip(1)), seed=1, cap=3)))) == 3 * 3200


def test_noise_depends_on_seed_and_purpose_alone() -> None:
    assert torch.equal(noise.frame(1, 5, 11, 64), noise.frame(1, 5, 11, 64))
    drawn = [
        noise.frame(1, 5, 1, 64),
        noise.frame(1, 6, 1, 64),
        noise.frame(2, 5, 1, 64),
        noise.frame(2**64 - 1, 5, 1, 64),
        noise.voice(1, 5, 1, 63)[1],
    ]
    for number, one in enumerate(drawn):
        for other in drawn[number + 1 :]:
            size = min(one.numel(), other.numel())
            assert not torch.equal(one.flatten()[:size], other.flatten()[:size])


def test_noise_is_of_unit_variance() -> None:
    drawn = torch.cat([noise.frame(3, number, 1, 64) for number in range(500)])
    assert abs(float(drawn.mean())) < 0.02
    assert abs(float(drawn.std()) - 1) < 0.02
