"""transformers' own generation, frame by frame."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from ..engine.checkpoint import Checkpoint
from .clock import Clock, synchronise
from .profile import Counts, Profile

# transformers builds a noise scheduler of it; the engine and so the studio's image need none.
NEEDED = "diffusers"
SCRIPT = "Good morning and welcome to the show."


def available() -> bool:
    """Whether transformers can generate here at all."""
    return find_spec(NEEDED) is not None


class Reference:
    """A checkpoint as transformers runs it, one stream at a time."""

    def __init__(self, checkpoint: Checkpoint, steps: int) -> None:
        self.model, self.device, self.steps = checkpoint.model, checkpoint.device, steps
        script = [{"role": "0", "content": [{"type": "text", "text": SCRIPT}]}]
        self.prompt: Any = checkpoint.processor.apply_chat_template(
            script, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(checkpoint.device)

    def frame_ms(self, frames: int, warm: int) -> float:
        """Milliseconds for each of `frames` frames, after `warm` others."""
        clocks: list[Clock] = []

        def note(number: int) -> None:
            if number == warm:
                clocks.append(Clock(self.device))
            elif number > warm:
                # transformers itself waits for the device several times in each frame.
                clocks[0].tick()

        self._speak(warm + frames, note)
        return clocks[0].median_ms()

    def counts(self, frames: int, warm: int) -> Counts:
        """What a frame makes the host do."""
        counting, counts = Profile(self.device), []

        def note(number: int) -> None:
            if number == warm:
                counting.start()
            if number == warm + frames:
                synchronise(self.device)
                counts.append(counting.stop(frames))

        self._speak(warm + frames, note)
        return counts[0]

    def _speak(self, frames: int, spoken: Callable[[int], None]) -> None:
        """So many frames; `spoken` is told after each how many there are."""
        torch.manual_seed(1)
        self.model.generate(
            **self.prompt,
            max_new_tokens=frames,
            num_diffusion_steps=self.steps,
            stopping_criteria=StoppingCriteriaList([_Each(spoken)]),
        )


class _Each(StoppingCriteria):
    """Asked after each frame, and never stops."""

    def __init__(self, spoken: Callable[[int], None]) -> None:
        self._spoken, self._count = spoken, 0

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **_: Any) -> Any:
        self._count += 1
        self._spoken(self._count)
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
