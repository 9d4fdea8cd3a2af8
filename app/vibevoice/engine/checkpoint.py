"""A VibeVoice checkpoint in memory. Slow to import: only the engine's process does it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.models.vibevoice.configuration_vibevoice import VibeVoiceConfig
from transformers.models.vibevoice.modeling_vibevoice import VibeVoiceForConditionalGeneration
from transformers.models.vibevoice.processing_vibevoice import VibeVoiceProcessor
from transformers.utils.logging import disable_progress_bar

from ..voices import SAMPLE_RATE
from . import shards
from .generation import CheckpointError

# A bar on stderr is noise in a container's log.
disable_progress_bar()

ARCHITECTURE = "vibevoice"
# What people have in mind when they bring one of these, by its model_type.
RELATIVES = {
    "vibevoice_streaming": "VibeVoice-Realtime-0.5B",
    "vibevoice_realtime": "VibeVoice-Realtime-0.5B",
    "vibevoice_asr": "VibeVoice-ASR",
}
WANTED = "The engine speaks VibeVoice-1.5B and 7B in transformers' format (such as VibeVoice-1.5B-hf)."
# Keys that only the files as Microsoft released them have.
ORIGINAL_KEYS = {"acoustic_tokenizer_config", "semantic_tokenizer_config", "decoder_config"}
CHAT_TEMPLATE = "chat_template.jinja"
# Of each row the processor needs one.
PROCESSOR_FILES = [("tokenizer.json", "vocab.json"), ("processor_config.json", "preprocessor_config.json")]
# transformers reports what is wrong in these without the name of the file, or takes its defaults instead.
JSON_FILES = [*sum(PROCESSOR_FILES, ()), "tokenizer_config.json", "generation_config.json"]
TOKENS = ["audio_bos_token_id", "audio_eos_token_id", "audio_token_id"]
DIFFERENT = "They and config.json are of different checkpoints; copy the whole folder again."


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of a folder, on one device, ready to speak."""

    folder: Path
    model: Any
    """VibeVoiceForConditionalGeneration, on `device`, in eval mode. Any: transformers annotates its classes
    for the general case, where half of this may be missing."""
    processor: Any
    """VibeVoiceProcessor: tokenizer, chat template and feature extractor."""
    defaults: dict[str, Any]
    """The generation configuration. A converter may leave any of it out; transformers then has a default."""
    device: torch.device
    dtype: torch.dtype
    fingerprint: str
    """The same for the same weights in the same type, on any device; see shards.fingerprint."""
    gpu: str | None
    """The GPU's UUID as nvidia-smi writes it; None on the CPU."""


def load(folder: Path, device: str = "auto", dtype: torch.dtype | None = None) -> Checkpoint:
    """Load the checkpoint in a folder.

    `device` is auto (a GPU if there is one), cpu, cuda or cuda:N; `dtype` None is bfloat16 on a GPU and
    float32 on the CPU.
    Raises CheckpointError, one line for the operator: which file, what is wrong, what to do.
    """
    place = choose(device)
    if dtype is None:
        dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
    # From the cheap to the expensive: a bad folder is told before any weight is read.
    config = _config(folder)
    files = shards.inspect(folder)
    processor = _processor(folder, config)
    needed = shards.weights_bytes(files, dtype.itemsize)
    _check_memory(place, needed)
    model = _model(folder, dtype)
    try:
        model.to(place)
    except torch.OutOfMemoryError:
        raise _too_large(place, needed) from None
    _check_numbers(folder, model)
    return Checkpoint(
        folder=folder,
        model=model,
        processor=processor,
        defaults=model.generation_config.to_dict(),
        device=place,
        dtype=dtype,
        fingerprint=shards.fingerprint(folder / "config.json", files, str(dtype)),
        gpu=gpu_uuid(place),
    )


def choose(device: str) -> torch.device:
    """The device of that name; a GPU always with its number. Raises CheckpointError if it does not exist."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise CheckpointError(
            f"VV_DEVICE is {device!r}, which is no device here: use auto, cpu, cuda or cuda:N."
        )
    if chosen.type == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        reason = "no GPU can be used" if torch.version.cuda else "this PyTorch is built for the CPU alone"
        raise CheckpointError(
            f"VV_DEVICE is {device!r}, but {reason}. Check 'nvidia-smi' in the container, or use cpu."
        )
    number, count = chosen.index or 0, torch.cuda.device_count()
    if number >= count:
        raise CheckpointError(f"VV_DEVICE is {device!r}, but the last GPU here is cuda:{count - 1}.")
    return torch.device("cuda", number)


def gpu_uuid(device: torch.device) -> str | None:
    """As nvidia-smi writes it, by which a GPU is the same in every container; None for the CPU."""
    if device.type != "cuda":
        return None
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _config(folder: Path) -> VibeVoiceConfig:
    """The checkpoint's configuration, if it is one of this architecture."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: there is no such folder. Set VV_MODEL_DIR to a checkpoint's.")
    path = folder / "config.json"
    if not path.exists() and not any(folder.iterdir()):
        raise CheckpointError(f"{folder} is empty. Copy a checkpoint there. {WANTED}")
    content = shards.read_json(path)
    model_type = content.get("model_type")
    if ORIGINAL_KEYS & content.keys() and model_type == ARCHITECTURE:
        raise CheckpointError(
            f"{path} is in Microsoft's original format. Convert the checkpoint with transformers' "
            "models/vibevoice/convert_vibevoice_to_hf.py, or take a converted one (VibeVoice-1.5B-hf)."
        )
    if model_type != ARCHITECTURE:
        name = f" ({RELATIVES[model_type]})" if model_type in RELATIVES else ""
        raise CheckpointError(f"{path} is of another model: model_type is {model_type!r}{name}. {WANTED}")
    if "quantization_config" in content:
        raise CheckpointError(f"{path} is of quantised weights. The engine takes full weights only.")
    try:
        return VibeVoiceConfig.from_dict(content)
    except Exception as error:  # whatever a validator of any part raises
        raise CheckpointError(f"{path} is not a valid configuration: {_line(error)}") from error


