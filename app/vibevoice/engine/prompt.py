"""Prompts: a script's turns and its speakers' voices as the language model reads them."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..audio import Samples
from ..script import Turn
from ..voices import SAMPLE_RATE, content_hash
from . import noise
from .parts import Parts

# Each is some hundred frames of latents: a few hundred KB.
KEPT_VOICES = 256


class Prompter:
    """Makes prompts for one model; keeps the voices that it has encoded, by their content."""

    def __init__(self, processor: Any, parts: Parts) -> None:
        self.processor, self.parts = processor, parts
        self._voices: OrderedDict[str, Tensor] = OrderedDict()

    def text_tokens(self, turns: Sequence[Turn]) -> list[int]:
        """How many tokens each turn's text has."""
        return [len(ids) for ids in self.processor.tokenizer([turn.text for turn in turns])["input_ids"]]

    def ids(self, turns: Sequence[Turn], voices: Sequence[Samples | None]) -> list[int]:
        """The prompt's tokens, by the checkpoint's own template; one for each frame of a voice."""
        seen: set[int] = set()
        messages = []
        for turn in turns:
            content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}]
            voice = _voice(voices, turn.speaker)
            # A voice goes with its speaker's first turn: the template takes a second one for another voice.
            if voice is not None and turn.speaker not in seen:
                content.append({"type": "audio", "audio": voice})
            seen.add(turn.speaker)
            # The template prints the role: speakers count from 0, as in training.
            messages.append({"role": str(turn.speaker), "content": content})
        prompt = self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt"
        )
        return prompt["input_ids"][0].tolist()

    def embed(
        self, ids: Sequence[int], turns: Sequence[Turn], voices: Sequence[Samples | None], seed: int
    ) -> Tensor:
        """[tokens, hidden] of what `ids` gave for these turns and voices; `seed` shakes the voices."""
        embeds = self.parts.embed(ids)
        read = [
            self._read(voice, speaker, seed)
            for speaker in dict.fromkeys(turn.speaker for turn in turns)
            if (voice := _voice(voices, speaker)) is not None
        ]
        if read:
            embeds[torch.tensor(ids, device=embeds.device) == self.parts.pad_id] = torch.cat(read)
        return embeds

    def _read(self, voice: Samples, speaker: int, seed: int) -> Tensor:
        latents = self._encode(voice)
        return self.parts.read_voice(latents, noise.voice(seed, speaker, *latents.shape))

    def _encode(self, voice: Samples) -> Tensor:
        """[frames, latent]; from the second time on without work."""
        key = content_hash(voice)
        if key not in self._voices:
            # Its level is set, and its end filled up to a whole frame.
            extracted = self.processor.feature_extractor(voice, sampling_rate=SAMPLE_RATE)["input_values"]
            samples = extracted.flatten().to(self.parts.device, self.parts.dtype)
            self._voices[key] = self.parts.encode_voice(samples)
            while len(self._voices) > KEPT_VOICES:
                self._voices.popitem(last=False)
        self._voices.move_to_end(key)
        return self._voices[key]


def _voice(voices: Sequence[Samples | None], speaker: int) -> Samples | None:
    return voices[speaker] if speaker < len(voices) else None
