"""The engine's own figures: frames of one and of many streams, first audio, long streams, memory."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..engine.batch import Batch
from ..engine.generation import Frame, Generation, Saved
from ..engine.memory import PAGE
from ..engine.run import Run
from ..script import Turn
from ..voices import SAMPLE_RATE
from .clock import Clock, synchronise
from .profile import Counts, counted

FRAMES_PER_MINUTE = 450
FRAME_MS = 1000 / 7.5
PHRASE = "Good morning and welcome to the show. "
VOICE_S = 10


class Streams:
    """A batch, and streams in it that go on for as long as they are needed."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.device = batch, batch.parts.device
        self._seed = 0

    def frame_ms(self, count: int, frames: int, warm: int) -> float:
        """Milliseconds for a frame of each of `count` streams."""
        with self._running([self._generation(warm + frames)] * count):
            return self._step_ms(frames, warm)

    def counts(self, count: int, frames: int, warm: int) -> Counts:
        """What a frame of all streams makes the host do."""
        with self._running([self._generation(warm + frames)] * count):
            for _ in range(warm):
                self.batch.step()
            return counted(self.device, self.batch.step, frames)

    def first_audio_ms(self, rounds: int) -> dict[str, list[float]]:
        """Milliseconds from a script to its first frame, on an idle engine that has spoken before."""
        known = _voice(0)
        found: dict[str, list[float]] = {"no voice": [], "voice, new": [], "voice, known": []}
        for number in range(1 + rounds):
            for name, voices in zip(found, ((), (_voice(1 + number),), (known,)), strict=True):
                taken = self._first_ms(voices)
                # The first time of each is not warm.
                if number:
                    found[name].append(taken)
        return found

    def minute_ms(self, minutes: Sequence[int], rounds: int, frames: int, warm: int) -> "list[Minute]":
        """Milliseconds for a frame of a stream that has spoken for so many minutes.

        All are of one script, of half as many tokens as the longest has frames: what people write.
        """
        for layer in self.batch.store.layers:
            for kept in layer:
                kept.normal_()
        found = [Minute(minute) for minute in minutes]
        script = max(minutes, default=0) * FRAMES_PER_MINUTE // 2
        for _ in range(rounds):
            for one in found:
                with self.long(one.minute * FRAMES_PER_MINUTE - frames - warm - 2, script) as run:
                    one.tokens = run.length
                    one.rounds_ms.append(self._step_ms(frames, warm))
        return found

    def longest_minute(self) -> float:
        """How long a stream can be, with its script."""
        frames = min(self.batch.most_frames, self.batch.parts.context * 2 // 3)
        return frames / FRAMES_PER_MINUTE

    def memory(self) -> dict[str, float]:
        """Bytes that a stream takes; on CUDA also what all of it takes."""
        batch, state = self.batch, self.batch._state
        token = batch.parts.language.page_bytes / PAGE
        slots = [value for value in vars(state).values() if isinstance(value, torch.Tensor)]
        found = {
            "kv_bytes_per_token": token,
            "kv_bytes_per_minute": 2 * token * FRAMES_PER_MINUTE,
            "codec_state_bytes": state.codec[0].nbytes,
            "slot_bytes": sum(value.nbytes for value in slots) / batch.slots,
            "saved_bytes_per_frame": batch.frame_bytes,
            "store_bytes": (batch.kv_tokens + PAGE) * token,
        }
        if self.device.type == "cuda":
            found["allocated_bytes"] = torch.cuda.memory_allocated(self.device)
            found["peak_bytes"] = torch.cuda.max_memory_allocated(self.device)
        return found

    @contextmanager
    def running(self, count: int, frames: int) -> Iterator[None]:
        """So many streams of so many frames at most, then none."""
        with self._running([self._generation(frames)] * count):
            yield

    @contextmanager
    def long(self, frames: int, script: int) -> Iterator[Run]:
        """A stream that has spoken so many frames of a script of so many tokens, then none.

        What is in the store passes for its keys and values: to read a prompt of that length takes long, and
        a frame costs the same. A script has to be of half as many tokens as it will have frames.
        """
        text = self._text(script)
        generation = Generation((Turn(0, text),), seed=1, resume=self._saved(frames))
        with _nothing_read(self.batch), self._running([generation]) as (run,):
            yield run

    @contextmanager
    def _running(self, generations: Sequence[Generation]) -> Iterator[list[Run]]:
        runs = [self.batch.prepare(generation) for generation in generations]
        try:
            for run in runs:
                if not self.batch.admit(run):
                    raise RuntimeError(f"{len(runs)} streams do not fit: the engine has too little memory")
            yield runs
        finally:
            for run in runs:
                self.batch.remove(run)

    def _step_ms(self, frames: int, warm: int) -> float:
        for _ in range(warm):
            self.batch.step()
        clock = Clock(self.device)
        for _ in range(frames):
            self.batch.step()
            clock.tick()
        return clock.median_ms()

    def _first_ms(self, voices: tuple[Any, ...]) -> float:
        self._seed += 1
        synchronise(self.device)
        began = time.perf_counter()
        run = self.batch.prepare(Generation((Turn(0, PHRASE),), voices, seed=self._seed))
        assert self.batch.admit(run)
        while not any(isinstance(event, Frame) for _, event in self.batch.step()):
            pass
        taken = (time.perf_counter() - began) * 1000
        self.batch.remove(run)
        return taken

    def _generation(self, frames: int) -> Generation:
        # On CUDA a step more is under way; and none may end while it is measured.
        cap = frames + 4
        return Generation((Turn(0, self._text(cap // 4 + 1)),), seed=1, cap=cap)

    def _text(self, tokens: int) -> str:
        """At least so many tokens of text."""
        [size] = self.batch.prompter.text_tokens([Turn(0, PHRASE)])
        return PHRASE * -(-tokens // size)

    def _saved(self, frames: int) -> Saved:
        parts = self.batch.parts
        states = torch.randn(frames, parts.latent_size + parts.feature_size).to(parts.dtype)
        content = states.view(torch.uint8).numpy().tobytes()
        return Saved(self.batch.weights, self.batch.frame_bytes, content)


@dataclass
class Minute:
    """Frames of a stream that is so many minutes long."""

    minute: int
    rounds_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    """Of context, script included."""


@contextmanager
def _nothing_read(batch: Batch) -> Iterator[None]:
    """Take what is in the store for what reading a prompt would leave there."""
    language: Any = batch.parts.language
    language.prefill = lambda *_: None
    try:
        yield
    finally:
        del language.prefill


def _voice(number: int) -> np.ndarray:
    """Ten seconds of noise."""
    drawn = np.random.default_rng(number).standard_normal(SAMPLE_RATE * VOICE_S, dtype=np.float32)
    return 0.1 * drawn