def _processor(folder: Path, config: VibeVoiceConfig) -> Any:
    """The processor, if it belongs to the same model."""
    for names in PROCESSOR_FILES:
        if not any((folder / name).exists() for name in names):
            raise CheckpointError(f"{folder / names[0]} is missing. Copy it there from the same checkpoint.")
    for name in JSON_FILES:
        if (folder / name).exists():
            shards.read_json(folder / name)
    try:
        processor: Any = VibeVoiceProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers, for one, raises Exception itself
        raise CheckpointError(
            f"{folder}: the tokenizer or processor cannot be loaded ({_line(error)}). Copy tokenizer*.json "
            "and processor_config.json again from the same checkpoint."
        ) from error
    _check_template(folder / CHAT_TEMPLATE, processor)
    for name in TOKENS:
        if getattr(processor, name) != getattr(config, name):
            raise CheckpointError(
                f"{folder / 'tokenizer.json'} is of another model: it has {name} {getattr(processor, name)}, "
                f"config.json has {getattr(config, name)}. Copy it again from the same checkpoint."
            )
    if (rate := processor.feature_extractor.sampling_rate) != SAMPLE_RATE:
        raise CheckpointError(
            f"{folder / 'processor_config.json'}: sampling_rate is {rate}, but VibeVoice has {SAMPLE_RATE}."
        )
    return processor


def _check_template(path: Path, processor: Any) -> None:
    """Raise CheckpointError where the template does not ask this model for speech."""
    if not processor.chat_template:
        raise CheckpointError(f"{path} is missing. Copy it there from the same checkpoint.")
    script = [{"role": "0", "content": [{"type": "text", "text": "Good morning."}]}]
    try:
        prompt = processor.apply_chat_template(script, tokenize=False)
    except Exception as error:
        raise CheckpointError(
            f"{path} is no template ({_line(error)}). Copy it again from the same checkpoint."
        ) from error
    if "Good morning." not in prompt or not prompt.endswith(processor.audio_bos_token):
        raise CheckpointError(f"{path} is of another model. Copy it again from the same checkpoint.")


def _model(folder: Path, dtype: torch.dtype) -> Any:
    """The model on the CPU with every weight from the files.

    Straight to the GPU would need the package accelerate; the files are mapped, so that memory holds
    one copy.
    """
    try:
        # Sizes that differ are reported below, with the missing ones, not raised as a table of many lines.
        loaded: Any = VibeVoiceForConditionalGeneration.from_pretrained(
            folder,
            local_files_only=True,
            dtype=dtype,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except MemoryError:
        raise CheckpointError(f"{folder}: the weights do not fit into the main memory.") from None
    except Exception as error:
        raise CheckpointError(f"{folder}: transformers cannot load it: {_line(error)}") from error
    model, found = loaded
    # transformers fills what is missing at random, which would speak noise. Tied weights are not among them.
    if missing := found["missing_keys"]:
        raise CheckpointError(f"{folder}: the weights lack {_first(missing)}. {DIFFERENT}")
    if mismatched := found["mismatched_keys"]:
        name, stored, expected = min(mismatched)
        raise CheckpointError(
            f"{folder}: {name} has shape {list(stored)} in the weights, {list(expected)} by config.json. "
            f"{DIFFERENT}"
        )
    return model.eval()


@torch.no_grad()
def _check_numbers(folder: Path, model: Any) -> None:
    """Raise CheckpointError where a weight is no number: it would speak silence, for no visible reason."""
    names, weights = zip(*model.named_parameters(), strict=True)
    # One pass without a temporary copy, and one answer from the GPU: no sum hides a NaN or an infinity.
    sums = torch.stack([weight.sum(dtype=torch.float32) for weight in weights])
    if bad := [name for name, good in zip(names, sums.isfinite().tolist(), strict=True) if not good]:
        raise CheckpointError(
            f"{folder}: NaN or infinity in {_first(bad)}. The weights are damaged; copy them again."
        )


def _check_memory(device: torch.device, needed: int) -> None:
    if device.type != "cuda":
        return
    try:
        free, _ = torch.cuda.mem_get_info(device)
    except RuntimeError as error:  # the first touch of the GPU: another's alone, fallen off the bus, …
        raise CheckpointError(f"{device} cannot be used: {_line(error)}") from error
    if free < needed:
        raise _too_large(device, needed)


def _too_large(device: torch.device, needed: int) -> CheckpointError:
    free, total = torch.cuda.mem_get_info(device)
    return CheckpointError(
        f"{device}: the weights need {needed / 2**30:.1f} GiB, but only {free / 2**30:.1f} of "
        f"{total / 2**30:.1f} GiB are free. See 'nvidia-smi', or take a smaller checkpoint."
    )


def _first(names: Collection[str]) -> str:
    """One of the names, for all of them."""
    return min(names) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _line(error: Exception) -> str:
    """The first line of an error that has something to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
