"""Scripts that are longer than the model's context, and speech that ends and begins again."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from reference import Reference
from speaking import saved, sound, speak
from transformers.generation.logits_process import LogitsProcessor
from transformers.models.vibevoice_acoustic_tokenizer.modeling_vibevoice_acoustic_tokenizer import (
    VibeVoiceAcousticTokenizerConv1dPaddingCache as Cache,
)
from vibevoice.engine import noise
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import End, Frame, Generation, PartEnd, Prefix, Saved, TooLong
from vibevoice.script import Turn


def narrow(folder: Path, context: int) -> Batch:
    """A model with a context that a test can fill."""
    checkpoint = load(folder, "cpu", torch.float64)
    checkpoint.model.config.text_config.max_position_embeddings = context
    return Batch(checkpoint, slots=2)


LONG = tuple(Turn(number % 2, f"This is turn number {number} of many.") for number in range(16))


def test_a_script_beyond_the_context_goes_on_in_parts(lively: Path) -> None:
    batch = narrow(lively, 700)
    longest: list[int] = []
    prompt = batch.prompter.ids

    def noting(turns: Any, voices: Any) -> list[int]:
        ids = prompt(turns, voices)
        longest.append(len(turns))
        return ids

    run = batch.prepare(Generation(LONG, seed=1))
    assert len(run.parts) > 2
    with mock.patch.object(batch.prompter, "ids", noting):
        said = speak(batch, Generation(LONG, seed=1))
    ends = [event for event in said if isinstance(event, PartEnd)]
    assert ends == [PartEnd(0)] * (len(run.parts) - 1)
    assert said[-1] == End(capped=False)
    # Each part was read together with the one before it.
    assert max(longest[-2:]) > max(len(part.turns) for part in run.parts)
    everything = speak(Batch(load(lively, "cpu", torch.float64), slots=1), Generation(LONG, seed=1))
    frames = [sum(isinstance(event, Frame) for event in one) for one in (said, everything)]
    assert 0.6 < frames[0] / frames[1] < 1.6
    assert batch.kv_free == batch.kv_tokens


@pytest.mark.thorough
def test_a_long_stream_is_resumed_in_any_part(lively: Path) -> None:
    batch = narrow(lively, 700)
    whole = speak(batch, Generation(LONG, seed=3))
    cut = [number for number, event in enumerate(whole) if isinstance(event, PartEnd)][1] + 4
    rest = speak(batch, Generation(LONG, seed=3, resume=saved(batch, whole[:cut])))
    assert np.abs(sound(rest) - sound(whole[cut:])).max() < 1e-6


def test_a_turn_beyond_the_context_is_refused(lively: Path) -> None:
    with pytest.raises(TooLong, match="Break it into lines"):
        narrow(lively, 400).prepare(Generation((Turn(0, "A very long turn. " * 60),)))


def test_a_prefix_that_leaves_no_room_is_refused(lively: Path) -> None:
    batch = narrow(lively, 400)
    spoken = Saved(batch.weights, batch.frame_bytes, bytes(batch.frame_bytes * 300))
    with pytest.raises(TooLong, match="too little is left"):
        batch.prepare(Generation(LONG[:1], prefix=Prefix(LONG[:1], spoken)))


# As a trained model never does, but the tokens allow it.
TOKENS = (
    ("speak",) * 5 + ("end", "begin") + ("speak",) * 6 + ("end", "begin") + ("speak",) * 4 + ("end", "stop")
)


def test_speech_that_ends_and_begins_again_starts_from_silence(lively: Path) -> None:
    """The branch without text starts anew, as in transformers; the codecs too, as in the original alone.

    transformers keeps the codecs' past over the end of speech: the reference is told to forget it.
    """
    turns = (Turn(0, "Hello there."),)
    reference = Reference(lively, torch.float64)
    config = reference.model.config
    ids = {
        "speak": config.audio_token_id,
        "begin": config.audio_bos_token_id,
        "end": config.audio_eos_token_id,
        "stop": config.eos_token_id,
    }
    caches: list[Any] = []
    make = Cache.__init__

    class Forced(LogitsProcessor):
        """Says what the next token is; a mark wipes the caches."""

        said = 0

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            token = TOKENS[self.said]
            self.said += 1
            if token != "speak":
                for layer in (layer for cache in caches for layer in cache.layers.values()):
                    layer.cache.zero_()
            forced = torch.full_like(scores, -torch.inf)
            forced[:, ids[token]] = 0
            return forced

    def noted(cache: Any) -> None:
        make(cache)
        caches.append(cache)

    with mock.patch.object(Cache, "__init__", noted):
        expected = reference.speak(turns, seed=2, frames=len(TOKENS), logits_processor=[Forced()])
    assert expected.tokens == [ids[token] for token in TOKENS]

    batch = Batch(load(lively, "cpu", torch.float64), slots=1)
    marks = {name: getattr(batch.parts.marks, name) for name in ids}
    steps = iter(TOKENS)
    noise_frames: list[int] = []

    def forced(hidden: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor([marks[next(steps)]]), 4).float()

    # The reference draws noise for frames only, the engine for every step.
    draw = noise.frame
    spoken_before = [sum(token == "speak" for token in TOKENS[:step]) for step in range(len(TOKENS))]

    def by_frames(seed: int, number: int, draws: int, width: int) -> torch.Tensor:
        noise_frames.append(number)
        return draw(seed, spoken_before[number], draws, width)

    with (
        mock.patch.object(batch.parts, "scores", forced),
        mock.patch.object(noise, "frame", by_frames),
    ):
        said = speak(batch, Generation(turns, seed=2))
    assert noise_frames == list(range(len(TOKENS)))
    ours = torch.from_numpy(sound(said))
    assert len(ours) == len(expected.samples) == 15 * 3200
    assert float((ours - expected.samples).abs().max() / expected.samples.abs().max()) < 1e-6


def test_a_stream_may_fill_the_whole_context(lively: Path) -> None:
    """To its last position, though memory is for no more than that."""
    checkpoint = load(lively, "cpu", torch.float64)
    checkpoint.model.config.text_config.max_position_embeddings = 256
    batch = Batch(checkpoint, slots=1)
    story = Turn(0, "An endless story, told by a model that never stops, not now, not ever.")
    run = batch.prepare(Generation((story,)))
    speaks = torch.eye(4)[[batch.parts.marks.speak]]
    assert batch.admit(run)
    length, steps, last = run.length, 0, []
    with mock.patch.object(batch.parts, "scores", return_value=speaks):
        while batch.busy:
            steps += 1
            last = batch.step()
    assert last[-1] == (run, End(capped=True))
    # The prompt's last token is the first step's input.
    assert length + 1 + steps == 256
