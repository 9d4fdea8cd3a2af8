"""Streams that are spoken together, a frame of each at a time. One thread uses it."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from ..script import Turn
from . import noise
from .checkpoint import Checkpoint
from .frame import Slots
from .generation import End, Frame, Generation, PartEnd, Spoken
from .memory import PAGE, Extent, pages_for, room
from .parts import Parts
from .planner import Planner
from .prompt import Prompter
from .run import SPARE_TOKENS, Run
from .solver import Schedule

DEFAULT_GUIDANCE = 1.3


@dataclass(frozen=True)
class _Launched:
    """A step under way: who was in which slot, and where its results will be once `ready` has come."""

    number: int
    runs: tuple[tuple[int, Run], ...]
    samples: Tensor
    state: Tensor
    mark: Tensor
    ready: torch.cuda.Event | None


class Batch:
    """Slots, their memory, and the model that fills them."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        slots: int = 8,
        kv_bytes: int | None = None,
        steps: int | None = None,
        solver: str | None = None,
        buckets: tuple[int, ...] | None = None,
    ) -> None:
        """Reserve all memory that will be used, and on CUDA capture the step.

        Args:
            checkpoint: not to be used again, nor kept: most of it is taken over.
            slots: how many streams are spoken at once.
            kv_bytes: memory for keys and values; None: what a GPU has left, 1 GiB on a CPU.
            steps, solver: of the diffusion; None: the checkpoint's own.
            buckets: how many slots a step may take; None: any number on a CPU, powers of two on CUDA.

        Raises ValueError for a solver or a number of steps that there is not, or too little memory.
        """
        if checkpoint.device.type == "cuda":
            # Graphs and streams are the current device's.
            torch.cuda.set_device(checkpoint.device)
        schedule = Schedule.of_checkpoint(checkpoint.defaults, steps, solver)
        self.weights = checkpoint.fingerprint
        self.parts = Parts(checkpoint, schedule)
        self.prompter = Prompter(checkpoint.processor, self.parts)
        self.sample_rate: int = checkpoint.processor.feature_extractor.sampling_rate
        self.most_frames = int(checkpoint.defaults.get("max_new_tokens") or self.parts.context)
        self.slots, self.steps = slots, len(schedule.steps)
        self.frame_bytes = (self.parts.latent_size + self.parts.feature_size) * self.parts.dtype.itemsize
        device = self.parts.device
        pages = room(device, slots, kv_bytes) // self.parts.language.page_bytes
        if pages < 2:
            raise ValueError(
                f"{device}: no memory is left for even {PAGE} tokens of a stream. Use a larger GPU."
            )
        # No more than all slots could ever use.
        most = 2 * slots * pages_for(self.parts.context + SPARE_TOKENS)
        self.store = self.parts.language.store(min(pages, most))
        self._planner = Planner(
            self.prompter,
            weights=self.weights,
            frame_bytes=self.frame_bytes,
            steps=self.steps,
            guidance=float(checkpoint.defaults.get("guidance_scale") or DEFAULT_GUIDANCE),
            pages=self.store.pages,
        )
        self._state = Slots(self.parts, self.store, slots)
        self._runs: list[Run | None] = [None] * slots
        self._extents: dict[Run, tuple[Extent, Extent]] = {}
        self._over: list[Run] = []
        self._launched: deque[_Launched] = deque()
        self._number = 0
        self._buckets = buckets or tuple(range(1, slots + 1))
        self._bounds: tuple[int, ...] = (self.parts.context,)
        self._advance = self._state.advance
        if device.type == "cuda":
            from .graphs import Graphs, length_buckets, slot_buckets

            self._buckets = buckets or slot_buckets(slots)
            self._bounds = length_buckets(self.parts.context)
            with torch.inference_mode():
                self._advance = Graphs(self._state, self._buckets, self._bounds)

    @property
    def kv_tokens(self) -> int:
        """Tokens of keys and values that all streams can have together."""
        return self.store.pages * PAGE

    @property
    def kv_free(self) -> int:
        """Those that nobody has reserved."""
        return self.store.free_pages * PAGE

    @property
    def running(self) -> int:
        """Streams that have a slot."""
        return sum(run is not None for run in self._runs)

    @property
    def busy(self) -> bool:
        """Whether step() still has something to give."""
        return self.running > 0 or bool(self._over)

    def prepare(self, generation: Generation) -> Run:
        """What to admit. Raises TooLong, Refused for what this engine can never speak."""
        return self._planner.run(generation)

    @torch.inference_mode()
    def admit(self, run: Run) -> bool:
        """Give a run a slot and memory, and read its prompt. False, and nothing done: it does not fit now."""
        if run.done:
            # It was interrupted between its last sample and its end.
            self._over.append(run)
            return True
        if None not in self._runs or (extents := self._take(run)) is None:
            return False
        self._extents[run] = extents
        try:
            self._begin(run, self._runs.index(None))
        except BaseException:
            self.remove(run)
            raise
        return True

    def _take(self, run: Run) -> tuple[Extent, Extent] | None:
        first = self.store.take(run.pages[0])
        if first is None:
            return None
        second = self.store.take(run.pages[1])
        if second is None:
            self.store.give_back(first)
            return None
        return first, second

    def _begin(self, run: Run, slot: int) -> None:
        """Put a run's next part into a slot, behind what has been spoken of it so far."""
        spoken = run.count
        ids, past, start = self._context(run)
        voices = run.generation.voices
        embeds = self.prompter.embed(ids, past, voices, run.seed)
        heard, codec = embeds[-1:], self._state.codec[slot : slot + 1].zero_()
        if spoken > start:
            latents, features = self._unpack(run.states[start * self.frame_bytes :])
            frames = self.parts.join(latents, features)
            self.parts.rebuild(latents, codec)
            embeds, heard = torch.cat((embeds, frames)), torch.cat((heard, frames))
        extents, store, language = self._extents[run], self.store, self.parts.language
        # The last one is what the next step reads.
        for sequence, extent in zip((embeds, heard), extents, strict=True):
            language.prefill(sequence[:-1], store, extent.base)
        self._state.guidance[slot] = run.guidance
        self._state.enter(slot, embeds[-1], (len(embeds) - 1, len(heard) - 1), extents)
        here = spoken - (run.ends[-1] if run.ends else 0)
        run.limit = min(run.part.cap, self.most_frames, self.parts.context - len(ids) - spoken + start + here)
        if run.generation.cap is not None:
            run.limit = min(run.limit, run.generation.cap - (spoken - here - run.prior))
        run.slot, run.entered, run.steps = slot, self._number, here
        run.first, run.length = spoken - run.prior, len(embeds) - 1
        self._runs[slot] = run

    def _context(self, run: Run) -> tuple[list[int], list[Turn], int]:
        """The prompt of a run's next part, its turns, and the first of the frames that belong to it.

        As many of the earlier parts as leave room for this one: its voice and mood come from them.
        """
        now = len(run.ends)
        for first in range(now):
            start = run.ends[first - 1] if first else 0
            turns = [turn for part in run.parts[first : now + 1] for turn in part.turns]
            ids = self.prompter.ids(turns, run.generation.voices)
            if len(ids) + run.count - start + run.part.cap // 2 <= self.parts.context:
                return ids, turns, start
        turns = list(run.part.turns)
        return self.prompter.ids(turns, run.generation.voices), turns, run.ends[-1] if run.ends else 0

    def _unpack(self, states: bytearray) -> tuple[Tensor, Tensor]:
        both = torch.frombuffer(states, dtype=self.parts.dtype).view(
            -1, self.frame_bytes // self.parts.dtype.itemsize
        )
        latents, features = both.to(self.parts.device).split(
            (self.parts.latent_size, self.parts.feature_size), -1
        )
        return latents, features

    def remove(self, run: Run) -> None:
        """Take a run out: slot and memory are free at once."""
        if run.slot is not None:
            self._runs[run.slot] = None
            self._state.leave(run.slot)
            run.slot = None
        if extents := self._extents.pop(run, None):
            for extent in extents:
                self.store.give_back(extent)

    @torch.inference_mode()
    def step(self) -> list[tuple[Run, Spoken]]:
        """One more frame of every run. What comes back is of this step, or on CUDA of the one before: the
        device never waits to be told what to do next."""
        spoken: list[tuple[Run, Spoken]] = [(run, End(run.capped)) for run in self._over]
        self._over.clear()
        for run in [run for run in self._runs if run is not None]:
            spoken += self._limited(run)
        if self.running:
            self._launched.append(self._launch())
        lag = 1 if self.running and self.parts.device.type == "cuda" else 0
        while len(self._launched) > lag:
            spoken += self._collect(self._launched.popleft())
        return spoken

    def _launch(self) -> _Launched:
        """Begin a step of all runs."""
        self._close_gaps()
        runs = [(slot, run) for slot, run in enumerate(self._runs) if run is not None]
        count = next(bucket for bucket in self._buckets if bucket > runs[-1][0])
        state, sizes = self._state, self._state.noise.shape[1:]
        drawn = torch.zeros(count, *sizes, pin_memory=state.noise.is_cuda)
        longest = 0
        for slot, run in runs:
            since = self._number - run.entered
            drawn[slot] = noise.frame(run.seed, run.first + since, *sizes)
            longest = max(longest, run.length + since + 1)
        state.noise[:count].copy_(drawn, non_blocking=True)
        self._advance(count, next(bound for bound in self._bounds if bound >= longest))
        results = [_to_host(rows[:count]) for rows in (state.samples, state.state, state.mark)]
        ready = None
        if state.noise.is_cuda:
            ready = torch.cuda.Event()
            ready.record()
        self._number += 1
        samples, states, marks = results
        return _Launched(self._number - 1, tuple(runs), samples, states, marks, ready)

    def _close_gaps(self) -> None:
        """Move streams down into free slots while that makes the step smaller."""
        while True:
            last = max(slot for slot, run in enumerate(self._runs) if run is not None)
            free = self._runs.index(None) if None in self._runs else last
            bucket = next(bucket for bucket in self._buckets if bucket > last)
            if free > last or not any(self.running <= smaller < bucket for smaller in self._buckets):
                return
            run = self._runs[last]
            assert run is not None
            self._state.move(last, free)
            self._runs[free], self._runs[last], run.slot = run, None, free

    def _collect(self, launched: _Launched) -> list[tuple[Run, Spoken]]:
        """What a step gave to those who still want it."""
        if launched.ready is not None:
            launched.ready.synchronize()
        spoken: list[tuple[Run, Spoken]] = []
        marks, known = launched.mark.tolist(), self.parts.marks
        for slot, run in launched.runs:
            if run.slot is None or run.entered > launched.number:
                continue
            run.steps += 1
            if marks[slot] == known.speak:
                state = launched.state[slot].view(torch.uint8).numpy().tobytes()
                run.states += state
                spoken.append((run, Frame(launched.samples[slot].float().numpy(), state)))
            if marks[slot] == known.stop:
                spoken += self._end_part(run, capped=False)
            else:
                spoken += self._limited(run)
        return spoken

    def _limited(self, run: Run) -> list[tuple[Run, Spoken]]:
        """Cut a run off that has had all the steps it may have."""
        return self._end_part(run, capped=True) if run.steps >= run.limit else []

    def _end_part(self, run: Run, capped: bool) -> list[tuple[Run, Spoken]]:
        """End a run's part, and begin the next one in the same slot."""
        part, slot, frames = run.part, run.slot, run.count
        assert slot is not None
        run.capped |= capped
        run.ends.append(frames)
        if run.generation.cap is not None and frames - run.prior >= run.generation.cap:
            run.parts = run.parts[: len(run.ends)]
        spoken: list[tuple[Run, Spoken]] = []
        if part.silence or not run.done:
            spoken.append((run, PartEnd(part.silence)))
        if run.done:
            self.remove(run)
            return [*spoken, (run, End(run.capped))]
        self._begin(run, slot)
        return spoken


def _to_host(rows: Tensor) -> Tensor:
    """A copy in main memory; on CUDA it is filled in when the step has been done."""
    if not rows.is_cuda:
        return rows.clone()
    return torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True).copy_(rows, non_blocking=True)
