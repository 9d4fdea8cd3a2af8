"""A whole checkpoint loads; from a damaged one the operator learns in one line what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from vibevoice.engine import checkpoint as loader
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import CheckpointError

WEIGHTS = "model.safetensors"
A_TENSOR = "model.diffusion_head.cond_proj.weight"


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


def complaint(folder: Path, device: str = "cpu") -> str:
    """The one line that says why; the folder's own path is left out."""
    with pytest.raises(CheckpointError) as refused:
        load(folder, device)
    [line] = str(refused.value).splitlines()
    return line.replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes one out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


# What loads


def test_a_whole_checkpoint_loads(checkpoint: Path) -> None:
    loaded = load(checkpoint, "cpu")
    assert (loaded.device, loaded.dtype, loaded.gpu) == (torch.device("cpu"), torch.float32, None)
    assert not loaded.model.training
    assert loaded.defaults["guidance_scale"] == 1.3
    assert loaded.processor.feature_extractor.sampling_rate == 24_000
    stored = load_file(checkpoint / WEIGHTS)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in loaded.model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_weights_have_the_type_asked_for(checkpoint: Path, dtype: torch.dtype) -> None:
    loaded = load(checkpoint, "cpu", dtype)
    assert loaded.dtype == dtype
    assert {weight.dtype for weight in loaded.model.parameters()} == {dtype}


def test_auto_takes_a_gpu_if_there_is_one(checkpoint: Path) -> None:
    has_gpu = torch.cuda.is_available()
    loaded = load(checkpoint)
    assert loaded.device == torch.device("cuda:0" if has_gpu else "cpu")
    assert loaded.dtype == (torch.bfloat16 if has_gpu else torch.float32)
    assert (loaded.gpu is None) != has_gpu


def test_an_output_head_tied_to_the_embeddings_need_not_be_in_the_files(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(
        folder / "config.json",
        text_config=config["text_config"] | {"tie_word_embeddings": True},
        tie_word_embeddings=True,
    )
    edit_weights(folder / WEIGHTS, lambda tensors: tensors.pop("lm_head.weight"))
    model = load(folder, "cpu").model
    assert torch.equal(model.lm_head.weight, model.model.language_model.embed_tokens.weight)


# The fingerprint


def test_the_same_weights_have_the_same_fingerprint_in_any_folder(checkpoint: Path, folder: Path) -> None:
    assert load(checkpoint, "cpu").fingerprint == load(folder, "cpu").fingerprint


def test_another_type_has_another_fingerprint(checkpoint: Path) -> None:
    types = torch.float32, torch.float64, torch.bfloat16
    assert len({load(checkpoint, "cpu", dtype).fingerprint for dtype in types}) == len(types)


def test_another_training_of_the_same_shapes_has_another_fingerprint(checkpoint: Path, folder: Path) -> None:
    edit_weights(folder / WEIGHTS, lambda tensors: tensors[A_TENSOR].mul_(1.01))
    assert (folder / WEIGHTS).stat().st_size == (checkpoint / WEIGHTS).stat().st_size
    assert load(checkpoint, "cpu").fingerprint != load(folder, "cpu").fingerprint


def test_another_configuration_has_another_fingerprint(checkpoint: Path, folder: Path) -> None:
    edit(folder / "config.json", diffusion_loss_weight=0.4)
    assert load(checkpoint, "cpu").fingerprint != load(folder, "cpu").fingerprint


# The folder and its configuration


def test_a_missing_folder(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none") == (
        "FOLDER: there is no such folder. Set VV_MODEL_DIR to a checkpoint's."
    )


def test_an_empty_folder(tmp_path: Path) -> None:
    assert complaint(tmp_path).startswith("FOLDER is empty. Copy a checkpoint there.")


def test_a_missing_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert complaint(folder) == (
        "config.json is missing. Copy config.json again from where the checkpoint came from."
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "config.json is not valid JSON (it is empty)."),
        (b'{"model_type": "vibe', "config.json is not valid JSON (Unterminated string starting at"),
        (b"\xff\xfe\x00", "config.json is not valid JSON ("),
        (b"[]", "config.json holds no JSON object."),
        (b"[" * 100_000, "config.json is not valid JSON ("),
    ],
)
def test_a_configuration_that_is_no_json(folder: Path, content: bytes, problem: str) -> None:
    (folder / "config.json").write_bytes(content)
    assert complaint(folder).startswith(problem)


@pytest.mark.parametrize(
    ("model_type", "named"),
    [
        ("qwen2", "'qwen2'."),
        ("vibevoice_streaming", "'vibevoice_streaming' (VibeVoice-Realtime-0.5B)."),
        ("vibevoice_asr", "'vibevoice_asr' (VibeVoice-ASR)."),
        (None, "None."),
    ],
)
def test_another_models_configuration(folder: Path, model_type: str | None, named: str) -> None:
    edit(folder / "config.json", model_type=model_type)
    assert complaint(folder) == f"config.json is of another model: model_type is {named} {loader.WANTED}"


