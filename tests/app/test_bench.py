"""The benchmark measures everything on any shape, and the shapes are the real ones."""

import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import VibeVoiceForConditionalGeneration
from vibevoice.bench.__main__ import main
from vibevoice.engine.batch import Batch
from vibevoice.engine.generation import Frame, Generation
from vibevoice.script import Turn
from vibevoice.shapes import SHAPES, Source


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", "--device", "cpu", *options])
    return main()


def test_it_measures_streams_parts_minutes_and_transformers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "reports" / "bench.json"
    options = ("--shape", "tiny", "--streams", "2", "--frames", "3", "--rounds", "1", "--minutes", "1")
    assert run(monkeypatch, *options, "--json", str(to)) == 0
    figures = json.loads(to.read_text())
    assert [one["streams"] for one in figures["streams"]] == [1, 2]
    assert figures["reference"]["operators"]["operators"] > figures["operators"]["1"]["operators"] > 0
    assert figures["parts"]["2"].keys() >= {"language model", "diffusion head", "acoustic decoder", "rest"}
    assert [one["minute"] for one in figures["minutes"]] == [1]
    assert {"command", "date", "device", "versions"} <= figures["machine"].keys()
    assert "transformers, 1 stream" in capsys.readouterr().out


def test_what_cannot_be_measured_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--model", str(tmp_path / "nowhere")) == 2
    assert "there is no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "parameters"), [("1.5b", 2.704e9), ("7b", 9.342e9)])
def test_the_real_shapes_have_the_released_sizes(name: str, parameters: float) -> None:
    shape = SHAPES[name]
    processor = shape.processor()
    config = shape.config(processor)
    with torch.device("meta"):
        model = VibeVoiceForConditionalGeneration(config)
    model.tie_weights()
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(parameters, rel=1e-3)
    for role in ("audio_token_id", "audio_bos_token_id", "audio_eos_token_id"):
        assert getattr(processor, role) == getattr(config, role)


def test_a_random_shape_speaks_to_the_cap() -> None:
    batch = Batch(Source("tiny", "cpu").checkpoint(), slots=1)
    # Of itself the lab's checkpoint ends after about as many frames as there are tokens.
    assert batch.admit(batch.prepare(Generation((Turn(0, "Hello."),), seed=1)))
    spoken = []
    while batch.busy:
        spoken += [event for _, event in batch.step()]
    assert sum(isinstance(event, Frame) for event in spoken) > 30
