"""A VibeVoice checkpoint in memory. Slow to import: the engine's own thread does it."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.models.vibevoice.modeling_vibevoice import VibeVoiceForConditionalGeneration
from transformers.models.vibevoice.processing_vibevoice import VibeVoiceProcessor
from transformers.utils.logging import disable_progress_bar

from ..script import Turn
from .generation import Cancelled, Generation, Speech, TooLong
from .solver import Solver

# A bar on stderr is noise in a container's log.
disable_progress_bar()

# People speak about two frames for each token of text. A model that goes on for twice as long has lost its
# way, and would do so for 90 minutes; the constant is for one-word scripts.
FRAMES_PER_TOKEN = 4
SPARE_FRAMES = 30


class Model:
    """The checkpoint in a folder, on one device."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load it. `device` is auto, cpu, cuda, … Raises OSError or ValueError on a bad checkpoint."""
        self.device = torch.device(_choose(device))
        on_cpu = self.device.type == "cpu"
        # Any: transformers annotates its classes for the general case, where half of this may be missing.
        self.processor: Any = VibeVoiceProcessor.from_pretrained(folder, local_files_only=True)
        model = VibeVoiceForConditionalGeneration.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32 if on_cpu else torch.bfloat16
        )
        self.model: Any = model.eval()
        self.model.to(self.device)
        # A dict, for a converter may leave any of it out; transformers then has a default.
        self.defaults = self.model.generation_config.to_dict()
        self.solver = Solver.from_config(
            self.defaults.get("noise_scheduler_class", "DPMSolverMultistepScheduler"),
            self.defaults.get("noise_scheduler_config", {}),
            self.device,
        )

    @property
    def sample_rate(self) -> int:
        """Samples per second of what it speaks."""
        return self.processor.feature_extractor.sampling_rate

    @property
    def gpu(self) -> str | None:
        """The GPU's UUID as nvidia-smi writes it; None on the CPU."""
        if self.device.type != "cuda":
            return None
        return f"GPU-{torch.cuda.get_device_properties(self.device).uuid}"

    def speak(
        self, generation: Generation, on_frame: Callable[[int], None], cancelled: Callable[[], bool]
    ) -> Speech:
        """Speak a script; one call at a time.

        `on_frame` gets the number of frames so far, `cancelled` is asked after each.
        Raises TooLong, Cancelled.
        """
        started = time.monotonic()
        prompt = self._prompt(generation.turns)
        length = prompt["input_ids"].shape[1]
        cap = self._cap(generation.turns, length)
        watch = _Watch(length, on_frame, cancelled)
        seed = secrets.randbits(32) if generation.seed is None else generation.seed
        torch.manual_seed(seed)
        with torch.inference_mode():
            [audio] = self.model.generate(
                **prompt,
                max_new_tokens=cap,
                guidance_scale=generation.guidance or self.defaults.get("guidance_scale"),
                num_diffusion_steps=generation.steps or self.defaults.get("num_diffusion_steps"),
                noise_scheduler=self.solver,
                stopping_criteria=StoppingCriteriaList([watch]),
            )
        if cancelled():
            raise Cancelled("cancelled")
        samples = torch.zeros(0) if audio is None else audio.float().flatten().cpu()
        return Speech(
            samples=samples.numpy(),
            sample_rate=self.sample_rate,
            frames=len(samples) // self.model.config.audio_config.hop_length,
            seed=seed,
            seconds=time.monotonic() - started,
            capped=watch.steps >= cap,
        )

    def _prompt(self, turns: Sequence[Turn]) -> dict[str, torch.Tensor]:
        """The model's inputs, [1, tokens] each. The template prints the roles: speakers count from 0."""
        messages = [
            {"role": str(turn.speaker), "content": [{"type": "text", "text": turn.text}]} for turn in turns
        ]
        prompt = self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt"
        )
        return {name: prompt[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def _cap(self, turns: Sequence[Turn], prompt_tokens: int) -> int:
        """The most frames these turns may take. Raises TooLong where they would not fit behind the prompt."""
        tokens = sum(len(ids) for ids in self.processor.tokenizer([turn.text for turn in turns])["input_ids"])
        context = self.model.config.text_config.max_position_embeddings
        cap = min(SPARE_FRAMES + FRAMES_PER_TOKEN * tokens, self.defaults.get("max_new_tokens") or context)
        # A script that leaves less room than its speech usually takes would be cut off in the middle.
        if prompt_tokens + cap // 2 > context:
            raise TooLong(
                f"The script has {tokens} tokens; the model's context of {context} holds about a third."
            )
        return min(cap, context - prompt_tokens)


class _Watch(StoppingCriteria):
    """Counts the model's steps (a frame each, but for the marks at the end) and ends it when asked to."""

    def __init__(self, prompt: int, on_frame: Callable[[int], None], cancelled: Callable[[], bool]) -> None:
        self.prompt, self.on_frame, self.cancelled, self.steps = prompt, on_frame, cancelled, 0

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:
        self.steps = input_ids.shape[1] - self.prompt
        self.on_frame(self.steps)
        return torch.full((input_ids.shape[0],), self.cancelled(), device=input_ids.device)


def _choose(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