def test_a_checkpoint_in_microsofts_original_format_has_to_be_converted(folder: Path) -> None:
    edit(folder / "config.json", acoustic_tokenizer_config={}, decoder_config={}, text_config=None)
    assert complaint(folder) == (
        "config.json is in Microsoft's original format. Convert the checkpoint with transformers' "
        "models/vibevoice/convert_vibevoice_to_hf.py, or take a converted one (VibeVoice-1.5B-hf)."
    )


def test_quantised_weights(folder: Path) -> None:
    edit(folder / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    assert complaint(folder) == "config.json is of quantised weights. The engine takes full weights only."


@pytest.mark.parametrize(
    "wrong", [{"text_config": "qwen2"}, {"eos_token_id": "the last"}, {"audio_config": 3}]
)
def test_a_configuration_of_the_wrong_types(folder: Path, wrong: dict[str, Any]) -> None:
    edit(folder / "config.json", **wrong)
    assert complaint(folder).startswith("config.json is not a valid configuration: ")


# Tokenizer and processor


@pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json", "chat_template.jinja"])
def test_a_missing_file_of_the_processor(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert complaint(folder) == f"{name} is missing. Copy it there from the same checkpoint."


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "tokenizer_config.json", "processor_config.json", "generation_config.json"]
)
def test_a_truncated_file_of_the_processor(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    assert complaint(folder).startswith(f"{name} is not valid JSON (")


@pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json"])
def test_a_file_of_the_processor_that_lacks_its_parts(folder: Path, name: str) -> None:
    (folder / name).write_text("{}")
    line = complaint(folder)
    assert line.startswith("FOLDER: the tokenizer or processor cannot be loaded (")
    assert line.endswith("Copy tokenizer*.json and processor_config.json again from the same checkpoint.")


def test_a_template_that_is_none(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for message in messages %}")
    assert complaint(folder).startswith("chat_template.jinja is no template (")


def test_another_models_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(
        "<|im_start|>{{ messages[0]['content'][0]['text'] }}<|im_end|>"
    )
    assert complaint(folder) == (
        "chat_template.jinja is of another model. Copy it again from the same checkpoint."
    )


def test_another_models_tokenizer(folder: Path) -> None:
    edit(folder / "config.json", audio_token_id=7)
    assert complaint(folder) == (
        "tokenizer.json is of another model: it has audio_token_id 471, config.json has 7. "
        "Copy it again from the same checkpoint."
    )


def test_a_sampling_rate_that_is_not_vibevoices(folder: Path) -> None:
    path = folder / "processor_config.json"
    extractor = json.loads(path.read_text())["feature_extractor"]
    edit(path, feature_extractor=extractor | {"sampling_rate": 16_000})
    assert complaint(folder) == "processor_config.json: sampling_rate is 16000, but VibeVoice has 24000."


# The weights themselves: transformers would fill what does not fit at random


def test_a_missing_tensor(folder: Path) -> None:
    edit_weights(folder / WEIGHTS, lambda tensors: tensors.pop(A_TENSOR))
    assert complaint(folder) == f"FOLDER: the weights lack {A_TENSOR}. {loader.DIFFERENT}"


def test_a_layer_more_in_the_configuration_than_in_the_weights(folder: Path) -> None:
    edit_weights(
        folder / WEIGHTS,
        lambda tensors: [tensors.pop(name) for name in list(tensors) if ".language_model.layers.1." in name],
    )
    assert complaint(folder) == (
        "FOLDER: the weights lack model.language_model.layers.1.input_layernorm.weight and 11 more. "
        f"{loader.DIFFERENT}"
    )


def test_a_tensor_of_another_shape(folder: Path) -> None:
    edit_weights(folder / WEIGHTS, lambda tensors: tensors.update({A_TENSOR: torch.zeros(3, 5)}))
    assert complaint(folder) == (
        f"FOLDER: {A_TENSOR} has shape [3, 5] in the weights, [64, 64] by config.json. {loader.DIFFERENT}"
    )


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_weight_that_is_no_number(folder: Path, value: float) -> None:
    edit_weights(folder / WEIGHTS, lambda tensors: tensors[A_TENSOR][3, 4:5].fill_(value))
    assert complaint(folder) == (
        f"FOLDER: NaN or infinity in {A_TENSOR}. The weights are damaged; copy them again."
    )


# The device


@pytest.mark.parametrize("device", ["gpu", "mps", "cuda:", "cuda:-1", "", "meta"])
def test_a_device_that_the_engine_does_not_know(checkpoint: Path, device: str) -> None:
    assert complaint(checkpoint, device) == (
        f"VV_DEVICE is {device!r}, which is no device here: use auto, cpu, cuda or cuda:N."
    )


@pytest.mark.parametrize("device", ["cuda", "cuda:7"])
def test_a_gpu_where_there_is_none(checkpoint: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert complaint(checkpoint, device).startswith(f"VV_DEVICE is {device!r}, but ")
