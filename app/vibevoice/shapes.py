"""Checkpoints of the real sizes with random weights, made in memory, for measuring.

What they say is noise, and they never stop saying it: a measurement goes on for as long as it wants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2Config, VibeVoiceConfig, VibeVoiceForConditionalGeneration, VibeVoiceProcessor

from . import tiny
from .engine import checkpoint
from .engine.checkpoint import Checkpoint

# Qwen2.5's special tokens, from id 151643 on; VibeVoice speaks with the last three.
WORDS = 151_643
SPECIAL = [
    *(tiny.END, "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *(tiny.AUDIO_BOS, tiny.AUDIO_EOS, tiny.AUDIO),
]
# The released ones' vocabulary, rounded up for the hardware.
VOCABULARY = 151_936
# A channel of the residual stream that is the same for all tokens; see `_speak_on`.
CONSTANT = tiny.CONSTANT


@dataclass(frozen=True)
class Shape:
    """A checkpoint's sizes."""

    name: str
    says: str
    processor: Callable[[], VibeVoiceProcessor]
    config: Callable[[VibeVoiceProcessor], VibeVoiceConfig]
    frames: int = 40_500
    """Most frames of a stream, by its generation configuration."""


def _real(hidden: int, inner: int, heads: int, kv_heads: int, context: int, tied: bool) -> Any:
    def config(_: VibeVoiceProcessor) -> VibeVoiceConfig:
        text = Qwen2Config(
            vocab_size=VOCABULARY,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=28,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            max_position_embeddings=context,
            rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
            tie_word_embeddings=tied,
        )
        # Everything else of VibeVoiceConfig is the 1.5B's by itself.
        return VibeVoiceConfig(
            text_config=text, diffusion_head_config={"hidden_size": hidden, "intermediate_size": 3 * hidden}
        )

    return config


def _narrow(processor: VibeVoiceProcessor, **depth: Any) -> VibeVoiceConfig:
    return tiny.narrow_config(processor.tokenizer, **depth)


_DEPTH = {"layers": 28, "depths": (3, 3, 3, 3, 3, 3, 8), "head_layers": 4}
_REAL = partial(tiny.make_processor, SPECIAL, WORDS)
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("1.5b", "the 1.5B's sizes", _REAL, _real(1536, 8960, 12, 2, 65_536, tied=True)),
        Shape("7b", "the 7B's sizes", _REAL, _real(3584, 18_944, 28, 4, 32_768, tied=False), frames=20_250),
        Shape("standard", "the real depth, narrow", tiny.make_processor, partial(_narrow, **_DEPTH)),
        Shape("tiny", "the lab's checkpoint", tiny.make_processor, _narrow),
    )
}


class Source:
    """Where checkpoints for a measurement come from: a named shape, or a folder."""

    def __init__(self, what: str | Path, device: str = "auto", dtype: torch.dtype | None = None) -> None:
        """`what` is a name in SHAPES or a checkpoint's folder; device and type as for engine.checkpoint.load.

        Raises CheckpointError for a device or a folder that cannot be used.
        """
        self.device = checkpoint.choose(device)
        self.dtype = dtype or (torch.float32 if self.device.type == "cpu" else torch.bfloat16)
        self.shape = None if isinstance(what, Path) else SHAPES[what]
        self.folder = what if isinstance(what, Path) else Path(what)
        self.name = self.shape.name if self.shape else str(what)
        self._processor = self.shape.processor() if self.shape else None

    def checkpoint(self) -> Checkpoint:
        """A new one with weights of its own, each time the same."""
        if self.shape is None:
            made = checkpoint.load(self.folder, str(self.device), self.dtype)
        else:
            model = self._random(self.shape)
            made = Checkpoint(
                folder=self.folder,
                model=model,
                processor=self._processor,
                defaults=model.generation_config.to_dict(),
                device=self.device,
                dtype=self.dtype,
                fingerprint=f"{self.name} {self.dtype}",
                gpu=None,
            )
        _speak_on(made.model)
        return made

    def _random(self, shape: Shape) -> Any:
        assert self._processor is not None
        config = shape.config(self._processor)
        torch.manual_seed(tiny.SEED)
        # On a GPU the weights are made there: in main memory the 7B takes 37 GB and minutes.
        with torch.device(self.device):
            model: Any = VibeVoiceForConditionalGeneration._from_config(config, dtype=self.dtype)
        tiny.randomise(model)
        model.generation_config = tiny.generation_config(model.config, shape.frames)
        return model.eval()


@torch.no_grad()
def _speak_on(model: Any) -> None:
    """Let another frame follow each frame, whatever else the weights say.

    One channel is 1 for every input and left alone by every layer, so that what the output head makes of it
    is known: of the four tokens that are legal, the next frame gets the most. It is the same work as before.
    """
    inner, config = model.model, model.config
    for layer in inner.language_model.layers:
        layer.self_attn.o_proj.weight[CONSTANT] = 0
        layer.mlp.down_proj.weight[CONSTANT] = 0
    inner.language_model.norm.weight[CONSTANT] = 1
    embed, head = inner.language_model.embed_tokens.weight, model.lm_head.weight
    # Both may be one tensor.
    legal = [config.eos_token_id, config.audio_bos_token_id, config.audio_eos_token_id, config.audio_token_id]
    head[legal] = 0
    embed[:, CONSTANT] = 1
    head[legal, CONSTANT] = 1
    head[config.audio_token_id, CONSTANT] = 2
    for connector, bias in ((inner.multi_modal_projector, 1), (inner.semantic_connector, 0)):
        connector.linear_2.weight[CONSTANT] = 0
        connector.linear_2.bias[CONSTANT] = bias
