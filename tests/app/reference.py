"""transformers' own generation, with its noise taken from where the engine takes it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.vibevoice.modeling_vibevoice import (
    VibeVoiceForConditionalGeneration,
    VibeVoiceRMSNorm,
)
from transformers.models.vibevoice.processing_vibevoice import VibeVoiceProcessor
from transformers.models.vibevoice_acoustic_tokenizer.modeling_vibevoice_acoustic_tokenizer import (
    VibeVoiceAcousticTokenizerRMSNorm,
)
from vibevoice.audio import Samples
from vibevoice.engine import noise
from vibevoice.engine.solver import Algorithm
from vibevoice.script import Turn

# What makes the tiny checkpoint end by itself (vibevoice.tiny) stays as it is.
TAUGHT = ("language_model", "connector", "projector")


@dataclass(frozen=True)
class Spoken:
    """Samples, and the tokens that led to them."""

    samples: torch.Tensor
    tokens: list[int]


def enliven(source: Path, target: Path) -> None:
    """Copy a checkpoint, with every weight doing something.

    As initialised, the codecs' blocks are scaled by a millionth, norms by 1 and biases are 0: an engine that
    left them out would not be noticed.
    """
    model: Any = VibeVoiceForConditionalGeneration.from_pretrained(source, local_files_only=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1 and not any(part in name for part in TAUGHT):
                drawn = torch.randn(weight.shape, generator=generator)
                weight.copy_((1 + 0.2 * drawn) if "norm" in name else 0.2 * drawn)
            if name.endswith("gamma"):
                weight.abs_()
        model.model.latent_scaling_factor.fill_(0.7)
        model.model.latent_bias_factor.fill_(-0.1)
    model.save_pretrained(target)
    VibeVoiceProcessor.from_pretrained(source, local_files_only=True).save_pretrained(target)


class Reference:
    """A checkpoint as transformers runs it on the CPU."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self.processor: Any = VibeVoiceProcessor.from_pretrained(folder, local_files_only=True)
        loaded: Any = VibeVoiceForConditionalGeneration.from_pretrained(
            folder, local_files_only=True, dtype=dtype
        )
        self.model = loaded.eval()
        self.dtype = dtype

    def speak(
        self,
        turns: Sequence[Turn],
        voices: Sequence[Samples | None] = (),
        *,
        seed: int,
        frames: int,
        guidance: float = 1.3,
        steps: int = 10,
        algorithm: Algorithm = "dpmsolver++",
        **others: Any,
    ) -> Spoken:
        """At most `frames` tokens of a script; `others` go to transformers' generate."""
        messages, heard = [], []
        for turn in turns:
            content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}]
            voice = voices[turn.speaker] if turn.speaker < len(voices) else None
            if voice is not None and turn.speaker not in heard:
                heard.append(turn.speaker)
                content.append({"type": "audio", "audio": voice})
            messages.append({"role": str(turn.speaker), "content": content})
        prompt = self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt"
        )
        if "input_values" in prompt:
            prompt["input_values"] = prompt["input_values"].to(self.dtype)
        scheduler = DPMSolverMultistepScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", algorithm_type=algorithm
        )
        draws = 1 + steps * (algorithm != "dpmsolver++")
        with _injected(seed, draws, heard), _wide_norms(), torch.inference_mode():
            result = self.model.generate(
                **prompt,
                max_new_tokens=frames,
                guidance_scale=guidance,
                num_diffusion_steps=steps,
                noise_scheduler=scheduler,
                return_dict_in_generate=True,
                **others,
            )
        start = prompt["input_ids"].shape[1]
        [samples] = result.audio
        return Spoken(samples.flatten(), result.sequences[0, start:].tolist())


@contextmanager
def _injected(seed: int, draws: int, speakers: Sequence[int]) -> Iterator[None]:
    """Let torch.randn give the stream's noise: transformers draws it in a known order."""
    drawn = 0
    voices: list[torch.Tensor] = []

    def randn(*shape: Any, dtype: torch.dtype = torch.float32, **_: Any) -> torch.Tensor:
        nonlocal drawn, voices
        size = tuple(shape[0]) if isinstance(shape[0], tuple | torch.Size) else shape
        if len(size) == 1:
            # How far each voice is shaken.
            return torch.stack([noise.voice(seed, speaker, 1, 1)[0] for speaker in speakers]).to(dtype)
        frame, draw = divmod(drawn, draws)
        drawn += 1
        # The same for both branches: the reference looks at the first half only.
        return noise.frame(seed, frame, draws, size[1])[draw].expand(size).to(dtype)

    def randn_like(latents: torch.Tensor) -> torch.Tensor:
        _, frames, size = latents.shape
        shaken = [noise.voice(seed, speaker, frames, size)[1] for speaker in speakers]
        return torch.stack(shaken).to(latents.dtype)

    with mock.patch("torch.randn", randn), mock.patch("torch.randn_like", randn_like):
        yield


@contextmanager
def _wide_norms() -> Iterator[None]:
    """Let the norms work in the model's own type where that is wider than float32.

    transformers rounds to float32 inside its norms, also in a float64 model. Two right programs then differ
    now and then in the last bit of a float32, and what follows makes a thousand times as much of that within
    60 frames. Everything else is compared as it is.
    """

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * (wide * scale).to(x.dtype)

    norms = (VibeVoiceRMSNorm, VibeVoiceAcousticTokenizerRMSNorm, Qwen2RMSNorm)
    with ExitStack() as patched:
        for norm in norms:
            patched.enter_context(mock.patch.object(norm, "forward", forward))
        yield
