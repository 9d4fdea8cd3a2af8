"""The tiny checkpoint goes through the code that real ones go through, and speaks."""

import json
from pathlib import Path

import numpy as np
import pytest
from vibevoice import tiny
from vibevoice.engine import Cancelled, Generation, Speech, TooLong
from vibevoice.engine.model import Model
from vibevoice.script import parse

TALK = "Speaker 1: Hello there, how are you?\nSpeaker 2: Fine. And this is rather a longer answer."


def speak(model: Model, script: str, seed: int | None = 1) -> Speech:
    return model.speak(Generation(parse(script).turns, seed=seed), lambda frames: None, lambda: False)


def test_it_speaks_and_ends_by_itself(model: Model) -> None:
    speech = speak(model, TALK)
    assert not speech.capped
    assert speech.sample_rate == 24000
    assert len(speech.samples) == speech.frames * 3200
    assert 0.01 < np.sqrt(np.mean(speech.samples**2)) < 1
    assert np.isfinite(speech.samples).all()


def test_more_text_is_more_speech(model: Model) -> None:
    lengths = [speak(model, "Speaker 1: " + "The quick brown fox. " * n).frames for n in (1, 4, 16)]
    assert lengths[0] * 2 < lengths[1]
    assert lengths[1] * 2 < lengths[2]


def test_four_speakers_may_talk(model: Model) -> None:
    assert speak(model, "\n".join(f"Speaker {n}: I am number {n}." for n in (4, 2, 1, 3))).frames > 0


def test_the_same_seed_gives_the_same_speech(model: Model) -> None:
    one, same, other = speak(model, TALK, 7), speak(model, TALK, 7), speak(model, TALK, 8)
    assert np.array_equal(one.samples, same.samples)
    assert not np.array_equal(one.samples, other.samples)


def test_a_drawn_seed_repeats_what_it_gave(model: Model) -> None:
    drawn = speak(model, TALK, None)
    assert np.array_equal(drawn.samples, speak(model, TALK, drawn.seed).samples)


def test_progress_counts_up_and_a_cancelled_one_stops(model: Model) -> None:
    seen: list[int] = []
    with pytest.raises(Cancelled):
        model.speak(Generation(parse(TALK).turns, seed=1), seen.append, lambda: len(seen) >= 5)
    assert seen == [1, 2, 3, 4, 5]


def test_a_model_that_never_ends_is_cut_off(checkpoint: Path) -> None:
    runaway = Model(checkpoint, "cpu")
    config = runaway.model.config
    # Whatever the balance of text and speech, another frame.
    runaway.model.lm_head.weight.data.zero_()
    runaway.model.lm_head.weight.data[config.audio_token_id, 0] = 1
    speech = speak(runaway, "Speaker 1: Hello.")
    assert speech.capped
    tokens = len(runaway.processor.tokenizer("Hello.")["input_ids"])
    assert speech.frames == 30 + 4 * tokens


def test_a_script_beyond_the_context_is_refused(checkpoint: Path) -> None:
    model = Model(checkpoint, "cpu")
    model.model.config.text_config.max_position_embeddings = 100
    with pytest.raises(TooLong, match="context of 100"):
        speak(model, TALK * 10)


def test_the_checkpoint_is_the_same_each_time(checkpoint: Path, tmp_path: Path) -> None:
    tiny.build(tmp_path)
    files = sorted(path.name for path in checkpoint.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    for name in files:
        assert (tmp_path / name).read_bytes() == (checkpoint / name).read_bytes(), name


def test_the_checkpoint_has_the_real_ones_shape(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["architectures"] == ["VibeVoiceForConditionalGeneration"]
    assert config["model_type"] == "vibevoice"
    assert config["text_config"]["num_hidden_layers"] == 2
    assert config["audio_config"]["downsampling_ratios"] == [2, 2, 4, 5, 5, 8]
    assert sum(path.stat().st_size for path in checkpoint.iterdir()) < 50e6


def test_a_folder_without_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        Model(tmp_path, "cpu")
